//! Oracle "told": the code of an activity is told to stop if there is a reason, and only
//! then: its turn cancelled it, its instance has ended or is to, its lease is lost, or its
//! node stops. A question to the store that came to nothing is no reason.
//!
//! In a gentle plan it is told within a second, on another node than that of the turn, too;
//! as in `late`, only of the production store.

use super::fact::{Accepted, Attempt, Fact, Moment, Oracle, Span, wrong};
use super::managed::Managed;
use crate::plan::{Plan, StoreKind};
use crate::timeline::Timeline;
use crate::wrong::Verdict;
use duroxide_core::{ArrivalBody, ExecutionId};
use duroxide_provider::{ActivityKey, Held, Incarnation, InstanceKey, LeaseState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "told";
/// It is promised within a second; what that needs of network and disk comes on top.
const WITHIN: Duration = Duration::from_millis(1_200);

/// What runs where, and what has a reason to stop.
pub(crate) struct Told {
    timeline: Arc<Timeline>,
    /// How soon it must be told; `None`: whenever.
    within: Option<Duration>,
    running: BTreeMap<Attempt, InstanceKey>,
    /// Until when these must have been told.
    deadlines: BTreeMap<Attempt, Duration>,
    /// Lives of nodes that stop.
    stopping: BTreeSet<String>,
    /// Cancelled, or lost by somebody.
    activities: BTreeSet<ActivityKey>,
    /// Ended, or asked to.
    executions: BTreeSet<(Incarnation, ExecutionId)>,
    incarnations: BTreeMap<InstanceKey, Incarnation>,
}

impl Told {
    /// That of a plan.
    pub(crate) fn of(plan: &Plan, timeline: Arc<Timeline>) -> Self {
        let is_soon = plan.is_gentle() && plan.store.kind == StoreKind::Sqlite;
        Self::within(is_soon.then_some(WITHIN), timeline)
    }

    fn within(within: Option<Duration>, timeline: Arc<Timeline>) -> Self {
        Self {
            timeline,
            within,
            running: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            stopping: BTreeSet::new(),
            activities: BTreeSet::new(),
            executions: BTreeSet::new(),
            incarnations: BTreeMap::new(),
        }
    }
}

impl Oracle for Told {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        if let Fact::Leased(_, leased) = fact {
            let leased = leased.instances.iter();
            self.incarnations.extend(leased.map(|one| (one.key.clone(), one.incarnation)));
        }
        if let Fact::Handed(handed) = fact
            && handed.arrivals.iter().any(|arrival| asks_to_stop(&arrival.body))
            && let Some(incarnation) = self.incarnations.get(handed.key)
        {
            self.executions.insert((*incarnation, handed.execution));
        }
        if let Fact::Committed(accepted) = fact {
            self.committed(accepted);
        }
        if let Fact::Renewed(request, states) = fact {
            for (held, state) in request.held.iter().zip(*states) {
                if let (Held::Activity { activity, .. }, false) = (held, *state == LeaseState::Held)
                {
                    self.activities.insert(*activity);
                }
            }
        }
        if let Fact::NodeStops(node) = fact {
            self.stopping.insert((*node).to_owned());
            self.deadlines.retain(|attempt, _| attempt.on != *node);
        }
        if let Fact::Attempt(key, attempt, moment) = fact {
            self.attempt(key, attempt, *moment)?;
        }
        self.in_time()
    }

    fn leave(&mut self, managed: &Managed) {
        let running = &self.running;
        let is_left =
            |attempt: &Attempt| running.get(attempt).is_some_and(|key| managed.contains(key));
        self.deadlines.retain(|attempt, _| !is_left(attempt));
    }
}

impl Told {
    fn committed(&mut self, accepted: &Accepted<'_>) {
        let (incarnation, turn) = (accepted.request.incarnation, &accepted.request.turn);
        let execution = turn.execution;
        let cancelled = turn.cancelled_activities.iter();
        self.activities.extend(cancelled.map(|&event| ActivityKey {
            incarnation,
            execution,
            event,
        }));
        if turn.end.is_some() {
            self.executions.insert((incarnation, execution));
        }
        if let Some(within) = self.within {
            let deadline = self.timeline.now() + within;
            let is_over = |attempt: &Attempt| {
                let ActivityKey { incarnation: of, execution: in_execution, event } =
                    attempt.activity;
                let is_of_it = (of, in_execution) == (incarnation, execution);
                let is_over = turn.end.is_some() || turn.cancelled_activities.contains(&event);
                is_of_it && is_over && !self.stopping.contains(&attempt.on)
            };
            for attempt in self.running.keys().filter(|attempt| is_over(attempt)) {
                self.deadlines.entry(attempt.clone()).or_insert(deadline);
            }
        }
    }

    fn attempt(&mut self, key: &InstanceKey, attempt: &Attempt, moment: Moment) -> Verdict {
        match moment {
            Moment::Begins => drop(self.running.insert(attempt.clone(), key.clone())),
            Moment::IsTold => {
                self.deadlines.remove(attempt);
                self.running.remove(attempt);
                let ActivityKey { incarnation, execution, event } = attempt.activity;
                let has_reason = self.stopping.contains(&attempt.on)
                    || self.activities.contains(&attempt.activity)
                    || self.executions.contains(&(incarnation, execution));
                if !has_reason {
                    let problem = format!(
                        "the activity of event {event} is told to stop on {}, for no reason",
                        attempt.on
                    );
                    return wrong(NAME, key, problem);
                }
            }
            Moment::Ends => {
                self.deadlines.remove(attempt);
                self.running.remove(attempt);
            }
        }
        Ok(())
    }

    /// Nobody was to be told before now who was not.
    fn in_time(&self) -> Verdict {
        if self.deadlines.is_empty() {
            return Ok(());
        }
        let now = self.timeline.now();
        for (attempt, deadline) in &self.deadlines {
            if *deadline < now
                && let Some(key) = self.running.get(attempt)
            {
                let problem = format!(
                    "the activity of event {} is over, and its code on {} is not told",
                    attempt.activity.event, attempt.on
                );
                return wrong(NAME, key, problem);
            }
        }
        Ok(())
    }
}

fn asks_to_stop(body: &ArrivalBody) -> bool {
    matches!(body, ArrivalBody::Cancel { .. } | ArrivalBody::Terminate { .. })
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, arrival, completed, key, leased, started, turn};
    use super::*;
    use duroxide_core::EventId;
    use duroxide_provider::{LeaseId, Renew};

    /// Activity 2 of the instance runs.
    fn feed(within: Option<Duration>) -> Feed<Told> {
        let mut feed = Feed::new(Told::within(within, Arc::default()));
        feed.lease(&leased(7, None, 1)).unwrap();
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
        see(&mut feed, Moment::Begins).unwrap();
        feed
    }

    fn see(feed: &mut Feed<Told>, moment: Moment) -> Verdict {
        let attempt =
            Attempt { activity: completed(2, 11).activity, on: "node-1 (life 1)".to_owned() };
        feed.see(&Fact::Attempt(&key(), &attempt, moment))
    }

    #[test]
    fn who_is_told_to_stop_for_no_reason_is_found() {
        feed(None).wrong(|feed| see(feed, Moment::IsTold), NAME, "for no reason");
    }

    #[test]
    fn each_reason_counts() {
        let mut cancelled = turn(Some(1), 2, Vec::new()).at(3);
        cancelled.turn.cancelled_activities = vec![EventId(2)];
        let mut by_its_turn = feed(None);
        by_its_turn.commit(&cancelled).unwrap();
        see(&mut by_its_turn, Moment::IsTold).unwrap();
        let mut with_its_instance = feed(None);
        with_its_instance.commit(&turn(Some(1), 2, Vec::new()).at(3).completed()).unwrap();
        see(&mut with_its_instance, Moment::IsTold).unwrap();
        let mut asked = feed(None);
        let reason = String::new();
        asked.hand(&[arrival(9, ArrivalBody::Terminate { reason })]).unwrap();
        see(&mut asked, Moment::IsTold).unwrap();
        let mut stopped = feed(None);
        stopped.see(&Fact::NodeStops("node-1 (life 1)")).unwrap();
        see(&mut stopped, Moment::IsTold).unwrap();
    }

    #[test]
    fn a_lease_that_is_held_is_no_reason_and_one_that_is_lost_is() {
        let mut feed = feed(None);
        let held = vec![Held::Activity { activity: completed(2, 11).activity, lease: LeaseId(11) }];
        let renew = Renew { held, duration: Duration::from_secs(30) };
        feed.see(&Fact::Renewed(&renew, &[LeaseState::Held])).unwrap();
        feed.wrong(|feed| see(feed, Moment::IsTold), NAME, "for no reason");
        feed.see(&Fact::Renewed(&renew, &[LeaseState::Lost])).unwrap();
        see(&mut feed, Moment::IsTold).unwrap();
    }

    #[test]
    fn who_is_not_told_in_time_is_found() {
        let late = |feed: &mut Feed<Told>| {
            let now = feed.oracle.timeline.now() + WITHIN + Duration::from_millis(1);
            feed.oracle.timeline.advance_to(now);
            feed.see(&Fact::StoreDied)
        };
        let ends = turn(Some(1), 2, Vec::new()).at(3).completed();
        let mut told = feed(Some(WITHIN));
        told.commit(&ends).unwrap();
        see(&mut told, Moment::IsTold).unwrap();
        late(&mut told).unwrap();
        let mut deleted = feed(Some(WITHIN));
        deleted.commit(&ends).unwrap();
        let mut managed = Managed::default();
        managed.deleting(Some(&[key()]), true);
        deleted.oracle.leave(&managed);
        late(&mut deleted).unwrap();
        let mut ended = feed(Some(WITHIN));
        ended.commit(&ends).unwrap();
        see(&mut ended, Moment::Ends).unwrap();
        late(&mut ended).unwrap();
        let mut forgotten = feed(Some(WITHIN));
        forgotten.commit(&ends).unwrap();
        forgotten.wrong(late, NAME, "is not told");
    }
}
