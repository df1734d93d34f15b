//! A history as text, one line an event: for snapshots, logs and errors alike. Derived
//! from how events are written, so that it never says less than they do: the text can be
//! read back to the same events. Not here: who reads it back (the `snapshots` package).

use crate::{Event, EventKind};
use serde_json::Value as Json;
use std::fmt::Write as _;

/// In a report longer values are cut, so that they do not hide the rest of the line.
const MAX_VALUE: usize = 200;

/// One line per event, whole: id, turn, time, what happened. A split turn is marked with `…`.
///
/// A field's text stands bare if it is one plain word that cannot be taken for JSON, and else
/// as a JSON string; a payload stands as the JSON that it is, or, where it is not one line of
/// JSON, behind a `~` as events write it; `#7` is the event 7; a failure is
/// `(Kind field=value …) "message"`. What is absent or false is left out.
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
        let what = render_whole(kind, usize::MAX);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{id:>4} turn {} @{} {what}{more}", turn.0, at.0);
    }
    text
}

/// What happened, for a report: values that are too long are cut.
pub(crate) fn render_kind(kind: &EventKind) -> String {
    render_whole(kind, MAX_VALUE)
}

/// The kind, then its fields, those that name things first.
fn render_whole(kind: &EventKind, max_value: usize) -> String {
    let Ok(Json::Object(variant)) = serde_json::to_value(kind) else { return String::new() };
    let Some((name, Json::Object(fields))) = variant.into_iter().next() else {
        return String::new();
    };
    let mut line = name;
    for (field, value) in in_order(&fields, &["source", "name", "failure", "reason"]) {
        let shown = match field.as_str() {
            // Whole in any case: a report inside of it is of no use without its end.
            "failure" => render_failure(value, max_value == usize::MAX),
            _ => cut(&render_value(field, value), max_value),
        };
        let _ = write!(line, " {field}={shown}");
    }
    line
}

/// The fields that hold something, `first` before all others.
fn in_order<'a>(
    fields: &'a serde_json::Map<String, Json>,
    first: &[&str],
) -> Vec<(&'a String, &'a Json)> {
    let is_set = |value: &Json| !value.is_null() && *value != Json::Bool(false);
    let mut fields: Vec<_> = fields.iter().filter(|(_, value)| is_set(value)).collect();
    let rank = |field: &str| first.iter().position(|known| *known == field).unwrap_or(first.len());
    fields.sort_by_key(|(field, _)| (rank(field), *field));
    fields
}

fn render_value(field: &str, value: &Json) -> String {
    match (field, value) {
        ("source", Json::Number(event)) => format!("#{event}"),
        ("input" | "output" | "result" | "data", payload) => render_payload(payload),
        (_, Json::String(text)) if is_word(text) => text.clone(),
        (_, value) => value.to_string(),
    }
}

/// One plain word that nobody takes for JSON or for one of the marks above.
fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.:/@".contains(c);
    !text.is_empty() && text.chars().all(plain) && serde_json::from_str::<Json>(text).is_err()
}

fn render_payload(payload: &Json) -> String {
    let one_line =
        |text: &&str| !text.contains(char::is_control) && text.trim().len() == text.len();
    let is_json = |text: &&str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    match payload.as_str().filter(one_line).filter(is_json) {
        Some(text) => text.to_owned(),
        None => format!("~{payload}"),
    }
}

/// `(Kind field=value …) "message"`; a cause stands among the fields, in the same form. A report
/// becomes the message of an error, and no stack may get into that: it is without the details.
fn render_failure(failure: &Json, details: bool) -> String {
    let Json::Object(fields) = failure else { return failure.to_string() };
    let kind = failure["kind"].as_str().unwrap_or_default();
    let mut head = format!("({kind}");
    for (field, value) in in_order(fields, &["source", "name"]) {
        let shown = match (field.as_str(), value) {
            ("kind" | "message", _) => continue,
            ("details", _) if !details => continue,
            ("cause", cause) => render_failure(cause, details),
            // In an event this names an event, in a failure an activity or a child.
            (_, Json::String(text)) if is_word(text) => text.clone(),
            (_, value) => value.to_string(),
        };
        let _ = write!(head, " {field}={shown}");
    }
    format!("{head}) {}", failure["message"])
}

fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
