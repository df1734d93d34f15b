//! `commit_turn`: make a turn durable, all or nothing. First the checks, in the order the
//! contract gives them; after them nothing can fail. What the end of an execution does is
//! in `ends`, what claiming asks of sessions in `sessions`.

use crate::inbox;
use crate::rows::{NewInstance, is_under};
use crate::state::{Activity, Instance, Lease, ParentLink, State, later};
use crate::{activities, ends};
use duroxide_core::{
    ArrivalBody, Commit, EventId, Failure, FailureKind, KvChange, KvEntry, NewStart, Outgoing,
    TimeMs,
};
use duroxide_provider::{
    Applied, ClaimedActivity, CommitOutcome, CommitRefusal, CommitTurn, InstanceKey,
};
use std::time::Duration;

/// See [`Provider::commit_turn`](duroxide_provider::Provider::commit_turn).
pub(crate) fn commit_turn(state: &mut State, request: &CommitTurn) -> CommitOutcome {
    let Some(row) = state.instances.get(&request.incarnation) else {
        return CommitOutcome::Refused(CommitRefusal::Gone);
    };
    if row.last_commit == Some(request.commit_id) {
        return applied_before(state, request);
    }
    match refusal(state, request, row) {
        Some(refusal) => CommitOutcome::Refused(refusal),
        None => apply(state, request),
    }
}

/// Why the turn cannot be applied.
fn refusal(state: &State, request: &CommitTurn, row: &Instance) -> Option<CommitRefusal> {
    let turn = &request.turn;
    if !row.is_running() || row.execution != turn.execution {
        return Some(CommitRefusal::Gone);
    }
    if row.last_commit != request.base || row.next_event != turn.expect_event {
        return Some(CommitRefusal::Conflict);
    }
    let given_up = row.abandoned.contains(&request.commit_id);
    if !is_under(row.lease.as_ref(), request.lease) || given_up {
        return Some(CommitRefusal::LeaseLost);
    }
    let mut completed = request.completed.iter();
    let lost = completed.find(|(activity, lease)| {
        !state.activity(activity).is_some_and(|(_, held)| is_under(held.lease.as_ref(), *lease))
    });
    lost.map(|(activity, _)| CommitRefusal::ActivityLost { activity: *activity })
}

fn apply(state: &mut State, request: &CommitTurn) -> CommitOutcome {
    let turn = &request.turn;
    take_in(state, request);
    settle(state, request);
    for start in &turn.starts {
        start_one(state, request, start);
    }
    for send in &turn.sends {
        send_one(state, request, send);
    }
    let (mut claimed, mut timers) = (Vec::new(), Vec::new());
    match &turn.end {
        None => {
            claimed = queue(state, request);
            timers = set_timers(state, request);
        }
        Some(end) => ends::close(state, request.incarnation, end, &turn.sends),
    }
    if let Some(row) = state.instances.get_mut(&request.incarnation)
        && row.lease.is_some()
    {
        row.tell(state.now);
    }
    answer(state, request, claimed, timers)
}

/// Append events; remove what the turn consumed, completed or cancelled; mark exactly what
/// it looked at.
fn take_in(state: &mut State, request: &CommitTurn) {
    let turn = &request.turn;
    for (activity, _) in &request.completed {
        activities::remove(state, activity);
    }
    for event in &turn.cancelled_activities {
        let (incarnation, execution, event) = (request.incarnation, turn.execution, *event);
        activities::cancel(state, incarnation, execution, event);
    }
    let Some(row) = state.instances.get_mut(&request.incarnation) else { return };
    if let Some(execution) = row.executions.get_mut(&turn.execution) {
        execution.events.extend_from_slice(&turn.events);
    }
    for id in &turn.consumed {
        row.inbox.remove(id);
    }
    for id in &turn.seen {
        if let Some(message) = row.inbox.get_mut(id) {
            message.seen = true;
        }
    }
    for event in &turn.cancelled_timers {
        row.inbox.retain(|_, message| timer(&message.body) != Some(*event));
    }
}

fn timer(body: &ArrivalBody) -> Option<EventId> {
    if let ArrivalBody::TimerDue { source } = body { Some(*source) } else { None }
}

/// What the turn makes of the instance itself.
fn settle(state: &mut State, request: &CommitTurn) {
    let (turn, now) = (&request.turn, state.now);
    let Some(row) = state.instances.get_mut(&request.incarnation) else { return };
    row.next_event = EventId(turn.expect_event.0 + turn.events.len() as u64);
    row.turn = turn.turn;
    row.split = turn.split;
    row.last_commit = Some(request.commit_id);
    row.abandoned.clear();
    row.attempt = 0;
    row.not_before = TimeMs(0);
    row.flags = request.flags;
    if request.version.is_some() {
        row.version.clone_from(&request.version);
    }
    row.kept = request.keep.is_some();
    row.offer = None;
    row.lease = row.lease.take().zip(request.keep).map(|(mut lease, keep)| {
        lease.until = later(now, keep);
        lease
    });
    row.updated_at = now;
    if turn.status.is_some() || turn.end.is_some() || !turn.kv.is_empty() {
        row.revision += 1;
    }
    row.waiting = turn.waiting.clone().filter(|_| turn.end.is_none());
    if let Some(change) = &turn.status {
        row.status.clone_from(&change.status);
        row.status_version += 1;
    }
    change_pairs(row, turn);
}

fn change_pairs(row: &mut Instance, turn: &Commit) {
    for change in &turn.kv {
        match change {
            KvChange::Set { key, value, at } => {
                let (key, value, updated_at) = (key.clone(), value.clone(), *at);
                row.kv.insert(key.clone(), KvEntry { key, value, updated_at });
            }
            KvChange::Clear { key } => {
                row.kv.remove(key);
            }
            KvChange::ClearAll => row.kv.clear(),
        }
    }
}

/// Create a child, or a detached orchestration. The existing id of a child is refused in
/// the parent's mail.
fn start_one(state: &mut State, request: &CommitTurn, start: &NewStart) {
    let (incarnation, execution) = (request.incarnation, request.turn.execution);
    let Some(row) = state.instances.get(&incarnation) else { return };
    let (id, event) = (row.key.id.clone(), start.event);
    let parent = (ParentLink { incarnation, id, execution, event }, row.root);
    let new = NewInstance {
        key: InstanceKey { namespace: row.key.namespace.clone(), id: start.instance.clone() },
        name: start.name.clone(),
        version: start.version.clone(),
        input: start.input.clone(),
        headers: start.headers.clone(),
        parent: (!start.detached).then_some(parent),
    };
    if state.create(new) || start.detached {
        return;
    }
    let message = format!("instance id already in use: {}", start.instance);
    let source = Some(start.name.clone());
    let failure = Failure { source, ..Failure::new(FailureKind::Invalid, message) };
    let refused = ArrivalBody::ChildDone { source: event, outcome: Err(failure) };
    state.put(incarnation, refused);
}

/// A message to a child reaches the child of that event only.
fn send_one(state: &mut State, request: &CommitTurn, send: &Outgoing) {
    let child = state.instances.iter().find(|(_, row)| {
        row.key.id == send.to
            && row.is_running()
            && row.parent.as_ref().is_some_and(|parent| {
                parent.incarnation == request.incarnation
                    && parent.execution == request.turn.execution
                    && parent.event == send.child
            })
    });
    match child.map(|(incarnation, _)| *incarnation) {
        Some(child) => state.ask(child, ends::child_request(send.what)),
        None => state.dropped += 1,
    }
}

/// Queue activities; those claimed are held by the committing node at once.
fn queue(state: &mut State, request: &CommitTurn) -> Vec<ClaimedActivity> {
    let mut claimed = Vec::new();
    let waiting = activities::waiting_kinds(state);
    for what in &request.turn.activities {
        let claim = request.claim.as_ref().filter(|claim| claimed.len() < claim.max);
        let claim = claim.filter(|_| !waiting.contains(&activities::kind(what)));
        let lease = claim.and_then(|claim| {
            let (wanted, until) = ((request.incarnation, what), later(state.now, claim.duration));
            let term = activities::may_take(state, wanted, &claim.filter, &request.node, until)?;
            claimed.push(ClaimedActivity { event: what.event, attempt: 1 });
            let id = request.commit_id.claim_lease();
            Some(Lease { term, ..state.lease(id, &request.node, claim.duration) })
        });
        let (order, attempt, visible_at) = (state.number(), u32::from(lease.is_some()), state.now);
        let what = what.clone();
        let (event, damaged) = (what.event, false);
        let activity = Activity { what, order, attempt, visible_at, lease, damaged };
        if let Some(row) = state.instances.get_mut(&request.incarnation) {
            row.activities.insert(event, activity);
        }
    }
    claimed
}

fn set_timers(state: &mut State, request: &CommitTurn) -> Vec<(EventId, TimeMs)> {
    let mut timers = Vec::new();
    for timer in &request.turn.timers {
        let due = later(state.now, Duration::from_millis(timer.delay_ms));
        let body = ArrivalBody::TimerDue { source: timer.event };
        state.put_at(request.incarnation, due, body);
        timers.push((timer.event, due));
    }
    timers
}

/// The answer that was lost: the same claims and timers as far as they are still there, and
/// what has arrived by now. That counts as told only once it is asked for again: this
/// answer may be that of a late duplicate, and reach nobody.
fn applied_before(state: &mut State, request: &CommitTurn) -> CommitOutcome {
    let (mut claimed, mut timers) = (Vec::new(), Vec::new());
    if let Some(row) = state.instances.get(&request.incarnation)
        && row.execution == request.turn.execution
    {
        for (event, activity) in &row.activities {
            if is_under(activity.lease.as_ref(), request.commit_id.claim_lease()) {
                claimed.push(ClaimedActivity { event: *event, attempt: activity.attempt });
            }
        }
        for set in &request.turn.timers {
            let found = row.inbox.values().find(|m| timer(&m.body) == Some(set.event));
            timers.extend(found.map(|message| (set.event, message.visible_at)));
        }
    }
    answer(state, request, claimed, timers)
}

fn answer(
    state: &mut State,
    request: &CommitTurn,
    claimed: Vec<ClaimedActivity>,
    timers: Vec<(EventId, TimeMs)>,
) -> CommitOutcome {
    let store_now = state.now;
    let row = state.instances.get(&request.incarnation);
    let row = row.filter(|row| is_under(row.lease.as_ref(), request.lease));
    let mut held = row.is_some();
    let window = row.map(|row| inbox::arrivals(row, store_now));
    let (arrivals, more_arrivals) = match window {
        None => (Vec::new(), false),
        Some(Ok(window)) => window,
        // The turn stands; what came after it cannot be read.
        Some(Err(fault)) => {
            state.quarantine(request.incarnation, &fault);
            held = false;
            (Vec::new(), false)
        }
    };
    let applied = Applied { held, arrivals, more_arrivals, claimed, timers, store_now };
    CommitOutcome::Applied(Box::new(applied))
}
