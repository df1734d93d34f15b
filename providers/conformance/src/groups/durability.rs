//! What is acknowledged is there after the store was closed and opened again.

use super::prelude::*;

pub(crate) async fn an_acknowledged_start_survives(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.event("a", "go", "1").await?;
    let fx = fx.reopened().await?;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "event go 1"]);
    Ok(())
}

pub(crate) async fn an_applied_commit_survives(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").child("Child", "c").status(Some("s"));
    turn.set("k", "v").timer(600_000).commit().await?;
    let fx = fx.reopened().await?;
    expect_eq!("events", fx.events("a", 1).await?.len(), 6);
    expect_eq!("keys", fx.kv("a").await?, [("k".to_owned(), "v".to_owned())]);
    expect_eq!("the status", fx.info("a").await?.custom_status.as_deref(), Some("s"));
    expect_eq!("timers", fx.store().depths().await?.timers, 1);
    fx.node("w").task().await?;
    fx.node("n1").lease_instance("c").await?;
    Ok(())
}

pub(crate) async fn an_applied_commit_is_known_after_a_restart(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").keep().build();
    a.apply(&request).await?;
    let fx = fx.reopened().await?;
    let again = fx.store().commit_turn(request).await?;
    expect_matches!("the answer", again, CommitOutcome::Applied(_));
    expect_eq!("events", fx.events("a", 1).await?.len(), 2);
    Ok(())
}

pub(crate) async fn a_request_is_known_after_a_restart(fx: &Fixture) -> CheckResult {
    let create = fx.request("a", start("Flow", None));
    fx.store().submit(create.clone()).await?;
    let event = fx.request("a", mail(Channel::Event, "go", "1"));
    fx.store().submit(event.clone()).await?;
    let fx = fx.reopened().await?;
    expect_eq!("the start", fx.store().submit(create).await?, Submitted::Created);
    expect_eq!("the event", fx.store().submit(event).await?, Submitted::Accepted);
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "event go 1"]);
    Ok(())
}

pub(crate) async fn a_timer_survives(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(30).commit().await?;
    let fx = fx.reopened().await?;
    fx.advance(50).await;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["timer #2"]);
    Ok(())
}

pub(crate) async fn a_completion_survives(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w").task().await?.complete("1").await?;
    let fx = fx.reopened().await?;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["done #2 ok 1"]);
    Ok(())
}

pub(crate) async fn unread_mail_survives(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().see_all().commit().await?;
    let fx = fx.reopened().await?;
    fx.node("n1").finds_no_instance("its mail was seen").await?;
    fx.event("a", "go", "2").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 2"]);
    expect_eq!("unread", letters(&a.history().await?.unread), ["go 1"]);
    Ok(())
}

pub(crate) async fn a_split_turn_survives(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").split().commit().await?;
    let fx = fx.reopened().await?;
    fx.node("n1").lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn time_goes_on_after_a_restart(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let before = fx.info("a").await?.created_at;
    let fx = fx.reopened().await?;
    fx.start("b").await?;
    let after = fx.info("b").await?.created_at;
    ensure!(after >= before, "the clock went back from {before:?} to {after:?}");
    Ok(())
}

pub(crate) async fn a_wall_clock_set_back_before_a_restart_hands_out_no_earlier_time(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    fx.advance(5_000).await;
    fx.start("b").await?;
    let before = fx.info("b").await?.created_at;
    fx.set_wall_clock_back(std::time::Duration::from_hours(24)).await?;
    let fx = fx.reopened().await?;
    fx.start("c").await?;
    let after = fx.info("c").await?.created_at;
    ensure!(after >= before, "the clock went back from {before:?} to {after:?}");
    Ok(())
}

pub(crate) async fn incarnations_are_not_used_again_after_a_restart(fx: &Fixture) -> CheckResult {
    let old = fx.ended("a").await?;
    fx.store().delete(InstanceKey::new("a"), false).await?;
    let fx = fx.reopened().await?;
    fx.start("a").await?;
    let new = fx.node("n1").lease_instance("a").await?;
    ensure!(new.got.incarnation != old.got.incarnation, "the incarnation was used again");
    Ok(())
}

pub(crate) async fn attempts_survive(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w").task().await?.release(false, 0).await?;
    fx.start("b").await?;
    fx.node("n1").lease_instance("b").await?.release(false, 0).await?;
    let fx = fx.reopened().await?;
    expect_eq!("the attempt of the activity", fx.node("w").task().await?.attempt, 2);
    expect_eq!("the attempt", fx.node("n1").lease_instance("b").await?.got.attempt, 2);
    Ok(())
}

pub(crate) async fn a_delay_survives(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w").task().await?.release(false, 600_000).await?;
    fx.start("b").await?;
    fx.node("n1").lease_instance("b").await?.release(false, 600_000).await?;
    let fx = fx.reopened().await?;
    fx.node("w").finds_no_activity("it is not to run before its delay").await?;
    fx.node("n1").finds_no_instance("it is not to run before its delay").await
}
