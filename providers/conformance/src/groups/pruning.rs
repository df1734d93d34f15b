//! Pruning old executions of a chain; the current one never, and nothing that lives on.

use super::prelude::*;
use duroxide_provider::{Namespace, PruneRule, Pruned, Selection};

/// An instance that continued as new so often; each execution has three events and sets a key.
async fn chain(fx: &Fixture, id: &str, times: u64) -> CheckResult {
    fx.start(id).await?;
    for n in 1..=times {
        let mut a = fx.node("n1").lease_instance(id).await?;
        a.turn().admit_all().set(&format!("k{n}"), "v").continue_as_new().commit().await?;
    }
    let mut a = fx.node("n1").lease_instance(id).await?;
    a.turn().admit_all().commit().await?;
    Ok(())
}

async fn prune(fx: &Fixture, id: &str, rule: PruneRule) -> CheckResult<Pruned> {
    let selection = Selection { ids: Some(vec![id.into()]), ..Selection::default() };
    Ok(fx.store().prune(selection, rule).await?)
}

async fn executions(fx: &Fixture, id: &str) -> CheckResult<Vec<u64>> {
    let executions = fx.store().executions(InstanceKey::new(id)).await?;
    Ok(executions.iter().map(|e| e.execution.0).collect())
}

pub(crate) async fn the_newest_are_kept(fx: &Fixture) -> CheckResult {
    chain(fx, "a", 4).await?;
    let rule = PruneRule { keep_last: Some(2), completed_before: None };
    let pruned = prune(fx, "a", rule).await?;
    expect_eq!("what was pruned", pruned, Pruned { instances: 1, executions: 3, events: 9 });
    expect_eq!("executions left", executions(fx, "a").await?, [4, 5]);
    expect_eq!("events of a pruned one", fx.events("a", 1).await?, []);
    expect_eq!("events of a kept one", fx.events("a", 4).await?.len(), 3);
    Ok(())
}

pub(crate) async fn the_current_execution_is_never_pruned(fx: &Fixture) -> CheckResult {
    chain(fx, "a", 1).await?;
    let rule = PruneRule { keep_last: Some(0), completed_before: Some(TimeMs(u64::MAX >> 1)) };
    prune(fx, "a", rule).await?;
    expect_eq!("executions left", executions(fx, "a").await?, [2]);
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().complete("1").commit().await?;
    prune(fx, "a", rule).await?;
    expect_eq!("executions left after the end", executions(fx, "a").await?, [2]);
    Ok(())
}

pub(crate) async fn pruning_keeps_to_its_time(fx: &Fixture) -> CheckResult {
    chain(fx, "a", 2).await?;
    let rule = PruneRule { keep_last: None, completed_before: Some(TimeMs(1)) };
    expect_eq!("pruned before 1970", prune(fx, "a", rule).await?.executions, 0);
    let rule = PruneRule { keep_last: None, completed_before: Some(TimeMs(u64::MAX >> 1)) };
    expect_eq!("pruned before the far future", prune(fx, "a", rule).await?.executions, 2);
    Ok(())
}

pub(crate) async fn both_conditions_must_hold(fx: &Fixture) -> CheckResult {
    chain(fx, "a", 4).await?;
    let rule = PruneRule { keep_last: Some(4), completed_before: Some(TimeMs(u64::MAX >> 1)) };
    expect_eq!("pruned", prune(fx, "a", rule).await?.executions, 1);
    let rule = PruneRule { keep_last: Some(1), completed_before: Some(TimeMs(1)) };
    expect_eq!("pruned", prune(fx, "a", rule).await?.executions, 0);
    Ok(())
}

pub(crate) async fn pruning_keeps_the_keys(fx: &Fixture) -> CheckResult {
    chain(fx, "a", 3).await?;
    prune(fx, "a", PruneRule { keep_last: Some(1), completed_before: None }).await?;
    let keys: Vec<_> = fx.kv("a").await?.into_iter().map(|(key, _)| key).collect();
    expect_eq!("the keys", keys, ["k1", "k2", "k3"]);
    fx.event("a", "go", "1").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    let base = a.history().await?.base.unwrap_or_default();
    expect_eq!("the keys at its start", base.kv.len(), 3);
    Ok(())
}

pub(crate) async fn pruning_many_takes_running_chains_too(fx: &Fixture) -> CheckResult {
    chain(fx, "a", 2).await?;
    chain(fx, "b", 3).await?;
    let rule = PruneRule { keep_last: Some(1), completed_before: None };
    let pruned = fx.store().prune(Selection::default(), rule).await?;
    expect_eq!("executions pruned", pruned.executions, 5);
    expect_eq!("a is left with", executions(fx, "a").await?, [3]);
    expect_eq!("b is left with", executions(fx, "b").await?, [4]);
    Ok(())
}

pub(crate) async fn pruning_an_unknown_instance_does_nothing(fx: &Fixture) -> CheckResult {
    let pruned =
        prune(fx, "ghost", PruneRule { keep_last: Some(1), completed_before: None }).await?;
    expect_eq!("what was pruned", pruned, Pruned::default());
    Ok(())
}

pub(crate) async fn pruning_keeps_to_its_namespace(fx: &Fixture) -> CheckResult {
    chain(fx, "a", 2).await?;
    let other = Selection { namespace: Namespace("other".to_owned()), ..Selection::default() };
    let rule = PruneRule { keep_last: Some(1), completed_before: None };
    expect_eq!("pruned elsewhere", fx.store().prune(other, rule).await?, Pruned::default());
    expect_eq!("executions left", executions(fx, "a").await?, [1, 2, 3]);
    Ok(())
}

pub(crate) async fn pruning_keeps_to_its_limit(fx: &Fixture) -> CheckResult {
    for id in ["a", "b", "c"] {
        chain(fx, id, 1).await?;
    }
    let two = Selection { limit: Some(2), ..Selection::default() };
    let rule = PruneRule { keep_last: Some(1), completed_before: None };
    let pruned = fx.store().prune(two, rule).await?;
    expect_eq!("instances looked at", pruned.instances, 2);
    expect_eq!("executions pruned", pruned.executions, 2);
    Ok(())
}
