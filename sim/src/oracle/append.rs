//! Oracle "append-only": what is stored of an execution is what its turns appended, whole and
//! in order, whoever reads it, whenever. It never changes, and never becomes less.

use super::fact::{Fact, Oracle, Span, Stored, wrong};
use super::record::Record;
use crate::wrong::Verdict;
use duroxide_core::{Event, EventId, ExecutionId};
use duroxide_provider::InstanceKey;
use std::collections::BTreeMap;

const NAME: &str = "append-only";

/// The events of each execution, as they were first seen.
#[derive(Default)]
pub(crate) struct Append {
    executions: BTreeMap<(InstanceKey, ExecutionId), Kept>,
    /// Old executions may be gone.
    pruned: bool,
}

#[derive(Default)]
struct Kept {
    events: Vec<Event>,
    /// How many were certain to be stored.
    stored: Record<usize>,
}

/// Something that was read, or written.
struct Seen<'a> {
    from: EventId,
    events: &'a [Event],
    /// There is nothing behind it.
    is_all: bool,
}

impl Oracle for Append {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        self.pruned |= matches!(fact, Fact::Pruning);
        if let Fact::Committed(accepted) = fact {
            let turn = &accepted.request.turn;
            let seen = Seen { from: turn.expect_event, events: &turn.events, is_all: false };
            self.compare(accepted.key, turn.execution, &seen, span)?;
        }
        if let Fact::Read(key, request, page) = fact {
            let is_all = page.next.is_none();
            let seen = Seen { from: request.from, events: &page.events, is_all };
            self.compare(key, request.execution, &seen, span)?;
        }
        if let Fact::Shown(key, execution, events) = fact {
            let seen = Seen { from: EventId::FIRST, events, is_all: true };
            self.compare(key, *execution, &seen, span)?;
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        let span = Span { began: u64::MAX, ended: u64::MAX };
        for instance in stored.iter() {
            for (execution, events) in &instance.executions {
                let seen = Seen { from: EventId::FIRST, events, is_all: true };
                self.compare(&instance.key, *execution, &seen, span)?;
            }
        }
        Ok(())
    }
}

impl Append {
    fn compare(
        &mut self,
        key: &InstanceKey,
        execution: ExecutionId,
        seen: &Seen<'_>,
        span: Span,
    ) -> Verdict {
        let may_be_gone = self.pruned && seen.events.is_empty();
        let kept = self.executions.entry((key.clone(), execution)).or_default();
        let stored = kept.stored.before(span.began).copied().unwrap_or_default();
        let mut next = seen.from.0.max(1) as usize - 1;
        for event in seen.events {
            if event.id.0 != next as u64 + 1 {
                let problem = format!("event {} stands where {} should", event.id, next + 1);
                return wrong(NAME, key, format!("execution {execution}: {problem}"));
            }
            match kept.events.get(next) {
                Some(before) if before == event => {}
                Some(before) => {
                    return wrong(
                        NAME,
                        key,
                        format!(
                            "event {} of execution {execution} has changed:\n  it was {before:?}\n  \
                             it is  {event:?}",
                            event.id
                        ),
                    );
                }
                None if next == kept.events.len() => kept.events.push(event.clone()),
                None => {}
            }
            next += 1;
        }
        if seen.is_all && next < stored && !may_be_gone {
            let problem = format!("execution {execution} had {stored} events, and has {next}");
            return wrong(NAME, key, problem);
        }
        if next > kept.stored.last().copied().unwrap_or_default() && !seen.events.is_empty() {
            kept.stored.push(span.ended, next);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, event, key, started, turn};
    use super::*;
    use duroxide_core::EventKind;

    fn status(id: u64, status: &str) -> Event {
        event(id, EventKind::CustomStatusUpdated { status: Some(status.to_owned()) })
    }

    fn shown(feed: &mut Feed<Append>, events: &[Event]) -> Verdict {
        feed.see(&Fact::Shown(&key(), ExecutionId::FIRST, events))
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let mut feed = Feed::new(Append::default());
        feed.commit(&turn(None, 1, vec![started(), status(2, "x")])).unwrap();
        shown(&mut feed, &[started(), status(2, "x")]).unwrap();
        // What another turn, not yet answered, has appended.
        let next = turn(Some(1), 2, vec![status(3, "y")]).at(3);
        shown(&mut feed, &[started(), status(2, "x"), next.turn.events[0].clone()]).unwrap();
        feed.commit(&next).unwrap();
    }

    #[test]
    fn a_changed_and_a_missing_event_are_found() {
        let mut feed = Feed::new(Append::default());
        feed.commit(&turn(None, 1, vec![started(), status(2, "x")])).unwrap();
        feed.wrong(|feed| shown(feed, &[started(), status(2, "z")]), NAME, "has changed");
        feed.wrong(|feed| shown(feed, &[started()]), NAME, "had 2 events, and has 1");
        feed.wrong(|feed| shown(feed, &[status(2, "x")]), NAME, "where 1 should");
    }
}
