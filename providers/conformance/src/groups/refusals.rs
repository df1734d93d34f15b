//! Why a commit is refused, in the documented order: applied before · gone · conflict ·
//! lease lost · activity lost.

use super::prelude::*;
use duroxide_provider::{CommitId, Incarnation, LeaseId};

const STRANGER: LeaseId = LeaseId(0xBAD);

pub(crate) async fn an_unknown_instance_is_gone(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.got.incarnation = Incarnation(a.got.incarnation.0 + 1_000_000);
    expect_eq!("the answer", a.turn().complete("1").refused().await?, CommitRefusal::Gone);
    Ok(())
}

pub(crate) async fn another_execution_is_gone(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let refusal = a.turn().complete("1").of_execution(2).refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::Gone);
    Ok(())
}

pub(crate) async fn an_ended_instance_is_gone(fx: &Fixture) -> CheckResult {
    let mut a = fx.ended("a").await?;
    expect_eq!("the answer", a.turn().status(Some("s")).refused().await?, CommitRefusal::Gone);
    expect_eq!("events", fx.events("a", 1).await?.len(), 2);
    Ok(())
}

pub(crate) async fn another_base_is_a_conflict(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let refusal = a.turn().complete("1").on_base(Some(CommitId(0xBAD))).refused().await?;
    expect_eq!("another base", refusal, CommitRefusal::Conflict);
    let refusal = a.turn().complete("1").on_base(None).refused().await?;
    expect_eq!("no base", refusal, CommitRefusal::Conflict);
    Ok(())
}

pub(crate) async fn a_base_before_the_first_commit_is_a_conflict(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let refusal = a.turn().admit_all().on_base(Some(CommitId(0xBAD))).refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::Conflict);
    Ok(())
}

pub(crate) async fn another_next_event_is_a_conflict(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    for event in [1, 3] {
        let refusal = a.turn().complete("1").expecting(event).refused().await?;
        expect_eq!(format!("expecting #{event}"), refusal, CommitRefusal::Conflict);
    }
    Ok(())
}

pub(crate) async fn another_lease_is_lost(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let refusal = a.turn().complete("1").under(STRANGER).refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::LeaseLost);
    a.turn().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn the_lease_of_another_instance_is_lost(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let b = fx.begun("b").await?;
    let refusal = a.turn().complete("1").under(b.got.lease).refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::LeaseLost);
    Ok(())
}

pub(crate) async fn an_instance_nobody_holds_takes_no_commit(fx: &Fixture) -> CheckResult {
    let mut a = fx.waiting("a").await?;
    let refusal = a.turn().complete("1").refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::LeaseLost);
    Ok(())
}

pub(crate) async fn an_applied_commit_is_known_before_all_else(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let request = a.turn().complete("1").build();
    a.apply(&request).await?;
    let again = fx.store().commit_turn(request).await?;
    expect_matches!("after the end", again, CommitOutcome::Applied(_));
    Ok(())
}

pub(crate) async fn gone_comes_before_conflict(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let turn = a.turn().complete("1").of_execution(2).on_base(None).under(STRANGER);
    expect_eq!("the answer", turn.refused().await?, CommitRefusal::Gone);
    Ok(())
}

pub(crate) async fn conflict_comes_before_a_lost_lease(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let turn = a.turn().complete("1").on_base(None).under(STRANGER);
    expect_eq!("the answer", turn.refused().await?, CommitRefusal::Conflict);
    Ok(())
}

pub(crate) async fn a_lost_lease_comes_before_a_lost_activity(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    let task = fx.node("w").task().await?;
    let stranger = task.under(STRANGER);
    let refusal = a.turn().finishing(&stranger, "1").under(STRANGER).refused().await?;
    expect_eq!("with both lost", refusal, CommitRefusal::LeaseLost);
    let refusal = a.turn().finishing(&stranger, "1").keep().refused().await?;
    let activity = stranger.activity;
    expect_eq!("with the activity lost", refusal, CommitRefusal::ActivityLost { activity });
    Ok(())
}

pub(crate) async fn an_expired_activity_nobody_took_over_is_fused(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    let task = fx.node("n1").lease_ms(10).task().await?;
    fx.advance(30).await;
    a.turn().finishing(&task, "1").keep().commit().await?;
    Ok(())
}

pub(crate) async fn an_activity_taken_over_is_lost(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    let late = fx.node("n1").lease_ms(10).task().await?;
    fx.advance(30).await;
    let task = fx.node("w2").task().await?;
    let refusal = a.turn().finishing(&late, "1").keep().refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::ActivityLost { activity: late.activity });
    expect_eq!("the new holder's", task.complete("2").await?, ActivityFate::Applied);
    Ok(())
}

pub(crate) async fn a_deleted_instance_is_gone(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    fx.store().delete(InstanceKey::new("a"), true).await?;
    expect_eq!("the answer", a.turn().complete("1").refused().await?, CommitRefusal::Gone);
    ensure!(fx.find("a").await?.is_none(), "a late commit must not bring it back");
    Ok(())
}
