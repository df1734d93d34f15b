//! Claims: work taken by the commit that schedules it, within permits, after older work.

use super::prelude::*;
use duroxide_provider::TagFilter;

pub(crate) async fn a_claim_holds_what_the_commit_schedules(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").keep().claim(node.claim(5)).build();
    let applied = a.apply(&request).await?;
    let tasks = a.claimed(request.commit_id, &applied);
    expect_eq!("the claims", tasks.iter().map(Task::event).collect::<Vec<_>>(), [EventId(2)]);
    fx.node("w2").finds_no_activity("n1 claimed it").await?;
    expect_eq!("the renewal", tasks[0].renew(60_000).await?, LeaseState::Held);
    expect_eq!("the completion", tasks[0].complete("1").await?, ActivityFate::Applied);
    Ok(())
}

pub(crate) async fn without_a_claim_nothing_is_claimed(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let applied = a.turn().admit_all().activity("Greet").keep().commit().await?;
    expect_eq!("the claims", applied.claimed, []);
    fx.node("w2").task().await?;
    Ok(())
}

pub(crate) async fn permits_bound_a_claim_and_the_rest_is_for_others(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let turn = (0..5).fold(a.turn().admit_all(), |turn, _| turn.activity("Greet"));
    let applied = turn.keep().claim(node.claim(2)).commit().await?;
    let claimed: Vec<_> = applied.claimed.iter().map(|c| c.event.0).collect();
    expect_eq!("the claims, oldest first", claimed, [2, 3]);
    let rest: Vec<_> = fx.node("w2").tasks(10).await?.iter().map(|t| t.event().0).collect();
    expect_eq!("left for others", rest, [4, 5, 6]);
    Ok(())
}

pub(crate) async fn no_permits_claim_nothing(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let applied =
        a.turn().admit_all().activity("Greet").keep().claim(node.claim(0)).commit().await?;
    expect_eq!("the claims", applied.claimed, []);
    fx.node("w2").task().await?;
    Ok(())
}

pub(crate) async fn older_work_of_the_kind_comes_before_a_claim(fx: &Fixture) -> CheckResult {
    fx.with_activity("old").await?;
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let applied =
        a.turn().admit_all().activity("Greet").keep().claim(node.claim(1)).commit().await?;
    expect_eq!("the claims", applied.claimed, []);
    let tasks = node.tasks(5).await?;
    let from: Vec<_> = tasks.iter().map(|t| t.instance.as_str()).collect();
    expect_eq!("whose activities", from, ["old", "a"]);
    Ok(())
}

pub(crate) async fn older_work_for_others_does_not_hinder_a_claim(fx: &Fixture) -> CheckResult {
    fx.start("old").await?;
    let mut old = fx.node("n1").lease_instance("old").await?;
    old.turn().admit_all().activity("Unknown").tagged("Greet", "gpu").commit().await?;
    fx.start("a").await?;
    let node = fx.node("n1").tags(TagFilter::DefaultOnly);
    let mut a = node.lease_instance("a").await?;
    let applied =
        a.turn().admit_all().activity("Greet").keep().claim(node.claim(1)).commit().await?;
    expect_eq!("claims", applied.claimed.len(), 1);
    Ok(())
}

pub(crate) async fn older_work_that_is_held_does_not_hinder_a_claim(fx: &Fixture) -> CheckResult {
    fx.with_activity("old").await?;
    fx.node("w2").task().await?;
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let applied =
        a.turn().admit_all().activity("Greet").keep().claim(node.claim(1)).commit().await?;
    expect_eq!("claims", applied.claimed.len(), 1);
    Ok(())
}

pub(crate) async fn a_claim_takes_only_names_the_node_runs(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1").works(&["Work"]);
    let mut a = node.lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").activity("Work");
    let applied = turn.keep().claim(node.claim(5)).commit().await?;
    let claimed: Vec<_> = applied.claimed.iter().map(|c| c.event.0).collect();
    expect_eq!("the claims", claimed, [3]);
    fx.node("w2").task().await?;
    Ok(())
}

pub(crate) async fn a_claim_takes_only_tags_of_the_node(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1").tags(TagFilter::DefaultOnly);
    let mut a = node.lease_instance("a").await?;
    let turn = a.turn().admit_all().tagged("Greet", "gpu").activity("Work");
    let applied = turn.keep().claim(node.claim(5)).commit().await?;
    let claimed: Vec<_> = applied.claimed.iter().map(|c| c.event.0).collect();
    expect_eq!("the claims", claimed, [3]);
    Ok(())
}

pub(crate) async fn a_claim_that_expires_is_taken_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1").lease_ms(20);
    let mut a = node.lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").keep().claim(node.claim(1)).build();
    let applied = a.apply(&request).await?;
    let claimed = a.claimed(request.commit_id, &applied);
    expect_eq!("claims", claimed.len(), 1);
    fx.advance(30).await;
    let other = fx.node("w2").task().await?;
    expect_eq!("the attempt", other.attempt, 2);
    expect_eq!("the late one", claimed[0].complete("1").await?, ActivityFate::LeaseLost);
    expect_eq!("the new one", other.complete("2").await?, ActivityFate::Applied);
    Ok(())
}

pub(crate) async fn a_step_is_one_commit_and_no_fetch(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let mut request = a.turn().admit_all().activity("Greet").keep().claim(node.claim(1)).build();
    for step in 0..5 {
        let applied = a.apply(&request).await?;
        let tasks = a.claimed(request.commit_id, &applied);
        expect_eq!(format!("claims of step {step}"), tasks.len(), 1);
        let turn = a.turn().finishing(&tasks[0], "1").activity("Greet");
        request = turn.keep().claim(node.claim(1)).build();
    }
    expect_eq!("events", fx.events("a", 1).await?.len(), 10);
    let events = fx.events("a", 1).await?;
    let ids: Vec<_> = events.iter().map(|e| e.id.0).collect();
    expect_eq!("their ids", ids, (1..=10).collect::<Vec<_>>());
    Ok(())
}

pub(crate) async fn a_refused_commit_claims_nothing(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").keep().claim(node.claim(1));
    turn.expecting(9).refused().await?;
    fx.node("w2").finds_no_activity("the commit was refused").await
}
