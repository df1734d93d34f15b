//! `commit_turn`: make a turn durable, all or nothing. Here are the checks, in the order
//! the contract gives them, and the row of the instance; what a turn does to everything
//! else is in `effects`, `claims` and `ends`.

use super::effects::Scheduled;
use super::instances::InstanceRow;
use super::sql::{Id, Sql, id, later, ms};
use super::{Tx, claims, effects, ends, inbox, quarantine};
use crate::error::{Result, StoreError};
use duroxide_core::{End, Event, EventId, TimeMs, encode_event};
use duroxide_provider::{Applied, ClaimedActivity, CommitOutcome, CommitRefusal, CommitTurn};

/// See [`Provider::commit_turn`](duroxide_provider::Provider::commit_turn).
pub(crate) fn commit_turn(tx: &Tx<'_>, request: &CommitTurn) -> Result<CommitOutcome> {
    let Some(row) = InstanceRow::load(tx.sql, request.incarnation.0)? else {
        return Ok(CommitOutcome::Refused(CommitRefusal::Gone));
    };
    if row.last_commit == Some(id(request.commit_id.0)) {
        return applied_before(tx, request, &row);
    }
    if let Some(refusal) = refusal(tx, request, &row)? {
        return Ok(CommitOutcome::Refused(refusal));
    }
    apply(tx, request, &row)
}

/// Why the turn cannot be applied, in the order of the contract.
fn refusal(tx: &Tx<'_>, request: &CommitTurn, row: &InstanceRow) -> Result<Option<CommitRefusal>> {
    if !row.running || row.execution != request.turn.execution.0 {
        return Ok(Some(CommitRefusal::Gone));
    }
    let base = request.base.map(|base| id(base.0));
    if row.last_commit != base || row.next_event != request.turn.expect_event.0 {
        return Ok(Some(CommitRefusal::Conflict));
    }
    if row.lease != Some(id(request.lease.0)) || abandoned(tx, id(request.commit_id.0))? {
        return Ok(Some(CommitRefusal::LeaseLost));
    }
    for (activity, lease) in &request.completed {
        if !claims::is_held(tx, activity, *lease)? {
            return Ok(Some(CommitRefusal::ActivityLost { activity: *activity }));
        }
    }
    Ok(None)
}

fn abandoned(tx: &Tx<'_>, commit: Id) -> Result<bool> {
    tx.sql.any("SELECT 1 FROM abandoned WHERE commit_id = ?1", [commit])
}

fn apply(tx: &Tx<'_>, request: &CommitTurn, row: &InstanceRow) -> Result<CommitOutcome> {
    let turn = &request.turn;
    append(tx, row, &turn.events)?;
    effects::take_in(tx, request, row)?;
    effects::send_out(tx, turn, row)?;
    effects::change_state(tx, turn, row)?;
    let scheduled = match &turn.end {
        None => effects::schedule(tx, request, row)?,
        Some(_) => Scheduled::default(),
    };
    // The row as it is from here on; what ended executions leave behind goes with them.
    let mut row =
        InstanceRow { next_event: turn.expect_event.0 + turn.events.len() as u64, ..row.clone() };
    if let Some(end) = &turn.end {
        ends::stop_children(tx, &row, end, &turn.sends)?;
        ends::close(tx, &row, end)?;
    }
    let keep = settle(tx, request, &mut row)?;
    answer(tx, &row, keep.is_some(), scheduled)
}

/// Bring the instance's row to what the turn came to. Gives until when its lease is kept.
fn settle(tx: &Tx<'_>, request: &CommitTurn, row: &mut InstanceRow) -> Result<Option<u64>> {
    let turn = &request.turn;
    let mut turn_number = turn.turn.0;
    let mut flags = request.flags.0;
    if let Some(version) = &request.version {
        row.version = Some(version.clone());
    }
    let ended = match &turn.end {
        None => false,
        Some(End::ContinuedAsNew { version, .. }) => {
            row.execution += 1;
            row.next_event = EventId::FIRST.0;
            row.version.clone_from(version);
            // The next execution has no flags before its first turn.
            (turn_number, flags) = (0, 0);
            false
        }
        Some(End::Completed { .. } | End::Failed { .. } | End::Terminated { .. }) => true,
    };
    let state = ends::state_of_instance(turn.end.as_ref());
    let ready_at = if ended { None } else { ready_after(tx, row.incarnation, turn.split)? };
    let keep = match request.keep {
        Some(duration) if !ended => Some(later(tx.now, ms(duration))),
        Some(_) | None => None,
    };
    let news = turn.status.is_some() || turn.end.is_some() || !turn.kv.is_empty();
    let news = u64::from(news);
    tx.sql.run(
        "UPDATE instances SET version = ?2, flags = ?3, execution = ?4, next_event = ?5, turn = ?6,
           last_commit = ?7, state = ?8, ready_at = ?9, not_before = 0, attempt = 0,
           lease = iif(?10 IS NULL, NULL, lease), lease_until = ifnull(?10, 0),
           kept = ?10 IS NOT NULL, offer = NULL, offered_at = ?11, offered_id = ?12,
           revision = revision + ?13, updated_at = ?11, ended_at = iif(?14, ?11, NULL),
           waiting = ?15
         WHERE incarnation = ?1",
        rusqlite::params![
            row.incarnation,
            row.version,
            flags as i64,
            row.execution,
            row.next_event,
            turn_number,
            id(request.commit_id.0),
            state.code(),
            ready_at,
            keep,
            tx.now.0,
            tx.last_number(),
            news,
            ended,
            // Of this execution only.
            turn.waiting.as_deref().filter(|_| turn.end.is_none()),
        ],
    )?;
    if news > 0 {
        tx.touched(row.key());
    }
    match (ready_at, keep) {
        // The holder gets what is ready with the answer.
        (Some(ready_at), Some(keep)) => {
            if ready_at > tx.now.0 {
                tx.due(ready_at);
            }
            tx.due(keep.max(ready_at));
        }
        (Some(ready_at), None) => tx.due(ready_at),
        (None, _) => {}
    }
    Ok(keep)
}

/// When the instance is ready next: what is ready already goes to the back of the queue.
fn ready_after(tx: &Tx<'_>, incarnation: u64, split: bool) -> Result<Option<u64>> {
    if split {
        return Ok(Some(tx.now.0));
    }
    Ok(inbox::first_unseen(tx.sql, incarnation)?.map(|at| at.max(tx.now.0)))
}

/// Append events: one row a commit.
pub(crate) fn append(tx: &Tx<'_>, row: &InstanceRow, events: &[Event]) -> Result<()> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
    let mut bytes = Vec::new();
    for event in events {
        bytes.extend_from_slice(&encode_event(event));
        bytes.push(b'\n');
    }
    tx.sql.run(
        "INSERT INTO events (incarnation, execution, first_event, last_event, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (row.incarnation, row.execution, first.id.0, last.id.0, bytes),
    )?;
    Ok(())
}

/// The answer that was lost: the same claims, and what has arrived by now.
fn applied_before(tx: &Tx<'_>, request: &CommitTurn, row: &InstanceRow) -> Result<CommitOutcome> {
    let held = row.running && row.lease == Some(id(request.lease.0));
    let mut timers = Vec::new();
    for timer in &request.turn.timers {
        let due = tx.sql.one(
            "SELECT visible_at FROM inbox
             WHERE incarnation = ?1 AND execution = ?2 AND source = ?3 AND kind = 2",
            (row.incarnation, request.turn.execution.0, timer.event.0),
            |row| row.get(0),
        )?;
        timers.extend(due.map(|due| (timer.event, TimeMs(due))));
    }
    let claimed = tx.sql.all(
        "SELECT event, attempt FROM activities
         WHERE incarnation = ?1 AND execution = ?2 AND lease = ?3 ORDER BY event",
        (row.incarnation, request.turn.execution.0, id(request.commit_id.claim_lease().0)),
        |row| Ok(ClaimedActivity { event: EventId(row.get(0)?), attempt: row.get(1)? }),
    )?;
    // What has arrived counts as told only once it is asked for again: this answer may be
    // that of a late duplicate, and reach nobody.
    answer(tx, row, held, Scheduled { claimed, timers })
}

fn answer(
    tx: &Tx<'_>,
    row: &InstanceRow,
    held: bool,
    scheduled: Scheduled,
) -> Result<CommitOutcome> {
    let window = if held { inbox::arrivals(tx, row) } else { Ok((Vec::new(), false)) };
    let (arrivals, more_arrivals) = match window {
        Ok(window) => window,
        // The turn stands; what came after it cannot be read.
        Err(StoreError::Corrupt { message, .. }) => {
            quarantine::quarantine(tx, row, &message)?;
            return answer(tx, row, false, scheduled);
        }
        Err(error) => return Err(error),
    };
    Ok(CommitOutcome::Applied(Box::new(Applied {
        held,
        arrivals,
        more_arrivals,
        claimed: scheduled.claimed,
        timers: scheduled.timers,
        store_now: tx.now,
    })))
}
