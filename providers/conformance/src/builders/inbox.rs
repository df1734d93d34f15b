//! Arrivals as words, so that a check compares an inbox with a list of them.

use duroxide_core::{Arrival, ArrivalBody, Channel, Failure, Payload};

/// An arrival in a few words: `start`, `event go 1`, `timer #2`, `done #2 ok 1`.
pub(crate) fn describe(arrival: &Arrival) -> String {
    match &arrival.body {
        ArrivalBody::Start { .. } => "start".to_owned(),
        ArrivalBody::ActivityDone { source, outcome } => {
            format!("done {source} {}", describe_outcome(outcome))
        }
        ArrivalBody::TimerDue { source } => format!("timer {source}"),
        ArrivalBody::ChildDone { source, outcome } => {
            format!("child {source} {}", describe_outcome(outcome))
        }
        ArrivalBody::Mail { channel: Channel::Event, name, data } => {
            format!("event {name} {data:?}")
        }
        ArrivalBody::Mail { channel: Channel::Queue, name, data } => {
            format!("queue {name} {data:?}")
        }
        ArrivalBody::Cancel { from_parent: true, .. } => "cancel from parent".to_owned(),
        ArrivalBody::Cancel { from_parent: false, reason } => format!("cancel {reason}"),
        ArrivalBody::Terminate { reason } => format!("terminate {reason}"),
    }
}

fn describe_outcome(outcome: &Result<Payload, Failure>) -> String {
    match outcome {
        Ok(payload) => format!("ok {payload:?}"),
        Err(failure) => format!("err {}", failure.kind.as_str()),
    }
}
