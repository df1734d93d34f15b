//! Requests, answers and faults in a few words. Not here: when they are said.

use crate::fault::Fault;
use crate::plan::Planned;
use duroxide_core::{Arrival, ArrivalBody, End, Event, Payload, render};
use duroxide_provider::Submission;
use serde::Serialize;
use serde_json::Value;

/// Longer texts are cut: whole ones are in the history.
const MOST: usize = 60;

/// A text, cut if it is long.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn value(payload: &Payload) -> String {
    short(&format!("{payload:?}"))
}

/// A planned fault: at which point it struck, and what it was.
pub(super) fn planned(planned: &Planned) -> String {
    let nth = planned.nth;
    let what = fields(&json(&planned.fault)[planned.fault.name()]);
    format!("{} no. {nth}{what}", point(&json(&planned.boundary)))
}

/// How long a fault lasts, in µs, if it does.
pub(super) fn lasting(fault: &Fault) -> Option<u64> {
    json(fault)[fault.name()]["for_ms"].as_u64().map(|ms| ms * 1_000)
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// `calling commit_turn`, `wrote`.
fn point(boundary: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match boundary.as_object().and_then(|of| of.iter().next()) {
        Some((point, op)) => format!("{point} {}", word(op)),
        None => word(boundary),
    }
}

fn fields(fault: &Value) -> String {
    let fields = fault.as_object().into_iter().flatten();
    fields.fold(String::new(), |text, (name, value)| format!("{text}, {name}={value}"))
}

/// What a client asks.
pub(crate) fn submission(what: &Submission) -> String {
    match what {
        Submission::Start { name, input, .. } => format!("start `{name}` with {}", value(input)),
        Submission::Mail { mailbox, data } => {
            let channel = format!("{:?}", mailbox.channel).to_lowercase();
            format!("mail for {channel} `{}`: {}", mailbox.name, value(data))
        }
        Submission::Cancel { reason } => format!("cancel: {reason}"),
        Submission::Terminate { reason } => format!("terminate: {reason}"),
    }
}

/// What waits for a turn.
pub(super) fn arrivals(arrivals: &[Arrival], more: bool) -> String {
    let mut all: Vec<_> = arrivals.iter().map(|arrival| arrival_in_words(&arrival.body)).collect();
    if more {
        all.push("more".to_owned());
    }
    if all.is_empty() { String::new() } else { format!(", for: {}", all.join(", ")) }
}

fn arrival_in_words(body: &ArrivalBody) -> String {
    match body {
        ArrivalBody::Start { .. } => "its start".to_owned(),
        ArrivalBody::ActivityDone { source, .. } => format!("activity {source} done"),
        ArrivalBody::TimerDue { source } => format!("timer {source} due"),
        ArrivalBody::ChildDone { source, .. } => format!("child {source} done"),
        ArrivalBody::Mail { name, .. } => format!("mail `{name}`"),
        ArrivalBody::Cancel { .. } => "a cancel".to_owned(),
        ArrivalBody::Terminate { .. } => "its termination".to_owned(),
    }
}

/// An event as the engine renders it.
pub(super) fn event(event: &Event) -> String {
    render(std::slice::from_ref(event)).trim_end().to_owned()
}

/// Events in a few words: each with its id, its kind, and what names it.
pub(super) fn events(events: &[Event]) -> String {
    let brief = |event: &Event| {
        let text = render(std::slice::from_ref(event));
        let what = text.split_once('@').map_or("", |(_, what)| what);
        let words: Vec<_> = what.split_whitespace().skip(1).take(2).collect();
        short(&format!("{} {}", event.id, words.join(" ")))
    };
    let all: Vec<_> = events.iter().map(brief).collect();
    if all.is_empty() { "no event".to_owned() } else { all.join(", ") }
}

/// How an execution ended: a word, and the rest. `None` if another follows it.
pub(super) fn end(end: &End) -> Option<(&'static str, String)> {
    match end {
        End::Completed { output } => Some(("completed", value(output))),
        End::Failed { failure } => Some(("failed", short(&failure.to_string()))),
        End::Terminated { reason } => Some(("terminated", reason.clone())),
        End::ContinuedAsNew { .. } => None,
    }
}
