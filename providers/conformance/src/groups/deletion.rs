//! Deletion: whole trees, ended ones unless forced; nothing late brings anything back.

use super::prelude::*;
use duroxide_provider::{Namespace, Selection};

fn selection(ids: &[&str]) -> Selection {
    let ids = ids.iter().map(|id| (*id).into()).collect();
    Selection { ids: Some(ids), ..Selection::default() }
}

pub(crate) async fn an_ended_instance_is_deleted_whole(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().set("k", "1").continue_as_new().keep().commit().await?;
    a.turn().admit_all().complete("1").commit().await?;
    let key = InstanceKey::new("a");
    let deleted = fx.store().delete(key.clone(), false).await?;
    expect_eq!("instances deleted", deleted.instances, 1);
    expect_eq!("executions deleted", deleted.executions, 2);
    expect_eq!("events deleted", deleted.events, 5);
    ensure!(fx.find("a").await?.is_none(), "the instance is gone");
    expect_eq!("executions left", fx.store().executions(key.clone()).await?, []);
    expect_eq!("events left", fx.events("a", 1).await?, []);
    expect_eq!("keys left", fx.kv("a").await?, []);
    expect_eq!("stats left", fx.store().stats(key).await?, None);
    expect_eq!("metrics", fx.store().metrics().await?, duroxide_provider::SystemMetrics::default());
    Ok(())
}

pub(crate) async fn a_running_instance_is_deleted_only_by_force(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let refused = fx.store().delete(InstanceKey::new("a"), false).await;
    expect_matches!("without force", refused, Err(ProviderError::Invalid { .. }));
    ensure!(fx.find("a").await?.is_some(), "it is there still");
    fx.store().delete(InstanceKey::new("a"), true).await?;
    ensure!(fx.find("a").await?.is_none(), "it is gone");
    Ok(())
}

pub(crate) async fn an_instance_between_two_executions_runs(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().continue_as_new().commit().await?;
    let refused = fx.store().delete(InstanceKey::new("a"), false).await;
    expect_matches!("without force", refused, Err(ProviderError::Invalid { .. }));
    let deleted = fx.store().delete_many(Selection::default()).await?;
    expect_eq!("instances deleted in bulk", deleted.instances, 0);
    Ok(())
}

pub(crate) async fn an_unknown_instance_is_not_found(fx: &Fixture) -> CheckResult {
    let refused = fx.store().delete(InstanceKey::new("ghost"), true).await;
    expect_matches!("the answer", refused, Err(ProviderError::NotFound { .. }));
    Ok(())
}

pub(crate) async fn a_child_is_deleted_only_through_its_root(fx: &Fixture) -> CheckResult {
    fx.family("p").await?;
    for force in [false, true] {
        let refused = fx.store().delete(InstanceKey::new("p-child"), force).await;
        expect_matches!("the answer", refused, Err(ProviderError::Invalid { .. }));
    }
    ensure!(fx.find("p-child").await?.is_some(), "it is there still");
    Ok(())
}

pub(crate) async fn a_root_is_deleted_with_everything_below_it(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().child("Child", "grandchild").keep().commit().await?;
    parent.turn().detached("Flow", "d").keep().commit().await?;
    let deleted = fx.store().delete(InstanceKey::new("p"), true).await?;
    expect_eq!("instances deleted", deleted.instances, 3);
    for id in ["p", "p-child", "grandchild"] {
        ensure!(fx.find(id).await?.is_none(), "`{id}` is gone");
    }
    ensure!(fx.find("d").await?.is_some(), "a detached one is a root of its own");
    let ids: Vec<_> = fx.node("n3").lease(5).await?.iter().map(|t| t.id().to_owned()).collect();
    expect_eq!("what is ready", ids, ["d"]);
    Ok(())
}

pub(crate) async fn deletion_takes_work_and_timers_along(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").timer(10).keep().commit().await?;
    fx.event("a", "go", "1").await?;
    fx.store().delete(InstanceKey::new("a"), true).await?;
    let depths = fx.store().depths().await?;
    expect_eq!("what waits", depths, duroxide_provider::QueueDepths::default());
    fx.advance(20).await;
    fx.node("n2").finds_no_instance("it was deleted").await?;
    fx.node("n2").finds_no_activity("it was deleted").await
}

pub(crate) async fn a_late_completion_of_a_deleted_instance_is_gone(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    fx.store().delete(InstanceKey::new("a"), true).await?;
    ensure!(task.renew(1000).await? != LeaseState::Held, "what is deleted is not held");
    expect_eq!("the completion", task.complete("1").await?, ActivityFate::Gone);
    ensure!(fx.find("a").await?.is_none(), "a late completion must not bring it back");
    Ok(())
}

pub(crate) async fn a_deleted_id_is_used_again_by_another_incarnation(fx: &Fixture) -> CheckResult {
    let old = fx.ended("a").await?;
    fx.store().delete(InstanceKey::new("a"), false).await?;
    fx.start("a").await?;
    let new = fx.node("n1").lease_instance("a").await?;
    ensure!(new.got.incarnation != old.got.incarnation, "each creation has its own incarnation");
    expect_eq!("the inbox", new.inbox(), ["start"]);
    expect_eq!("the last commit", new.got.last_commit, None);
    Ok(())
}

pub(crate) async fn nothing_late_reaches_the_next_incarnation(fx: &Fixture) -> CheckResult {
    let mut old = fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    fx.store().delete(InstanceKey::new("a"), true).await?;
    fx.with_activity("a").await?;
    expect_eq!("the late completion", task.complete("1").await?, ActivityFate::Gone);
    expect_eq!("the late commit", old.turn().complete("9").refused().await?, CommitRefusal::Gone);
    old.release(false, 0).await?;
    expect_eq!("the next one's activity", fx.node("w").task().await?.attempt, 1);
    expect_eq!("the state", fx.info("a").await?.state, InstanceState::Running);
    fx.node("n2").finds_no_instance("nothing was sent to it").await
}

pub(crate) async fn a_bulk_deletion_takes_ended_roots_only(fx: &Fixture) -> CheckResult {
    fx.ended("done").await?;
    fx.waiting("runs").await?;
    let deleted = fx.store().delete_many(Selection::default()).await?;
    expect_eq!("instances deleted", deleted.instances, 1);
    ensure!(fx.find("done").await?.is_none(), "the ended one is gone");
    ensure!(fx.find("runs").await?.is_some(), "the running one is there");
    Ok(())
}

pub(crate) async fn a_bulk_deletion_keeps_to_the_ids_given(fx: &Fixture) -> CheckResult {
    for id in ["a", "b", "c", "runs"] {
        if id == "runs" {
            fx.waiting(id).await?
        } else {
            fx.ended(id).await?
        };
    }
    let deleted = fx.store().delete_many(selection(&["a", "runs", "ghost", "c"])).await?;
    expect_eq!("instances deleted", deleted.instances, 2);
    ensure!(fx.find("b").await?.is_some(), "`b` was not named");
    ensure!(fx.find("runs").await?.is_some(), "`runs` runs");
    Ok(())
}

pub(crate) async fn a_bulk_deletion_of_no_ids_deletes_nothing(fx: &Fixture) -> CheckResult {
    fx.ended("a").await?;
    let deleted = fx.store().delete_many(selection(&[])).await?;
    expect_eq!("instances deleted", deleted.instances, 0);
    Ok(())
}

pub(crate) async fn a_bulk_deletion_keeps_to_its_limit(fx: &Fixture) -> CheckResult {
    for id in ["a", "b", "c"] {
        fx.ended(id).await?;
    }
    let two = Selection { limit: Some(2), ..Selection::default() };
    expect_eq!("the first batch", fx.store().delete_many(two.clone()).await?.instances, 2);
    expect_eq!("the second batch", fx.store().delete_many(two.clone()).await?.instances, 1);
    expect_eq!("the third batch", fx.store().delete_many(two).await?.instances, 0);
    Ok(())
}

pub(crate) async fn a_bulk_deletion_keeps_to_its_time(fx: &Fixture) -> CheckResult {
    fx.ended("old").await?;
    fx.advance(5).await;
    fx.start("new").await?;
    let between = fx.info("new").await?.created_at;
    fx.advance(5).await;
    let mut new = fx.node("n1").lease_instance("new").await?;
    new.turn().admit_all().complete("1").commit().await?;
    let before = Selection { completed_before: Some(between), ..Selection::default() };
    expect_eq!("instances deleted", fx.store().delete_many(before).await?.instances, 1);
    ensure!(fx.find("old").await?.is_none(), "the old one is gone");
    ensure!(fx.find("new").await?.is_some(), "the new one is there");
    Ok(())
}

pub(crate) async fn a_bulk_deletion_takes_children_along(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().complete("1").commit().await?;
    let early = fx.store().delete_many(selection(&["p-child"])).await?;
    expect_eq!("children deleted on their own", early.instances, 0);
    parent.turn().complete("1").commit().await?;
    let deleted = fx.store().delete_many(selection(&["p"])).await?;
    expect_eq!("instances deleted", deleted.instances, 2);
    ensure!(fx.find("p-child").await?.is_none(), "the child is gone");
    Ok(())
}

pub(crate) async fn deleted_messages_are_counted(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().keep().commit().await?;
    fx.event("a", "go", "2").await?;
    let deleted = fx.store().delete(InstanceKey::new("a"), true).await?;
    expect_eq!("messages deleted, seen and unseen", deleted.messages, 2);
    Ok(())
}

pub(crate) async fn a_bulk_deletion_keeps_to_its_namespace(fx: &Fixture) -> CheckResult {
    fx.ended("a").await?;
    let other = Selection { namespace: Namespace("other".to_owned()), ..Selection::default() };
    expect_eq!("deleted elsewhere", fx.store().delete_many(other).await?.instances, 0);
    let other = Selection { namespace: Namespace("other".to_owned()), ..selection(&["a"]) };
    expect_eq!("deleted elsewhere, by id", fx.store().delete_many(other).await?.instances, 0);
    ensure!(fx.find("a").await?.is_some(), "`a` is of another namespace");
    Ok(())
}
