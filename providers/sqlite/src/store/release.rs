//! Handing leases back, and giving up commits. Touches only what is named.

use super::instances::InstanceRow;
use super::sql::{Sql, id, later, ms};
use super::{Tx, sessions};
use crate::error::Result;
use duroxide_provider::{ActivityKey, CommitId, Held, LeaseId, Release};

/// See [`Provider::release`](duroxide_provider::Provider::release).
pub(crate) fn release(tx: &Tx<'_>, request: &Release) -> Result<()> {
    for held in &request.held {
        match held {
            Held::Instance { incarnation, lease } => {
                instance(tx, request, incarnation.0, *lease)?;
            }
            Held::Activity { activity, lease } => one_activity(tx, request, activity, *lease)?,
        }
    }
    if let Some((incarnation, commit)) = request.commit {
        give_up(tx, request, incarnation.0, commit)?;
    }
    Ok(())
}

fn instance(tx: &Tx<'_>, request: &Release, incarnation: u64, lease: LeaseId) -> Result<()> {
    let Some(row) = InstanceRow::load(tx.sql, incarnation)? else { return Ok(()) };
    if row.offer == Some(id(lease.0)) {
        // The news it was offered by that call did not reach it.
        tx.sql.run(
            "UPDATE instances SET offer = NULL, offered_at = 0, offered_id = 0
             WHERE incarnation = ?1",
            [incarnation],
        )?;
        tx.announce();
    }
    if row.lease == Some(id(lease.0)) {
        free(tx, request, &row)?;
    }
    Ok(())
}

fn free(tx: &Tx<'_>, request: &Release, row: &InstanceRow) -> Result<()> {
    let not_before = later(tx.now, ms(request.delay));
    let ready_at = row.ready_at.map(|at| at.max(not_before));
    tx.sql.run(
        "UPDATE instances SET lease = NULL, lease_until = 0, kept = 0, offer = NULL,
           not_before = ?2, ready_at = ?3, attempt = max(attempt - ?4, 0)
         WHERE incarnation = ?1",
        (row.incarnation, not_before, ready_at, request.refund),
    )?;
    if let Some(ready_at) = ready_at {
        tx.due(ready_at);
    }
    Ok(())
}

fn one_activity(
    tx: &Tx<'_>,
    request: &Release,
    activity: &ActivityKey,
    lease: LeaseId,
) -> Result<()> {
    // Without a delay it keeps its place in the queue.
    let not_before = if request.delay.is_zero() { 0 } else { later(tx.now, ms(request.delay)) };
    let freed = tx.sql.one(
        "UPDATE activities SET lease = NULL, lease_until = 0, owner = NULL,
           visible_at = max(visible_at, ?5), attempt = max(attempt - ?6, 0)
         WHERE incarnation = ?1 AND execution = ?2 AND event = ?3 AND lease = ?4
         RETURNING visible_at, ns, session",
        rusqlite::params![
            activity.incarnation.0,
            activity.execution.0,
            activity.event.0,
            id(lease.0),
            not_before,
            request.refund,
        ],
        |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?)),
    )?;
    if let Some((visible_at, ns, session)) = freed {
        tx.due(visible_at);
        if let Some(session) = session {
            sessions::used(tx, &ns, &session)?;
        }
    }
    Ok(())
}

/// If the commit was applied, release what it claimed and kept; else see to it that it
/// never is.
fn give_up(tx: &Tx<'_>, request: &Release, incarnation: u64, commit: CommitId) -> Result<()> {
    let Some(row) = InstanceRow::load(tx.sql, incarnation)? else { return Ok(()) };
    if row.last_commit != Some(id(commit.0)) {
        tx.sql.run(
            "DELETE FROM abandoned WHERE NOT EXISTS (
               SELECT 1 FROM instances AS i WHERE i.incarnation = abandoned.incarnation
                 AND i.state = 0 AND i.last_commit IS abandoned.base)",
            [],
        )?;
        // It can be applied only while the instance is where it is now.
        tx.sql.run(
            "INSERT OR IGNORE INTO abandoned (commit_id, incarnation, base) VALUES (?1, ?2, ?3)",
            (id(commit.0), incarnation, row.last_commit),
        )?;
        return Ok(());
    }
    let claim = commit.claim_lease();
    let claimed = tx.sql.all(
        "SELECT execution, event FROM activities WHERE incarnation = ?1 AND lease = ?2",
        (incarnation, id(claim.0)),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for (execution, event) in claimed {
        let activity = ActivityKey {
            incarnation: duroxide_provider::Incarnation(incarnation),
            execution: duroxide_core::ExecutionId(execution),
            event: duroxide_core::EventId(event),
        };
        one_activity(tx, request, &activity, claim)?;
    }
    if row.kept && row.lease.is_some() {
        free(tx, request, &row)?;
    }
    Ok(())
}
