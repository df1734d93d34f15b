//! How an execution ends: what is left of it, who is told, and what comes next.

use crate::state::{Execution, State};
use crate::{activities, inbox};
use duroxide_core::{
    ArrivalBody, ChildRequest, CompatFlags, End, EventId, Failure, FailureKind, Outgoing, Payload,
    TurnNo,
};
use duroxide_provider::{Incarnation, InstanceState};

/// Close the current execution: its children are asked to stop, its activities, timers and
/// completions go; then its parent is told, or the next execution begins.
pub(crate) fn close(state: &mut State, incarnation: Incarnation, end: &End, told: &[Outgoing]) {
    stop_children(state, incarnation, end, told);
    let Some(row) = state.instances.get(&incarnation) else { return };
    let execution = row.execution;
    for event in row.activities.keys().copied().collect::<Vec<_>>() {
        activities::cancel(state, incarnation, execution, event);
    }
    let Some(row) = state.instances.get_mut(&incarnation) else { return };
    if let Some(closed) = row.executions.get_mut(&execution) {
        closed.state = outcome(end);
        closed.ended_at = Some(state.now);
    }
    match end {
        End::ContinuedAsNew { .. } => begin_next(state, incarnation, end),
        End::Completed { output } => finish(state, incarnation, Ok(output.clone())),
        End::Failed { failure } => finish(state, incarnation, Err(failure.clone())),
        End::Terminated { reason } => {
            let failure = Failure::new(FailureKind::Terminated, reason.clone());
            finish(state, incarnation, Err(failure));
        }
    }
}

fn outcome(end: &End) -> InstanceState {
    match end.clone() {
        End::Completed { output } => InstanceState::Completed { output },
        End::Failed { failure } => InstanceState::Failed { failure },
        End::Terminated { reason } => InstanceState::Terminated { reason },
        End::ContinuedAsNew { .. } => InstanceState::ContinuedAsNew,
    }
}

/// Children that the execution leaves behind are asked to stop, save those it has told
/// something itself in the same turn. Their answers will find it gone.
fn stop_children(state: &mut State, incarnation: Incarnation, end: &End, told: &[Outgoing]) {
    let Some(execution) = state.instances.get(&incarnation).map(|row| row.execution) else {
        return;
    };
    let what = match end {
        End::Terminated { .. } => ChildRequest::Terminate,
        End::Completed { .. } | End::Failed { .. } | End::ContinuedAsNew { .. } => {
            ChildRequest::Cancel
        }
    };
    let mut children = Vec::new();
    for (child, row) in state.instances.iter().filter(|(_, row)| row.is_running()) {
        let is_its = row.parent.as_ref().is_some_and(|parent| {
            parent.incarnation == incarnation && parent.execution == execution
        });
        if is_its && !told.iter().any(|send| send.to == row.key.id) {
            children.push(*child);
        }
    }
    for child in children {
        state.ask(child, child_request(what));
    }
}

/// What a parent asks, as it stands in the child's inbox.
pub(crate) fn child_request(what: ChildRequest) -> ArrivalBody {
    match what {
        ChildRequest::Cancel => {
            ArrivalBody::Cancel { reason: "parent canceled".to_owned(), from_parent: true }
        }
        ChildRequest::Terminate => {
            ArrivalBody::Terminate { reason: "parent terminated".to_owned() }
        }
    }
}

/// Nothing more will happen to it. The parent gets the outcome if it still runs the
/// execution that waits for it.
fn finish(state: &mut State, incarnation: Incarnation, outcome: Result<Payload, Failure>) {
    let Some(row) = state.instances.get_mut(&incarnation) else { return };
    row.inbox.clear();
    row.lease = None;
    row.offer = None;
    row.kept = false;
    let Some(link) = row.parent.clone() else { return };
    let parent = state.instances.get(&link.incarnation);
    if parent.is_some_and(|parent| parent.is_running() && parent.execution == link.execution) {
        let done = ArrivalBody::ChildDone { source: link.event, outcome };
        state.put(link.incarnation, done);
    } else {
        state.dropped += 1;
    }
}

/// Begin the next execution: mail, status and key-value pairs go on; timers and completions
/// of the one before do not.
fn begin_next(state: &mut State, incarnation: Incarnation, end: &End) {
    let End::ContinuedAsNew { input, version, headers } = end else { return };
    let now = state.now;
    let Some(row) = state.instances.get_mut(&incarnation) else { return };
    row.inbox.retain(|_, message| inbox::outlives_executions(message));
    row.status_base.clone_from(&row.status);
    row.kv_base.clone_from(&row.kv);
    row.execution = row.execution.next();
    row.executions.insert(row.execution, Execution::begun(now));
    row.next_event = EventId::FIRST;
    row.turn = TurnNo(0);
    row.flags = CompatFlags::NONE;
    row.version.clone_from(version);
    let start = ArrivalBody::Start {
        name: row.name.clone(),
        version: version.clone(),
        input: input.clone(),
        parent: row.parent(),
        headers: headers.clone(),
    };
    state.put(incarnation, start);
}
