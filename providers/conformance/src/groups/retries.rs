//! Every method sent twice with the same ids is applied once and answers alike.

use super::prelude::*;
use duroxide_provider::{Release, Renew};
use std::time::Duration;

pub(crate) async fn a_repeated_lease_gives_the_same_instances(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.start("b").await?;
    let node = fx.node("n1");
    let request = node.ask_instances(10);
    let first = node.tenures(fx.store().lease_orchestrations(request.clone()).await?);
    fx.start("c").await?;
    let again = node.tenures(fx.store().lease_orchestrations(request).await?);
    let ids = |tenures: &[Tenure]| tenures.iter().map(|t| t.id().to_owned()).collect::<Vec<_>>();
    expect_eq!("the first answer", ids(&first), ["a", "b"]);
    expect_eq!("the second answer", ids(&again), ["a", "b"]);
    let attempts: Vec<_> = again.iter().map(|t| t.got.attempt).collect();
    expect_eq!("attempts", attempts, [1, 1]);
    Ok(())
}

pub(crate) async fn a_repeated_lease_that_gave_nothing_may_be_asked_again(
    fx: &Fixture,
) -> CheckResult {
    let node = fx.node("n1");
    let request = node.ask_instances(10);
    fx.store().lease_orchestrations(request.clone()).await?;
    let again = fx.store().lease_orchestrations(request).await?;
    ensure!(again.instances.is_empty(), "an empty store has nothing to lease");
    Ok(())
}

pub(crate) async fn a_repeated_lease_gives_the_same_activities(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let request = fx.node("w").ask_activities(10);
    let first = fx.store().lease_activities(request.clone()).await?.activities;
    fx.with_activity("b").await?;
    let again = fx.store().lease_activities(request).await?.activities;
    expect_eq!("activities of the first answer", first.len(), 1);
    expect_eq!("the second answer", again, first);
    Ok(())
}

pub(crate) async fn a_repeated_commit_is_applied_once(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").status(Some("s")).set("k", "1").keep();
    let request = turn.build();
    a.apply(&request).await?;
    expect_matches!(
        "the second answer",
        fx.store().commit_turn(request).await?,
        CommitOutcome::Applied(_)
    );
    expect_eq!("events", fx.events("a", 1).await?.len(), 4);
    expect_eq!("the status version", fx.info("a").await?.custom_status_version, 1);
    expect_eq!("activities", fx.node("w").tasks(10).await?.len(), 1);
    a.turn().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn a_repeated_commit_gives_the_same_claims(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").activity("Work");
    let request = turn.keep().claim(fx.node("n1").claim(5)).build();
    let first = a.apply(&request).await?;
    let again = a.clone().apply(&request).await?;
    expect_eq!("claims of the first answer", first.claimed.len(), 2);
    expect_eq!("claims of the second answer", again.claimed, first.claimed);
    Ok(())
}

pub(crate) async fn a_repeated_commit_gives_the_same_timer_stamps(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().timer(600_000).keep().build();
    let first = a.apply(&request).await?;
    fx.advance(10).await;
    let again = a.clone().apply(&request).await?;
    expect_eq!("timers of the first answer", first.timers.len(), 1);
    expect_eq!("timers of the second answer", again.timers, first.timers);
    expect_eq!("timers in the store", fx.store().depths().await?.timers, 1);
    Ok(())
}

pub(crate) async fn a_repeated_commit_gives_what_has_arrived_by_now(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().keep().build();
    let first = a.apply(&request).await?;
    expect_eq!("arrivals of the first answer", first.arrivals, []);
    fx.event("a", "go", "1").await?;
    let again = a.apply(&request).await?;
    ensure!(again.held, "the lease is expected to be held still");
    expect_eq!("arrivals of the second answer", a.inbox(), ["event go 1"]);
    Ok(())
}

/// The answer to a late duplicate reaches nobody: what it says must be said once more.
pub(crate) async fn a_repeated_commit_keeps_no_news_from_the_holder(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().keep().build();
    a.apply(&request).await?;
    fx.event("a", "go", "1").await?;
    a.clone().apply(&request).await?;
    let given = fx.node("n1").lease_instance("a").await?;
    ensure!(given.inbox().contains(&"event go 1".to_owned()), "{:?}", given.inbox());
    Ok(())
}

/// So may the answer to a leasing call: it came too late, or its caller had given it up.
pub(crate) async fn news_that_nobody_got_come_again_with_a_renewal(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().keep().commit().await?;
    fx.event("a", "go", "1").await?;
    fx.node("n1").lease_instance("a").await?;
    fx.node("n1").finds_no_instance("it was told").await?;
    expect_eq!("the renewal", a.renew(600_000).await?, LeaseState::Held);
    fx.node("n2").finds_no_instance("n1 holds it").await?;
    let given = fx.node("n1").lease_instance("a").await?;
    ensure!(given.inbox().contains(&"event go 1".to_owned()), "{:?}", given.inbox());
    Ok(())
}

pub(crate) async fn a_repeated_commit_is_known_though_another_holds_the_instance(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().build();
    a.apply(&request).await?;
    fx.event("a", "go", "1").await?;
    let mut other = fx.node("n2").lease_instance("a").await?;
    let again = a.apply(&request).await?;
    ensure!(!again.held, "the lease is n2's, the retry of n1 must not say `held`");
    other.turn().admit_all().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn a_repeated_commit_with_a_fused_completion_is_applied(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    let task = fx.node("n1").task().await?;
    let request = a.turn().finishing(&task, "1").keep().build();
    a.apply(&request).await?;
    a.clone().apply(&request).await?;
    expect_eq!("events", fx.events("a", 1).await?.len(), 3);
    Ok(())
}

pub(crate) async fn a_repeated_final_commit_tells_the_parent_once(fx: &Fixture) -> CheckResult {
    let parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    let request = child.turn().admit_all().complete("5").build();
    child.apply(&request).await?;
    child.apply(&request).await?;
    parent.release(true, 0).await?;
    let parent = fx.node("n3").lease_instance("p").await?;
    expect_eq!("the parent's inbox", parent.inbox(), ["child #2 ok 5"]);
    Ok(())
}

pub(crate) async fn a_repeated_commit_refuses_a_child_once(fx: &Fixture) -> CheckResult {
    fx.ended("c").await?;
    fx.start("p").await?;
    let mut parent = fx.node("n1").lease_instance("p").await?;
    let request = parent.turn().admit_all().child("Child", "c").keep().build();
    parent.apply(&request).await?;
    parent.apply(&request).await?;
    expect_eq!("the parent's inbox", parent.inbox(), ["child #2 err invalid"]);
    Ok(())
}

pub(crate) async fn a_repeated_continue_as_new_makes_one_execution(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let request = a.turn().continue_as_new().build();
    a.apply(&request).await?;
    let again = fx.store().commit_turn(request).await?;
    expect_matches!("the second answer", again, CommitOutcome::Applied(_));
    let executions = fx.store().executions(InstanceKey::new("a")).await?;
    expect_eq!("executions", executions.len(), 2);
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_repeated_completion_is_gone_and_arrives_once(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    expect_eq!("the first answer", task.complete("1").await?, ActivityFate::Applied);
    expect_eq!("the second answer", task.complete("1").await?, ActivityFate::Gone);
    let mut a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["done #2 ok 1"]);
    a.turn().admit_all().keep().commit().await?;
    expect_eq!("once it was admitted", task.complete("1").await?, ActivityFate::Gone);
    Ok(())
}

pub(crate) async fn a_repeated_start_answers_created(fx: &Fixture) -> CheckResult {
    let request = fx.request("a", start("Flow", None));
    for _ in 0..3 {
        expect_eq!("the answer", fx.store().submit(request.clone()).await?, Submitted::Created);
    }
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_repeated_start_answers_created_after_the_end(fx: &Fixture) -> CheckResult {
    let request = fx.request("a", start("Flow", None));
    fx.store().submit(request.clone()).await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().complete("1").commit().await?;
    expect_eq!("the answer", fx.store().submit(request).await?, Submitted::Created);
    Ok(())
}

pub(crate) async fn a_repeated_event_arrives_once(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let request = fx.request("a", mail(Channel::Event, "go", "1"));
    for _ in 0..3 {
        expect_eq!("the answer", fx.store().submit(request.clone()).await?, Submitted::Accepted);
    }
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 1"]);
    Ok(())
}

pub(crate) async fn a_repeated_event_arrives_once_though_it_was_taken(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let request = fx.request("a", mail(Channel::Event, "go", "1"));
    fx.store().submit(request.clone()).await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().admit_all().commit().await?;
    expect_eq!("the answer", fx.store().submit(request).await?, Submitted::Accepted);
    fx.node("n3").finds_no_instance("the event was taken already").await?;
    Ok(())
}

pub(crate) async fn two_requests_with_the_same_content_are_two(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    fx.event("a", "go", "1").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 1", "event go 1"]);
    Ok(())
}

pub(crate) async fn a_repeated_cancel_arrives_once(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let request = fx.request("a", Submission::Cancel { reason: "enough".to_owned() });
    for _ in 0..2 {
        expect_eq!("the answer", fx.store().submit(request.clone()).await?, Submitted::Accepted);
    }
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["cancel enough"]);
    Ok(())
}

pub(crate) async fn a_repeated_terminate_arrives_once(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let request = fx.request("a", Submission::Terminate { reason: "now".to_owned() });
    for _ in 0..2 {
        expect_eq!("the answer", fx.store().submit(request.clone()).await?, Submitted::Accepted);
    }
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["terminate now"]);
    Ok(())
}

pub(crate) async fn a_repeated_release_does_not_touch_the_next_holder(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let first = fx.node("n1").lease_instance("a").await?;
    first.release(false, 0).await?;
    let mut second = fx.node("n2").lease_instance("a").await?;
    first.release(false, 0).await?;
    fx.node("n3").finds_no_instance("n2 holds it").await?;
    second.turn().admit_all().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn a_repeated_refund_counts_once(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?.release(false, 0).await?;
    let second = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the second attempt", second.got.attempt, 2);
    let held = vec![second.held()];
    let request = Release { held, commit: None, refund: true, delay: Duration::ZERO };
    fx.store().release(request.clone()).await?;
    fx.store().release(request).await?;
    let third = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the attempt after one refund", third.got.attempt, 2);
    Ok(())
}

pub(crate) async fn a_repeated_renewal_says_held_again(fx: &Fixture) -> CheckResult {
    let a = fx.begun("a").await?;
    let request = Renew { held: vec![a.held()], duration: Duration::from_mins(10) };
    for _ in 0..2 {
        expect_eq!("the answer", fx.store().renew(request.clone()).await?, [LeaseState::Held]);
    }
    Ok(())
}

pub(crate) async fn a_request_is_known_behind_many_others(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.waiting("b").await?;
    let request = fx.request("a", mail(Channel::Event, "go", "1"));
    fx.store().submit(request.clone()).await?;
    for n in 0..120 {
        fx.event("b", "go", &n.to_string()).await?;
    }
    expect_eq!("the answer", fx.store().submit(request).await?, Submitted::Accepted);
    let leased = fx.node("n2").lease(1).await?;
    let inbox: Vec<_> = leased.iter().map(Tenure::inbox).collect();
    expect_eq!("the inbox", inbox, [["event go 1"]]);
    Ok(())
}
