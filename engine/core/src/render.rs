//! A history as text, one line an event: for snapshots, logs and errors alike.

use crate::{Event, EventKind, Failure, Payload};
use std::fmt::Write as _;

/// One line per event: id, turn, time, what happened. A split turn is marked with `…`.
///
/// ```
/// use duroxide_core::{Event, EventId, EventKind, TimeMs, TurnNo, render};
/// let kind = EventKind::TimerCreated { delay_ms: 5, fire_at: TimeMs(12) };
/// let event = Event { id: EventId(2), turn: TurnNo(1), at: TimeMs(7), split: false, kind };
/// assert_eq!(render(&[event]), "  #2 turn 1 @7 TimerCreated delay=5ms fireAt=12\n");
/// ```
pub fn render(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let Event { id, turn, at, split, kind } = event;
        let more = if *split { " …" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:>4} turn {} @{} {}{more}",
            id.to_string(),
            turn.0,
            at.0,
            render_kind(kind)
        );
    }
    text
}

/// What happened, in one line.
pub(crate) fn render_kind(kind: &EventKind) -> String {
    use EventKind as K;
    let mut line = Line::default();
    match kind {
        K::OrchestrationStarted { name, version, input, parent, flags, .. } => {
            line.kind("OrchestrationStarted").text(name).field("version", version);
            line.field("input", short(input));
            if let Some(parent) = parent {
                line.field(
                    "parent",
                    format!("{}/{}{}", parent.instance, parent.execution, parent.event),
                );
            }
            if flags.0 != 0 {
                line.field("flags", flags.0);
            }
        }
        K::OrchestrationCompleted { output } => {
            line.kind("OrchestrationCompleted").text(&short(output));
        }
        K::OrchestrationFailed { failure, .. } => {
            line.kind("OrchestrationFailed").text(&cause(failure));
        }
        K::OrchestrationContinuedAsNew { input, version } => {
            line.kind("OrchestrationContinuedAsNew").option("version", version.as_ref());
            line.field("input", short(input));
        }
        K::OrchestrationTerminated { reason } => {
            line.kind("OrchestrationTerminated").text(reason);
        }
        K::OrchestrationCancelRequested { reason, from_parent, unstarted } => {
            line.kind("OrchestrationCancelRequested").text(reason);
            line.flag("fromParent", *from_parent).flag("unstarted", *unstarted);
        }
        K::CompatFlagsAdded { flags } => {
            line.kind("CompatFlagsAdded").field("flags", flags.0);
        }
        K::ActivityScheduled { name, input, session, tag } => {
            line.kind("ActivityScheduled").text(name).field("input", short(input));
            line.option("session", session.as_ref()).option("tag", tag.as_ref());
        }
        K::ActivityCompleted { source, result } => {
            line.kind("ActivityCompleted").of(*source).field("result", short(result));
        }
        K::ActivityFailed { source, failure } => {
            line.kind("ActivityFailed").of(*source).text(&cause(failure));
        }
        K::ActivityCancelRequested { source } => {
            line.kind("ActivityCancelRequested").of(*source);
        }
        K::TimerCreated { delay_ms, fire_at } => {
            line.kind("TimerCreated").field("delay", format!("{delay_ms}ms"));
            line.field("fireAt", fire_at.0);
        }
        K::TimerFired { source, fire_at } => {
            line.kind("TimerFired").of(*source).field("fireAt", fire_at.0);
        }
        K::TimerCancelled { source } => {
            line.kind("TimerCancelled").of(*source);
        }
        K::MailSubscribed { channel, name } => {
            line.kind("MailSubscribed").text(&format!("{channel:?}")).field("name", name);
        }
        K::MailDelivered { source, mail, channel, name, data } => {
            line.kind("MailDelivered").of(*source).text(&format!("{channel:?}"));
            line.field("name", name).field("mail", mail.0).field("data", short(data));
        }
        K::MailUnsubscribed { source } => {
            line.kind("MailUnsubscribed").of(*source);
        }
        K::SubOrchestrationScheduled { name, version, instance, input } => {
            line.kind("SubOrchestrationScheduled").text(name).option("version", version.as_ref());
            line.field("instance", instance).field("input", short(input));
        }
        K::SubOrchestrationCompleted { source, result } => {
            line.kind("SubOrchestrationCompleted").of(*source).field("result", short(result));
        }
        K::SubOrchestrationFailed { source, failure } => {
            line.kind("SubOrchestrationFailed").of(*source).text(&cause(failure));
        }
        K::SubOrchestrationCancelRequested { source, instance } => {
            line.kind("SubOrchestrationCancelRequested").of(*source).field("instance", instance);
        }
        K::OrchestrationChained { name, version, instance, input } => {
            line.kind("OrchestrationChained").text(name).option("version", version.as_ref());
            line.field("instance", instance).field("input", short(input));
        }
        K::CustomStatusUpdated { status } => {
            line.kind("CustomStatusUpdated").text(status.as_deref().unwrap_or("(reset)"));
        }
        K::KeyValueSet { key, value } => {
            line.kind("KeyValueSet").field("key", key).field("value", value);
        }
        K::KeyValueCleared { key } => {
            line.kind("KeyValueCleared").text(key.as_deref().unwrap_or("(all)"));
        }
        K::KeyValuePruned { before, keys } => {
            line.kind("KeyValuePruned").field("before", before.0).field("keys", keys.join(","));
        }
    }
    line.0
}

#[derive(Default)]
struct Line(String);

impl Line {
    fn kind(&mut self, kind: &str) -> &mut Self {
        self.0.push_str(kind);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        let _ = write!(self.0, " {}", text.replace('\n', "\\n"));
        self
    }

    fn of(&mut self, source: crate::EventId) -> &mut Self {
        let _ = write!(self.0, " of {source}");
        self
    }

    fn field(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        let _ = write!(self.0, " {name}={}", value.to_string().replace('\n', "\\n"));
        self
    }

    fn option(&mut self, name: &str, value: Option<&String>) -> &mut Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    fn flag(&mut self, name: &str, set: bool) -> &mut Self {
        if set { self.text(name) } else { self }
    }
}

/// A payload, cut where it would hide the rest of the line.
fn short(payload: &Payload) -> String {
    let text = format!("{payload:?}");
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], payload.len()),
        None => text,
    }
}

fn cause(failure: &Failure) -> String {
    let attempt = failure.attempt.map_or_else(String::new, |n| format!(" attempt={n}"));
    format!("({}{attempt}) {}", failure.kind.as_str(), failure.message)
}
