//! Deleting instances and pruning executions. A tree goes as a whole, through its root.

use crate::fault::{Fault, Result};
use crate::state::{Instance, State};
use duroxide_provider::{Deleted, Incarnation, InstanceKey, PruneRule, Pruned, Selection};

/// See [`Inspect::delete`](duroxide_provider::Inspect::delete).
pub(crate) fn delete(state: &mut State, key: &InstanceKey, force: bool) -> Result<Deleted> {
    let (incarnation, row) = state.find(key).ok_or_else(|| Fault::NotFound(key.to_string()))?;
    if row.parent.is_some() {
        let root = state.instances.get(&row.root).map(|root| root.key.id.as_str());
        let root = root.unwrap_or_default();
        return Err(Fault::Invalid(format!(
            "instance `{key}` is a child; delete its root `{root}` instead"
        )));
    }
    if row.is_running() && !force {
        return Err(Fault::Invalid(format!(
            "instance `{key}` is still running. Use force=true to delete it all the same"
        )));
    }
    let mut deleted = Deleted::default();
    delete_tree(state, incarnation, &mut deleted);
    Ok(deleted)
}

fn delete_tree(state: &mut State, root: Incarnation, deleted: &mut Deleted) {
    let mut is_run = false;
    state.instances.retain(|_, row| {
        if row.root != root {
            return true;
        }
        deleted.instances += 1;
        deleted.executions += row.executions.len() as u64;
        deleted.events += row.executions.values().map(|one| one.events.len() as u64).sum::<u64>();
        deleted.messages += row.inbox.len() as u64;
        is_run |= !row.activities.is_empty();
        false
    });
    if is_run {
        // Whoever runs one of its activities is to stop.
        state.announce();
    }
}

/// Everything that a selection names must hold; oldest first, up to its limit.
fn select(
    state: &State,
    selection: &Selection,
    is_meant: impl Fn(&Instance) -> bool,
) -> Vec<Incarnation> {
    let selected = state.instances.iter().filter(|(_, row)| {
        row.key.namespace == selection.namespace
            && selection.ids.as_ref().is_none_or(|ids| ids.contains(&row.key.id))
            && selection
                .completed_before
                .is_none_or(|before| row.ended_at().is_some_and(|at| at < before))
            && is_meant(row)
    });
    let limit = selection.limit.map_or(usize::MAX, |limit| limit as usize);
    selected.map(|(incarnation, _)| *incarnation).take(limit).collect()
}

/// See [`Inspect::delete_many`](duroxide_provider::Inspect::delete_many).
pub(crate) fn delete_many(state: &mut State, selection: &Selection) -> Deleted {
    let mut deleted = Deleted::default();
    for root in select(state, selection, |row| !row.is_running() && row.parent.is_none()) {
        delete_tree(state, root, &mut deleted);
    }
    deleted
}

/// See [`Inspect::prune`](duroxide_provider::Inspect::prune).
pub(crate) fn prune(state: &mut State, selection: &Selection, rule: PruneRule) -> Pruned {
    let mut pruned = Pruned::default();
    for incarnation in select(state, selection, |_| true) {
        if let Some(row) = state.instances.get_mut(&incarnation) {
            prune_one(row, rule, &mut pruned);
        }
    }
    pruned
}

/// Everything the rule names must hold. The current execution is never pruned.
fn prune_one(row: &mut Instance, rule: PruneRule, pruned: &mut Pruned) {
    pruned.instances += 1;
    let newest_kept = rule.keep_last.unwrap_or(0).max(1);
    let last = row.execution.0.saturating_sub(newest_kept);
    row.executions.retain(|execution, found| {
        let is_old =
            rule.completed_before.is_none_or(|before| found.ended_at.is_some_and(|at| at < before));
        if execution.0 > last || !is_old {
            return true;
        }
        pruned.executions += 1;
        pruned.events += found.events.len() as u64;
        false
    });
}
