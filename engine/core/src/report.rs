//! How a command of the code is held against history, and what is said when they
//! disagree: a cause, and two lines, what history has and what the code asked.

use crate::render::render_kind;
use crate::{Event, EventId, EventKind};
use std::collections::VecDeque;
use std::fmt;

/// Where code and history disagree, for whoever must mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The first event at which they do.
    pub event: EventId,
    /// What history holds there.
    pub history: String,
    /// What the code asked for instead.
    pub code: String,
    /// What was probably changed.
    pub cause: &'static str,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, history, code, cause } = self;
        write!(
            f,
            "nondeterministic: the code does not do what history recorded at event {event} \
             ({cause})\n  - history: {history}\n  + code:    {code}"
        )
    }
}

/// The outcome of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same command.
    Same,
    /// The same command with another input: replay goes on with what was recorded.
    OtherInput(String),
    /// Another command.
    Different,
}

/// Compared are kind, name, version, child id, tag, session and delay; inputs and outputs
/// only for a remark; an activity's attempt not at all.
pub(crate) fn compare(recorded: &EventKind, asked: &EventKind) -> Comparison {
    use EventKind as K;
    if recorded == asked || essence(recorded) == essence(asked) {
        return Comparison::Same;
    }
    let same = match (recorded, asked) {
        (
            K::ActivityScheduled { name, session, tag, .. },
            K::ActivityScheduled { name: name2, session: session2, tag: tag2, .. },
        ) => (name, session, tag) == (name2, session2, tag2),
        (K::TimerCreated { delay_ms: a, .. }, K::TimerCreated { delay_ms: x, .. }) => a == x,
        (
            K::SubOrchestrationScheduled { name, version, instance, .. },
            K::SubOrchestrationScheduled {
                name: name2,
                version: version2,
                instance: instance2,
                ..
            },
        )
        | (
            K::OrchestrationChained { name, version, instance, .. },
            K::OrchestrationChained { name: name2, version: version2, instance: instance2, .. },
        ) => (name, version, instance) == (name2, version2, instance2),
        (
            K::OrchestrationContinuedAsNew { version: a, .. },
            K::OrchestrationContinuedAsNew { version: x, .. },
        ) => a == x,
        (K::KeyValueSet { key: a, .. }, K::KeyValueSet { key: x, .. }) => a == x,
        (K::KeyValuePruned { .. }, K::KeyValuePruned { .. })
        | (K::CustomStatusUpdated { .. }, K::CustomStatusUpdated { .. })
        | (K::OrchestrationCompleted { .. }, K::OrchestrationCompleted { .. })
        | (K::OrchestrationFailed { .. }, K::OrchestrationFailed { .. }) => true,
        _different_kinds => false,
    };
    if same {
        let (recorded, asked) = (render_kind(recorded), render_kind(asked));
        Comparison::OtherInput(format!("history has {recorded}, the code passed {asked}"))
    } else {
        Comparison::Different
    }
}

/// What of a command is compared at all. A stack tells where code stands, which may be elsewhere
/// today; and which attempt an activity is, older histories do not tell.
fn essence(kind: &EventKind) -> EventKind {
    let mut kind = kind.clone();
    if let EventKind::OrchestrationFailed { failure, .. } = &mut kind {
        *failure = failure.clone().without_details();
    } else if let EventKind::ActivityScheduled { attempt, .. } = &mut kind {
        *attempt = 1;
    }
    kind
}

/// The report. `rest` is what history has from `event` on; `asked` is what the code asked
/// for, or `None` if it asked for nothing more.
pub(crate) fn report(
    rest: &VecDeque<Event>,
    event: EventId,
    asked: Option<&EventKind>,
) -> Divergence {
    let recorded = rest.front().filter(|event| event.is_command());
    let history = match (recorded, rest.front()) {
        (Some(event), _) => render_kind(&event.kind),
        (None, Some(_)) => "no further command of this step".to_owned(),
        (None, None) => "nothing more: it ends here".to_owned(),
    };
    let code = asked.map_or_else(|| "nothing more".to_owned(), render_kind);
    Divergence { event, history, code, cause: likely_cause(rest, recorded, asked) }
}

fn likely_cause(
    rest: &VecDeque<Event>,
    recorded: Option<&Event>,
    asked: Option<&EventKind>,
) -> &'static str {
    let is_same =
        |event: &Event, asked: &EventKind| compare(&event.kind, asked) != Comparison::Different;
    match (recorded, asked) {
        (_, None) => "likely cause: a step was removed, or the function ends or waits earlier now",
        (None, Some(_)) => "likely cause: a step was added",
        (Some(recorded), Some(asked)) => {
            let later = |event: &Event| is_same(event, asked);
            if rest.iter().skip(1).any(later) {
                "likely cause: steps were reordered or one was removed"
            } else if std::mem::discriminant(&recorded.kind) == std::mem::discriminant(asked) {
                "likely cause: a name, version, id, tag, session, delay or retry policy was changed"
            } else {
                "likely cause: a step was added or replaced; code that runs must register a new \
                 version instead"
            }
        }
    }
}
