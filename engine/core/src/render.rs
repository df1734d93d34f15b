//! A history as text, one line an event: for snapshots, logs and errors alike. Derived
//! from how events are written, so that it never says less than they do.

use crate::{Event, EventKind};
use serde_json::Value as Json;
use std::fmt::Write as _;

/// Longer values are cut, so that they do not hide the rest of the line.
const MAX_VALUE: usize = 200;

/// One line per event: id, turn, time, what happened. A split turn is marked with `…`.
///
/// ```
/// use duroxide_core::{Event, EventId, EventKind, TimeMs, TurnNo, render};
/// let kind = EventKind::TimerCreated { delay_ms: 5, fire_at: TimeMs(12) };
/// let event = Event { id: EventId(2), turn: TurnNo(1), at: TimeMs(7), split: false, kind };
/// assert_eq!(render(&[event]), "  #2 turn 1 @7 TimerCreated delay_ms=5 fire_at=12\n");
/// ```
pub fn render(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let Event { id, turn, at, split, kind } = event;
        let (id, more) = (id.to_string(), if *split { " …" } else { "" });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{id:>4} turn {} @{} {}{more}", turn.0, at.0, render_kind(kind));
    }
    text
}

/// What happened, in one line: the kind, then its fields, those that name things first.
pub(crate) fn render_kind(kind: &EventKind) -> String {
    let Ok(Json::Object(variant)) = serde_json::to_value(kind) else { return String::new() };
    let Some((name, Json::Object(fields))) = variant.into_iter().next() else {
        return String::new();
    };
    let rank = |field: &str| match field {
        "source" => 0,
        "name" => 1,
        "failure" | "reason" => 2,
        _other => 3,
    };
    let mut fields: Vec<(String, Json)> = fields.into_iter().collect();
    fields.sort_by_key(|(field, _)| rank(field));
    fields.iter().filter(|(_, value)| !is_default(value)).fold(name, |line, (field, value)| {
        let shown = match (field.as_str(), value) {
            ("failure", failure) => return format!("{line} {}", render_failure(failure)),
            ("source", Json::Number(id)) => format!("#{id}"),
            (_, Json::String(text)) => text.clone(),
            (_, value) => value.to_string(),
        };
        format!("{line} {field}={}", cut(&shown))
    })
}

/// Kind, attempt and the whole message: a report is of no use without its end.
fn render_failure(failure: &Json) -> String {
    let text = |field: &str| failure[field].as_str().unwrap_or_default().replace('\n', "\\n");
    let attempt = failure["attempt"].as_u64().map(|n| format!(" attempt={n}"));
    format!("({}{}) {}", text("kind"), attempt.unwrap_or_default(), text("message"))
}

fn is_default(value: &Json) -> bool {
    value.is_null() || *value == Json::Bool(false)
}

fn cut(text: &str) -> String {
    let text = text.replace('\n', "\\n");
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
