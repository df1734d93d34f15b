//! How an execution ends: what is left of it, who is told, and what comes next.

use super::inbox::{self, NewArrival};
use super::instances::{InstanceRow, State, insert_execution};
use super::sql::Sql;
use super::{Tx, quarantine};
use crate::error::{Result, StoreError};
use duroxide_core::{
    ArrivalBody, ChildRequest, End, EventId, Failure, FailureKind, InstanceId, Outgoing,
};
use duroxide_provider::InstanceState;

/// The state of the instance after a turn with this end.
pub(crate) fn state_of_instance(end: Option<&End>) -> State {
    match end {
        None | Some(End::ContinuedAsNew { .. }) => State::Running,
        Some(End::Completed { .. }) => State::Completed,
        Some(End::Failed { .. }) => State::Failed,
        Some(End::Terminated { .. }) => State::Terminated,
    }
}

/// Close the execution: keep its outcome, remove what was bound to it, then tell the
/// parent or begin the next execution. The instance's row is the caller's.
pub(crate) fn close(tx: &Tx<'_>, row: &InstanceRow, end: &End) -> Result<()> {
    let (state, outcome) = outcome(end);
    let outcome = serde_json::to_vec(&outcome)
        .map_err(|error| StoreError::Invalid(format!("the outcome cannot be encoded: {error}")))?;
    tx.sql.run(
        "UPDATE executions SET state = ?3, outcome = ?4, ended_at = ?5, events = ?6
         WHERE incarnation = ?1 AND execution = ?2",
        (row.incarnation, row.execution, state.code(), outcome, tx.now.0, row.next_event - 1),
    )?;
    remove_activities(tx, row)?;
    match end {
        End::ContinuedAsNew { .. } => begin_next(tx, row, end),
        End::Completed { output } => {
            remove_inbox(tx, row)?;
            tell_parent(tx, row, Ok(output.clone()))
        }
        End::Failed { failure } => {
            remove_inbox(tx, row)?;
            tell_parent(tx, row, Err(failure.clone()))
        }
        End::Terminated { reason } => {
            remove_inbox(tx, row)?;
            tell_parent(tx, row, Err(Failure::new(FailureKind::Terminated, reason.clone())))
        }
    }
}

fn outcome(end: &End) -> (State, InstanceState) {
    match end {
        End::Completed { output } => {
            (State::Completed, InstanceState::Completed { output: output.clone() })
        }
        End::Failed { failure } => {
            (State::Failed, InstanceState::Failed { failure: failure.clone() })
        }
        End::Terminated { reason } => {
            (State::Terminated, InstanceState::Terminated { reason: reason.clone() })
        }
        End::ContinuedAsNew { .. } => (State::ContinuedAsNew, InstanceState::ContinuedAsNew),
    }
}

/// Children that the execution leaves behind are asked to stop, save those it has told
/// something itself in the same turn. Their answers will find it gone.
pub(crate) fn stop_children(
    tx: &Tx<'_>,
    row: &InstanceRow,
    end: &End,
    told: &[Outgoing],
) -> Result<()> {
    let children = tx.sql.all(
        "SELECT incarnation, id FROM instances
         WHERE root = ?1 AND parent = ?2 AND parent_execution = ?3 AND state = 0",
        (row.root, row.incarnation, row.execution),
        |row| Ok((row.get(0)?, InstanceId(row.get(1)?))),
    )?;
    let request = match end {
        End::Terminated { .. } => ChildRequest::Terminate,
        End::Completed { .. } | End::Failed { .. } | End::ContinuedAsNew { .. } => {
            ChildRequest::Cancel
        }
    };
    for (child, id) in children {
        if !told.iter().any(|send| send.to == id) {
            quarantine::stop_one(tx, child, &child_request(request))?;
        }
    }
    Ok(())
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

/// Open activities are cancelled by being removed; whoever runs one is told.
fn remove_activities(tx: &Tx<'_>, row: &InstanceRow) -> Result<()> {
    let open = tx.sql.all(
        "SELECT event FROM activities WHERE incarnation = ?1 AND execution = ?2",
        (row.incarnation, row.execution),
        |row| row.get::<_, u64>(0),
    )?;
    for event in open {
        if super::claims::remove(tx, row.incarnation, row.execution, EventId(event))? {
            tx.announce();
        }
    }
    Ok(())
}

fn remove_inbox(tx: &Tx<'_>, row: &InstanceRow) -> Result<()> {
    inbox::clear(tx, row.incarnation)?;
    tx.sql.run("DELETE FROM kv_base WHERE incarnation = ?1", [row.incarnation])?;
    Ok(())
}

/// The parent gets the outcome if it still runs the execution that waits for it.
fn tell_parent(
    tx: &Tx<'_>,
    row: &InstanceRow,
    outcome: Result<duroxide_core::Payload, Failure>,
) -> Result<()> {
    let Some(link) = &row.parent else { return Ok(()) };
    let parent = InstanceRow::load(tx.sql, link.incarnation)?
        .filter(|parent| parent.running && parent.execution == link.execution);
    if let Some(parent) = parent {
        let done = ArrivalBody::ChildDone { source: EventId(link.event), outcome };
        let execution = Some(link.execution);
        return inbox::put(tx, &NewArrival::now(tx, parent.incarnation, execution, &done));
    }
    tx.dropped();
    Ok(())
}

/// Begin the next execution: mail, status and key-value pairs go on; timers and
/// completions of the one before do not.
fn begin_next(tx: &Tx<'_>, row: &InstanceRow, end: &End) -> Result<()> {
    let End::ContinuedAsNew { input, version, headers } = end else { return Ok(()) };
    inbox::clear_execution(tx, row)?;
    tx.sql.run("UPDATE statuses SET base = status WHERE incarnation = ?1", [row.incarnation])?;
    tx.sql.run("DELETE FROM kv_base WHERE incarnation = ?1", [row.incarnation])?;
    tx.sql.run("INSERT INTO kv_base SELECT * FROM kv WHERE incarnation = ?1", [row.incarnation])?;
    let next = row.execution + 1;
    insert_execution(tx, row.incarnation, next)?;
    let start = ArrivalBody::Start {
        name: row.name.clone(),
        version: version.clone(),
        input: input.clone(),
        parent: row.parent_link(),
        headers: headers.clone(),
    };
    inbox::insert(tx, &NewArrival::now(tx, row.incarnation, Some(next), &start))
}
