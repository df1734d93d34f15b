//! Oracle "chain": the turns of an instance form one chain. On each base one turn is
//! accepted, with the next events of the present execution, none after the end of the
//! instance; and whoever leases it is told the end of that chain.

use super::fact::{Accepted, Fact, Oracle, Span, wrong};
use crate::wrong::Verdict;
use duroxide_core::{End, EventId, ExecutionId};
use duroxide_provider::{CommitId, CommitTurn, InstanceKey, LeasedInstance};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "chain";

/// The last link of each instance.
#[derive(Default)]
pub(crate) struct Chain(BTreeMap<InstanceKey, Link>);

struct Link {
    last: Option<CommitId>,
    execution: ExecutionId,
    next_event: EventId,
    /// Since when that is certain.
    since: u64,
    bases: BTreeSet<Option<CommitId>>,
    ended: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            last: None,
            execution: ExecutionId::FIRST,
            next_event: EventId::FIRST,
            since: 0,
            bases: BTreeSet::new(),
            ended: false,
        }
    }
}

impl Oracle for Chain {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Committed(accepted) = fact {
            self.committed(accepted, span)?;
        }
        if let Fact::Leased(_, leased) = fact {
            for leased in &leased.instances {
                self.leased(leased, span)?;
            }
        }
        Ok(())
    }
}

impl Chain {
    fn committed(&mut self, accepted: &Accepted<'_>, span: Span) -> Verdict {
        let (key, request) = (accepted.key, accepted.request);
        let link = self.0.entry(key.clone()).or_default();
        if let Some(problem) = link.problem(request) {
            return wrong(NAME, key, format!("{problem} (commit {})", request.commit_id));
        }
        link.bases.insert(request.base);
        link.last = Some(request.commit_id);
        link.since = span.ended;
        link.next_event = after(request);
        match request.turn.end {
            Some(End::ContinuedAsNew { .. }) => {
                link.execution = link.execution.next();
                link.next_event = EventId::FIRST;
            }
            Some(End::Completed { .. } | End::Failed { .. } | End::Terminated { .. }) => {
                link.ended = true;
            }
            None => {}
        }
        Ok(())
    }

    fn leased(&self, leased: &LeasedInstance, span: Span) -> Verdict {
        let key = &leased.key;
        let Some(link) = self.0.get(key).filter(|link| link.since < span.began) else {
            return Ok(());
        };
        if link.ended {
            return wrong(NAME, key, "it was leased after its end");
        }
        let is = (leased.last_commit, leased.execution, leased.next_event);
        if is == (link.last, link.execution, link.next_event) {
            return Ok(());
        }
        wrong(
            NAME,
            key,
            format!(
                "an accepted turn was forgotten: it was leased at {is:?}, and had come to {:?}",
                (link.last, link.execution, link.next_event)
            ),
        )
    }
}

fn after(request: &CommitTurn) -> EventId {
    EventId(request.turn.expect_event.0 + request.turn.events.len() as u64)
}

impl Link {
    fn problem(&self, request: &CommitTurn) -> Option<String> {
        let turn = &request.turn;
        if self.ended {
            return Some("a turn was accepted after the end of the instance".to_owned());
        }
        if self.bases.contains(&request.base) {
            return Some("two turns were accepted on one base".to_owned());
        }
        if request.base != self.last {
            return Some("a turn was accepted on a base that is not the last turn".to_owned());
        }
        let (place, expected) =
            ((turn.execution, turn.expect_event), (self.execution, self.next_event));
        if place != expected {
            let problem = format!("a turn for {place:?} was accepted where {expected:?} was next");
            return Some(problem);
        }
        let ids = turn.events.iter().map(|event| event.id.0);
        let gapless = ids.eq((turn.expect_event.0..).take(turn.events.len()));
        (!gapless).then(|| "a turn was accepted whose events are not numbered on".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, key, leased, started, turn};
    use super::*;

    #[test]
    fn one_turn_after_another_passes() {
        let mut feed = Feed::new(Chain::default());
        feed.commit(&turn(None, 1, vec![started()])).unwrap();
        feed.lease(&leased(7, Some(1), 2)).unwrap();
        feed.commit(&turn(Some(1), 2, Vec::new()).at(2)).unwrap();
    }

    #[test]
    fn two_turns_on_one_base_are_found() {
        let mut feed = Feed::new(Chain::default());
        feed.commit(&turn(None, 1, vec![started()])).unwrap();
        feed.wrong(|feed| feed.commit(&turn(None, 2, vec![started()])), NAME, "on one base");
    }

    #[test]
    fn a_turn_that_is_forgotten_and_one_after_the_end_are_found() {
        let mut feed = Feed::new(Chain::default());
        feed.commit(&turn(None, 1, vec![started()])).unwrap();
        feed.wrong(|feed| feed.lease(&leased(7, None, 1)), NAME, "forgotten");
        feed.commit(&turn(Some(1), 2, Vec::new()).at(2).completed()).unwrap();
        feed.wrong(|feed| feed.lease(&leased(8, Some(2), 3)), NAME, "after its end");
        let late = turn(Some(2), 3, Vec::new()).at(3);
        feed.wrong(|feed| feed.commit(&late), NAME, "after the end");
        assert_eq!(key().to_string(), "a");
    }

    #[test]
    fn a_lease_that_began_before_the_turn_was_answered_may_not_know_it() {
        let mut feed = Feed::new(Chain::default());
        let began = feed.tick();
        feed.commit(&turn(None, 1, vec![started()])).unwrap();
        feed.lease_since(began, &leased(7, None, 1)).unwrap();
    }
}
