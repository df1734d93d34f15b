//! Turns as a core might have made them: events with their effects, in the order of the step's
//! choices. Not here: whether any program would make such a turn; a store does not ask.

use crate::step::Turn;
use crate::tables;
use crate::world::{Known, Open, Task, Tenure, World};
use duroxide_core::{
    ArrivalBody, ChildRequest, Commit, CompatFlags, End, Event, EventId, EventKind, Failure,
    Headers, InstanceId, KvChange, NewActivity, NewStart, NewTimer, Nonce, Origin, Outgoing,
    Payload, StatusChange, TimeMs, TurnNo,
};
use duroxide_provider::{Claim, CommitId, CommitTurn, LeaseId};

/// The state of an execution after an applied turn.
pub(crate) fn after(known: &Known, request: &CommitTurn) -> Known {
    let turn = &request.turn;
    let mut next = known.clone();
    next.last_commit = Some(request.commit_id);
    next.turn = turn.turn.0;
    if turn.end.is_some() {
        return Known { last_commit: next.last_commit, ..Known::default() };
    }
    next.open.extend(turn.activities.iter().map(|activity| Open::Activity(activity.event)));
    next.open.extend(turn.timers.iter().map(|timer| Open::Timer(timer.event)));
    let children = turn.starts.iter().filter(|start| !start.detached);
    next.children.extend(children.map(|start| (start.event, start.instance.clone())));
    next
}

/// The turn that a step asks for.
pub(crate) fn build(world: &mut World, tenure: &Tenure, step: &Turn) -> CommitTurn {
    let known = world.known(tenure.incarnation);
    let (commit_id, never) = (CommitId(world.draw()), world.draw());
    let turn = Commit::empty(tenure.execution, tenure.next_event, TurnNo(known.turn + 1));
    let request = CommitTurn {
        incarnation: tenure.incarnation,
        lease: tenure.lease,
        node: tenure.node.clone(),
        commit_id,
        base: tenure.base,
        turn,
        version: None,
        flags: tenure.flags,
        completed: Vec::new(),
        keep: step.keep.map(tables::hold),
        claim: step.claim.as_ref().map(|ask| Claim {
            max: tables::max(ask.max),
            filter: tables::activities(ask),
            duration: tables::hold(ask.hold),
        }),
    };
    let mut making = Making { request, now: TimeMs(world.now), stopped: None };
    making.admit(tenure, step);
    making.fuse(world, tenure, step);
    making.schedule(step);
    making.start_children(step);
    making.tell(step, &known);
    making.cancel(step, &known);
    making.change(step);
    let asked = step.end.map(end);
    match making.stopped.take().map(|reason| End::Terminated { reason }).or(asked) {
        Some(end) => making.finish(end),
        None if step.split => making.split(),
        None => {}
    }
    making.spoil(step.wrong, never);
    making.request
}

struct Making {
    request: CommitTurn,
    now: TimeMs,
    /// A termination has arrived.
    stopped: Option<String>,
}

fn end(choice: u8) -> End {
    match choice % 8 {
        0 => End::Completed { output: Payload::json("\"done\"") },
        1 => End::Failed { failure: Failure::application("went wrong") },
        2 => End::Terminated { reason: "by itself".to_owned() },
        _ => End::ContinuedAsNew {
            input: Payload::json("4"),
            version: tables::version(choice / 8 % 3),
            headers: trace(),
        },
    }
}

impl Making {
    fn record(&mut self, kind: EventKind) -> EventId {
        let turn = &mut self.request.turn;
        let id = EventId(turn.expect_event.0 + turn.events.len() as u64);
        turn.events.push(Event { id, turn: turn.turn, at: self.now, split: false, kind });
        id
    }

    /// Take what has arrived, but for the last few. A start is always taken.
    fn admit(&mut self, tenure: &Tenure, step: &Turn) {
        let wanted = tenure.arrivals.len().saturating_sub(usize::from(step.leave));
        for (nth, arrival) in tenure.arrivals.iter().enumerate() {
            let starts = matches!(arrival.body, ArrivalBody::Start { .. });
            let Origin::Inbox(id) = arrival.origin else { continue };
            if nth >= wanted && !starts {
                continue;
            }
            let is_mail = matches!(arrival.body, ArrivalBody::Mail { .. });
            self.now = self.now.max(arrival.at);
            match (is_mail, step.mail) {
                (true, 1) => self.request.turn.seen.push(id),
                (true, 2) => self.request.turn.consumed.push(id),
                (true | false, _) => {
                    self.request.turn.consumed.push(id);
                    self.admit_one(id, &arrival.body);
                }
            }
        }
    }

    fn admit_one(&mut self, mail: duroxide_core::ArrivalId, body: &ArrivalBody) {
        let kind = match body.clone() {
            ArrivalBody::Start { name, version, input, parent, headers } => {
                let version = version.unwrap_or_else(|| "1.0.0".to_owned());
                // Executions of the second version run under a compat flag.
                let flags = CompatFlags(u64::from(version == "2.0.0"));
                self.request.version = Some(version.clone());
                self.request.flags = flags;
                let nonce = Nonce(7);
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
            ArrivalBody::ActivityDone { source, outcome: Ok(result) } => {
                EventKind::ActivityCompleted { source, result }
            }
            ArrivalBody::ActivityDone { source, outcome: Err(failure) } => {
                EventKind::ActivityFailed { source, failure }
            }
            ArrivalBody::TimerDue { source } => EventKind::TimerFired { source, fire_at: self.now },
            ArrivalBody::ChildDone { source, outcome: Ok(result) } => {
                EventKind::SubOrchestrationCompleted { source, result }
            }
            ArrivalBody::ChildDone { source, outcome: Err(failure) } => {
                EventKind::SubOrchestrationFailed { source, failure }
            }
            ArrivalBody::Mail { channel, name, data } => {
                let source = self.record(EventKind::MailSubscribed { channel, name: name.clone() });
                EventKind::MailDelivered { source, mail, channel, name, data }
            }
            ArrivalBody::Cancel { reason, from_parent } => {
                EventKind::OrchestrationCancelRequested { reason, from_parent, unstarted: false }
            }
            ArrivalBody::Terminate { reason } => {
                self.stopped = Some(reason);
                return;
            }
        };
        self.record(kind);
    }

    /// Hand over completions of activities of this execution.
    fn fuse(&mut self, world: &World, tenure: &Tenure, step: &Turn) {
        let of_this = |task: &&Task| {
            task.activity.incarnation == tenure.incarnation
                && task.activity.execution == tenure.execution
        };
        let tasks = world.tasks.iter().rev().filter(of_this).take(usize::from(step.fuse));
        for task in tasks {
            let source = task.activity.event;
            if self.request.turn.fused.contains(&source) {
                continue;
            }
            let result = Payload::json("\"fused\"");
            self.record(EventKind::ActivityCompleted { source, result });
            self.request.turn.fused.push(source);
            self.request.completed.push((task.activity, task.lease));
        }
    }

    fn schedule(&mut self, step: &Turn) {
        for choice in &step.activities {
            let (name, session, tag) = tables::activity(*choice);
            let (session, tag) = (session.map(ToOwned::to_owned), tag.map(ToOwned::to_owned));
            let (name, input) = (name.to_owned(), Payload::json("2"));
            let event = self.record(EventKind::ActivityScheduled {
                name: name.clone(),
                input: input.clone(),
                session: session.clone(),
                tag: tag.clone(),
                attempt: 1,
            });
            let headers = if choice % 2 == 0 { Headers::new() } else { trace() };
            let new = NewActivity { event, name, input, session, tag, headers };
            self.request.turn.activities.push(new);
        }
        for choice in &step.timers {
            let delay_ms = tables::timer(*choice);
            let fire_at = self.now.plus(delay_ms);
            let event = self.record(EventKind::TimerCreated { delay_ms, fire_at });
            self.request.turn.timers.push(NewTimer { event, delay_ms });
        }
    }

    fn start_children(&mut self, step: &Turn) {
        for choice in &step.children {
            let (instance, version) = (tables::child(*choice), tables::version(choice % 3));
            let (name, input) = ("Child".to_owned(), Payload::json("3"));
            let detached = choice % 8 == 7;
            let scheduled = (name.clone(), version.clone(), instance.clone(), input.clone());
            let event = self.record(scheduled_child(scheduled, detached));
            let headers = trace();
            let start = NewStart { event, instance, name, version, input, detached, headers };
            self.request.turn.starts.push(start);
        }
    }

    /// Tell a child to stop; sometimes one that is not there, or not this execution's.
    fn tell(&mut self, step: &Turn, known: &Known) {
        let Some(choice) = step.tell else { return };
        let what = if choice % 2 == 0 { ChildRequest::Cancel } else { ChildRequest::Terminate };
        let found = known.children.get(usize::from(choice / 2) % known.children.len().max(1));
        let (child, to) = found.cloned().unwrap_or_else(|| (EventId(1), tables::child(choice)));
        let kind =
            EventKind::SubOrchestrationCancelRequested { source: child, instance: to.clone() };
        let event = self.record(kind);
        self.request.turn.sends.push(Outgoing { event, to, child, what });
    }

    fn cancel(&mut self, step: &Turn, known: &Known) {
        let Some(choice) = step.cancel else { return };
        match known.open.get(usize::from(choice) % known.open.len().max(1)) {
            Some(Open::Activity(source)) if !self.request.turn.fused.contains(source) => {
                self.record(EventKind::ActivityCancelRequested { source: *source });
                self.request.turn.cancelled_activities.push(*source);
            }
            Some(Open::Timer(source)) => {
                self.record(EventKind::TimerCancelled { source: *source });
                self.request.turn.cancelled_timers.push(*source);
            }
            Some(Open::Activity(_)) | None => {}
        }
    }

    /// The custom status, key-value pairs, and what it waits on.
    fn change(&mut self, step: &Turn) {
        if let Some(choice) = step.status {
            let status = (choice % 4 != 3).then(|| format!("status {choice}"));
            self.record(EventKind::CustomStatusUpdated { status: status.clone() });
            self.request.turn.status = Some(StatusChange { status });
        }
        for choice in &step.kv {
            let key = ["k1", "k2", "k3"][usize::from(*choice) % 3].to_owned();
            let (kind, change) = match choice / 3 % 8 {
                7 => (EventKind::KeyValueCleared { key: None }, KvChange::ClearAll),
                5 | 6 => {
                    (EventKind::KeyValueCleared { key: Some(key.clone()) }, KvChange::Clear { key })
                }
                _ => {
                    let (value, at) = (format!("value {choice}"), self.now);
                    let kind = EventKind::KeyValueSet { key: key.clone(), value: value.clone() };
                    (kind, KvChange::Set { key, value, at })
                }
            };
            self.record(kind);
            self.request.turn.kv.push(change);
        }
        let opened = self.request.turn.activities.len();
        self.request.turn.waiting = (opened > 0).then(|| format!("{opened} activities"));
    }

    fn finish(&mut self, end: End) {
        self.record(match end.clone() {
            End::Completed { output } => EventKind::OrchestrationCompleted { output },
            End::Failed { failure } => EventKind::OrchestrationFailed { failure, by_engine: false },
            End::Terminated { reason } => EventKind::OrchestrationTerminated { reason },
            End::ContinuedAsNew { input, version, .. } => {
                EventKind::OrchestrationContinuedAsNew { input, version }
            }
        });
        self.request.turn.end = Some(end);
    }

    fn split(&mut self) {
        self.request.turn.split = true;
        if let Some(last) = self.request.turn.events.last_mut() {
            last.split = true;
        }
    }

    /// Make it one that must be refused.
    fn spoil(&mut self, wrong: u8, never: u128) {
        let request = &mut self.request;
        match wrong {
            1 => request.base = Some(CommitId(never)),
            2 => request.turn.expect_event.0 += 1,
            3 => request.lease = LeaseId(never),
            4 => request.turn.execution.0 += 1,
            5 => request.incarnation.0 += 1_000_000,
            6 => {
                if let Some((_, lease)) = request.completed.first_mut() {
                    *lease = LeaseId(never);
                }
            }
            _ => {}
        }
    }
}

fn trace() -> Headers {
    Headers::from([("trace".to_owned(), "t1".to_owned())])
}

fn scheduled_child(
    (name, version, instance, input): (String, Option<String>, InstanceId, Payload),
    detached: bool,
) -> EventKind {
    if detached {
        EventKind::OrchestrationChained { name, version, instance, input }
    } else {
        EventKind::SubOrchestrationScheduled { name, version, instance, input }
    }
}
