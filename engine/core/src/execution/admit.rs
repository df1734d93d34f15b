//! What arrives: one arrival at a time becomes one event and one activation. Mail waits
//! in the mailbox until a wait takes it. Late and duplicate arrivals are consumed
//! without an event.

use super::mailbox::Filed;
use super::record::size;
use super::{Activation, Execution, Mode, OpenLeaf, TurnInput};
use crate::{
    Arrival, ArrivalBody, CompatFlags, Event, EventId, EventKind, ExecutionId, Failure, Origin,
    Settled, TimeMs, TurnNo, UnreadMail, Value,
};

impl Execution {
    /// Begin a turn with what arrived. A termination among it goes first: it runs no code.
    pub fn begin_turn(&mut self, input: TurnInput) {
        self.mailbox.extend(input.unread, &input.mail_read, input.more_mail);
        let terminate = input.arrivals.iter().find_map(|arrival| {
            let ArrivalBody::Terminate { reason } = &arrival.body else { return None };
            Some((reason.clone(), arrival.at))
        });
        self.current.arrivals = input.arrivals.into();
        self.current.nonce = Some(input.nonce);
        self.current.flags = input.flags;
        self.current.raise = input.raise;
        if let Some((reason, at)) = terminate {
            self.end_without_code(EventKind::OrchestrationTerminated { reason }, at);
        }
    }

    /// Instead of running code (too many attempts, a name that no node knows): the
    /// execution fails. Call it after [`begin_turn`](Self::begin_turn), then finish the turn.
    pub fn fail_without_code(&mut self, failure: Failure) {
        let at = self.current.arrivals.iter().map(|arrival| arrival.at).max();
        let kind = EventKind::OrchestrationFailed { failure, by_engine: true };
        self.end_without_code(kind, at.unwrap_or(self.recorded.1));
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
        if let Some((source, mail)) = self.mailbox.next_match() {
            let UnreadMail { id: mail, at, channel, name, data } = mail.clone();
            let kind = EventKind::MailDelivered { source, mail, channel, name, data };
            self.current.seen.remove(&mail);
            self.current.consumed.push(mail);
            return Some(self.admit(kind, at));
        }
        if !self.mailbox.wants().is_empty() {
            return None; // mail in the store comes before the next arrival
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
        let Arrival { origin, at, body } = arrival;
        let kind = match body {
            ArrivalBody::Mail { channel, name, data } => {
                let Origin::Inbox(id) = origin else { return self.drop_arrival(origin) };
                match self.mailbox.file(UnreadMail { id, at, channel, name, data }) {
                    Filed::Unread => self.current.seen.insert(id),
                    Filed::Duplicate => return self.drop_arrival(origin),
                };
                return Admitted::Quiet;
            }
            ArrivalBody::Start { name, version, input, parent, headers } => {
                if self.next_event != EventId::FIRST {
                    return self.drop_arrival(origin);
                }
                EventKind::OrchestrationStarted {
                    name,
                    version: version.unwrap_or_else(|| "1.0.0".to_owned()),
                    input,
                    parent,
                    nonce: self.current.nonce.unwrap_or(crate::Nonce(0)),
                    flags: self.current.flags,
                    headers,
                }
            }
            ArrivalBody::ActivityDone { source, outcome } => {
                if !matches!(self.open.get(&source), Some(OpenLeaf::Activity { .. })) {
                    return self.drop_arrival(origin);
                }
                match outcome {
                    Ok(result) => EventKind::ActivityCompleted { source, result },
                    Err(failure) => EventKind::ActivityFailed { source, failure },
                }
            }
            ArrivalBody::TimerDue { source } => {
                if self.open.get(&source) != Some(&OpenLeaf::Timer) {
                    return self.drop_arrival(origin);
                }
                EventKind::TimerFired { source, fire_at: at }
            }
            ArrivalBody::ChildDone { source, outcome } => {
                if !matches!(self.open.get(&source), Some(OpenLeaf::Child { .. })) {
                    return self.drop_arrival(origin);
                }
                match outcome {
                    Ok(result) => EventKind::SubOrchestrationCompleted { source, result },
                    Err(failure) => EventKind::SubOrchestrationFailed { source, failure },
                }
            }
            ArrivalBody::Cancel { reason, from_parent } => {
                // A parent's cancel is idempotent, and never counts as the second one.
                let known = from_parent && self.cancel.reason.is_some();
                if known || self.next_event == EventId::FIRST {
                    return self.drop_arrival(origin);
                }
                self.consume(origin);
                if self.cancel.by_client && !from_parent {
                    self.now = self.now.max(at);
                    self.write(EventKind::OrchestrationTerminated { reason });
                    return Admitted::Quiet;
                }
                let kind = EventKind::OrchestrationCancelRequested {
                    reason,
                    from_parent,
                    unstarted: false,
                };
                return self.admit(kind, at);
            }
            ArrivalBody::Terminate { .. } => return self.drop_arrival(origin),
        };
        self.consume(origin);
        let starts = matches!(kind, EventKind::OrchestrationStarted { .. });
        if starts && self.cancelled_unstarted(&kind, at) {
            return Admitted::Quiet;
        }
        self.admit(kind, at)
    }

    /// A cancel that came before the first turn of the instance: no code runs.
    fn cancelled_unstarted(&mut self, started: &EventKind, at: TimeMs) -> bool {
        let found = self.current.arrivals.iter().position(|arrival| {
            self.id == ExecutionId::FIRST && matches!(arrival.body, ArrivalBody::Cancel { .. })
        });
        let Some(Arrival {
            origin,
            at: cancelled_at,
            body: ArrivalBody::Cancel { reason, from_parent },
        }) = found.and_then(|index| self.current.arrivals.remove(index))
        else {
            return false;
        };
        self.consume(origin);
        self.now = self.now.max(at);
        self.write(started.clone());
        self.now = self.now.max(cancelled_at);
        let failure = Failure::cancelled(&reason);
        self.write(EventKind::OrchestrationCancelRequested {
            reason,
            from_parent,
            unstarted: true,
        });
        self.write(EventKind::OrchestrationFailed { failure, by_engine: true });
        true
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
    fn activate(&mut self, event: Event) -> Admitted {
        self.now = event.at;
        self.instants = 0;
        let was_cancelled = self.cancel.reason.is_some();
        let leaf = event.kind.source().and_then(|source| self.open.get(&source).cloned());
        self.absorb(&event);
        if event.split && self.replay.is_empty() {
            self.mode = Mode::Live;
        }
        match event.kind {
            EventKind::OrchestrationStarted { input, .. } => {
                // Cancelled before the first turn: the record of it stands right behind.
                if self.replay.front().is_some_and(unstarted) {
                    return Admitted::Quiet;
                }
                Admitted::Run(Activation::Start { input })
            }
            EventKind::OrchestrationCancelRequested { reason, unstarted, .. } => {
                if was_cancelled || unstarted { Admitted::Quiet } else { self.cancel_open(&reason) }
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
            EventKind::CompatFlagsAdded { .. }
            | EventKind::OrchestrationCompleted { .. }
            | EventKind::OrchestrationFailed { .. }
            | EventKind::OrchestrationContinuedAsNew { .. }
            | EventKind::OrchestrationTerminated { .. }
            | EventKind::ActivityScheduled { .. }
            | EventKind::ActivityCancelRequested { .. }
            | EventKind::TimerCreated { .. }
            | EventKind::TimerCancelled { .. }
            | EventKind::MailSubscribed { .. }
            | EventKind::MailUnsubscribed { .. }
            | EventKind::SubOrchestrationScheduled { .. }
            | EventKind::SubOrchestrationCancelRequested { .. }
            | EventKind::OrchestrationChained { .. }
            | EventKind::CustomStatusUpdated { .. }
            | EventKind::KeyValueSet { .. }
            | EventKind::KeyValueCleared { .. }
            | EventKind::KeyValuePruned { .. } => Admitted::Quiet,
        }
    }

    fn settle(&mut self, leaf: EventId, outcome: Settled) -> Admitted {
        let Some(mut tree) = self.awaited.take() else {
            self.settled.insert(leaf, outcome);
            return Admitted::Run(Activation::Poll);
        };
        for loser in tree.settle(leaf, outcome) {
            if self.record_cancel(loser).is_err() {
                return Admitted::Quiet;
            }
        }
        if let Some(settled) = tree.outcome() {
            return Admitted::Run(Activation::Resume(settled));
        }
        self.awaited = Some(tree);
        Admitted::Quiet
    }

    /// Everything the coroutine waits for is cancelled, and its await throws, once.
    fn cancel_open(&mut self, reason: &str) -> Admitted {
        let open: Vec<EventId> = self.open.keys().copied().collect();
        for leaf in &open {
            if self.record_cancel(*leaf).is_err() {
                return Admitted::Quiet;
            }
        }
        let cancelled = || Err(Failure::cancelled(reason));
        if self.awaited.take().is_some() {
            return Admitted::Run(Activation::Resume(cancelled()));
        }
        self.settled.extend(open.into_iter().map(|leaf| (leaf, cancelled())));
        Admitted::Run(Activation::Poll)
    }

    fn end_without_code(&mut self, end: EventKind, at: TimeMs) {
        self.absorb_rest();
        if self.ended {
            return;
        }
        self.now = self.now.max(at);
        for arrival in std::mem::take(&mut self.current.arrivals) {
            self.consume(arrival.origin);
            let first = self.next_event == EventId::FIRST;
            if let (true, ArrivalBody::Start { name, version, input, parent, headers }) =
                (first, arrival.body)
            {
                self.write(EventKind::OrchestrationStarted {
                    name,
                    version: version.unwrap_or_else(|| "1.0.0".to_owned()),
                    input,
                    parent,
                    nonce: self.current.nonce.unwrap_or(crate::Nonce(0)),
                    flags: self.current.flags,
                    headers,
                });
            }
        }
        self.write(end);
    }

    fn drop_arrival(&mut self, origin: Origin) -> Admitted {
        self.consume(origin);
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
enum Admitted {
    /// Nothing for user code to do.
    Quiet,
    /// User code runs.
    Run(Activation),
}

fn unstarted(event: &Event) -> bool {
    matches!(event.kind, EventKind::OrchestrationCancelRequested { unstarted: true, .. })
}

/// A failure as orchestration code may see it: with the name of what failed, without
/// stack and worker.
fn named(failure: Failure, leaf: Option<OpenLeaf>) -> Failure {
    let mut failure = failure.without_details();
    if failure.source.is_none()
        && let Some(OpenLeaf::Activity { name } | OpenLeaf::Child { name, .. }) = leaf
    {
        failure.source = Some(name);
    }
    failure
}
