//! Calls, answers and differences as text for people: one line each, without what is empty.

use crate::call::{Answer, Call, Outcome};
use std::fmt::Debug;

/// Whether an answer hands out work.
pub(crate) fn gives_work(outcome: &Outcome) -> bool {
    match outcome {
        Ok(Answer::Orchestrations(leased)) => !leased.instances.is_empty(),
        Ok(Answer::Activities(leased)) => !leased.activities.is_empty(),
        _ => false,
    }
}

/// A call.
pub(crate) fn call(call: &Call) -> String {
    let shown = brief(call);
    let operation = call.operation();
    // `CommitTurn(CommitTurn { … })` and its like.
    let inner = shown.split_once(['(', '{']).map_or("", |(_, inner)| inner);
    let inner = inner.trim_end_matches([')', '}', ' ']);
    format!("{operation}: {inner}")
}

/// What it came to.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => brief(answer),
        Err(refused) => format!("{}: {}", refused.kind, refused.message.0),
    }
}

/// A difference: only the lines that differ, with the place where they stand.
pub(crate) fn describe(
    names: (&str, &str),
    of: &Call,
    (expected, found): (&Outcome, &Outcome),
) -> String {
    let (expected, found) = (format!("{expected:#?}"), format!("{found:#?}"));
    let (left, right): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), found.lines().collect());
    let same_head = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let most = left.len().min(right.len()) - same_head;
    let same_tail =
        left.iter().rev().zip(right.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let part = |lines: &[&str]| {
        let lines = &lines[same_head..lines.len() - same_tail];
        indented(lines.iter().take(30))
    };
    let place = indented(left[..same_head].iter().skip(same_head.saturating_sub(3)));
    format!(
        "different answers to\n  {}\n  after{place}\n  {} has{}\n  {} has{}",
        call(of),
        names.0,
        part(&left),
        names.1,
        part(&right)
    )
}

fn indented<'a>(lines: impl Iterator<Item = &'a &'a str>) -> String {
    lines.fold(String::new(), |text, line| text + "\n    " + line)
}

/// Debug output on a line, without what is empty and without the names of wrappers.
fn brief(value: &impl Debug) -> String {
    const WRAPPERS: [&str; 12] = [
        "Incarnation",
        "ExecutionId",
        "EventId",
        "InstanceId",
        "TimeMs",
        "ArrivalId",
        "TurnNo",
        "Namespace",
        "CompatFlags",
        "WakeSeq",
        "Inbox",
        "Encoding",
    ];
    let mut text = format!("{value:?}");
    for wrapper in WRAPPERS {
        text = unwrap(&text, wrapper);
    }
    without_empty(&text)
}

/// `EventId(7)` as `7`.
fn unwrap(text: &str, wrapper: &str) -> String {
    let opening = format!("{wrapper}(");
    let mut parts = text.split(opening.as_str());
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inner, rest) = part.split_once(')').unwrap_or((part, ""));
        result.push_str(inner);
        result.push_str(rest);
    }
    result
}

/// Fields that hold nothing.
fn without_empty(text: &str) -> String {
    const EMPTY: [&str; 4] = ["[]", "None", "{}", "\"\""];
    let mut result = String::new();
    for field in text.split_inclusive(", ") {
        let value = field.trim_end_matches(", ");
        let is_empty = EMPTY.iter().any(|empty| {
            value.strip_suffix(empty).is_some_and(|name| {
                let name = name.strip_suffix(": ").unwrap_or("-");
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            })
        });
        if !is_empty {
            result.push_str(field);
        }
    }
    result
}
