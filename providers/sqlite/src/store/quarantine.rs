//! Quarantine: an instance with stored data that cannot be decoded is set aside, so that
//! it blocks nobody. It is not ended; only terminating it works, and that is done here,
//! without its code.

use super::commit::append;
use super::inbox::{self, NewArrival};
use super::instances::{InstanceRow, State};
use super::sql::{FAR, Sql};
use super::{Tx, ends};
use crate::error::Result;
use duroxide_core::{ArrivalBody, End, Event, EventId, EventKind, TurnNo};

/// Set the instance aside. Whoever holds it holds it no longer.
pub(crate) fn quarantine(tx: &Tx<'_>, row: &InstanceRow, why: &str) -> Result<()> {
    tx.sql.run(
        "UPDATE instances SET quarantine = ?2, ready_at = NULL, lease = NULL, offer = NULL,
           revision = revision + 1, updated_at = ?3
         WHERE incarnation = ?1 AND quarantine IS NULL",
        (row.incarnation, why, tx.now.0),
    )?;
    // Its queued activities are out of everyone's way too.
    tx.sql.run(
        "UPDATE activities SET visible_at = ?2 WHERE incarnation = ?1 AND lease IS NULL",
        (row.incarnation, FAR),
    )?;
    tracing::warn!(instance_id = %row.key(), why, "stored data cannot be decoded: quarantined");
    tx.quarantined();
    tx.touched(row.key());
    match pending_stop(tx, row)? {
        Some(reason) => terminate(tx, row, reason),
        None => Ok(()),
    }
}

/// A termination that was asked for before and can still be read.
fn pending_stop(tx: &Tx<'_>, row: &InstanceRow) -> Result<Option<String>> {
    let bodies = tx.sql.all(
        "SELECT body FROM inbox WHERE incarnation = ?1 AND seen = 0 AND kind = 6",
        [row.incarnation],
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    Ok(bodies.iter().find_map(|body| match serde_json::from_slice(body) {
        Ok(ArrivalBody::Terminate { reason }) => Some(reason),
        Ok(_) | Err(_) => None,
    }))
}

/// Mark what could not be decoded by a reader.
pub(crate) fn quarantine_by_id(tx: &Tx<'_>, request: &(u64, String)) -> Result<()> {
    match InstanceRow::load(tx.sql, request.0)? {
        Some(row) if row.running => quarantine(tx, &row, &request.1),
        Some(_) | None => Ok(()),
    }
}

/// End a quarantined instance: its last event, its children, its parent.
pub(crate) fn terminate(tx: &Tx<'_>, row: &InstanceRow, reason: String) -> Result<()> {
    let end = End::Terminated { reason: reason.clone() };
    ends::stop_children(tx, row, &end, &[])?;
    let event = Event {
        id: EventId(row.next_event),
        turn: TurnNo(row.turn + 1),
        at: tx.now,
        split: false,
        kind: EventKind::OrchestrationTerminated { reason },
    };
    append(tx, row, &[event])?;
    tx.sql.run(
        "UPDATE instances SET next_event = next_event + 1, turn = turn + 1 WHERE incarnation = ?1",
        [row.incarnation],
    )?;
    let row = InstanceRow { next_event: row.next_event + 1, ..row.clone() };
    ends::close(tx, &row, &end)?;
    tx.sql.run(
        "UPDATE instances SET state = ?2, ended_at = ?3, updated_at = ?3, ready_at = NULL,
           lease = NULL, offer = NULL, revision = revision + 1, waiting = NULL
         WHERE incarnation = ?1",
        (row.incarnation, State::Terminated.code(), tx.now.0),
    )?;
    tx.touched(row.key());
    Ok(())
}

/// Ask one instance to stop without its code, quarantined or not.
pub(crate) fn stop_one(tx: &Tx<'_>, incarnation: u64, stop: &ArrivalBody) -> Result<()> {
    let Some(row) = InstanceRow::load(tx.sql, incarnation)? else { return Ok(()) };
    match stop {
        ArrivalBody::Terminate { reason } if row.quarantine.is_some() => {
            terminate(tx, &row, reason.clone())
        }
        ArrivalBody::Terminate { .. }
        | ArrivalBody::Cancel { .. }
        | ArrivalBody::Mail { .. }
        | ArrivalBody::Start { .. }
        | ArrivalBody::ActivityDone { .. }
        | ArrivalBody::TimerDue { .. }
        | ArrivalBody::ChildDone { .. } => {
            inbox::put(tx, &NewArrival::now(tx, incarnation, None, stop))
        }
    }
}
