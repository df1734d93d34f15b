//! Oracle "grammar": a history is one, and the turns of its events are those that wrote them.

use super::fact::{Fact, Instance, Oracle, Span, Stored, wrong};
use crate::wrong::Verdict;
use duroxide_core::{EventKind, History, Role};
use duroxide_provider::{CommitTurn, InstanceState};

const NAME: &str = "grammar";

/// Each turn as it is accepted, and each history as a whole.
#[derive(Default)]
pub(crate) struct Grammar;

impl Oracle for Grammar {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        if let Fact::Committed(accepted) = fact
            && let Some(problem) = malformed(accepted.request)
        {
            return wrong(NAME, accepted.key, problem);
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        stored.iter().try_for_each(check)
    }
}

/// What the events of a turn must be whatever came before.
fn malformed(request: &CommitTurn) -> Option<String> {
    let turn = &request.turn;
    for event in &turn.events {
        if event.turn != turn.turn {
            return Some(format!(
                "event {} says turn {:?}, of {:?}",
                event.id, event.turn, turn.turn
            ));
        }
    }
    let last = turn.events.last();
    let ends = last.is_some_and(|event| event.kind.role() == Role::End);
    if ends != turn.end.is_some() {
        return Some(
            "a turn ends the execution, and its events do not, or the other way".to_owned(),
        );
    }
    if last.is_some_and(|event| event.split) && !turn.split {
        return Some("a turn was cut short, and does not say that it goes on".to_owned());
    }
    None
}

fn check(instance: &Instance) -> Verdict {
    let key = &instance.key;
    let count = instance.executions.len();
    for (place, (execution, events)) in instance.executions.iter().enumerate() {
        if let Err(error) = History::parse(events.clone()) {
            return wrong(NAME, key, format!("execution {execution}: {error}"));
        }
        let goes_on = events.last().is_some_and(|event| {
            matches!(event.kind, EventKind::OrchestrationContinuedAsNew { .. })
        });
        if goes_on != (place + 1 < count) {
            let problem = format!("execution {execution} of {count} goes on as new: {goes_on}");
            return wrong(NAME, key, problem);
        }
    }
    let last = instance.executions.last().and_then(|(_, events)| events.last());
    let Some(last) = last else { return Ok(()) };
    let agrees = match &instance.info.state {
        InstanceState::Running => last.kind.role() != Role::End,
        InstanceState::Completed { output } => {
            last.kind == EventKind::OrchestrationCompleted { output: output.clone() }
        }
        InstanceState::Failed { failure } => {
            matches!(&last.kind, EventKind::OrchestrationFailed { failure: of, .. } if of == failure)
        }
        InstanceState::Terminated { reason } => {
            last.kind == EventKind::OrchestrationTerminated { reason: reason.clone() }
        }
        InstanceState::ContinuedAsNew => false,
    };
    if agrees {
        return Ok(());
    }
    wrong(NAME, key, format!("it stands as {:?}, and ends with {last:?}", instance.info.state))
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, done, ended, started, stored, turn};
    use super::*;
    use duroxide_core::{Payload, TurnNo};

    #[test]
    fn a_history_that_is_one_passes() {
        let mut feed = Feed::new(Grammar);
        feed.commit(&turn(None, 1, vec![started(), ended(2)]).completed()).unwrap();
        let mut instance = stored(vec![started(), ended(2)]);
        instance.info.state = InstanceState::Completed { output: Payload::json("1") };
        feed.end(&[instance]).unwrap();
    }

    #[test]
    fn a_completion_of_nothing_and_an_end_that_the_store_does_not_know_are_found() {
        let mut feed = Feed::new(Grammar);
        let wrong = stored(vec![started(), done(2, 1)]);
        feed.wrong(|feed| feed.end(&[wrong]), NAME, "malformed history at event #2");
        let running = stored(vec![started(), ended(2)]);
        feed.wrong(|feed| feed.end(&[running]), NAME, "it stands as Running");
    }

    #[test]
    fn a_turn_that_is_not_one_is_found() {
        let mut feed = Feed::new(Grammar);
        let mut other = turn(None, 1, vec![started(), activity(2)]);
        other.turn.turn = TurnNo(2);
        feed.wrong(|feed| feed.commit(&other), NAME, "event #1 says turn");
        let silent = turn(None, 1, vec![started(), ended(2)]);
        feed.wrong(|feed| feed.commit(&silent), NAME, "ends the execution");
    }
}
