//! Oracle "stop": a cancel is recorded and then cancels all that is open, before anything
//! else is asked for; a termination, or a second cancel of a client, ends the instance; and
//! neither happens unless somebody asked.

use super::fact::{Accepted, Fact, Handed, Oracle, Span, Stored, wrong};
use crate::wrong::Verdict;
use duroxide_core::{
    ArrivalBody, ArrivalId, End, Event, EventId, EventKind, ExecutionId, Origin, Role,
};
use duroxide_provider::InstanceKey;
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "stop";

/// What each instance was asked.
#[derive(Default)]
pub(crate) struct Stop(BTreeMap<InstanceKey, BTreeMap<ArrivalId, Asked>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Cancel { reason: String, from_parent: bool },
    Terminate { reason: String },
}

impl Oracle for Stop {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        if let Fact::Handed(handed) = fact {
            self.handed(handed);
        }
        if let Fact::Committed(accepted) = fact {
            self.heeded(accepted)?;
            self.asked(accepted)?;
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        for instance in stored.iter() {
            for (execution, events) in &instance.executions {
                cancels_all(&instance.key, *execution, events)?;
            }
        }
        Ok(())
    }
}

impl Stop {
    fn handed(&mut self, handed: &Handed<'_>) {
        for arrival in handed.arrivals {
            let Origin::Inbox(id) = arrival.origin else { continue };
            let asked = match &arrival.body {
                ArrivalBody::Cancel { reason, from_parent } => {
                    Asked::Cancel { reason: reason.clone(), from_parent: *from_parent }
                }
                ArrivalBody::Terminate { reason } => Asked::Terminate { reason: reason.clone() },
                ArrivalBody::Start { .. }
                | ArrivalBody::ActivityDone { .. }
                | ArrivalBody::TimerDue { .. }
                | ArrivalBody::ChildDone { .. }
                | ArrivalBody::Mail { .. } => continue,
            };
            self.0.entry(handed.key.clone()).or_default().insert(id, asked);
        }
    }

    /// What a turn took is what it did.
    fn heeded(&self, accepted: &Accepted<'_>) -> Verdict {
        let (key, turn) = (accepted.key, &accepted.request.turn);
        let ends = matches!(
            turn.end,
            Some(End::Completed { .. } | End::Failed { .. } | End::Terminated { .. })
        );
        let cancels = turn.events.iter().any(|event| {
            matches!(event.kind, EventKind::OrchestrationCancelRequested { from_parent: false, .. })
        });
        let asked = self.0.get(key);
        let taken =
            asked.iter().flat_map(|asked| turn.consumed.iter().filter_map(|id| asked.get(id)));
        for asked in taken {
            let heeded = match asked {
                Asked::Terminate { .. } => ends,
                Asked::Cancel { from_parent, .. } => ends || cancels || *from_parent,
            };
            if !heeded {
                return wrong(NAME, key, format!("a turn took {asked:?}, and does nothing of it"));
            }
        }
        Ok(())
    }

    /// What a turn did was asked for.
    fn asked(&self, accepted: &Accepted<'_>) -> Verdict {
        let (key, turn) = (accepted.key, &accepted.request.turn);
        let asked = self.0.get(key);
        let taken: Vec<_> = asked
            .iter()
            .flat_map(|asked| turn.consumed.iter().filter_map(|id| asked.get(id)))
            .collect();
        for event in &turn.events {
            let found =
                if let EventKind::OrchestrationCancelRequested { reason, from_parent, .. } =
                    &event.kind
                {
                    let (reason, from_parent) = (reason.clone(), *from_parent);
                    taken.contains(&&Asked::Cancel { reason, from_parent })
                } else if let EventKind::OrchestrationTerminated { reason } = &event.kind {
                    let reason = reason.clone();
                    taken.contains(&&Asked::Cancel { reason: reason.clone(), from_parent: false })
                        || taken.contains(&&Asked::Terminate { reason })
                } else {
                    true
                };
            if !found {
                let problem =
                    format!("nobody asked for what event {} records: {event:?}", event.id);
                return wrong(NAME, key, problem);
            }
        }
        Ok(())
    }
}

/// Behind the first cancel stand the cancels of all that was open, and nothing before them
/// but an end that the engine made.
fn cancels_all(key: &InstanceKey, execution: ExecutionId, events: &[Event]) -> Verdict {
    let is_cancel = |event: &Event| {
        matches!(event.kind, EventKind::OrchestrationCancelRequested { unstarted: false, .. })
    };
    // One that was terminated, or ended, was not cancelled.
    let Some(place) = events.iter().position(is_cancel) else { return Ok(()) };
    let mut open = BTreeSet::new();
    for event in &events[..place] {
        open.extend(opens(event));
        event.kind.source().map(|source| open.remove(&source));
    }
    let mut rest = events[place + 1..].iter();
    for source in open {
        let next = rest.next();
        let cancels = next.is_some_and(|event| {
            let by_engine = event.kind.role() == Role::End && !event.is_command();
            by_engine || event.is_command() && event.kind.source() == Some(source)
        });
        match next {
            Some(event) if event.kind.role() == Role::End && cancels => return Ok(()),
            Some(_) if cancels => {}
            _ => {
                let problem = format!(
                    "execution {execution} was cancelled, and event {source}, which was open, was \
                     not cancelled with it"
                );
                return wrong(NAME, key, problem);
            }
        }
    }
    Ok(())
}

fn opens(event: &Event) -> Option<EventId> {
    let opens = matches!(
        event.kind,
        EventKind::ActivityScheduled { .. }
            | EventKind::TimerCreated { .. }
            | EventKind::MailSubscribed { .. }
            | EventKind::SubOrchestrationScheduled { .. }
    );
    opens.then_some(event.id)
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, arrival, event, started, stored, timer, turn};
    use super::*;

    fn cancelled(id: u64) -> Event {
        let (reason, from_parent, unstarted) = ("enough".to_owned(), false, false);
        event(id, EventKind::OrchestrationCancelRequested { reason, from_parent, unstarted })
    }

    fn cancels(id: u64, source: u64) -> Event {
        event(id, EventKind::ActivityCancelRequested { source: EventId(source) })
    }

    fn cancel() -> duroxide_core::Arrival {
        let (reason, from_parent) = ("enough".to_owned(), false);
        arrival(10, ArrivalBody::Cancel { reason, from_parent })
    }

    #[test]
    fn a_cancel_that_is_recorded_and_cancels_what_is_open_passes() {
        let mut feed = Feed::new(Stop::default());
        feed.hand(&[cancel()]).unwrap();
        let mut takes = turn(None, 1, vec![started(), activity(2), cancelled(3), cancels(4, 2)]);
        takes.turn.consumed.push(ArrivalId(10));
        feed.commit(&takes).unwrap();
        feed.end(&[stored(takes.turn.events.clone())]).unwrap();
    }

    #[test]
    fn a_cancel_that_is_taken_for_nothing_and_one_of_nobody_are_found() {
        let mut feed = Feed::new(Stop::default());
        feed.hand(&[cancel()]).unwrap();
        let mut takes = turn(None, 1, vec![started()]);
        takes.turn.consumed.push(ArrivalId(10));
        feed.wrong(|feed| feed.commit(&takes), NAME, "does nothing of it");
        let invents = turn(Some(1), 2, vec![cancelled(2)]).at(2);
        feed.wrong(|feed| feed.commit(&invents), NAME, "nobody asked");
    }

    #[test]
    fn a_termination_that_is_taken_and_does_not_end_is_found() {
        let mut feed = Feed::new(Stop::default());
        let reason = "now".to_owned();
        feed.hand(&[arrival(10, ArrivalBody::Terminate { reason })]).unwrap();
        let mut takes = turn(None, 1, vec![started()]);
        takes.turn.consumed.push(ArrivalId(10));
        feed.wrong(|feed| feed.commit(&takes), NAME, "does nothing of it");
    }

    #[test]
    fn what_is_open_and_not_cancelled_is_found() {
        let history = vec![started(), activity(2), timer(3, 5), cancelled(4), cancels(5, 2)];
        let mut feed = Feed::new(Stop::default());
        feed.wrong(|feed| feed.end(&[stored(history)]), NAME, "event #3, which was open");
    }
}
