//! A turn, spread out into the parameters of its function: for each list of things one list for
//! each of their properties; what a turn has not is null. Nothing is decided here.

use super::activities::Takes;
use super::{json, message, ms, stops, wanted};
use crate::error::Result;
use crate::shell::Bound;
use crate::text::escape;
use duroxide_core::{
    ArrivalBody, ArrivalId, ChildRequest, Commit, End, EventId, Failure, FailureKind, KvChange,
    NewActivity, NewStart, NewTimer, Outgoing, Payload, encode_event,
};
use duroxide_provider::{ActivityKey, Claim, InstanceState, LeaseId};
use uuid::Uuid;

/// The things, unless there are none.
fn some<T, U>(things: &[T], map: impl FnMut(&T) -> U) -> Option<Vec<U>> {
    if things.is_empty() { None } else { Some(things.iter().map(map).collect()) }
}

fn text(text: &str) -> String {
    escape(text).into_owned()
}

fn maybe(text: Option<&str>) -> Option<String> {
    text.map(|text| escape(text).into_owned())
}

/// What is appended and taken in.
pub(super) struct TakenIn {
    events: Option<Vec<u8>>,
    event_count: i64,
    consumed: Option<Vec<i64>>,
    seen: Option<Vec<i64>>,
    done: [Option<Vec<i64>>; 3],
    leases: Option<Vec<Uuid>>,
    cancelled_activities: Option<Vec<i64>>,
    cancelled_timers: Option<Vec<i64>>,
}

impl TakenIn {
    pub(super) fn of(turn: &Commit, completed: &[(ActivityKey, LeaseId)]) -> Self {
        let mut events = Vec::new();
        for event in &turn.events {
            events.extend_from_slice(&encode_event(event));
            events.push(b'\n');
        }
        let ids = |ids: &[ArrivalId]| some(ids, |id| id.0 as i64);
        let events_of = |events: &[EventId]| some(events, |event| event.0 as i64);
        Self {
            events: Some(events).filter(|events| !events.is_empty()),
            event_count: turn.events.len() as i64,
            consumed: ids(&turn.consumed),
            seen: ids(&turn.seen),
            done: [
                some(completed, |(activity, _)| activity.incarnation.0 as i64),
                some(completed, |(activity, _)| activity.execution.0 as i64),
                some(completed, |(activity, _)| activity.event.0 as i64),
            ],
            leases: some(completed, |(_, lease)| super::id(lease.0)),
            cancelled_activities: events_of(&turn.cancelled_activities),
            cancelled_timers: events_of(&turn.cancelled_timers),
        }
    }

    pub(super) fn bind(&self, query: Bound) -> Bound {
        let [incarnations, executions, events] = &self.done;
        query
            .bind(&self.events)
            .bind(self.event_count)
            .bind(&self.consumed)
            .bind(&self.seen)
            .bind(incarnations)
            .bind(executions)
            .bind(events)
            .bind(&self.leases)
            .bind(&self.cancelled_activities)
            .bind(&self.cancelled_timers)
    }
}

/// Activities to queue, and what the node would take of them.
pub(super) struct Activities {
    events: Option<Vec<i64>>,
    names: Option<Vec<String>>,
    tags: Option<Vec<Option<String>>>,
    sessions: Option<Vec<Option<String>>>,
    encodings: Option<Vec<i16>>,
    inputs: Option<Vec<Vec<u8>>>,
    headers: Option<Vec<Option<Vec<u8>>>>,
    max: i32,
    takes: Option<Takes>,
    duration: i64,
}

impl Activities {
    pub(super) fn of(activities: &[NewActivity], claim: Option<&Claim>) -> Result<Self> {
        let mut headers = Vec::with_capacity(activities.len());
        for activity in activities {
            headers.push(if activity.headers.is_empty() {
                None
            } else {
                Some(json(&activity.headers, "headers")?)
            });
        }
        Ok(Self {
            events: some(activities, |activity| activity.event.0 as i64),
            names: some(activities, |activity| text(&activity.name)),
            tags: some(activities, |activity| maybe(activity.tag.as_deref())),
            sessions: some(activities, |activity| maybe(activity.session.as_deref())),
            encodings: some(activities, |activity| activity.input.encoding().0.into()),
            inputs: some(activities, |activity| activity.input.bytes().to_vec()),
            headers: Some(headers).filter(|headers| !headers.is_empty()),
            max: claim.map_or(0, |claim| wanted(claim.max)),
            takes: claim.map(|claim| Takes::of(&claim.filter)),
            duration: claim.map_or(0, |claim| ms(claim.duration)),
        })
    }

    pub(super) fn bind(&self, query: Bound) -> Bound {
        let takes = self.takes.as_ref();
        query
            .bind(&self.events)
            .bind(&self.names)
            .bind(&self.tags)
            .bind(&self.sessions)
            .bind(&self.encodings)
            .bind(&self.inputs)
            .bind(&self.headers)
            .bind(self.max)
            .bind(takes.map(|takes| &takes.names))
            .bind(takes.and_then(|takes| takes.kinds.as_ref()))
            .bind(takes.map_or(0, |takes| takes.sessions))
            .bind(takes.map_or(0, |takes| takes.idle))
            .bind(self.duration)
    }
}

/// Timers, children and detached orchestrations, messages to children.
pub(super) struct SentOut {
    timer_events: Option<Vec<i64>>,
    timer_delays: Option<Vec<i64>>,
    timer_bodies: Option<Vec<Vec<u8>>>,
    start_events: Option<Vec<i64>>,
    start_ids: Option<Vec<String>>,
    start_names: Option<Vec<String>>,
    start_versions: Option<Vec<Option<String>>>,
    start_bodies: Option<Vec<Vec<u8>>>,
    /// What the parent gets if the id is in use; null for a detached one, which has none.
    start_refusals: Option<Vec<Option<Vec<u8>>>>,
    send_to: Option<Vec<String>>,
    send_events: Option<Vec<i64>>,
    send_kinds: Option<Vec<i32>>,
    stops: Vec<Vec<u8>>,
}

impl SentOut {
    pub(super) fn of(turn: &Commit) -> Result<Self> {
        let timers = &turn.timers;
        let starts = &turn.starts;
        let sends = &turn.sends;
        let all = |bodies: Vec<Result<Vec<u8>>>| bodies.into_iter().collect::<Result<Vec<_>>>();
        let refusals = starts.iter().map(refusal).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            timer_events: some(timers, |timer| timer.event.0 as i64),
            timer_delays: some(timers, delay),
            timer_bodies: some(timers, due).map(all).transpose()?,
            start_events: some(starts, |start| start.event.0 as i64),
            start_ids: some(starts, |start| text(start.instance.as_str())),
            start_names: some(starts, |start| text(&start.name)),
            start_versions: some(starts, |start| maybe(start.version.as_deref())),
            start_bodies: some(starts, begin).map(all).transpose()?,
            start_refusals: Some(refusals).filter(|refusals| !refusals.is_empty()),
            send_to: some(sends, |send| text(send.to.as_str())),
            send_events: some(sends, |send| send.child.0 as i64),
            send_kinds: some(sends, asked),
            stops: stops()?,
        })
    }

    pub(super) fn bind(&self, query: Bound) -> Bound {
        query
            .bind(&self.timer_events)
            .bind(&self.timer_delays)
            .bind(&self.timer_bodies)
            .bind(&self.start_events)
            .bind(&self.start_ids)
            .bind(&self.start_names)
            .bind(&self.start_versions)
            .bind(&self.start_bodies)
            .bind(&self.start_refusals)
            .bind(&self.send_to)
            .bind(&self.send_events)
            .bind(&self.send_kinds)
            .bind(&self.stops)
    }
}

fn delay(timer: &NewTimer) -> i64 {
    i64::try_from(timer.delay_ms).unwrap_or(super::FAR).min(super::FAR)
}

fn due(timer: &NewTimer) -> Result<Vec<u8>> {
    message(&ArrivalBody::TimerDue { source: timer.event })
}

/// The start of a child. Who its parent is stands in its row.
fn begin(start: &NewStart) -> Result<Vec<u8>> {
    message(&ArrivalBody::Start {
        name: start.name.clone(),
        version: start.version.clone(),
        input: start.input.clone(),
        parent: None,
        headers: start.headers.clone(),
    })
}

fn refusal(start: &NewStart) -> Result<Option<Vec<u8>>> {
    if start.detached {
        return Ok(None);
    }
    let why = format!("instance id already in use: {}", start.instance);
    let failure =
        Failure { source: Some(start.name.clone()), ..Failure::new(FailureKind::Invalid, why) };
    message(&ArrivalBody::ChildDone { source: start.event, outcome: Err(failure) }).map(Some)
}

fn asked(send: &Outgoing) -> i32 {
    match send.what {
        ChildRequest::Cancel => 5,
        ChildRequest::Terminate => 6,
    }
}

/// Status, key-value pairs, the end.
#[derive(Default)]
pub(super) struct Changes {
    status_set: bool,
    status: Option<String>,
    /// Null: all keys.
    keys: Vec<Option<String>>,
    /// Null: to be removed.
    values: Vec<Option<String>>,
    times: Vec<i64>,
    end: Option<i32>,
    outcome: Option<Vec<u8>>,
    result: Option<Vec<u8>>,
    next_version: Option<String>,
    next_start: Option<Vec<u8>>,
}

impl Changes {
    pub(super) fn of(turn: &Commit) -> Result<Self> {
        let mut changes = Self {
            status_set: turn.status.is_some(),
            status: turn.status.as_ref().and_then(|change| maybe(change.status.as_deref())),
            ..Self::default()
        };
        for change in &turn.kv {
            let (key, value, at) = match change {
                KvChange::Set { key, value, at } => (Some(key), Some(value), at.0),
                KvChange::Clear { key } => (Some(key), None, 0),
                KvChange::ClearAll => (None, None, 0),
            };
            changes.keys.push(key.map(|key| text(key)));
            changes.values.push(value.map(|value| text(value)));
            changes.times.push(i64::try_from(at).unwrap_or(i64::MAX));
        }
        if let Some(end) = &turn.end {
            changes.end(end)?;
        }
        Ok(changes)
    }

    fn end(&mut self, end: &End) -> Result<()> {
        let (code, state, result) = match end {
            End::Completed { output } => {
                (1, InstanceState::Completed { output: output.clone() }, Ok(output.clone()))
            }
            End::Failed { failure } => {
                (2, InstanceState::Failed { failure: failure.clone() }, Err(failure.clone()))
            }
            End::Terminated { reason } => {
                let failure = Failure::new(FailureKind::Terminated, reason.clone());
                (3, InstanceState::Terminated { reason: reason.clone() }, Err(failure))
            }
            End::ContinuedAsNew { input, version, headers } => {
                self.next_version = maybe(version.as_deref());
                // Its name and its parent stand in the row of the instance.
                self.next_start = Some(message(&ArrivalBody::Start {
                    name: String::new(),
                    version: version.clone(),
                    input: input.clone(),
                    parent: None,
                    headers: headers.clone(),
                })?);
                (4, InstanceState::ContinuedAsNew, Ok(Payload::null()))
            }
        };
        self.end = Some(code);
        self.outcome = Some(json(&state, "the outcome")?);
        self.result = Some(json(&result, "the outcome")?);
        Ok(())
    }

    pub(super) fn bind(&self, query: Bound) -> Bound {
        let changed = !self.times.is_empty();
        query
            .bind(self.status_set)
            .bind(&self.status)
            .bind(changed.then_some(&self.keys))
            .bind(changed.then_some(&self.values))
            .bind(changed.then_some(&self.times))
            .bind(self.end)
            .bind(&self.outcome)
            .bind(&self.result)
            .bind(&self.next_version)
            .bind(&self.next_start)
    }
}
