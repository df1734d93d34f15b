//! Oracle "early timer": no timer fires before its time, by the only clock that counts, the
//! store's: not in what is handed out, and not in what is recorded.

use super::fact::{Accepted, Fact, Handed, Oracle, Span, Stored, wrong};
use super::record::Record;
use crate::wrong::Verdict;
use duroxide_core::{ArrivalBody, Event, EventId, EventKind, ExecutionId};
use duroxide_provider::{CommitId, CommitTurn, InstanceKey};
use std::collections::BTreeMap;

const NAME: &str = "early timer";

/// When timers are due at the earliest.
#[derive(Default)]
pub(crate) struct Timers {
    /// What the store's clock had certainly come to.
    clock: Record<u64>,
    /// The clock when a turn first came.
    asked: BTreeMap<CommitId, u64>,
    due: BTreeMap<(InstanceKey, ExecutionId, EventId), u64>,
}

impl Oracle for Timers {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Leased(_, leased) = fact {
            self.passes(leased.store_now.0, span);
        }
        if let Fact::Committing(key, request) = fact {
            self.asks(key, request);
        }
        if let Fact::Committed(accepted) = fact {
            self.committed(accepted)?;
            if let Some(applied) = accepted.applied {
                self.passes(applied.store_now.0, span);
            }
        }
        if let Fact::Handed(handed) = fact {
            self.handed(handed)?;
        }
        // The clock is written down coarsely, and not at all while the disk is full: what it
        // showed since then may come once more.
        if let Fact::StoreDied = fact {
            self.clock = Record::default();
            self.asked.values_mut().for_each(|asked| *asked = 0);
        }
        Ok(())
    }

    /// By the times in the histories.
    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        for instance in stored.iter() {
            for (_, events) in &instance.executions {
                recorded(&instance.key, events)?;
            }
        }
        Ok(())
    }
}

impl Timers {
    fn passes(&mut self, now: u64, span: Span) {
        if self.clock.last().is_none_or(|last| *last < now) {
            self.clock.push(span.ended, now);
        }
    }

    /// It may be set from now on, by this or another computation of the turn.
    fn asks(&mut self, key: &InstanceKey, request: &CommitTurn) {
        let now = self.clock.last().copied().unwrap_or_default();
        let now = *self.asked.entry(request.commit_id).or_insert(now);
        for timer in &request.turn.timers {
            let place = (key.clone(), request.turn.execution, timer.event);
            let earliest = now.saturating_add(timer.delay_ms);
            let due = self.due.entry(place).or_insert(earliest);
            *due = earliest.min(*due);
        }
    }

    fn committed(&mut self, accepted: &Accepted<'_>) -> Verdict {
        let (key, turn) = (accepted.key, &accepted.request.turn);
        for event in &turn.events {
            let EventKind::TimerFired { source, fire_at } = &event.kind else { continue };
            let now = accepted.applied.map_or(u64::MAX, |applied| applied.store_now.0);
            self.check(key, turn.execution, *source, now.min(fire_at.0))?;
        }
        let asked = self.asked.get(&accepted.request.commit_id).copied().unwrap_or_default();
        for timer in &turn.timers {
            let place = (key.clone(), turn.execution, timer.event);
            self.due.insert(place, asked.saturating_add(timer.delay_ms));
        }
        for (timer, due) in accepted.applied.iter().flat_map(|applied| &applied.timers) {
            self.check(key, turn.execution, *timer, due.0)?;
            self.due.insert((key.clone(), turn.execution, *timer), due.0);
        }
        Ok(())
    }

    fn handed(&self, handed: &Handed<'_>) -> Verdict {
        for arrival in handed.arrivals {
            if let ArrivalBody::TimerDue { source } = arrival.body {
                let at = arrival.at.0.min(handed.store_now.0);
                self.check(handed.key, handed.execution, source, at)?;
            }
        }
        Ok(())
    }

    fn check(&self, key: &InstanceKey, of: ExecutionId, timer: EventId, at: u64) -> Verdict {
        let due = self.due.get(&(key.clone(), of, timer)).copied().unwrap_or_default();
        if at < due {
            let problem = format!("the timer of event {timer} fired at {at}, and is due at {due}");
            return wrong(NAME, key, problem);
        }
        Ok(())
    }
}

fn recorded(key: &InstanceKey, events: &[Event]) -> Verdict {
    for event in events {
        let EventKind::TimerFired { source, .. } = &event.kind else { continue };
        let created = events.get(source.0.saturating_sub(1) as usize);
        if let Some(Event { kind: EventKind::TimerCreated { delay_ms, .. }, at, .. }) = created
            && event.at < at.plus(*delay_ms)
        {
            let problem = format!(
                "the timer of event {source} was created at {} for {delay_ms} ms, and fired at {}",
                at.0, event.at.0
            );
            return wrong(NAME, key, problem);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, arrival, fired, started, stored, timer, turn};
    use super::*;

    fn feed() -> Feed<Timers> {
        let mut feed = Feed::new(Timers::default());
        let sets = turn(None, 1, vec![started(), timer(2, 500)]).now(1_000).due(2, 1_500);
        feed.commit(&sets).unwrap();
        feed
    }

    #[test]
    fn a_timer_that_fires_when_it_is_due_passes() {
        let mut feed = feed();
        let due = arrival(20, ArrivalBody::TimerDue { source: EventId(2) });
        feed.hand_at(1_500, &[due]).unwrap();
        feed.commit(&turn(Some(1), 2, vec![fired(3, 2, 1_500)]).at(3).now(1_500)).unwrap();
        feed.end(&[stored(vec![started(), timer(2, 500), fired(3, 2, 1_500)])]).unwrap();
    }

    #[test]
    fn a_timer_that_is_handed_out_early_is_found() {
        let due = arrival(20, ArrivalBody::TimerDue { source: EventId(2) });
        feed().wrong(|feed| feed.hand_at(1_499, &[due]), NAME, "event #2 fired at");
    }

    #[test]
    fn what_the_clock_showed_before_the_store_died_says_nothing_of_a_timer_set_after_it() {
        let mut feed = feed();
        feed.commit(&turn(Some(1), 2, vec![timer(3, 1)]).at(3).now(9_000).due(3, 9_001)).unwrap();
        feed.see(&Fact::StoreDied).unwrap();
        let sets = turn(Some(2), 3, vec![timer(4, 500)]).at(4).now(2_000).due(4, 2_500);
        feed.commit(&sets).unwrap();
        let early = turn(Some(3), 4, vec![timer(5, 500)]).at(5).now(2_000).due(5, 2_499);
        feed.wrong(|feed| feed.commit(&early), NAME, "event #5");
    }

    #[test]
    fn a_timer_that_is_recorded_early_is_found() {
        let early = turn(Some(1), 2, vec![fired(3, 2, 1_499)]).at(3).now(1_600);
        feed().wrong(|feed| feed.commit(&early), NAME, "fired at 1499, and is due at 1500");
        let history = stored(vec![started(), timer(2, 500), fired(3, 2, 1_400)]);
        feed().wrong(|feed| feed.end(&[history]), NAME, "for 500 ms, and fired at 1400");
    }
}
