//! Oracle "late": in a world in which nothing delays anything, what has arrived for an
//! instance is handed out soon, no lease of an activity runs out, and each has as many attempts as
//! nodes were given it and did not give it back unbegun; and no history is ahead of time.
//!
//! Only in gentle plans: with any other fault whatever is late may be late for a reason. And
//! only of the production store: how soon the modelled server wakes nodes is not checked.

use super::fact::{Accepted, Fact, Handed, Oracle, Span, wrong};
use crate::fault::Fault;
use crate::plan::{Plan, StoreKind};
use crate::wrong::Verdict;
use duroxide_core::{ArrivalBody, Commit, EventId, EventKind, ExecutionId};
use duroxide_provider::{ActivityKey, CommitId, Held, InstanceKey, LeaseId, Release};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "late";
/// What takes longer than this was waited for, and did not take a while.
const SOON_MS: u64 = 5_000;

/// What is due, and who holds what.
#[derive(Default)]
pub(crate) struct Late {
    /// How late something may be; `None`: as late as it likes.
    at_most: Option<u64>,
    /// Timers that were set and not handed out, by instance, and when they are due.
    due: BTreeMap<InstanceKey, BTreeMap<(ExecutionId, EventId), u64>>,
    activities: BTreeMap<ActivityKey, Given>,
    /// Commits that were given back, with what they claimed.
    released: BTreeSet<CommitId>,
}

/// To whom an activity was given.
struct Given {
    lease: Option<LeaseId>,
    attempts: u32,
}

impl Late {
    /// That of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let is_for = plan.is_gentle() && plan.store.kind == StoreKind::Sqlite;
        // While a node is down others do its work, if they can: unless all may be down at once.
        let hit: BTreeSet<_> = plan.faults.iter().map(|planned| planned.host.as_str()).collect();
        let builds: BTreeSet<_> = plan.nodes.iter().map(|node| node.build).collect();
        let all_down = hit.len() >= plan.nodes.len() || builds.len() > 1;
        let delays = |fault: &Fault| {
            let Fault::Shutdown(how) = fault else { return 0 };
            how.within_ms + if all_down { how.down_ms } else { 0 }
        };
        let delay: u64 = plan.faults.iter().map(|planned| delays(&planned.fault)).sum();
        Self { at_most: is_for.then_some(SOON_MS + delay), ..Self::default() }
    }
}

impl Oracle for Late {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        let Some(at_most) = self.at_most else { return Ok(()) };
        if let Fact::Handed(handed) = fact {
            self.handed(handed, at_most)?;
        }
        if let Fact::Committed(accepted) = fact {
            self.committed(accepted, at_most)?;
        }
        if let Fact::ActivitiesLeased(request, leased) = fact {
            for one in &leased.activities {
                self.given(&one.key, one.activity, request.lease, one.attempt)?;
            }
        }
        if let Fact::Completing(_, request) = fact {
            self.activities.remove(&request.activity);
        }
        if let Fact::Releasing(request) = fact {
            self.released(request);
        }
        Ok(())
    }
}

impl Late {
    fn handed(&mut self, handed: &Handed<'_>, at_most: u64) -> Verdict {
        for arrival in handed.arrivals {
            let late = handed.store_now.0.saturating_sub(arrival.at.0);
            if late > at_most {
                let problem = format!("what arrived is handed out {late} ms later: {arrival:?}");
                return wrong(NAME, handed.key, problem);
            }
            if let ArrivalBody::TimerDue { source } = arrival.body
                && let Some(due) = self.due.get_mut(handed.key)
            {
                due.remove(&(handed.execution, source));
            }
        }
        Ok(())
    }

    fn committed(&mut self, accepted: &Accepted<'_>, at_most: u64) -> Verdict {
        let (key, request) = (accepted.key, accepted.request);
        if let Some(applied) = accepted.applied {
            self.in_time(key, &request.turn, applied.store_now.0, at_most)?;
        }
        self.set(accepted);
        let of_turn = |event| {
            let (incarnation, execution) = (request.incarnation, request.turn.execution);
            ActivityKey { incarnation, execution, event }
        };
        for (activity, _) in &request.completed {
            self.activities.remove(activity);
        }
        for event in &request.turn.cancelled_activities {
            self.activities.remove(&of_turn(*event));
        }
        let kept = !self.released.contains(&request.commit_id);
        let claimed = accepted.applied.iter().flat_map(|applied| &applied.claimed);
        for claimed in claimed.filter(|_| kept) {
            let lease = request.commit_id.claim_lease();
            self.given(key, of_turn(claimed.event), lease, claimed.attempt)?;
        }
        if request.turn.end.is_some() {
            self.activities.retain(|activity, _| activity.incarnation != request.incarnation);
        }
        Ok(())
    }

    /// Nothing of the turn is yet to come, and no timer is long due that nobody was told of.
    fn in_time(&self, key: &InstanceKey, turn: &Commit, now: u64, at_most: u64) -> Verdict {
        if let Some(event) = turn.events.iter().find(|event| event.at.0 > now + SOON_MS) {
            let (id, ahead) = (event.id, event.at.0 - now);
            return wrong(NAME, key, format!("event {id} carries a time that is {ahead} ms ahead"));
        }
        for ((execution, timer), at) in self.due.get(key).into_iter().flatten() {
            if *execution == turn.execution && at + at_most < now {
                let problem =
                    format!("the timer of event {timer} was due at {at}, and nobody was told");
                return wrong(NAME, key, problem);
            }
        }
        Ok(())
    }

    /// Which timers are set now.
    fn set(&mut self, accepted: &Accepted<'_>) {
        let turn = &accepted.request.turn;
        let due = self.due.entry(accepted.key.clone()).or_default();
        let timers = accepted.applied.iter().flat_map(|applied| &applied.timers);
        due.extend(timers.map(|(timer, at)| ((turn.execution, *timer), at.0)));
        for event in &turn.events {
            if let EventKind::TimerFired { source, .. } | EventKind::TimerCancelled { source } =
                &event.kind
            {
                due.remove(&(turn.execution, *source));
            }
        }
        if turn.end.is_some() {
            due.clear();
        }
    }

    fn given(&mut self, key: &InstanceKey, to: ActivityKey, lease: LeaseId, nth: u32) -> Verdict {
        // How often one was given before it was seen first, nobody knows.
        let first = Given { lease: None, attempts: nth.saturating_sub(1) };
        let given = self.activities.entry(to).or_insert(first);
        if given.lease.is_some_and(|before| before != lease) {
            let problem = format!("the lease of the activity of event {} ran out", to.event);
            return wrong(NAME, key, problem);
        }
        if given.lease.is_none() {
            given.attempts += 1;
            given.lease = Some(lease);
        }
        if nth != given.attempts {
            let problem = format!(
                "attempt {nth} of the activity of event {} is its attempt {}",
                to.event, given.attempts
            );
            return wrong(NAME, key, problem);
        }
        Ok(())
    }

    fn released(&mut self, request: &Release) {
        for held in &request.held {
            if let Held::Activity { activity, lease } = held
                && let Some(given) = self.activities.get_mut(activity)
            {
                given.back(*lease, request.refund);
            }
        }
        // What a commit claimed goes back with it.
        if let Some((_, commit)) = request.commit {
            self.released.insert(commit);
            for given in self.activities.values_mut() {
                given.back(commit.claim_lease(), request.refund);
            }
        }
    }
}

impl Given {
    fn back(&mut self, lease: LeaseId, unbegun: bool) {
        if self.lease == Some(lease) {
            self.lease = None;
            self.attempts -= u32::from(unbegun);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, arrived, completed, event, started, timer, turn};
    use super::*;
    use duroxide_core::TimeMs;
    use duroxide_provider::Incarnation;
    use std::time::Duration;

    fn feed() -> Feed<Late> {
        Feed::new(Late { at_most: Some(SOON_MS), ..Late::default() })
    }

    fn gives_back(refund: bool) -> Release {
        let (incarnation, execution, event) = (Incarnation(1), ExecutionId::FIRST, EventId(2));
        let activity = ActivityKey { incarnation, execution, event };
        let held = vec![Held::Activity { activity, lease: LeaseId(11) }];
        Release { held, commit: None, refund, delay: Duration::ZERO }
    }

    #[test]
    fn what_is_handed_out_soon_and_given_back_passes() {
        let mut feed = feed();
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
        feed.hand_at(1_005_000, &[arrived(10, "x")]).unwrap();
        feed.lease_activity(2, 11).unwrap();
        feed.see(&Fact::Releasing(&gives_back(true))).unwrap();
        feed.lease_activity(2, 12).unwrap();
        feed.complete(&completed(2, 12)).unwrap();
    }

    #[test]
    fn what_is_handed_out_late_is_found() {
        feed().wrong(|feed| feed.hand_at(1_005_001, &[arrived(10, "x")]), NAME, "5001 ms later");
    }

    #[test]
    fn a_timer_that_nobody_is_told_of_is_found() {
        let mut feed = feed();
        feed.commit(&turn(None, 1, vec![started(), timer(2, 500)]).due(2, 1_500)).unwrap();
        let next = turn(Some(1), 2, vec![activity(3)]).at(3);
        feed.commit(&next.now(6_500)).unwrap();
        let next = turn(Some(2), 3, vec![activity(4)]).at(4).now(6_501);
        feed.wrong(|feed| feed.commit(&next), NAME, "nobody was told");
    }

    #[test]
    fn a_timer_that_was_cancelled_is_not_due() {
        let mut feed = feed();
        feed.commit(&turn(None, 1, vec![started(), timer(2, 500)]).due(2, 1_500)).unwrap();
        let cancels = event(3, EventKind::TimerCancelled { source: EventId(2) });
        feed.commit(&turn(Some(1), 2, vec![cancels]).at(3)).unwrap();
        feed.commit(&turn(Some(2), 3, vec![activity(4)]).at(4).now(99_000)).unwrap();
    }

    #[test]
    fn an_event_of_a_time_to_come_is_found() {
        let mut ahead = turn(None, 1, vec![started()]);
        ahead.turn.events[0].at = TimeMs(6_001);
        feed().wrong(|feed| feed.commit(&ahead), NAME, "5001 ms ahead");
        ahead.turn.events[0].at = TimeMs(6_000);
        feed().commit(&ahead).unwrap();
    }

    #[test]
    fn a_lease_that_ran_out_and_an_attempt_that_was_none_are_found() {
        let mut feed = feed();
        feed.lease_activity(2, 11).unwrap();
        feed.wrong(|feed| feed.lease_activity(2, 12), NAME, "ran out");
        feed.see(&Fact::Releasing(&gives_back(false))).unwrap();
        feed.wrong(|feed| feed.lease_activity(2, 13), NAME, "attempt 1");
    }

    #[test]
    fn a_plan_with_a_fault_that_delays_is_left_alone() {
        let mut feed = Feed::new(Late::default());
        feed.hand_at(9_000_000, &[arrived(10, "x")]).unwrap();
    }
}
