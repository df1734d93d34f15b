//! What stands in the store, read for people and clients.

use crate::fault::{Fault, Result};
use crate::state::{Instance, State};
use crate::unclaimed;
use duroxide_core::{ArrivalBody, Event, ExecutionId, InstanceId, KvEntry, encode_event};
use duroxide_provider::{
    ExecutionInfo, InstanceInfo, InstanceKey, InstanceState, InstanceStats, InstanceTree,
    ListFilter, Page, QueueDepths, SystemMetrics,
};

/// See [`Inspect::instance`](duroxide_provider::Inspect::instance).
pub(crate) fn instance(state: &State, key: &InstanceKey) -> Option<InstanceInfo> {
    let (_, row) = state.find(key)?;
    Some(InstanceInfo {
        key: key.clone(),
        name: row.name.clone(),
        version: row.version.clone(),
        execution: row.execution,
        state: row.current().state.clone(),
        custom_status: row.status.clone(),
        custom_status_version: row.status_version,
        parent: row.parent.as_ref().map(|parent| parent.id.clone()),
        created_at: row.created_at,
        updated_at: row.updated_at,
        revision: row.revision,
        quarantined: row.quarantine.clone(),
        waiting: row.waiting.clone(),
        unclaimed: unclaimed::oldest(row, state.now),
    })
}

/// The executions, in order.
pub(crate) fn executions(state: &State, key: &InstanceKey) -> Vec<ExecutionInfo> {
    let executions = state.find(key).into_iter().flat_map(|(_, row)| &row.executions);
    let info = |(execution, row): (&ExecutionId, &crate::Execution)| ExecutionInfo {
        execution: *execution,
        state: row.state.clone(),
        started_at: row.started_at,
        completed_at: row.ended_at,
        event_count: row.events.len() as u64,
    };
    executions.map(info).collect()
}

/// The history of an execution; empty for an unknown one.
pub(crate) fn history(
    state: &State,
    key: &InstanceKey,
    execution: ExecutionId,
) -> Result<Vec<Event>> {
    state.find(key).map_or(Ok(Vec::new()), |(_, row)| events(row, execution))
}

/// Every event of an execution.
pub(crate) fn events(row: &Instance, execution: ExecutionId) -> Result<Vec<Event>> {
    match row.executions.get(&execution) {
        None => Ok(Vec::new()),
        Some(found) if found.damaged => {
            let message = format!("events of execution {execution}: cannot be decoded");
            Err(Fault::Corrupt { what: row.key.to_string(), message })
        }
        Some(found) => Ok(found.events.clone()),
    }
}

/// The key-value pairs as the latest commit left them.
pub(crate) fn kv(state: &State, key: &InstanceKey) -> Vec<KvEntry> {
    state.find(key).into_iter().flat_map(|(_, row)| row.kv.values().cloned()).collect()
}

/// The name of a state, as filters use it.
fn name(state: &InstanceState) -> &'static str {
    match state {
        InstanceState::Running => "Running",
        InstanceState::Completed { .. } => "Completed",
        InstanceState::Failed { .. } => "Failed",
        InstanceState::Terminated { .. } => "Terminated",
        InstanceState::ContinuedAsNew => "ContinuedAsNew",
    }
}

/// Ids in their order, from after a cursor.
pub(crate) fn list(
    state: &State,
    filter: &ListFilter,
    after: Option<&InstanceId>,
    limit: usize,
) -> Result<Page> {
    let known = ["Running", "Completed", "Failed", "Terminated"];
    if let Some(status) = &filter.status
        && !known.contains(&status.as_str())
    {
        let known = known.join(", ");
        return Err(Fault::Invalid(format!("unknown status `{status}`; one of {known}")));
    }
    let mut ids: Vec<_> = state
        .instances
        .values()
        .filter(|row| row.key.namespace == filter.namespace)
        .filter(|row| filter.status.as_deref().is_none_or(|of| of == name(&row.current().state)))
        .map(|row| row.key.id.clone())
        .filter(|id| after.is_none_or(|after| id > after))
        .collect();
    ids.sort();
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = if more { ids.last().cloned() } else { None };
    Ok(Page { ids, next })
}

/// The whole tree that an instance belongs to. A child is made after its parent, and so has
/// the higher incarnation.
pub(crate) fn tree(state: &State, key: &InstanceKey) -> Option<InstanceTree> {
    let (_, member) = state.find(key)?;
    let of_tree = state.instances.values().filter(|row| row.root == member.root);
    let ids: Vec<_> = of_tree.map(|row| row.key.id.clone()).collect();
    Some(InstanceTree { root: ids.first()?.clone(), ids })
}

/// Sizes of one instance.
pub(crate) fn stats(state: &State, key: &InstanceKey) -> Option<InstanceStats> {
    let (_, row) = state.find(key)?;
    let events = &row.current().events;
    let pending = row
        .inbox
        .values()
        .filter(|message| message.seen || matches!(message.body, ArrivalBody::Mail { .. }));
    Some(InstanceStats {
        history_events: events.len() as u64,
        history_bytes: events.iter().map(|event| encode_event(event).len() as u64).sum(),
        pending_messages: pending.count() as u64,
        kv_keys: row.kv.len() as u64,
        kv_bytes: row.kv.values().map(|entry| entry.value.len() as u64).sum(),
    })
}

/// Counts of the store.
pub(crate) fn metrics(state: &State) -> SystemMetrics {
    let mut metrics = SystemMetrics::default();
    for row in state.instances.values() {
        metrics.instances += 1;
        metrics.executions += row.executions.len() as u64;
        metrics.events += row.executions.values().map(|one| one.events.len() as u64).sum::<u64>();
        match row.current().state {
            InstanceState::Running | InstanceState::ContinuedAsNew => metrics.running += 1,
            InstanceState::Completed { .. } => metrics.completed += 1,
            InstanceState::Failed { .. } => metrics.failed += 1,
            InstanceState::Terminated { .. } => metrics.terminated += 1,
        }
    }
    metrics
}

/// How much waits.
pub(crate) fn depths(state: &State) -> QueueDepths {
    let mut depths = QueueDepths::default();
    for row in state.instances.values() {
        depths.orchestrations += u64::from(row.is_ready(state.now));
        for activity in row.activities.values() {
            depths.activities += u64::from(activity.lease.is_none());
        }
        for message in row.inbox.values() {
            let is_timer = matches!(message.body, ArrivalBody::TimerDue { .. });
            depths.timers += u64::from(is_timer && message.visible_at > state.now);
        }
    }
    depths
}
