//! Oracle "effect": who says that an activity has succeeded has done it, at least once, in
//! the outside world, before he says so.

use super::fact::{Fact, Oracle, Span, Stored, wrong};
use crate::outside::Outside;
use crate::wrong::Verdict;
use duroxide_core::{Event, EventId, EventKind, ExecutionId, READ_VALUE_ACTIVITY};
use duroxide_provider::{ActivityKey, CommitTurn, Incarnation, InstanceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NAME: &str = "effect";

/// What was done to the outside world, and which activities are the engine's own.
pub(crate) struct Effects {
    outside: Arc<Outside>,
    own: BTreeSet<ActivityKey>,
    incarnations: BTreeMap<InstanceKey, Incarnation>,
}

impl Effects {
    /// With this outside world.
    pub(crate) fn new(outside: Arc<Outside>) -> Self {
        Self { outside, own: BTreeSet::new(), incarnations: BTreeMap::new() }
    }

    fn committing(&mut self, key: &InstanceKey, request: &CommitTurn) -> Verdict {
        let (incarnation, execution) = (request.incarnation, request.turn.execution);
        self.incarnations.insert(key.clone(), incarnation);
        for new in request.turn.activities.iter().filter(|new| new.name == READ_VALUE_ACTIVITY) {
            self.own.insert(ActivityKey { incarnation, execution, event: new.event });
        }
        request.turn.events.iter().try_for_each(|event| self.recorded(key, execution, event))
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
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, completed, done, started, turn};
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_activity_that_had_its_effect_passes() {
        let outside = Arc::new(Outside::default());
        outside.happened(completed(2, 11).activity, Duration::ZERO);
        let mut feed = Feed::new(Effects::new(outside));
        feed.complete(&completed(2, 11)).unwrap();
        feed.commit(&turn(None, 1, vec![started(), activity(2), done(3, 2)])).unwrap();
    }

    #[test]
    fn an_activity_that_is_done_without_an_effect_is_found() {
        let mut feed = Feed::new(Effects::new(Arc::default()));
        feed.wrong(|feed| feed.complete(&completed(2, 11)), NAME, "nobody has done it");
        let records = turn(None, 1, vec![started(), activity(2), done(3, 2)]);
        feed.wrong(|feed| feed.commit(&records), NAME, "activity #2");
    }
}
