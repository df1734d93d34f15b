//! Oracle "completed twice": of an activity one end is accepted, whoever else tried; of any
//! command one completion is recorded; and what is recorded of an activity is what was
//! accepted.

use super::fact::{Accepted, Fact, Oracle, Span, Stored, wrong};
use crate::wrong::Verdict;
use duroxide_core::{Event, EventId, EventKind, ExecutionId, Failure, Payload, Role};
use duroxide_provider::{ActivityFate, ActivityKey, InstanceKey};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "completed twice";

type Place = (InstanceKey, ExecutionId, EventId);
type Outcome = Result<Payload, Failure>;

/// Which ends were accepted, and which are recorded.
#[derive(Default)]
pub(crate) struct Completions {
    /// Since when, by the activity.
    accepted: BTreeMap<Place, u64>,
    /// What was sent of each on its own.
    sent: BTreeMap<Place, Vec<Outcome>>,
    recorded: BTreeSet<Place>,
}

impl Oracle for Completions {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Completing(key, request) = fact {
            let outcomes = self.sent.entry(place(key, &request.activity)).or_default();
            if !outcomes.contains(&request.outcome) {
                outcomes.push(request.outcome.clone());
            }
        }
        if let Fact::Completed(key, request, ActivityFate::Applied) = fact {
            self.accept(place(key, &request.activity), span)?;
        }
        if let Fact::ActivitiesLeased(_, leased) = fact {
            for one in &leased.activities {
                let accepted = self.accepted.get(&place(&one.key, &one.activity));
                if accepted.is_some_and(|since| *since < span.began) {
                    let problem =
                        format!("activity {} was handed out after its end", one.activity.event);
                    return wrong(NAME, &one.key, problem);
                }
            }
        }
        if let Fact::Committed(accepted) = fact {
            for (activity, _) in &accepted.request.completed {
                self.accept(place(accepted.key, activity), span)?;
            }
            for event in &accepted.request.turn.events {
                self.record(accepted, event)?;
            }
        }
        Ok(())
    }

    /// Of histories too that no turn was seen to write.
    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        for instance in stored.iter() {
            for (execution, events) in &instance.executions {
                let mut sources = BTreeSet::new();
                let twice =
                    events.iter().filter_map(completes).find(|source| !sources.insert(*source));
                if let Some(source) = twice {
                    return recorded_twice(&(instance.key.clone(), *execution, source));
                }
            }
        }
        Ok(())
    }
}

impl Completions {
    fn accept(&mut self, place: Place, span: Span) -> Verdict {
        if self.accepted.contains_key(&place) {
            let problem = format!("two ends of activity {} were accepted", place.2);
            return wrong(NAME, &place.0, problem);
        }
        self.accepted.insert(place, span.ended);
        Ok(())
    }

    fn record(&mut self, accepted: &Accepted<'_>, event: &Event) -> Verdict {
        let Some(source) = completes(event) else { return Ok(()) };
        let place = (accepted.key.clone(), accepted.request.turn.execution, source);
        if self.recorded.contains(&place) {
            return recorded_twice(&place);
        }
        let fused = accepted.request.completed.iter().any(|(activity, _)| activity.event == source);
        if let Some(outcome) = ended(event).filter(|_| !fused)
            && !self.sent.get(&place).is_some_and(|sent| sent.contains(&outcome))
        {
            let problem =
                format!("activity {source} is recorded with an end nobody sent: {outcome:?}");
            return wrong(NAME, accepted.key, problem);
        }
        self.recorded.insert(place);
        Ok(())
    }
}

fn place(key: &InstanceKey, activity: &ActivityKey) -> Place {
    (key.clone(), activity.execution, activity.event)
}

/// The command that an event completes.
fn completes(event: &Event) -> Option<EventId> {
    event.kind.source().filter(|_| event.kind.role() == Role::Arrival)
}

/// How an activity ended.
fn ended(event: &Event) -> Option<Outcome> {
    if let EventKind::ActivityCompleted { result, .. } = &event.kind {
        return Some(Ok(result.clone()));
    }
    if let EventKind::ActivityFailed { failure, .. } = &event.kind {
        return Some(Err(failure.clone()));
    }
    None
}

fn recorded_twice((key, execution, source): &Place) -> Verdict {
    wrong(NAME, key, format!("event {source} of execution {execution} is completed twice"))
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, completed, done, event, started, turn};
    use super::*;

    #[test]
    fn one_end_accepted_and_recorded_passes() {
        let mut feed = Feed::new(Completions::default());
        feed.commit(&turn(None, 1, vec![started(), activity(2), activity(3)])).unwrap();
        feed.complete(&completed(2, 11)).unwrap();
        let ends = turn(Some(1), 2, vec![done(4, 2), done(5, 3)]).at(4).fused(3, 12);
        feed.commit(&ends).unwrap();
    }

    #[test]
    fn a_second_end_is_found_when_it_is_accepted_and_when_it_is_recorded() {
        let mut feed = Feed::new(Completions::default());
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
        feed.complete(&completed(2, 11)).unwrap();
        feed.wrong(|feed| feed.complete(&completed(2, 12)), NAME, "two ends of activity #2");
        feed.commit(&turn(Some(1), 2, vec![done(3, 2)]).at(3)).unwrap();
        let again = turn(Some(2), 3, vec![done(4, 2)]).at(4);
        feed.wrong(|feed| feed.commit(&again), NAME, "event #2 of execution 1 is completed twice");
        feed.wrong(|feed| feed.lease_activity(2, 13), NAME, "after its end");
    }

    #[test]
    fn an_end_that_nobody_sent_is_found() {
        let mut feed = Feed::new(Completions::default());
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
        let invented = turn(Some(1), 2, vec![done(3, 2)]).at(3);
        feed.wrong(|feed| feed.commit(&invented), NAME, "nobody sent");
        let failure = Failure::application("another");
        let other = EventKind::ActivityFailed { source: EventId(2), failure };
        feed.complete(&completed(2, 11)).unwrap();
        let other = turn(Some(1), 3, vec![event(3, other)]).at(3);
        feed.wrong(|feed| feed.commit(&other), NAME, "nobody sent");
    }
}
