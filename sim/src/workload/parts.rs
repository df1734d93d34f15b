//! What workloads are written with: plans of instances and their steps, and what checks
//! have in common. Not here: any workload.

use super::Finished;
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan, StepPlan};
use duroxide_core::{Event, EventKind};
use duroxide_provider::InstanceState;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// As many instances as a standard seed has.
pub(super) const INSTANCES: u64 = 20;

/// An instance whose client only waits for its end. It is started within the first seconds.
pub(super) fn instance(
    id: String,
    orchestration: &str,
    input: &impl Serialize,
    dice: &mut Dice,
) -> InstancePlan {
    InstancePlan {
        id,
        orchestration: orchestration.to_owned(),
        version: None,
        input: json!(input),
        starts_ms: dice.within(0..=4_000),
        steps: Vec::new(),
        part: String::new(),
    }
}

impl InstancePlan {
    /// The same, as this part of its workload.
    #[must_use]
    pub(super) fn part(self, part: &str) -> Self {
        Self { part: part.to_owned(), ..self }
    }

    /// The same, whose client does this too, so much later than the last.
    #[must_use]
    pub(super) fn then(mut self, after_ms: u64, action: Action) -> Self {
        self.steps.push(StepPlan { after_ms, action });
        self
    }
}

/// How long a client waits before its next step: mostly not at all.
pub(super) fn moment(dice: &mut Dice) -> u64 {
    dice.pick(&[0, 0, 0, 0, 15, 300, 4_000])
}

pub(super) fn raise(name: &str, data: impl Serialize) -> Action {
    Action::Raise { name: name.to_owned(), data: json!(data) }
}

pub(super) fn enqueue(queue: &str, data: impl Serialize) -> Action {
    Action::Enqueue { queue: queue.to_owned(), data: json!(data) }
}

pub(super) fn cancel(reason: &str) -> Action {
    Action::Cancel { reason: reason.to_owned() }
}

pub(super) fn terminate(reason: &str) -> Action {
    Action::Terminate { reason: reason.to_owned() }
}

pub(super) fn await_status(status: &str) -> Action {
    Action::AwaitStatus { status: status.to_owned() }
}

/// Fails if something is not as it must be.
pub(super) fn same<T: PartialEq + Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}")) }
}

/// Fails unless the instance failed with this message.
pub(super) fn failed_with(ended: &Finished<'_>, message: &str) -> Result<(), String> {
    match ended.state {
        InstanceState::Failed { failure } if failure.message == message => Ok(()),
        other => Err(format!("it ended with {other:?}, not with the failure {message:?}")),
    }
}

/// Fails unless it was cancelled for this reason; or terminated, if it was told twice.
pub(super) fn cancelled_for(ended: &Finished<'_>, reason: &str) -> Result<(), String> {
    match ended.state {
        InstanceState::Terminated { reason: told } if ended.was_stopped_twice() => {
            same("terminated for", &told.as_str(), &reason)
        }
        _ => failed_with(ended, &format!("canceled: {reason}")),
    }
}

/// The messages as they came, without those that came before: a client that does not know
/// whether it sent one sends it again, and only a repetition may come out of order.
pub(super) fn first_of_each<T: Ord + Clone>(messages: &[T]) -> Vec<T> {
    let mut seen = BTreeSet::new();
    messages.iter().filter(|message| seen.insert((*message).clone())).cloned().collect()
}

/// Fails unless these messages came in this order, each no more often than its client sent it.
pub(super) fn came_in_order(
    ended: &Finished<'_>,
    found: &[u64],
    expected: Vec<u64>,
    is_it: impl Fn(&Action, u64) -> bool,
) -> Result<(), String> {
    same("messages", &first_of_each(found), &expected)?;
    for message in expected {
        let came = found.iter().filter(|found| **found == message).count() as u64;
        let sent = ended.times(|action| is_it(action, message));
        if came > sent {
            return Err(format!("message {message} was sent {sent} times and came {came} times"));
        }
    }
    Ok(())
}

/// The names of activities in a history, with how often each was scheduled.
pub(super) fn scheduled<'a>(
    history: &'a [Event],
    activity: &'a str,
) -> impl Iterator<Item = &'a Event> {
    history.iter().filter(move |event| {
        matches!(&event.kind, EventKind::ActivityScheduled { name, .. } if name == activity)
    })
}

/// Whether this was enqueued with this number as its message.
pub(super) fn is_enqueued(action: &Action, to: &str, message: u64) -> bool {
    matches!(action, Action::Enqueue { queue, data } if queue == to && data.as_u64() == Some(message))
}
