//! Oracle "effect": who says that an activity has succeeded has done it, at least once, in
//! the outside world, before he says so. And nobody does anything before the turn that
//! schedules it is durable, or without one.

use super::fact::{Accepted, Fact, Oracle, Span, Stored, wrong};
use crate::outside::Outside;
use crate::wrong::Verdict;
use duroxide_core::{Event, EventId, EventKind, ExecutionId, READ_VALUE_ACTIVITY};
use duroxide_provider::{ActivityKey, CommitId, CommitTurn, Incarnation, InstanceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NAME: &str = "effect";

/// What was done to the outside world, and which activities are the engine's own.
pub(crate) struct Effects {
    outside: Arc<Outside>,
    own: BTreeSet<ActivityKey>,
    /// What turns that became durable have scheduled.
    scheduled: BTreeSet<ActivityKey>,
    /// Turns under way when the store died: they may be durable long before they are told.
    doubtful: BTreeSet<CommitId>,
    under_way: BTreeSet<CommitId>,
    incarnations: BTreeMap<InstanceKey, Incarnation>,
}

impl Effects {
    /// With this outside world.
    pub(crate) fn new(outside: Arc<Outside>) -> Self {
        Self {
            outside,
            own: BTreeSet::new(),
            scheduled: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            under_way: BTreeSet::new(),
            incarnations: BTreeMap::new(),
        }
    }

    fn committing(&mut self, key: &InstanceKey, request: &CommitTurn) -> Verdict {
        let (incarnation, execution) = (request.incarnation, request.turn.execution);
        self.incarnations.insert(key.clone(), incarnation);
        self.under_way.insert(request.commit_id);
        for new in request.turn.activities.iter().filter(|new| new.name == READ_VALUE_ACTIVITY) {
            self.own.insert(ActivityKey { incarnation, execution, event: new.event });
        }
        request.turn.events.iter().try_for_each(|event| self.recorded(key, execution, event))
    }

    /// Nothing that a turn schedules has happened when it becomes durable.
    fn committed(&mut self, accepted: &Accepted<'_>) -> Verdict {
        let (key, request) = (accepted.key, accepted.request);
        let (incarnation, execution) = (request.incarnation, request.turn.execution);
        let is_news = accepted.applied.is_some() && !self.doubtful.contains(&request.commit_id);
        self.under_way.remove(&request.commit_id);
        for event in &request.turn.events {
            if !matches!(event.kind, EventKind::ActivityScheduled { .. }) {
                continue;
            }
            let activity = ActivityKey { incarnation, execution, event: event.id };
            if is_news && !self.outside.times(&activity).is_empty() {
                let problem = format!("activity {} was done before its turn was durable", event.id);
                return wrong(NAME, key, problem);
            }
            self.scheduled.insert(activity);
        }
        Ok(())
    }

    /// Nobody has done what no turn has scheduled.
    fn all_scheduled(&self, stored: &Stored<'_>) -> Verdict {
        for instance in stored.iter() {
            let Some(incarnation) = self.incarnations.get(&instance.key) else { continue };
            for activity in self.outside.of(*incarnation) {
                if !self.scheduled.contains(&activity) {
                    let problem =
                        format!("activity {} was done, and no turn schedules it", activity.event);
                    return wrong(NAME, &instance.key, problem);
                }
            }
        }
        Ok(())
    }

    fn recorded(&self, key: &InstanceKey, execution: ExecutionId, event: &Event) -> Verdict {
        let EventKind::ActivityCompleted { source, .. } = &event.kind else { return Ok(()) };
        let Some(incarnation) = self.incarnations.get(key).copied() else { return Ok(()) };
        self.check(key, &ActivityKey { incarnation, execution, event: *source })
    }

    fn check(&self, key: &InstanceKey, activity: &ActivityKey) -> Verdict {
        if self.own.contains(activity) || !self.outside.times(activity).is_empty() {
            return Ok(());
        }
        let EventId(event) = activity.event;
        wrong(NAME, key, format!("activity #{event} is said to be done, and nobody has done it"))
    }
}

impl Oracle for Effects {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        if let Fact::Committing(key, request) = fact {
            self.committing(key, request)?;
        }
        if let Fact::Committed(accepted) = fact {
            self.committed(accepted)?;
        }
        if let Fact::StoreDied = fact {
            self.doubtful.append(&mut self.under_way);
        }
        if let Fact::Completing(key, request) = fact
            && request.outcome.is_ok()
        {
            self.check(key, &request.activity)?;
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        for instance in stored.iter() {
            for (execution, events) in &instance.executions {
                let recorded = |event| self.recorded(&instance.key, *execution, event);
                events.iter().try_for_each(recorded)?;
            }
        }
        self.all_scheduled(stored)
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, completed, done, started, stored, turn};
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_activity_that_had_its_effect_passes() {
        let outside = Arc::new(Outside::default());
        let mut feed = Feed::new(Effects::new(Arc::clone(&outside)));
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
        outside.happened(completed(2, 11).activity, Duration::ZERO);
        feed.complete(&completed(2, 11)).unwrap();
        feed.commit(&turn(Some(1), 2, vec![done(3, 2)]).at(3)).unwrap();
    }

    #[test]
    fn what_is_done_before_its_turn_is_durable_is_found() {
        let outside = Arc::new(Outside::default());
        outside.happened(completed(2, 11).activity, Duration::ZERO);
        let mut feed = Feed::new(Effects::new(outside));
        let schedules = turn(None, 1, vec![started(), activity(2)]);
        feed.wrong(|feed| feed.commit(&schedules), NAME, "before its turn was durable");
    }

    #[test]
    fn what_no_turn_schedules_and_is_done_all_the_same_is_found() {
        let outside = Arc::new(Outside::default());
        let mut feed = Feed::new(Effects::new(Arc::clone(&outside)));
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
        outside.happened(completed(2, 11).activity, Duration::ZERO);
        feed.end(&[stored(vec![started(), activity(2)])]).unwrap();
        outside.happened(completed(3, 11).activity, Duration::ZERO);
        let left = [stored(vec![started(), activity(2)])];
        feed.wrong(|feed| feed.end(&left), NAME, "no turn schedules it");
    }

    #[test]
    fn a_turn_that_was_durable_before_the_store_died_may_be_told_late() {
        let outside = Arc::new(Outside::default());
        let mut feed = Feed::new(Effects::new(Arc::clone(&outside)));
        let (key, request) = (InstanceKey::new("a"), turn(None, 1, vec![started(), activity(2)]));
        let request = Arc::new((*request).clone());
        feed.see(&Fact::Committing(&key, &request)).unwrap();
        feed.see(&Fact::StoreDied).unwrap();
        outside.happened(completed(2, 11).activity, Duration::ZERO);
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
    }

    #[test]
    fn an_activity_that_is_done_without_an_effect_is_found() {
        let mut feed = Feed::new(Effects::new(Arc::default()));
        feed.wrong(|feed| feed.complete(&completed(2, 11)), NAME, "nobody has done it");
        let records = turn(None, 1, vec![started(), activity(2), done(3, 2)]);
        feed.wrong(|feed| feed.commit(&records), NAME, "activity #2");
    }
}
