//! What arrives: one arrival at a time becomes one event and one activation. Mail waits
//! in the mailbox until a wait takes it. Late and duplicate arrivals are consumed
//! without an event.

use super::mailbox::Filed;
use super::record::size;
use super::{Activation, Execution, Mode, OpenLeaf, TurnInput};
use crate::{
    Arrival, ArrivalBody, CompatFlags, Event, EventId, EventKind, Failure, MailName, Origin,
    Payload, Role, Settled, TimeMs, TurnNo, UnreadMail, Value,
};

impl Execution {
    /// Begin a turn with what arrived. A termination among it goes first: it runs no code.
    pub fn begin_turn(&mut self, input: TurnInput) {
        self.mailbox.extend(input.unread, &input.mail_read, input.more_mail);
        let terminate = input.arrivals.iter().find_map(|arrival| {
            let ArrivalBody::Terminate { reason } = &arrival.body else {
                return None;
            };
            Some((reason.clone(), arrival.at))
        });
        self.current.arrivals = input.arrivals.into();
        if self.next_event == EventId::FIRST && self.replay.is_empty() {
            self.start_first();
        }
        self.current.nonce = Some(input.nonce);
        self.current.flags = input.flags;
        self.current.raise = input.raise;
        if let Some((reason, at)) = terminate {
            self.end_without_code(EventKind::OrchestrationTerminated { reason }, at);
        }
    }

    /// What an execution inherits is older than its start: a cancel that met the one before
    /// in its last turn, mail. It begins all the same.
    fn start_first(&mut self) {
        let arrivals = &mut self.current.arrivals;
        let starts = |arrival: &Arrival| matches!(arrival.body, ArrivalBody::Start { .. });
        if let Some(start) = arrivals.iter().position(starts).and_then(|at| arrivals.remove(at)) {
            arrivals.push_front(start);
        }
    }

    /// What user code is to do next; `None` when it waits, has ended, or must stop.
    pub fn next_activation(&mut self) -> Option<Activation> {
        loop {
            self.check_replayed();
            if self.is_stopped() {
                return None;
            }
            match if self.replay.is_empty() { self.admit_next()? } else { self.replay_next()? } {
                Admitted::Quiet => {}
                Admitted::Run(activation) => return Some(activation),
            }
        }
    }

    fn replay_next(&mut self) -> Option<Admitted> {
        let event = self.replay.pop_front()?;
        self.mode = Mode::Replaying;
        Some(self.activate(event))
    }

    /// First unread mail that an open wait can take, then the next arrival.
    fn admit_next(&mut self) -> Option<Admitted> {
        self.mode = Mode::Live;
        let full = self.tail.len() >= self.limits.turn_events
            || self.current.bytes >= self.limits.turn_bytes;
        if full {
            return None;
        }
        if let Some(flags) = self.flags_to_raise() {
            return Some(self.admit(EventKind::CompatFlagsAdded { flags }, self.now));
        }
        if self.mailbox.is_dry() {
            return None; // mail in the store may be older than what the window has
        }
        if let Some((source, mail)) = self.mailbox.next_match() {
            let UnreadMail { id: mail, at, channel, name, data } = mail.clone();
            let kind = EventKind::MailDelivered { source, mail, channel, name, data };
            self.current.seen.remove(&mail);
            self.current.consumed.push(mail);
            return Some(self.admit(kind, at));
        }
        let arrival = self.current.arrivals.pop_front()?;
        Some(self.admit_arrival(arrival))
    }

    fn flags_to_raise(&self) -> Option<CompatFlags> {
        let started = self.next_event != EventId::FIRST;
        let raise = self.current.raise;
        (started && !self.start.flags.contains(raise)).then_some(raise)
    }

    fn admit_arrival(&mut self, arrival: Arrival) -> Admitted {
        let Arrival { origin, mut at, body } = arrival;
        let kind = match body {
            ArrivalBody::Mail { channel, name, data } => {
                return self.file_mail(origin, at, MailName { channel, name }, data);
            }
            ArrivalBody::Cancel { reason, from_parent } => {
                return self.admit_cancel(origin, at, reason, from_parent);
            }
            ArrivalBody::Start { .. } if self.next_event == EventId::FIRST => self.started(body),
            ArrivalBody::Start { .. } | ArrivalBody::Terminate { .. } => None,
            ArrivalBody::ActivityDone { source, outcome } => self
                .is_open(source, |leaf| matches!(leaf, OpenLeaf::Activity { .. }))
                .then_some(match outcome {
                    Ok(result) => EventKind::ActivityCompleted { source, result },
                    Err(failure) => {
                        EventKind::ActivityFailed { source, failure: failure.with_few_causes() }
                    }
                }),
            ArrivalBody::ChildDone { source, outcome } => self
                .is_open(source, |leaf| matches!(leaf, OpenLeaf::Child { .. }))
                .then_some(match outcome {
                    Ok(result) => EventKind::SubOrchestrationCompleted { source, result },
                    Err(failure) => {
                        let failure = failure.with_few_causes();
                        EventKind::SubOrchestrationFailed { source, failure }
                    }
                }),
            // Made at an estimate ahead of the store's time, it still takes its whole delay.
            ArrivalBody::TimerDue { source } => self.due(source).map(|due| {
                let fire_at = at;
                at = at.max(due);
                EventKind::TimerFired { source, fire_at }
            }),
        };
        self.consume(origin);
        match kind {
            Some(started) if self.cancelled_unstarted(&started, at) => Admitted::Quiet,
            Some(kind) => self.admit(kind, at),
            None => self.dropped(),
        }
    }

    /// When an open timer is due, as code counts.
    fn due(&self, timer: EventId) -> Option<TimeMs> {
        match self.open.get(&timer)? {
            OpenLeaf::Timer { fire_at, .. } => Some(*fire_at),
            OpenLeaf::Activity { .. } | OpenLeaf::Child { .. } | OpenLeaf::Mail(_) => None,
        }
    }

    fn is_open(&self, source: EventId, fits: impl Fn(&OpenLeaf) -> bool) -> bool {
        self.open.get(&source).is_some_and(fits)
    }

    fn file_mail(&mut self, origin: Origin, at: TimeMs, to: MailName, data: Payload) -> Admitted {
        if let Origin::Inbox(id) = origin {
            let mail = UnreadMail { id, at, channel: to.channel, name: to.name, data };
            if self.mailbox.file(mail) == Filed::Unread {
                self.current.seen.insert(id);
                return Admitted::Quiet;
            }
        }
        self.consume(origin);
        self.dropped()
    }

    fn admit_cancel(
        &mut self,
        origin: Origin,
        at: TimeMs,
        reason: String,
        from_parent: bool,
    ) -> Admitted {
        let again = matches!(origin, Origin::Inbox(id) if self.current.consumed.contains(&id));
        if again {
            return self.dropped(); // the same request, not a second one
        }
        self.consume(origin);
        // A parent's cancel is idempotent, and never counts as the second one.
        let known = from_parent && self.cancel.reason.is_some();
        if known || self.next_event == EventId::FIRST {
            return self.dropped();
        }
        if self.cancel.by_client && !from_parent {
            self.now = self.now.max(at);
            self.write(EventKind::OrchestrationTerminated { reason });
            return Admitted::Quiet;
        }
        let unstarted = false;
        self.admit(EventKind::OrchestrationCancelRequested { reason, from_parent, unstarted }, at)
    }

    /// An arrival becomes an event and an activation.
    fn admit(&mut self, kind: EventKind, at: TimeMs) -> Admitted {
        let at = at.max(self.now);
        let event = Event { id: self.next_event, turn: TurnNo(0), at, split: false, kind };
        self.tail.push(event.clone());
        self.current.bytes += size(&event.kind);
        self.activate(event)
    }

    /// The activation of an admitted event, in replay and first run.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other events leave the code alone")]
    fn activate(&mut self, event: Event) -> Admitted {
        self.now = event.at;
        self.instants = 0;
        let was_cancelled = self.cancel.reason.is_some();
        let leaf = event.kind.source().and_then(|source| self.open.get(&source).cloned());
        self.absorb(&event);
        self.go_on_after(&event);
        if self.ended {
            return Admitted::Quiet;
        }
        match event.kind {
            EventKind::OrchestrationStarted { input, .. } => {
                // Stopped before the first turn: the record of it stands right behind.
                if self.replay.front().is_some_and(unstarted) {
                    return Admitted::Quiet;
                }
                Admitted::Run(Activation::Start { input })
            }
            EventKind::OrchestrationCancelRequested { reason, unstarted, .. } => {
                match (unstarted, was_cancelled) {
                    (true, _) => self.end_unstarted(&reason),
                    (false, true) => Admitted::Quiet,
                    (false, false) => self.cancel_open(&reason),
                }
            }
            EventKind::ActivityCompleted { source, result }
            | EventKind::SubOrchestrationCompleted { source, result } => {
                self.settle(source, Ok(Value::Payload(result)))
            }
            EventKind::ActivityFailed { source, failure }
            | EventKind::SubOrchestrationFailed { source, failure } => {
                self.settle(source, Err(named(failure, leaf)))
            }
            EventKind::TimerFired { source, .. } => self.settle(source, Ok(Value::Null)),
            EventKind::MailDelivered { source, data, .. } => {
                self.settle(source, Ok(Value::Payload(data)))
            }
            _ => Admitted::Quiet,
        }
    }

    fn settle(&mut self, leaf: EventId, outcome: Settled) -> Admitted {
        let Some(mut tree) = self.awaited.take() else {
            self.settled.insert(leaf, outcome);
            return Admitted::Run(Activation::Poll);
        };
        if self.settle_in(&mut tree, leaf, outcome).is_err() {
            return Admitted::Quiet;
        }
        if let Some(settled) = tree.outcome() {
            return Admitted::Run(Activation::Resume(settled));
        }
        self.awaited = Some(tree);
        Admitted::Quiet
    }

    /// Late or duplicate: consumed without an event.
    fn dropped(&mut self) -> Admitted {
        self.current.dropped += 1;
        Admitted::Quiet
    }

    pub(super) fn consume(&mut self, origin: Origin) {
        match origin {
            Origin::Inbox(id) => self.current.consumed.push(id),
            Origin::Fused(event) => self.current.fused.push(event),
        }
    }
}

/// What admitting an event leads to.
pub(super) enum Admitted {
    /// Nothing for user code to do.
    Quiet,
    /// User code runs.
    Run(Activation),
}

/// Right behind the start: no code ran, for a cancel, or because the engine ended it there.
fn unstarted(event: &Event) -> bool {
    matches!(event.kind, EventKind::OrchestrationCancelRequested { unstarted: true, .. })
        || (event.kind.role() == Role::End && !event.is_command())
}

/// A failure as orchestration code may see it: with the name of what failed, and the id if it
/// was a child, without stack and worker.
fn named(failure: Failure, leaf: Option<OpenLeaf>) -> Failure {
    let mut failure = failure.without_details();
    failure.instance = None;
    match leaf {
        Some(OpenLeaf::Activity { name }) => {
            failure.source.get_or_insert(name);
        }
        Some(OpenLeaf::Child { name, instance }) => {
            failure.source.get_or_insert(name);
            failure.instance = Some(instance.0.into());
        }
        Some(OpenLeaf::Timer { .. } | OpenLeaf::Mail(_)) | None => {}
    }
    failure
}
