//! The one path for replay and first run: a command is either the one that history has
//! next, or it is written. Also here: what an event changes in the state (`absorb`),
//! the same for both.

use super::{Execution, InputChange, Mode, OpenLeaf};
use crate::report::{self, Comparison};
use crate::{Event, EventId, EventKind, MailName, Refused, Role, TurnNo};

impl Execution {
    /// Record a command of user code, or find it recorded.
    pub(super) fn record(&mut self, kind: EventKind) -> Result<EventId, Refused> {
        if self.is_stopped() {
            return Err(Refused::Stopped);
        }
        match self.mode {
            Mode::Live => Ok(self.write(kind)),
            Mode::Replaying => self.find(&kind),
        }
    }

    /// Append an event of the current activation.
    pub(super) fn write(&mut self, kind: EventKind) -> EventId {
        let id = self.next_event;
        self.current.bytes += size(&kind);
        let event = Event { id, turn: TurnNo(0), at: self.now, split: false, kind };
        self.absorb(&event);
        self.tail.push(event);
        id
    }

    /// The command must be what history has next.
    fn find(&mut self, asked: &EventKind) -> Result<EventId, Refused> {
        let recorded = self.replay.front().filter(|event| event.is_command());
        match recorded.map(|event| report::compare(&event.kind, asked)) {
            Some(Comparison::Same) => {}
            Some(Comparison::OtherInput(message)) => {
                let event = self.next_event;
                self.current.input_changes.push(InputChange { event, message });
            }
            Some(Comparison::Different) | None => return Err(self.disagree(Some(asked))),
        }
        let Some(event) = self.replay.pop_front() else {
            return Err(Refused::Stopped);
        };
        self.absorb(&event);
        self.go_on_after(&event);
        Ok(event.id)
    }

    /// After a split the rest of the activation was never committed: it goes live, unless
    /// the engine ended the execution right there.
    pub(super) fn go_on_after(&mut self, event: &Event) {
        match self.replay.front() {
            None if event.split => self.mode = Mode::Live,
            Some(next) if event.split && next.kind.role() == Role::End && !next.is_command() => {
                self.absorb_rest();
            }
            None | Some(_) => {}
        }
    }

    /// At the end of a replayed activation: history must have nothing more of it.
    pub(super) fn check_replayed(&mut self) {
        if self.mode == Mode::Replaying
            && !self.is_stopped()
            && self.replay.front().is_some_and(Event::is_command)
        {
            let _ = self.disagree(None);
        }
    }

    /// Code and history disagree: report it, and take over what is left of the history so
    /// that the end of the execution cleans up after all of it.
    fn disagree(&mut self, asked: Option<&EventKind>) -> Refused {
        self.mismatch = Some(report::report(&self.replay, self.next_event, asked));
        self.absorb_rest();
        Refused::Stopped
    }

    /// Take over recorded events without running code.
    pub(super) fn absorb_rest(&mut self) {
        while let Some(event) = self.replay.pop_front() {
            self.absorb(&event);
        }
        self.mode = Mode::Live;
        self.now = self.now.max(self.recorded.1);
    }

    /// What an event changes in the state. The same in replay and first run.
    pub(super) fn absorb(&mut self, event: &Event) {
        self.next_event = event.id.next();
        self.activations += u64::from(event.kind.role() == Role::Arrival);
        match &event.kind {
            EventKind::OrchestrationStarted { name, version, nonce, flags, headers, .. } => {
                self.start.name.clone_from(name);
                self.start.version.clone_from(version);
                self.start.headers.clone_from(headers);
                self.start.flags = *flags;
                self.start.nonce = Some(*nonce);
            }
            EventKind::CompatFlagsAdded { flags } => {
                self.start.flags = self.start.flags.union(*flags);
            }
            EventKind::OrchestrationCancelRequested { reason, from_parent, .. } => {
                self.cancel.reason.get_or_insert_with(|| reason.clone());
                self.cancel.by_client |= !from_parent;
            }
            EventKind::OrchestrationCompleted { .. }
            | EventKind::OrchestrationFailed { .. }
            | EventKind::OrchestrationContinuedAsNew { .. }
            | EventKind::OrchestrationTerminated { .. } => self.ended = true,
            EventKind::ActivityScheduled { name, .. } => {
                self.open.insert(event.id, OpenLeaf::Activity { name: name.clone() });
            }
            EventKind::TimerCreated { fire_at, .. } => {
                self.open.insert(event.id, OpenLeaf::Timer { fire_at: *fire_at, what: None });
            }
            EventKind::SubOrchestrationScheduled { name, instance, .. } => {
                let leaf = OpenLeaf::Child { name: name.clone(), instance: instance.clone() };
                self.open.insert(event.id, leaf);
            }
            EventKind::MailSubscribed { channel, name } => {
                let mailbox = MailName { channel: *channel, name: name.clone() };
                self.mailbox.open_wait(&mailbox, event.id);
                self.open.insert(event.id, OpenLeaf::Mail(mailbox));
            }
            EventKind::MailDelivered { source, mail, channel, name, .. } => {
                self.mailbox.take(&MailName { channel: *channel, name: name.clone() }, *mail);
                self.close(*source);
            }
            EventKind::ActivityCompleted { source, .. }
            | EventKind::ActivityFailed { source, .. }
            | EventKind::ActivityCancelRequested { source }
            | EventKind::TimerFired { source, .. }
            | EventKind::TimerCancelled { source }
            | EventKind::MailUnsubscribed { source }
            | EventKind::SubOrchestrationCompleted { source, .. }
            | EventKind::SubOrchestrationFailed { source, .. } => self.close(*source),
            EventKind::SubOrchestrationCancelRequested { source, instance } => {
                self.close(*source);
                self.cancelled_children.insert(*source, instance.clone());
            }
            EventKind::OrchestrationChained { .. } => {}
            EventKind::CustomStatusUpdated { status } => self.status.clone_from(status),
            EventKind::KeyValueSet { key, value } => {
                self.kv.set(key, value, event.at, self.activations);
            }
            EventKind::KeyValueCleared { key } => self.kv.clear(key.as_deref()),
            EventKind::KeyValuePruned { keys, .. } => {
                for key in keys {
                    self.kv.clear(Some(key));
                }
            }
        }
    }

    fn close(&mut self, leaf: EventId) {
        if let Some(OpenLeaf::Mail(name)) = self.open.remove(&leaf) {
            self.mailbox.close_wait(&name, leaf);
        }
    }
}

/// Payload bytes of an event, as the length of a turn counts them.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are small")]
pub(super) fn size(kind: &EventKind) -> usize {
    let payload = match kind {
        EventKind::OrchestrationStarted { input, .. }
        | EventKind::OrchestrationContinuedAsNew { input, .. }
        | EventKind::ActivityScheduled { input, .. }
        | EventKind::SubOrchestrationScheduled { input, .. }
        | EventKind::OrchestrationChained { input, .. } => input.len(),
        EventKind::OrchestrationCompleted { output } => output.len(),
        EventKind::ActivityCompleted { result, .. }
        | EventKind::SubOrchestrationCompleted { result, .. } => result.len(),
        EventKind::MailDelivered { data, .. } => data.len(),
        EventKind::CustomStatusUpdated { status } => status.as_ref().map_or(0, String::len),
        EventKind::KeyValueSet { key, value } => key.len() + value.len(),
        EventKind::OrchestrationFailed { failure, .. }
        | EventKind::ActivityFailed { failure, .. }
        | EventKind::SubOrchestrationFailed { failure, .. } => failure.message.len(),
        _ => 0,
    };
    payload + 64
}
