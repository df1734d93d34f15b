//! Handing out instances that have something to do. Not here: activities.

use super::inbox;
use super::instances::InstanceRow;
use super::sql::{Next, Sql, id, later, ms};
use super::{Tx, quarantine};
use crate::error::{Result, StoreError};
use duroxide_core::{CompatFlags, EventId, ExecutionId};
use duroxide_provider::{
    CommitId, Incarnation, LeaseId, LeaseOrchestrations, LeasedInstance, LeasedOrchestrations,
    OrchestrationFilter,
};

/// See [`Provider::lease_orchestrations`](duroxide_provider::Provider::lease_orchestrations).
pub(crate) fn lease_orchestrations(
    tx: &Tx<'_>,
    request: &LeaseOrchestrations,
) -> Result<LeasedOrchestrations> {
    let mut instances = Vec::new();
    let again = given_before(tx, request.lease)?;
    if again.is_empty() {
        loop {
            let found = candidates(tx, request, request.max - instances.len())?;
            let wanted = instances.len() + found.len();
            for candidate in found {
                instances.extend(hand_out(tx, request, candidate)?);
            }
            // What turned out to be undecodable leaves room for others.
            if instances.len() == wanted {
                break;
            }
        }
    } else {
        for incarnation in again {
            instances.extend(give(tx, incarnation)?);
        }
    }
    Ok(LeasedOrchestrations { instances, wake_seq: tx.wake_seq, store_now: tx.now })
}

/// Something for the caller.
#[derive(Debug, Clone, Copy)]
enum Candidate {
    /// Ready, and held by nobody who still counts.
    Free(u64),
    /// Held by the caller, with mail it was not given.
    News(u64),
}

fn hand_out(
    tx: &Tx<'_>,
    request: &LeaseOrchestrations,
    candidate: Candidate,
) -> Result<Option<LeasedInstance>> {
    match candidate {
        Candidate::Free(incarnation) => {
            take(tx, request, incarnation)?;
            give(tx, incarnation)
        }
        Candidate::News(incarnation) => {
            offer(tx, request, incarnation)?;
            give(tx, incarnation)
        }
    }
}

/// What an earlier call with the same lease id was given, as far as it is still held.
fn given_before(tx: &Tx<'_>, lease: LeaseId) -> Result<Vec<u64>> {
    tx.sql.all(
        "SELECT incarnation FROM instances INDEXED BY instances_leased
         WHERE lease IS NOT NULL AND lease = ?1
         UNION SELECT incarnation FROM instances WHERE offer IS NOT NULL AND offer = ?1",
        [id(lease.0)],
        |row| row.get(0),
    )
}

/// The longest ready first. Rows for others are passed over; ready rows are few, since
/// what waits is not ready.
fn candidates(tx: &Tx<'_>, request: &LeaseOrchestrations, max: usize) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    if max == 0 {
        return Ok(found);
    }
    tx.sql.each(
        "SELECT incarnation, name, version, flags, stop, lease IS NOT NULL AND lease_until > ?1,
           node = ?2 AND node_run = ?3
         FROM instances WHERE ready_at <= ?1 ORDER BY ready_at",
        (tx.now.0, &request.node.name, request.node.run as i64),
        |row| {
            let incarnation = row.get(0)?;
            let held = row.get::<_, bool>(5)?;
            if !held {
                if row.get::<_, bool>(4)? || matches(&request.filter, row)? {
                    found.push(Candidate::Free(incarnation));
                }
            } else if row.get::<_, Option<bool>>(6)?.unwrap_or(false) && news(tx, incarnation)? {
                found.push(Candidate::News(incarnation));
            }
            Ok(if found.len() >= max { Next::Enough } else { Next::More })
        },
    )?;
    Ok(found)
}

fn matches(filter: &OrchestrationFilter, row: &rusqlite::Row<'_>) -> Result<bool> {
    let name = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
    let Some(versions) = filter.names.get(name) else { return Ok(false) };
    let version = row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    let flags = CompatFlags(row.get::<_, i64>(3)? as u64);
    Ok(version.is_none_or(|version| versions.contains(version)) && filter.flags.contains(flags))
}

fn news(tx: &Tx<'_>, incarnation: u64) -> Result<bool> {
    match InstanceRow::load(tx.sql, incarnation)? {
        Some(row) => inbox::has_news(tx, &row),
        None => Ok(false),
    }
}

fn take(tx: &Tx<'_>, request: &LeaseOrchestrations, incarnation: u64) -> Result<()> {
    let lease_until = later(tx.now, ms(request.duration));
    tx.sql.run(
        "UPDATE instances SET lease = ?2, lease_until = ?3, node = ?4, node_run = ?5, owner = ?6,
           kept = 0, attempt = attempt + 1, offer = NULL, offered_at = ?7, offered_id = ?8
         WHERE incarnation = ?1",
        rusqlite::params![
            incarnation,
            id(request.lease.0),
            lease_until,
            request.node.name,
            request.node.run as i64,
            tx.owner,
            tx.now.0,
            tx.last_number(),
        ],
    )?;
    tx.due(lease_until);
    Ok(())
}

/// Give a holder its news under the lease it has.
fn offer(tx: &Tx<'_>, request: &LeaseOrchestrations, incarnation: u64) -> Result<()> {
    tx.sql.run(
        "UPDATE instances SET offer = ?2, offered_at = ?3, offered_id = ?4 WHERE incarnation = ?1",
        (incarnation, id(request.lease.0), tx.now.0, tx.last_number()),
    )?;
    Ok(())
}

/// The instance as the caller gets it; `None` if its mail cannot be decoded: then it is
/// quarantined, and the others go on.
fn give(tx: &Tx<'_>, incarnation: u64) -> Result<Option<LeasedInstance>> {
    let Some(row) = InstanceRow::load(tx.sql, incarnation)? else { return Ok(None) };
    let (arrivals, more_arrivals) = match inbox::arrivals(tx, &row) {
        Ok(window) => window,
        Err(StoreError::Corrupt { message, .. }) => {
            quarantine::quarantine(tx, &row, &message)?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(lease) = row.lease else { return Ok(None) };
    Ok(Some(LeasedInstance {
        key: row.key(),
        incarnation: Incarnation(incarnation),
        lease: LeaseId(u128::from_be_bytes(lease)),
        execution: ExecutionId(row.execution),
        last_commit: row.last_commit.map(|id| CommitId(u128::from_be_bytes(id))),
        next_event: EventId(row.next_event),
        name: row.name,
        version: row.version,
        flags: CompatFlags(row.flags),
        attempt: row.attempt.max(1),
        arrivals,
        more_arrivals,
    }))
}
