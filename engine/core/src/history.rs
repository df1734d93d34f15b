//! A well-formed list of events. Parsed once, so that nothing behind it has to doubt:
//! a [`History`] that exists has gapless ids, ordered times and turns, completions that
//! belong to something open, commands only behind arrivals, and nothing after its end.

use crate::{ArrivalId, Channel, Event, EventId, EventKind, InstanceId, Role};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The events of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(Vec<Event>);

/// Why a list of events is not a history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("malformed history at event {event}: {problem}")]
pub struct HistoryError {
    /// The event.
    pub event: EventId,
    /// What is wrong with it.
    pub problem: String,
}

impl History {
    /// Check the events, in order. The error names the first one that does not fit.
    pub fn parse(events: Vec<Event>) -> Result<Self, HistoryError> {
        let mut checker = Checker::default();
        for event in &events {
            checker.check(event).map_err(|problem| HistoryError { event: event.id, problem })?;
        }
        Ok(Self(events))
    }

    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.0
    }

    /// The events.
    pub fn into_events(self) -> Vec<Event> {
        self.0
    }
}

#[derive(Default)]
struct Checker<'a> {
    last: Option<&'a Event>,
    open: BTreeMap<EventId, Open<'a>>,
    /// Messages that were delivered.
    mail: BTreeSet<ArrivalId>,
    cancelled: bool,
}

/// What an open leaf may be completed by.
#[derive(Debug, PartialEq, Eq)]
enum Open<'a> {
    Activity,
    Timer,
    Mail(Channel, &'a str),
    Child(&'a InstanceId),
}

impl<'a> Checker<'a> {
    fn check(&mut self, event: &'a Event) -> Result<(), String> {
        match self.last {
            None => Self::check_first(event)?,
            Some(last) => Self::check_next(last, event)?,
        }
        self.check_kind(event)?;
        self.check_source(event)?;
        self.last = Some(event);
        Ok(())
    }

    fn check_first(event: &Event) -> Result<(), String> {
        if event.id != EventId::FIRST {
            return Err(format!("the first event has id {}, not 1", event.id.0));
        }
        if event.turn.0 != 1 {
            return Err(format!("the first event is of turn {}, not 1", event.turn.0));
        }
        if !matches!(event.kind, EventKind::OrchestrationStarted { .. }) {
            return Err("the first event is not OrchestrationStarted".to_owned());
        }
        Ok(())
    }

    fn check_next(last: &Event, event: &Event) -> Result<(), String> {
        if event.id != last.id.next() {
            return Err(format!("its id does not follow {}", last.id.0));
        }
        if last.kind.role() == Role::End {
            return Err("it stands after the end of the execution".to_owned());
        }
        if matches!(event.kind, EventKind::OrchestrationStarted { .. }) {
            return Err("OrchestrationStarted stands only first".to_owned());
        }
        if event.at < last.at {
            return Err(format!("its time {} is before {}", event.at.0, last.at.0));
        }
        if event.turn == last.turn {
            if last.split {
                return Err(format!("event {} splits the turn, but the turn goes on", last.id.0));
            }
        } else if event.turn.0 != last.turn.0 + 1 {
            return Err(format!("turn {} follows turn {}", event.turn.0, last.turn.0));
        } else if event.is_command() && !last.split {
            return Err("a turn begins with a command, without an arrival".to_owned());
        }
        let unstarted =
            matches!(event.kind, EventKind::OrchestrationCancelRequested { unstarted: true, .. });
        if unstarted && last.id != EventId::FIRST {
            return Err("a cancel before the first turn stands only second".to_owned());
        }
        let no_code =
            matches!(last.kind, EventKind::OrchestrationCancelRequested { unstarted: true, .. });
        if no_code && (event.kind.role() != Role::End || event.is_command()) {
            return Err("after a cancel before the first turn stands only the end".to_owned());
        }
        Ok(())
    }

    fn check_kind(&mut self, event: &'a Event) -> Result<(), String> {
        if event.split && event.kind.role() == Role::End {
            return Err("it ends the execution, and yet splits the turn".to_owned());
        }
        self.cancelled |= matches!(event.kind, EventKind::OrchestrationCancelRequested { .. });
        if self.cancelled && matches!(event.kind, EventKind::OrchestrationContinuedAsNew { .. }) {
            return Err("it goes on as new after a cancel".to_owned());
        }
        if let EventKind::MailDelivered { mail, .. } = &event.kind
            && !self.mail.insert(*mail)
        {
            return Err(format!("message {} was delivered before", mail.0));
        }
        Ok(())
    }

    fn check_source(&mut self, event: &'a Event) -> Result<(), String> {
        if let Some(source) = event.kind.source() {
            let open = self.open.remove(&source);
            let open = open.ok_or_else(|| format!("its source {} is not open", source.0))?;
            if !open.fits(&event.kind) {
                return Err(format!("its source {} is {open:?}", source.0));
            }
        }
        if let Some(open) = Open::by(&event.kind) {
            self.open.insert(event.id, open);
        }
        Ok(())
    }
}

impl<'a> Open<'a> {
    /// What an event opens.
    fn by(kind: &'a EventKind) -> Option<Self> {
        if let EventKind::MailSubscribed { channel, name } = kind {
            return Some(Self::Mail(*channel, name));
        }
        if let EventKind::SubOrchestrationScheduled { instance, .. } = kind {
            return Some(Self::Child(instance));
        }
        let activity = matches!(kind, EventKind::ActivityScheduled { .. });
        let timer = matches!(kind, EventKind::TimerCreated { .. });
        [(activity, Self::Activity), (timer, Self::Timer)]
            .into_iter()
            .find_map(|(opens, open)| opens.then_some(open))
    }

    /// Whether an event can close it.
    fn fits(&self, kind: &EventKind) -> bool {
        use EventKind as K;
        match self {
            Self::Activity => matches!(
                kind,
                K::ActivityCompleted { .. }
                    | K::ActivityFailed { .. }
                    | K::ActivityCancelRequested { .. }
            ),
            Self::Timer => matches!(kind, K::TimerFired { .. } | K::TimerCancelled { .. }),
            Self::Child(child) => {
                matches!(
                    kind,
                    K::SubOrchestrationCompleted { .. } | K::SubOrchestrationFailed { .. }
                ) || matches!(kind, K::SubOrchestrationCancelRequested { instance, .. }
                        if instance == *child)
            }
            Self::Mail(channel, name) => {
                matches!(kind, K::MailUnsubscribed { .. })
                    || matches!(kind, K::MailDelivered { channel: c, name: n, .. }
                        if (c, n.as_str()) == (channel, *name))
            }
        }
    }
}
