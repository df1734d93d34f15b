//! A run: the state of an instance, and which event may come next. The rules are those of
//! the protocol, written down once more.

use super::causes::{CANCELLED_BY_PARENT, Cause, Causes, Outcome, Start, TERMINATED_BY_PARENT};
use super::effects;
use duroxide_core::{
    Event, EventId, EventKind, ExecutionId, FailureKind, InstanceId, MailName, Parent, Payload,
    TimeMs,
};
use duroxide_provider::{CommitId, CommitTurn, InstanceKey, InstanceState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Key-value pairs, with the time of the last write.
pub(super) type Pairs = Arc<BTreeMap<String, (String, TimeMs)>>;

/// The state of an instance.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) last: Option<CommitId>,
    pub(super) execution: ExecutionId,
    pub(super) state: InstanceState,
    pub(super) status: Option<String>,
    pub(super) status_version: u64,
    pub(super) pairs: Pairs,
    /// What is open, by the event that opened it.
    pub(super) open: BTreeMap<EventId, Open>,
    /// Children that were asked to stop.
    pub(super) stopped: BTreeMap<EventId, InstanceId>,
    next_event: u64,
    turn: u64,
    at: TimeMs,
    /// How the next execution begins, if it is not the first.
    next: Option<Start>,
    name: String,
    parent: Option<Parent>,
    cancelled: bool,
    cancelled_by_client: bool,
    /// Messages and cancels that were taken, by their place among the causes.
    mail: BTreeSet<usize>,
    cancels: BTreeSet<usize>,
}

/// Something that waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Open {
    Activity,
    Timer { due: TimeMs },
    Mail(MailName),
    Child(InstanceId),
}

impl Open {
    #[expect(clippy::wildcard_enum_match_arm, reason = "other events open nothing")]
    fn by(event: &Event) -> Option<Self> {
        match &event.kind {
            EventKind::ActivityScheduled { .. } => Some(Self::Activity),
            EventKind::TimerCreated { delay_ms, .. } => {
                Some(Self::Timer { due: event.at.plus(*delay_ms) })
            }
            EventKind::MailSubscribed { channel, name } => {
                Some(Self::Mail(MailName { channel: *channel, name: name.clone() }))
            }
            EventKind::SubOrchestrationScheduled { instance, .. } => {
                Some(Self::Child(instance.clone()))
            }
            _ => None,
        }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            last: None,
            execution: ExecutionId::FIRST,
            state: InstanceState::Running,
            status: None,
            status_version: 0,
            pairs: Pairs::default(),
            open: BTreeMap::new(),
            stopped: BTreeMap::new(),
            next_event: 1,
            turn: 0,
            at: TimeMs(0),
            next: None,
            name: String::new(),
            parent: None,
            cancelled: false,
            cancelled_by_client: false,
            mail: BTreeSet::new(),
            cancels: BTreeSet::new(),
        }
    }
}

type Possible<T = ()> = Result<T, String>;

/// It must be so, or the step is impossible.
fn must(holds: bool, else_said: impl FnOnce() -> String) -> Possible {
    if holds { Ok(()) } else { Err(else_said()) }
}

impl Run {
    /// One turn.
    pub(super) fn step(
        &mut self,
        key: &InstanceKey,
        request: &CommitTurn,
        causes: &Causes,
    ) -> Possible {
        let turn = &request.turn;
        must(request.base == self.last, || format!("it builds on {:?}", request.base))?;
        must(self.state == InstanceState::Running, || "the instance has ended".to_owned())?;
        must(turn.execution == self.execution, || format!("of execution {}", turn.execution))?;
        must(turn.expect_event.0 == self.next_event, || format!("at {}", turn.expect_event))?;
        let before = self.clone();
        if !turn.events.is_empty() {
            self.turn += 1;
            must(turn.turn.0 == self.turn, || format!("it is turn {:?}", turn.turn))?;
        }
        for event in &turn.events {
            let from = Outside { key, request, causes, own: causes.of(key) };
            self.admit(event, &from).map_err(|problem| format!("event {}: {problem}", event.id))?;
        }
        effects::check(&before, self, request)?;
        self.status_version += u64::from(turn.status.is_some());
        self.last = Some(request.commit_id);
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what did not arrive was asked for")]
    fn admit(&mut self, event: &Event, from: &Outside<'_>) -> Possible {
        must(event.id.0 == self.next_event, || format!("{} is next", self.next_event))?;
        must(event.at >= self.at, || "it is before the one before".to_owned())?;
        self.next_event += 1;
        self.at = event.at;
        let first = matches!(event.kind, EventKind::OrchestrationStarted { .. });
        must(first == (event.id == EventId::FIRST), || "a start stands first".to_owned())?;
        match &event.kind {
            EventKind::OrchestrationStarted { name, version, input, parent, .. } => {
                let begins = Begins { name, version, input, parent: parent.as_ref() };
                self.begin(&begins, from.own)
            }
            EventKind::ActivityCompleted { source, result } => {
                self.activity(*source, &Ok(result.clone()), from)
            }
            EventKind::ActivityFailed { source, failure } => {
                self.activity(*source, &Err(failure.clone()), from)
            }
            EventKind::SubOrchestrationCompleted { source, result } => {
                self.child(*source, &Ok(result.clone()), from)
            }
            EventKind::SubOrchestrationFailed { source, failure } => {
                self.child(*source, &Err(failure.clone()), from)
            }
            EventKind::TimerFired { source, .. } => match self.open.remove(source) {
                Some(Open::Timer { due }) => must(due <= event.at, || {
                    format!("due at {}, it fires at {}", due.0, event.at.0)
                }),
                other => Err(format!("its timer is {other:?}")),
            },
            EventKind::MailDelivered { source, channel, name, data, .. } => {
                let mailbox = MailName { channel: *channel, name: name.clone() };
                self.deliver(*source, &mailbox, data, from.own)
            }
            EventKind::OrchestrationCancelRequested { reason, from_parent, .. } => {
                self.cancel(reason, *from_parent, from.own)
            }
            EventKind::OrchestrationTerminated { reason } => self.terminate(reason, from.own),
            command => self.command(event, command),
        }
    }

    /// What code asked for.
    fn command(&mut self, event: &Event, command: &EventKind) -> Possible {
        match command {
            EventKind::ActivityScheduled { .. }
            | EventKind::TimerCreated { .. }
            | EventKind::MailSubscribed { .. }
            | EventKind::SubOrchestrationScheduled { .. } => {
                self.open.extend(Open::by(event).map(|open| (event.id, open)));
                Ok(())
            }
            EventKind::ActivityCancelRequested { source } => {
                self.closes(*source, |open| *open == Open::Activity)
            }
            EventKind::TimerCancelled { source } => {
                self.closes(*source, |open| matches!(open, Open::Timer { .. }))
            }
            EventKind::MailUnsubscribed { source } => {
                self.closes(*source, |open| matches!(open, Open::Mail(_)))
            }
            EventKind::SubOrchestrationCancelRequested { source, instance } => {
                self.stopped.insert(*source, instance.clone());
                self.closes(*source, |open| *open == Open::Child(instance.clone()))
            }
            EventKind::CustomStatusUpdated { status } => {
                self.status.clone_from(status);
                Ok(())
            }
            EventKind::KeyValueSet { .. }
            | EventKind::KeyValueCleared { .. }
            | EventKind::KeyValuePruned { .. } => {
                self.write(event);
                Ok(())
            }
            EventKind::OrchestrationCompleted { output } => {
                self.end(InstanceState::Completed { output: output.clone() })
            }
            EventKind::OrchestrationFailed { failure, .. } => {
                must(failure.kind != FailureKind::Nondeterminism, || failure.message.clone())?;
                self.end(InstanceState::Failed { failure: failure.clone() })
            }
            EventKind::OrchestrationContinuedAsNew { input, version } => {
                must(!self.cancelled, || "it goes on as new after a cancel".to_owned())?;
                self.go_on(input, version.as_ref());
                Ok(())
            }
            EventKind::OrchestrationChained { .. } | EventKind::CompatFlagsAdded { .. } => Ok(()),
            EventKind::OrchestrationStarted { .. }
            | EventKind::ActivityCompleted { .. }
            | EventKind::ActivityFailed { .. }
            | EventKind::SubOrchestrationCompleted { .. }
            | EventKind::SubOrchestrationFailed { .. }
            | EventKind::TimerFired { .. }
            | EventKind::MailDelivered { .. }
            | EventKind::OrchestrationCancelRequested { .. }
            | EventKind::OrchestrationTerminated { .. } => Err("it is no command".to_owned()),
        }
    }

    fn closes(&mut self, source: EventId, fits: impl Fn(&Open) -> bool) -> Possible {
        let open = self.open.remove(&source);
        must(open.as_ref().is_some_and(fits), || format!("what it cancels is {open:?}"))
    }

    fn begin(&mut self, begins: &Begins<'_>, own: &Cause) -> Possible {
        let next = self.next.take();
        let mut starts = next.as_ref().map_or(&own.starts[..], std::slice::from_ref).iter();
        must(starts.any(|start| begins.is(start)), || "nobody asked for that start".to_owned())?;
        begins.name.clone_into(&mut self.name);
        self.parent = begins.parent.cloned();
        Ok(())
    }

    fn activity(&mut self, source: EventId, outcome: &Outcome, from: &Outside<'_>) -> Possible {
        self.closes(source, |open| *open == Open::Activity)?;
        let fused = from.request.completed.iter().any(|(activity, _)| activity.event == source);
        let done = from.own.done.get(&(self.execution, source));
        let is_sent = fused || done.is_some_and(|done| done.contains(outcome));
        must(is_sent, || format!("no worker said {outcome:?}"))
    }

    fn child(&mut self, source: EventId, outcome: &Outcome, from: &Outside<'_>) -> Possible {
        let Some(Open::Child(child)) = self.open.remove(&source) else {
            return Err("no child is open there".to_owned());
        };
        let refused = outcome.as_ref().is_err_and(|failure| failure.kind == FailureKind::Invalid);
        let ended = from.causes.near(from.key, &child).ends.contains(outcome);
        must(refused || ended, || format!("`{child}` never ended with {outcome:?}"))
    }

    fn deliver(
        &mut self,
        source: EventId,
        mailbox: &MailName,
        data: &Payload,
        own: &Cause,
    ) -> Possible {
        let waits = |open: &Open| matches!(open, Open::Mail(of) if of == mailbox);
        let oldest = self.open.iter().find(|(_, open)| waits(open)).map(|(event, _)| *event);
        must(oldest == Some(source), || format!("the oldest wait for it is {oldest:?}"))?;
        self.open.remove(&source);
        let sent = own.mail.iter().enumerate();
        let is_it = |place: &usize, sent: &(MailName, Payload)| {
            sent.0 == *mailbox && sent.1 == *data && !self.mail.contains(place)
        };
        let found = sent.filter(|(place, sent)| is_it(place, sent)).map(|(place, _)| place).next();
        self.mail.extend(found);
        must(found.is_some(), || "nobody sent that, or it was delivered before".to_owned())
    }

    fn cancel(&mut self, reason: &str, from_parent: bool, own: &Cause) -> Possible {
        let again = if from_parent { self.cancelled } else { self.cancelled_by_client };
        must(!again, || "it was cancelled before".to_owned())?;
        self.cancelled = true;
        self.cancelled_by_client |= !from_parent;
        if from_parent {
            let asked = reason == CANCELLED_BY_PARENT && own.asked_by_parent.contains(reason);
            return must(asked, || "its parent did not ask".to_owned());
        }
        must(self.take_cancel(reason, own), || "no client asked".to_owned())
    }

    fn take_cancel(&mut self, reason: &str, own: &Cause) -> bool {
        let asked =
            |(place, asked): &(usize, &String)| *asked == reason && !self.cancels.contains(place);
        let found = own.cancels.iter().enumerate().find(asked).map(|(place, _)| place);
        self.cancels.extend(found);
        found.is_some()
    }

    fn terminate(&mut self, reason: &str, own: &Cause) -> Possible {
        let by_parent =
            reason == TERMINATED_BY_PARENT && own.asked_by_parent.contains(TERMINATED_BY_PARENT);
        let asked = by_parent
            || own.terminations.iter().any(|asked| asked == reason)
            || self.cancelled_by_client && self.take_cancel(reason, own);
        must(asked, || "nobody asked for that termination".to_owned())?;
        self.end(InstanceState::Terminated { reason: reason.to_owned() })
    }

    #[expect(clippy::unnecessary_wraps, reason = "an end is one of the things that events do")]
    fn end(&mut self, state: InstanceState) -> Possible {
        self.state = state;
        Ok(())
    }

    fn go_on(&mut self, input: &Payload, version: Option<&String>) {
        let next = Start {
            name: self.name.clone(),
            version: version.cloned(),
            input: input.clone(),
            parent: self.parent.clone(),
        };
        self.next = Some(next);
        self.execution = self.execution.next();
        (self.next_event, self.turn, self.at) = (1, 0, TimeMs(0));
        self.open.clear();
        self.stopped.clear();
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "other events write nothing")]
    fn write(&mut self, event: &Event) {
        let pairs = Arc::make_mut(&mut self.pairs);
        match &event.kind {
            EventKind::KeyValueSet { key, value } => {
                pairs.insert(key.clone(), (value.clone(), event.at));
            }
            EventKind::KeyValueCleared { key: Some(key) } => drop(pairs.remove(key)),
            EventKind::KeyValueCleared { key: None } => pairs.clear(),
            EventKind::KeyValuePruned { keys, .. } => {
                pairs.retain(|key, _| !keys.contains(key));
            }
            _ => {}
        }
    }
}

/// What an event may come from.
struct Outside<'a> {
    key: &'a InstanceKey,
    request: &'a CommitTurn,
    causes: &'a Causes,
    own: &'a Cause,
}

/// How a history begins.
struct Begins<'a> {
    name: &'a str,
    version: &'a str,
    input: &'a Payload,
    parent: Option<&'a Parent>,
}

impl Begins<'_> {
    fn is(&self, start: &Start) -> bool {
        start.name == self.name
            && start.version.as_deref().is_none_or(|version| version == self.version)
            && start.input == *self.input
            && start.parent.as_ref() == self.parent
    }
}
