//! A turn made by hand: every step adds the event that history gets and the effect that
//! the store is asked for. The engine is not involved.

use super::node::LONG;
use super::{Task, Tenure};
use crate::expect::{CheckResult, Stop};
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, ChildRequest, Commit, CompatFlags, End, Event, EventId,
    EventKind, ExecutionId, Failure, Headers, KvChange, NewActivity, NewStart, NewTimer, Nonce,
    Origin, Outgoing, Payload, StatusChange,
};
use duroxide_provider::{
    Applied, Claim, CommitId, CommitOutcome, CommitRefusal, CommitTurn, LeaseId,
};
use std::time::Duration;

/// A turn in the making.
#[derive(Debug)]
pub(crate) struct TurnBuilder<'a> {
    tenure: &'a mut Tenure,
    request: CommitTurn,
}

impl<'a> TurnBuilder<'a> {
    pub(super) fn new(tenure: &'a mut Tenure) -> Self {
        let turn = Commit {
            execution: tenure.execution,
            expect_event: tenure.next_event,
            turn: tenure.turn,
            events: vec![],
            split: false,
            consumed: vec![],
            fused: vec![],
            seen: vec![],
            activities: vec![],
            cancelled_activities: vec![],
            timers: vec![],
            cancelled_timers: vec![],
            starts: vec![],
            sends: vec![],
            status: None,
            kv: vec![],
            end: None,
            waiting: None,
        };
        let request = CommitTurn {
            incarnation: tenure.got.incarnation,
            lease: tenure.got.lease,
            node: tenure.node.clone(),
            commit_id: tenure.fx.commit_id(),
            base: tenure.base,
            turn,
            version: None,
            flags: tenure.flags,
            completed: vec![],
            keep: None,
            claim: None,
        };
        Self { tenure, request }
    }

    fn record(&mut self, kind: EventKind) -> EventId {
        let turn = &mut self.request.turn;
        let id = EventId(turn.expect_event.0 + turn.events.len() as u64);
        let at = self.tenure.now;
        turn.events.push(Event { id, turn: turn.turn, at, split: false, kind });
        id
    }

    /// Admit everything that has arrived.
    pub(crate) fn admit_all(self) -> Self {
        let all = self.tenure.arrivals.len();
        self.admit(all)
    }

    /// Admit the oldest so many arrivals.
    pub(crate) fn admit(mut self, count: usize) -> Self {
        let arrivals: Vec<_> = self.tenure.arrivals.iter().take(count).cloned().collect();
        for arrival in arrivals {
            self.admit_one(arrival);
        }
        self
    }

    fn admit_one(&mut self, arrival: Arrival) {
        if let Origin::Inbox(id) = arrival.origin {
            self.request.turn.consumed.push(id);
        }
        self.tenure.now = self.tenure.now.max(arrival.at);
        let kind = match arrival.body {
            ArrivalBody::Start { name, version, input, parent, headers } => {
                let version = version.unwrap_or_else(|| "1.0.0".to_owned());
                self.request.version = Some(version.clone());
                let (nonce, flags) = (Nonce(7), self.request.flags);
                EventKind::OrchestrationStarted {
                    name,
                    version,
                    input,
                    parent,
                    nonce,
                    flags,
                    headers,
                }
            }
            ArrivalBody::ActivityDone { source, outcome } => match outcome {
                Ok(result) => EventKind::ActivityCompleted { source, result },
                Err(failure) => EventKind::ActivityFailed { source, failure },
            },
            ArrivalBody::TimerDue { source } => {
                EventKind::TimerFired { source, fire_at: arrival.at }
            }
            ArrivalBody::ChildDone { source, outcome } => match outcome {
                Ok(result) => EventKind::SubOrchestrationCompleted { source, result },
                Err(failure) => EventKind::SubOrchestrationFailed { source, failure },
            },
            ArrivalBody::Mail { channel, name, data } => {
                let mail = match arrival.origin {
                    Origin::Inbox(id) => id,
                    Origin::Fused(_) => return,
                };
                let wait = EventKind::MailSubscribed { channel, name: name.clone() };
                let source = self.record(wait);
                EventKind::MailDelivered { source, mail, channel, name, data }
            }
            ArrivalBody::Cancel { reason, from_parent } => {
                EventKind::OrchestrationCancelRequested { reason, from_parent, unstarted: false }
            }
            // Its event is the end, which the check asks for itself.
            ArrivalBody::Terminate { .. } => return,
        };
        self.record(kind);
    }

    /// Look at everything that has arrived and leave all mail unread.
    pub(crate) fn see_all(mut self) -> Self {
        for arrival in self.tenure.arrivals.clone() {
            match (&arrival.body, arrival.origin) {
                (ArrivalBody::Mail { .. }, Origin::Inbox(id)) => self.request.turn.seen.push(id),
                _ => self.admit_one(arrival),
            }
        }
        self
    }

    /// Consume messages without a trace in history, as late ones are.
    pub(crate) fn consume(mut self, ids: &[ArrivalId]) -> Self {
        self.request.turn.consumed.extend(ids);
        self
    }

    /// Schedule an activity.
    pub(crate) fn activity(self, name: &str) -> Self {
        self.activity_with(name, None, None)
    }

    /// Schedule an activity of a session.
    pub(crate) fn in_session(self, name: &str, session: &str) -> Self {
        self.activity_with(name, Some(session), None)
    }

    /// Schedule an activity with a tag.
    pub(crate) fn tagged(self, name: &str, tag: &str) -> Self {
        self.activity_with(name, None, Some(tag))
    }

    fn activity_with(mut self, name: &str, session: Option<&str>, tag: Option<&str>) -> Self {
        let (name, input) = (name.to_owned(), Payload::json("2"));
        let (session, tag) = (session.map(ToOwned::to_owned), tag.map(ToOwned::to_owned));
        let event = self.record(EventKind::ActivityScheduled {
            name: name.clone(),
            input: input.clone(),
            session: session.clone(),
            tag: tag.clone(),
            attempt: 1,
        });
        let new = NewActivity { event, name, input, session, tag, headers: trace() };
        self.request.turn.activities.push(new);
        self
    }

    /// Cancel an activity.
    pub(crate) fn cancel_activity(mut self, source: EventId) -> Self {
        self.record(EventKind::ActivityCancelRequested { source });
        self.request.turn.cancelled_activities.push(source);
        self
    }

    /// Set a timer.
    pub(crate) fn timer(mut self, delay_ms: u64) -> Self {
        let fire_at = self.tenure.now.plus(delay_ms);
        let event = self.record(EventKind::TimerCreated { delay_ms, fire_at });
        self.request.turn.timers.push(NewTimer { event, delay_ms });
        self
    }

    /// Cancel a timer.
    pub(crate) fn cancel_timer(mut self, source: EventId) -> Self {
        self.record(EventKind::TimerCancelled { source });
        self.request.turn.cancelled_timers.push(source);
        self
    }

    /// Start a child.
    pub(crate) fn child(self, name: &str, id: &str) -> Self {
        self.child_of_version(name, None, id)
    }

    /// Start a child of a version.
    pub(crate) fn child_of_version(mut self, name: &str, version: Option<&str>, id: &str) -> Self {
        let version = version.map(ToOwned::to_owned);
        let event = self.record(EventKind::SubOrchestrationScheduled {
            name: name.to_owned(),
            version: version.clone(),
            instance: id.into(),
            input: Payload::json("3"),
        });
        let start = NewStart { version, ..new_start(event, name, id, false) };
        self.request.turn.starts.push(start);
        self
    }

    /// Start an orchestration nobody waits for.
    pub(crate) fn detached(mut self, name: &str, id: &str) -> Self {
        let event = self.record(EventKind::OrchestrationChained {
            name: name.to_owned(),
            version: None,
            instance: id.into(),
            input: Payload::json("3"),
        });
        self.request.turn.starts.push(new_start(event, name, id, true));
        self
    }

    /// Send a message to a child, named by its scheduling event.
    pub(crate) fn tell_child(mut self, id: &str, child: EventId, what: ChildRequest) -> Self {
        let (source, instance) = (child, id.into());
        let event = self.record(EventKind::SubOrchestrationCancelRequested { source, instance });
        self.request.turn.sends.push(Outgoing { event, to: id.into(), child, what });
        self
    }

    /// Set or reset the custom status.
    pub(crate) fn status(mut self, status: Option<&str>) -> Self {
        let status = status.map(ToOwned::to_owned);
        self.record(EventKind::CustomStatusUpdated { status: status.clone() });
        self.request.turn.status = Some(StatusChange { status });
        self
    }

    /// Say what it waits on.
    pub(crate) fn waiting(mut self, phrase: &str) -> Self {
        self.request.turn.waiting = Some(phrase.to_owned());
        self
    }

    /// Set a key.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.record(EventKind::KeyValueSet { key: key.clone(), value: value.clone() });
        let at = self.tenure.now;
        self.request.turn.kv.push(KvChange::Set { key, value, at });
        self
    }

    /// Clear a key.
    pub(crate) fn clear(mut self, key: &str) -> Self {
        self.record(EventKind::KeyValueCleared { key: Some(key.to_owned()) });
        self.request.turn.kv.push(KvChange::Clear { key: key.to_owned() });
        self
    }

    /// Clear every key.
    pub(crate) fn clear_all(mut self) -> Self {
        self.record(EventKind::KeyValueCleared { key: None });
        self.request.turn.kv.push(KvChange::ClearAll);
        self
    }

    /// Return.
    pub(crate) fn complete(mut self, json: &str) -> Self {
        let output = Payload::json(json);
        self.record(EventKind::OrchestrationCompleted { output: output.clone() });
        self.ends(End::Completed { output })
    }

    /// Fail.
    pub(crate) fn fail(mut self, message: &str) -> Self {
        let failure = Failure::application(message);
        self.record(EventKind::OrchestrationFailed { failure: failure.clone(), by_engine: false });
        self.ends(End::Failed { failure })
    }

    /// Be stopped.
    pub(crate) fn terminate(mut self, reason: &str) -> Self {
        let reason = reason.to_owned();
        self.record(EventKind::OrchestrationTerminated { reason: reason.clone() });
        self.ends(End::Terminated { reason })
    }

    /// Go on as the next execution.
    pub(crate) fn continue_as_new(self) -> Self {
        self.continue_with(None)
    }

    /// Go on as the next execution, of a named version.
    pub(crate) fn continue_with(mut self, version: Option<&str>) -> Self {
        let (input, version) = (Payload::json("4"), version.map(ToOwned::to_owned));
        self.record(EventKind::OrchestrationContinuedAsNew {
            input: input.clone(),
            version: version.clone(),
        });
        self.ends(End::ContinuedAsNew { input, version, headers: trace() })
    }

    fn ends(mut self, end: End) -> Self {
        self.request.turn.end = Some(end);
        self
    }

    /// The turn stops in the middle of an activation.
    pub(crate) fn split(mut self) -> Self {
        self.request.turn.split = true;
        if let Some(last) = self.request.turn.events.last_mut() {
            last.split = true;
        }
        self
    }

    /// Hand over the completion of an activity with the commit.
    pub(crate) fn finishing(mut self, task: &Task, json: &str) -> Self {
        let (source, result) = (task.event(), Payload::json(json));
        self.record(EventKind::ActivityCompleted { source, result });
        self.request.turn.fused.push(source);
        self.request.completed.push((task.activity, task.lease));
        self
    }

    /// Keep the instance for a long time.
    pub(crate) fn keep(mut self) -> Self {
        self.request.keep = Some(LONG);
        self
    }

    /// Keep the instance for so long.
    pub(crate) fn keep_ms(mut self, ms: u64) -> Self {
        self.request.keep = Some(Duration::from_millis(ms));
        self
    }

    /// Claim what this turn schedules.
    pub(crate) fn claim(mut self, claim: Claim) -> Self {
        self.request.claim = Some(claim);
        self
    }

    /// The execution runs under these compat flags.
    pub(crate) fn flags(mut self, flags: u64) -> Self {
        self.request.flags = CompatFlags(flags);
        self
    }

    /// Build on another commit than the last.
    pub(crate) fn on_base(mut self, base: Option<CommitId>) -> Self {
        self.request.base = base;
        self
    }

    /// Expect another event next.
    pub(crate) fn expecting(mut self, event: u64) -> Self {
        self.request.turn.expect_event = EventId(event);
        self
    }

    /// Claim to be of another execution.
    pub(crate) fn of_execution(mut self, execution: u64) -> Self {
        self.request.turn.execution = ExecutionId(execution);
        self
    }

    /// Under another lease.
    pub(crate) fn under(mut self, lease: LeaseId) -> Self {
        self.request.lease = lease;
        self
    }

    /// The request, to be sent as it is.
    pub(crate) fn build(self) -> CommitTurn {
        self.request
    }

    /// Commit; it must be applied.
    pub(crate) async fn commit(self) -> CheckResult<Applied> {
        let Self { tenure, request } = self;
        tenure.apply(&request).await
    }

    /// Commit; it must be refused.
    pub(crate) async fn refused(self) -> CheckResult<CommitRefusal> {
        let Self { tenure, request } = self;
        match tenure.send(&request).await? {
            CommitOutcome::Refused(why) => Ok(why),
            CommitOutcome::Applied(_) => {
                Err(Stop::Failed("a commit that must be refused was applied".to_owned()))
            }
        }
    }
}

fn new_start(event: EventId, name: &str, id: &str, detached: bool) -> NewStart {
    NewStart {
        event,
        instance: id.into(),
        name: name.to_owned(),
        version: None,
        input: Payload::json("3"),
        detached,
        headers: trace(),
    }
}

/// The headers of everything that a turn starts.
pub(crate) fn trace() -> Headers {
    Headers::from([("trace".to_owned(), "t1".to_owned())])
}
