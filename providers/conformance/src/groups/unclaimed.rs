//! Work that is ready and that nobody holds: the oldest of an instance, and under which
//! names there is any.

use super::prelude::*;
use crate::factory::Damage;
use duroxide_provider::{UnclaimedName, Work};
use std::time::Duration;

async fn work(fx: &Fixture, id: &str) -> CheckResult<Option<Work>> {
    Ok(fx.info(id).await?.unclaimed.map(|unclaimed| unclaimed.work))
}

fn turn(first: bool) -> Work {
    Work::Turn { first }
}

fn activity(name: &str) -> Work {
    Work::Activity { name: name.to_owned(), tag: None, session: None }
}

fn names(found: &[UnclaimedName]) -> Vec<&str> {
    found.iter().map(|found| found.name.as_str()).collect()
}

async fn activity_names(fx: &Fixture) -> CheckResult<Vec<String>> {
    let found = fx.store().unclaimed().await?.activities;
    Ok(names(&found).into_iter().map(str::to_owned).collect())
}

pub(crate) async fn a_first_turn_is_unclaimed_until_it_is_leased(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    expect_eq!("before it is leased", work(fx, "a").await?, Some(turn(true)));
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("while it is held", work(fx, "a").await?, None);
    a.release(true, 0).await?;
    expect_eq!("after it was released", work(fx, "a").await?, Some(turn(true)));
    Ok(())
}

pub(crate) async fn a_later_turn_is_unclaimed_when_something_has_arrived(
    fx: &Fixture,
) -> CheckResult {
    fx.waiting("a").await?;
    expect_eq!("with nothing to do", work(fx, "a").await?, None);
    fx.event("a", "go", "1").await?;
    expect_eq!("with an event", work(fx, "a").await?, Some(turn(false)));
    fx.node("n2").lease_instance("a").await?;
    expect_eq!("while it is held", work(fx, "a").await?, None);
    Ok(())
}

pub(crate) async fn an_activity_is_unclaimed_until_it_is_leased(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    expect_eq!("before it is leased", work(fx, "a").await?, Some(activity("Greet")));
    let task = fx.node("w").task().await?;
    expect_eq!("while it is held", work(fx, "a").await?, None);
    task.release(true, 0).await?;
    expect_eq!("after it was released", work(fx, "a").await?, Some(activity("Greet")));
    Ok(())
}

pub(crate) async fn an_activity_that_was_claimed_is_not_unclaimed(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let claim = fx.node("n1").claim(5);
    a.turn().admit_all().activity("Greet").claim(claim).keep().commit().await?;
    expect_eq!("of the instance", work(fx, "a").await?, None);
    expect_eq!("the names", activity_names(fx).await?.len(), 0);
    Ok(())
}

pub(crate) async fn tag_and_session_of_what_waits_are_told(fx: &Fixture) -> CheckResult {
    for (id, tag, session) in [("a", Some("gpu"), None), ("b", None, Some("s1"))] {
        fx.start(id).await?;
        let mut held = fx.node("n1").lease_instance(id).await?;
        let turn = held.turn().admit_all();
        let turn = match tag {
            Some(tag) => turn.tagged("Work", tag),
            None => turn.in_session("Work", "s1"),
        };
        turn.commit().await?;
        let (tag, session) = (tag.map(str::to_owned), session.map(str::to_owned));
        let want = Some(Work::Activity { name: "Work".to_owned(), tag, session });
        expect_eq!(format!("what `{id}` waits with"), work(fx, id).await?, want);
    }
    Ok(())
}

pub(crate) async fn the_longest_waiting_work_is_told_with_its_age(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let scheduled = fx.info("a").await?.updated_at;
    fx.advance(40).await;
    fx.event("a", "go", "1").await?;
    fx.advance(40).await;
    let Some(unclaimed) = fx.info("a").await?.unclaimed else {
        ensure!(false, "the activity is expected to be told");
        return Ok(());
    };
    expect_eq!("the older work", unclaimed.work, activity("Greet"));
    expect_eq!("since when", unclaimed.since, scheduled);
    ensure!(unclaimed.age >= Duration::from_millis(80), "80 ms passed: {:?}", unclaimed.age);
    Ok(())
}

pub(crate) async fn a_lease_that_ran_out_leaves_its_work_unclaimed(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.start("b").await?;
    fx.node("w").lease_ms(40).task().await?;
    let b = fx.node("n1").lease_ms(40).lease_instance("b").await?;
    fx.advance(60).await;
    expect_eq!("an activity", work(fx, "a").await?, Some(activity("Greet")));
    expect_eq!("a turn", work(fx, "b").await?, Some(turn(true)));
    let since = fx.info("b").await?.unclaimed.map(|unclaimed| unclaimed.since);
    let arrived = b.arrivals.first().map(|arrival| arrival.at);
    ensure!(since > arrived, "since the lease ran out, not since {arrived:?}: {since:?}");
    Ok(())
}

pub(crate) async fn what_waits_for_its_time_is_not_unclaimed(fx: &Fixture) -> CheckResult {
    fx.start("timer").await?;
    let mut held = fx.node("n1").lease_instance("timer").await?;
    held.turn().admit_all().timer(600_000).commit().await?;
    fx.with_activity("delayed").await?;
    fx.node("w").task().await?.release(true, 600_000).await?;
    for id in ["timer", "delayed"] {
        expect_eq!(format!("of `{id}`"), work(fx, id).await?, None);
    }
    let found = fx.store().unclaimed().await?;
    expect_eq!("names", (found.orchestrations, found.activities), (vec![], vec![]));
    Ok(())
}

pub(crate) async fn the_end_leaves_nothing_unclaimed(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    fx.event("a", "go", "1").await?;
    a.turn().complete("1").commit().await?;
    expect_eq!("of the instance", work(fx, "a").await?, None);
    expect_eq!("the names", activity_names(fx).await?.len(), 0);
    Ok(())
}

pub(crate) async fn what_is_quarantined_is_not_unclaimed(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    fx.event("a", "go", "1").await?;
    fx.damage(Damage::Mail(InstanceKey::new("a"))).await?;
    fx.node("n1").lease(5).await?;
    ensure!(fx.info("a").await?.quarantined.is_some(), "`a` is expected to be quarantined");
    // It is queued again, and nobody may take it.
    task.release(true, 0).await?;
    fx.node("w").finds_no_activity("its instance is quarantined").await?;
    expect_eq!("of the instance", work(fx, "a").await?, None);
    expect_eq!("the names", activity_names(fx).await?.len(), 0);
    Ok(())
}

pub(crate) async fn names_of_ready_instances_are_told_with_their_oldest(
    fx: &Fixture,
) -> CheckResult {
    fx.submit("a", start("Flow", None)).await?;
    let first = fx.info("a").await?.created_at;
    fx.advance(20).await;
    fx.submit("b", start("Flow", None)).await?;
    fx.submit("c", start("Flow", Some("2.0.0"))).await?;
    fx.submit("d", start("Helo", None)).await?;
    let found = fx.store().unclaimed().await?;
    let mut names = Vec::new();
    for found in &found.orchestrations {
        names.push((found.name.as_str(), found.version.as_deref()));
    }
    names.sort_unstable();
    expect_eq!("the names", names, [("Flow", None), ("Flow", Some("2.0.0")), ("Helo", None)]);
    let oldest = |f: &&UnclaimedName| f.name == "Flow" && f.version.is_none();
    let since = found.orchestrations.iter().find(oldest).map(|found| found.since);
    expect_eq!("since when", since, Some(first));
    ensure!(found.store_now >= first.plus(20), "the time is the store's: {:?}", found.store_now);
    fx.node("n1").lease(100).await?;
    let left = fx.store().unclaimed().await?.orchestrations;
    expect_eq!("what nobody leased", left.len(), 2);
    Ok(())
}

pub(crate) async fn names_of_queued_activities_are_told_with_their_oldest(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Gret").keep().commit().await?;
    let first = fx.info("a").await?.updated_at;
    fx.advance(20).await;
    a.turn().activity("Gret").activity("Chrage").keep().commit().await?;
    let mut found = fx.store().unclaimed().await?.activities;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    expect_eq!("the names", names(&found), ["Chrage", "Gret"]);
    expect_eq!("since when", found[1].since, first);
    ensure!(found[0].since >= first.plus(20), "the later one came later: {found:?}");
    Ok(())
}

pub(crate) async fn a_name_of_which_one_is_held_is_left_out(fx: &Fixture) -> CheckResult {
    for id in ["a", "b"] {
        fx.with_activity(id).await?;
    }
    let held = fx.node("w").tasks(1).await?;
    expect_eq!("while one is held", activity_names(fx).await?.len(), 0);
    for task in held {
        task.release(true, 0).await?;
    }
    expect_eq!("afterwards", activity_names(fx).await?, ["Greet"]);
    Ok(())
}

pub(crate) async fn what_may_wait_for_its_turn_is_left_out(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let held = fx.node("w").task().await?;
    fx.advance(5).await;
    fx.start("b").await?;
    let mut b = fx.node("n1").lease_instance("b").await?;
    b.turn().admit_all().activity("Gret").commit().await?;
    expect_eq!("behind what a node is at", activity_names(fx).await?.len(), 0);
    held.complete("1").await?;
    expect_eq!("when it is done", activity_names(fx).await?, ["Gret"]);
    fx.advance(5).await;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").commit().await?;
    fx.node("w").task().await?;
    expect_eq!("when it was passed over", activity_names(fx).await?, ["Gret"]);
    Ok(())
}

pub(crate) async fn a_lost_attempt_is_told_since_its_lease_ran_out(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let before = fx.store().unclaimed().await?.store_now;
    fx.node("w").lease_ms(40).task().await?;
    fx.advance(60).await;
    let found = fx.store().unclaimed().await?.activities;
    expect_eq!("afterwards", names(&found), ["Greet"]);
    ensure!(found[0].since >= before.plus(40), "not since it was scheduled: {found:?}");
    fx.node("w").task().await?;
    expect_eq!("when it was taken over", activity_names(fx).await?.len(), 0);
    Ok(())
}

pub(crate) async fn what_one_node_passed_over_may_come_to_another(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let busy = fx.node("w1").task().await?;
    fx.advance(5).await;
    fx.start("b").await?;
    let mut b = fx.node("n1").lease_instance("b").await?;
    b.turn().admit_all().activity("Gret").commit().await?;
    fx.advance(5).await;
    fx.start("c").await?;
    let mut c = fx.node("n1").lease_instance("c").await?;
    c.turn().admit_all().activity("Other").commit().await?;
    fx.node("w2").works(&["Other"]).task().await?;
    expect_eq!("while w1 is at what is older", activity_names(fx).await?.len(), 0);
    busy.complete("1").await?;
    expect_eq!("when it is done", activity_names(fx).await?, ["Gret"]);
    Ok(())
}

pub(crate) async fn what_may_wait_for_room_for_its_session_is_left_out(
    fx: &Fixture,
) -> CheckResult {
    for (id, session) in [("a", "s1"), ("b", "s2")] {
        fx.start(id).await?;
        let mut held = fx.node("n1").lease_instance(id).await?;
        held.turn().admit_all().in_session("Work", session).commit().await?;
    }
    let two = fx.node("w").sessions(2, 600_000);
    let one = fx.node("w").sessions(1, 600_000);
    one.task().await?.complete("1").await?;
    fx.node("n1").lease_instance("a").await?.turn().admit_all().commit().await?;
    expect_eq!("while the node owns as many as it may", activity_names(fx).await?.len(), 0);
    fx.start("c").await?;
    let mut c = fx.node("n1").lease_instance("c").await?;
    c.turn().admit_all().in_session("Gret", "s1").commit().await?;
    expect_eq!("of the session that it owns", activity_names(fx).await?, ["Gret"]);
    fx.node("w").sessions(2, 600_000).works(&["Gret"]).task().await?.complete("1").await?;
    expect_eq!("when it may own more", activity_names(fx).await?, ["Work"]);
    two.task().await?;
    Ok(())
}

pub(crate) async fn a_leased_activity_says_since_when_it_could_be(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let scheduled = fx.info("a").await?.updated_at;
    fx.advance(20).await;
    let leased = fx.node("w").lease_activities(1).await?;
    let ready_at = leased.activities.first().map(|activity| activity.ready_at);
    expect_eq!("since when", ready_at, Some(scheduled));
    Ok(())
}
