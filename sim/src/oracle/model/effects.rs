//! What a turn must ask of the store: derived from its events and the state before, and
//! compared with what it does ask. Nothing may be missing, nothing in addition.

use super::run::{Open, Run};
use duroxide_core::{
    ChildRequest, End, Event, EventId, EventKind, InstanceId, KvChange, NewActivity, StatusChange,
};
use duroxide_provider::CommitTurn;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// Whether a turn from `before` to `after` asks for what it must.
pub(super) fn check(before: &Run, after: &Run, request: &CommitTurn) -> Result<(), String> {
    let turn = &request.turn;
    let ends = turn.end.is_some();
    let cancelled: BTreeSet<_> = turn.events.iter().filter_map(cancels).collect();
    // What is scheduled and given up in one turn leaves nothing behind.
    let stays = |event: &&Event| !ends && !cancelled.contains(&event.id);
    let older = |is: fn(&Open) -> bool| -> Vec<EventId> {
        let was = |source: &EventId| before.open.get(source).is_some_and(is);
        turn.events.iter().filter_map(cancels).filter(was).collect()
    };

    let activities = turn.events.iter().filter(stays).filter(|event| is_activity(event));
    same("activities", activities.map(|event| event.id), turn.activities.iter().map(|a| a.event))?;
    for (event, new) in activities_of(&turn.events, &turn.activities) {
        if !is_same_activity(event, new) {
            return Err(format!("activity {} is {new:?}, and was {:?}", new.event, event.kind));
        }
    }
    let timers = turn.events.iter().filter(stays).filter_map(timer);
    same("timers", timers, turn.timers.iter().map(|timer| (timer.event, timer.delay_ms)))?;
    same(
        "cancelled activities",
        older(|open| *open == Open::Activity),
        turn.cancelled_activities.iter().copied(),
    )?;
    same(
        "cancelled timers",
        older(|open| matches!(open, Open::Timer { .. })),
        turn.cancelled_timers.iter().copied(),
    )?;
    starts(after, request, &cancelled)?;
    sends(before, after, request, &cancelled)?;
    same("pairs", turn.events.iter().flat_map(pairs), turn.kv.iter().cloned())?;
    let status = turn.events.iter().filter_map(status).next_back();
    same("status", status, turn.status.clone())?;
    let end = turn.events.last().and_then(|event| end(&event.kind));
    same("end", end, turn.end.as_ref().map(what))?;
    taken(before, request)
}

fn same<T: Debug + PartialEq>(
    what: &str,
    must: impl IntoIterator<Item = T>,
    asks: impl IntoIterator<Item = T>,
) -> Result<(), String> {
    let (must, asks): (Vec<_>, Vec<_>) = (must.into_iter().collect(), asks.into_iter().collect());
    if must == asks {
        return Ok(());
    }
    Err(format!("its {what} are {asks:?}, its events say {must:?}"))
}

/// What an event gives up.
fn cancels(event: &Event) -> Option<EventId> {
    event.kind.source().filter(|_| event.is_command())
}

fn is_activity(event: &Event) -> bool {
    matches!(event.kind, EventKind::ActivityScheduled { .. })
}

fn activities_of<'a>(
    events: &'a [Event],
    new: &'a [NewActivity],
) -> impl Iterator<Item = (&'a Event, &'a NewActivity)> {
    new.iter().filter_map(|new| {
        events.iter().find(|event| event.id == new.event).map(|event| (event, new))
    })
}

fn is_same_activity(event: &Event, new: &NewActivity) -> bool {
    matches!(&event.kind, EventKind::ActivityScheduled { name, input, session, tag, .. }
        if (name, input, session, tag) == (&new.name, &new.input, &new.session, &new.tag))
}

fn timer(event: &Event) -> Option<(EventId, u64)> {
    let EventKind::TimerCreated { delay_ms, .. } = event.kind else { return None };
    Some((event.id, delay_ms))
}

/// A child that is given up, or left behind, in the turn that schedules it is not started.
fn starts(after: &Run, request: &CommitTurn, given_up: &BTreeSet<EventId>) -> Result<(), String> {
    let turn = &request.turn;
    let left = |event: &Event| {
        turn.end.is_some()
            && (after.open.contains_key(&event.id) || after.execution != turn.execution)
    };
    let mut must = Vec::new();
    for event in &turn.events {
        if let EventKind::SubOrchestrationScheduled { name, version, instance, input } = &event.kind
            && !given_up.contains(&event.id)
            && !left(event)
        {
            must.push((event.id, instance, name, version, input, false));
        }
        if let EventKind::OrchestrationChained { name, version, instance, input } = &event.kind {
            must.push((event.id, instance, name, version, input, true));
        }
    }
    let asks = turn.starts.iter().map(|start| {
        let of = (&start.instance, &start.name, &start.version, &start.input);
        (start.event, of.0, of.1, of.2, of.3, start.detached)
    });
    same("starts", must, asks)
}

/// Children are told when they are given up, and when the execution ends.
fn sends(
    before: &Run,
    after: &Run,
    request: &CommitTurn,
    given_up: &BTreeSet<EventId>,
) -> Result<(), String> {
    let turn = &request.turn;
    let mut must: BTreeSet<(EventId, &InstanceId, bool)> = BTreeSet::new();
    let closed: BTreeSet<_> = turn.events.iter().filter_map(|event| event.kind.source()).collect();
    for (source, open) in &before.open {
        let Open::Child(child) = open else { continue };
        if given_up.contains(source) {
            must.insert((*source, child, false));
        } else if turn.end.is_some() && !closed.contains(source) {
            must.insert((*source, child, is_terminated(request)));
        }
    }
    if is_terminated(request) {
        must.extend(after.stopped.iter().map(|(source, child)| (*source, child, true)));
    }
    let asks: BTreeSet<_> = turn
        .sends
        .iter()
        .map(|send| (send.child, &send.to, send.what == ChildRequest::Terminate))
        .collect();
    same("messages to children", must, asks)
}

fn is_terminated(request: &CommitTurn) -> bool {
    matches!(request.turn.end, Some(End::Terminated { .. }))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other events change no pairs")]
fn pairs(event: &Event) -> Vec<KvChange> {
    let clear = |key: &String| KvChange::Clear { key: key.clone() };
    match &event.kind {
        EventKind::KeyValueSet { key, value } => {
            let (key, value) = (key.clone(), value.clone());
            vec![KvChange::Set { key, value, at: event.at }]
        }
        EventKind::KeyValueCleared { key: Some(key) } => vec![clear(key)],
        EventKind::KeyValueCleared { key: None } => vec![KvChange::ClearAll],
        EventKind::KeyValuePruned { keys, .. } => keys.iter().map(clear).collect(),
        _ => Vec::new(),
    }
}

fn status(event: &Event) -> Option<StatusChange> {
    let EventKind::CustomStatusUpdated { status } = &event.kind else { return None };
    Some(StatusChange { status: status.clone() })
}

/// An end, with what it says.
fn what(end: &End) -> (&'static str, String) {
    match end {
        End::Completed { output } => ("completed", format!("{output:?}")),
        End::Failed { failure } => ("failed", format!("{failure:?}")),
        End::Terminated { reason } => ("terminated", reason.clone()),
        End::ContinuedAsNew { input, version, .. } => ("goes on", format!("{input:?} {version:?}")),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other events end nothing")]
fn end(kind: &EventKind) -> Option<(&'static str, String)> {
    Some(match kind {
        EventKind::OrchestrationCompleted { output } => ("completed", format!("{output:?}")),
        EventKind::OrchestrationFailed { failure, .. } => ("failed", format!("{failure:?}")),
        EventKind::OrchestrationTerminated { reason } => ("terminated", reason.clone()),
        EventKind::OrchestrationContinuedAsNew { input, version } => {
            ("goes on", format!("{input:?} {version:?}"))
        }
        _ => return None,
    })
}

/// A message that was delivered leaves the inbox with the turn that delivered it; the end of
/// an activity that came with the turn is one that was open.
fn taken(before: &Run, request: &CommitTurn) -> Result<(), String> {
    let turn = &request.turn;
    for event in &turn.events {
        if let EventKind::MailDelivered { mail, .. } = &event.kind
            && !turn.consumed.contains(mail)
        {
            return Err(format!("message {} is delivered, and stays in the inbox", mail.0));
        }
    }
    for (activity, _) in &request.completed {
        let known = before.open.get(&activity.event) == Some(&Open::Activity);
        if !known || activity.execution != turn.execution || !turn.fused.contains(&activity.event) {
            return Err(format!("it completes activity {}, which is not open", activity.event));
        }
    }
    Ok(())
}
