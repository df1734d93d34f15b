//! Leases of activities: one worker at a time, fenced; expiry only permits take-over.

use super::prelude::*;

pub(crate) async fn an_activity_has_one_worker(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w1").task().await?;
    fx.node("w2").finds_no_activity("w1 holds it").await?;
    fx.node("w1").finds_no_activity("it has it already").await
}

pub(crate) async fn an_activity_says_all_that_was_scheduled(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().in_session("Greet", "s").commit().await?;
    let leased = fx.node("w").lease_activities(1).await?.activities;
    expect_eq!("activities", leased.len(), 1);
    let got = &leased[0];
    expect_eq!("the activity", got.activity, a.activity(EventId(2)));
    expect_eq!("the instance", got.key, InstanceKey::new("a"));
    expect_eq!("the orchestration", got.orchestration, "Flow");
    expect_eq!("its version", got.version, "1.0.0");
    expect_eq!("the name", got.name, "Greet");
    expect_eq!("the input", got.input, Payload::json("2"));
    expect_eq!("the session", got.session.as_deref(), Some("s"));
    expect_eq!("the tag", got.tag, None);
    expect_eq!("headers", got.headers, trace());
    Ok(())
}

pub(crate) async fn activities_are_leased_oldest_first(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = (0..5).fold(a.turn().admit_all(), |turn, _| turn.activity("Greet"));
    turn.commit().await?;
    let events: Vec<_> = fx.node("w").tasks(3).await?.iter().map(|t| t.event().0).collect();
    expect_eq!("the first three", events, [2, 3, 4]);
    let events: Vec<_> = fx.node("w").tasks(3).await?.iter().map(|t| t.event().0).collect();
    expect_eq!("the rest", events, [5, 6]);
    Ok(())
}

pub(crate) async fn activities_of_older_commits_come_first(fx: &Fixture) -> CheckResult {
    for id in ["z", "m", "a"] {
        fx.with_activity(id).await?;
        fx.advance(2).await;
    }
    let tasks = fx.node("w").tasks(3).await?;
    let from: Vec<_> = tasks.iter().map(|t| t.instance.as_str()).collect();
    expect_eq!("whose activities", from, ["z", "m", "a"]);
    Ok(())
}

pub(crate) async fn an_expired_activity_is_taken_over(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let late = fx.node("w1").lease_ms(20).task().await?;
    fx.advance(30).await;
    let task = fx.node("w2").task().await?;
    expect_eq!("the late completion", late.complete("1").await?, ActivityFate::LeaseLost);
    expect_eq!("the late renewal", late.renew(1000).await?, LeaseState::Lost);
    expect_eq!("the new holder's", task.complete("2").await?, ActivityFate::Applied);
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["done #2 ok 2"]);
    Ok(())
}

pub(crate) async fn an_expired_activity_nobody_took_over_completes(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").lease_ms(10).task().await?;
    fx.advance(30).await;
    expect_eq!("the completion", task.complete("1").await?, ActivityFate::Applied);
    Ok(())
}

pub(crate) async fn an_expired_activity_nobody_took_over_is_renewed(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").lease_ms(10).task().await?;
    fx.advance(30).await;
    expect_eq!("the renewal", task.renew(600_000).await?, LeaseState::Held);
    fx.node("w2").finds_no_activity("w1 renewed its lease").await
}

pub(crate) async fn a_renewed_activity_outlives_its_first_deadline(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").lease_ms(20).task().await?;
    expect_eq!("the renewal", task.renew(600_000).await?, LeaseState::Held);
    fx.advance(40).await;
    fx.node("w2").finds_no_activity("w1 renewed its lease").await
}

pub(crate) async fn a_renewal_after_the_completion_does_not_say_held(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").task().await?;
    task.complete("1").await?;
    ensure!(task.renew(1000).await? != LeaseState::Held, "what is completed is not held");
    Ok(())
}

pub(crate) async fn an_unknown_lease_completes_nothing(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").task().await?;
    let stranger = task.under(fx.lease_id());
    expect_eq!("the stranger's", stranger.complete("9").await?, ActivityFate::LeaseLost);
    expect_eq!("the holder's", task.complete("1").await?, ActivityFate::Applied);
    Ok(())
}

pub(crate) async fn an_activity_of_a_waiting_instance_needs_no_holder(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("n1").finds_no_instance("it waits for its activity").await?;
    fx.node("w").task().await?.complete("1").await?;
    fx.node("n1").lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn a_held_activity_blocks_no_other(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.with_activity("b").await?;
    let tasks = fx.node("w1").tasks(1).await?;
    expect_eq!("leased", tasks.len(), 1);
    let other = fx.node("w2").task().await?;
    expect_eq!("the other one's", other.complete("1").await?, ActivityFate::Applied);
    Ok(())
}
