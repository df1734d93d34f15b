//! What a turn does besides appending events: what it takes in, sends out, changes and
//! schedules. Not here: what its end does (`ends`).

use super::inbox::{self, NewArrival};
use super::instances::{InstanceRow, NewInstance, ParentRow};
use super::sql::{FAR, Sql, later};
use super::{Tx, claims, ends, instances, quarantine};
use crate::error::Result;
use duroxide_core::{
    ArrivalBody, Commit, EventId, Failure, FailureKind, InstanceId, KvChange, NewStart, NewTimer,
    Outgoing, TimeMs,
};
use duroxide_provider::{ClaimedActivity, CommitTurn, InstanceKey, Namespace};

/// Remove what the turn consumed, completed or cancelled; mark what it only looked at.
pub(crate) fn take_in(tx: &Tx<'_>, request: &CommitTurn, row: &InstanceRow) -> Result<()> {
    let turn = &request.turn;
    for (activity, _) in &request.completed {
        claims::remove(tx, activity.incarnation.0, activity.execution.0, activity.event)?;
    }
    for id in &turn.consumed {
        tx.sql
            .run("DELETE FROM inbox WHERE id = ?1 AND incarnation = ?2", (id.0, row.incarnation))?;
    }
    for id in &turn.seen {
        tx.sql.run(
            "UPDATE inbox SET seen = 1 WHERE id = ?1 AND incarnation = ?2",
            (id.0, row.incarnation),
        )?;
    }
    for event in &turn.cancelled_activities {
        if claims::remove(tx, row.incarnation, row.execution, *event)? {
            tx.announce();
        }
    }
    for event in &turn.cancelled_timers {
        tx.sql.run(
            "DELETE FROM inbox
             WHERE incarnation = ?1 AND execution = ?2 AND source = ?3 AND kind = 2",
            (row.incarnation, row.execution, event.0),
        )?;
    }
    Ok(())
}

/// Create children and detached orchestrations; then tell children what was asked of them.
pub(crate) fn send_out(tx: &Tx<'_>, turn: &Commit, row: &InstanceRow) -> Result<()> {
    for start in &turn.starts {
        start_one(tx, start, row)?;
    }
    for send in &turn.sends {
        send_one(tx, send, row)?;
    }
    Ok(())
}

fn in_same_namespace(row: &InstanceRow, id: &InstanceId) -> InstanceKey {
    InstanceKey { namespace: Namespace(row.ns.clone()), id: id.clone() }
}

fn start_one(tx: &Tx<'_>, start: &NewStart, row: &InstanceRow) -> Result<()> {
    let parent = ParentRow {
        incarnation: row.incarnation,
        id: row.id.clone(),
        execution: row.execution,
        event: start.event.0,
    };
    let new = NewInstance {
        key: &in_same_namespace(row, &start.instance),
        name: &start.name,
        version: start.version.as_deref(),
        input: &start.input,
        headers: &start.headers,
        parent: (!start.detached).then_some((parent, row.root)),
    };
    if instances::create(tx, new)? || start.detached {
        return Ok(());
    }
    let failure = Failure {
        source: Some(start.name.clone()),
        ..Failure::new(
            FailureKind::Invalid,
            format!("instance id already in use: {}", start.instance),
        )
    };
    let refused = ArrivalBody::ChildDone { source: start.event, outcome: Err(failure) };
    inbox::insert(tx, &NewArrival::now(tx, row.incarnation, Some(row.execution), &refused))
}

fn send_one(tx: &Tx<'_>, send: &Outgoing, row: &InstanceRow) -> Result<()> {
    let child = InstanceRow::find(tx.sql, &in_same_namespace(row, &send.to))?;
    let child = child.filter(|child| {
        child.running
            && child.parent.as_ref().is_some_and(|parent| {
                parent.incarnation == row.incarnation
                    && parent.execution == row.execution
                    && parent.event == send.child.0
            })
    });
    let Some(child) = child else {
        tx.dropped();
        return Ok(());
    };
    quarantine::stop_one(tx, child.incarnation, &ends::child_request(send.what))
}

/// The custom status and the key-value pairs.
pub(crate) fn change_state(tx: &Tx<'_>, turn: &Commit, row: &InstanceRow) -> Result<()> {
    if let Some(change) = &turn.status {
        tx.sql.run(
            "INSERT INTO statuses (incarnation, status) VALUES (?1, ?2)
             ON CONFLICT (incarnation) DO UPDATE SET status = excluded.status",
            (row.incarnation, &change.status),
        )?;
        tx.sql.run(
            "UPDATE instances SET status_version = status_version + 1 WHERE incarnation = ?1",
            [row.incarnation],
        )?;
    }
    for change in &turn.kv {
        match change {
            KvChange::Set { key, value, at } => tx.sql.run(
                "INSERT INTO kv (incarnation, key, value, updated_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (incarnation, key) DO UPDATE
                 SET value = excluded.value, updated_at = excluded.updated_at",
                (row.incarnation, key, value, at.0),
            )?,
            KvChange::Clear { key } => tx.sql.run(
                "DELETE FROM kv WHERE incarnation = ?1 AND key = ?2",
                (row.incarnation, key),
            )?,
            KvChange::ClearAll => {
                tx.sql.run("DELETE FROM kv WHERE incarnation = ?1", [row.incarnation])?
            }
        };
    }
    Ok(())
}

/// What was claimed of what was scheduled, and when the timers are due.
#[derive(Debug, Default)]
pub(crate) struct Scheduled {
    pub(crate) claimed: Vec<ClaimedActivity>,
    pub(crate) timers: Vec<(EventId, TimeMs)>,
}

/// Queue activities, as far as they are not claimed at once, and set timers.
pub(crate) fn schedule(tx: &Tx<'_>, request: &CommitTurn, row: &InstanceRow) -> Result<Scheduled> {
    let claimed = claims::queue(tx, request, row)?;
    let mut timers = Vec::new();
    for timer in &request.turn.timers {
        timers.push((timer.event, set_timer(tx, timer, row)?));
    }
    Ok(Scheduled { claimed, timers })
}

fn set_timer(tx: &Tx<'_>, timer: &NewTimer, row: &InstanceRow) -> Result<TimeMs> {
    let due = later(tx.now, timer.delay_ms.min(FAR));
    let body = ArrivalBody::TimerDue { source: timer.event };
    let arrival = NewArrival {
        to: row.incarnation,
        execution: Some(row.execution),
        visible_at: due,
        body: &body,
    };
    inbox::insert(tx, &arrival)?;
    Ok(TimeMs(due))
}
