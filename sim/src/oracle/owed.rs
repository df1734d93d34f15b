//! Oracle "forgotten": what an execution waits for and what has come (the end of an activity,
//! a timer that is due, the end of a child) is handed to whoever takes the instance next.

use super::fact::{Accepted, Fact, Handed, Oracle, Span, wrong};
use crate::wrong::Verdict;
use duroxide_core::{ArrivalBody, End, EventId, EventKind, ExecutionId, Parent};
use duroxide_provider::{ActivityFate, InstanceKey};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "forgotten";

/// What each instance waits for, and what has come.
#[derive(Default)]
pub(crate) struct Owed {
    instances: BTreeMap<InstanceKey, Waits>,
    parents: BTreeMap<InstanceKey, Parent>,
}

#[derive(Default)]
struct Waits {
    execution: Option<ExecutionId>,
    /// Commands that are not completed; what of them has come.
    open: BTreeMap<EventId, Option<Came>>,
}

/// When something came.
#[derive(Clone, Copy)]
enum Came {
    /// Certainly before this moment.
    At(u64),
    /// When the store's clock comes to this, in ms.
    Due(u64),
}

impl Oracle for Owed {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Committed(accepted) = fact {
            self.committed(accepted, span);
        }
        if let Fact::Completed(key, request, ActivityFate::Applied) = fact {
            let activity = &request.activity;
            self.came(key, activity.execution, activity.event, Came::At(span.ended));
        }
        if let Fact::Handed(handed) = fact {
            self.handed(handed, span)?;
        }
        Ok(())
    }
}

impl Owed {
    fn came(&mut self, key: &InstanceKey, execution: ExecutionId, source: EventId, came: Came) {
        let Some(waits) = self.instances.get_mut(key) else { return };
        if let Some(open) =
            waits.open.get_mut(&source).filter(|_| waits.execution == Some(execution))
        {
            *open = Some(came);
        }
    }

    fn committed(&mut self, accepted: &Accepted<'_>, span: Span) {
        let (key, turn) = (accepted.key, &accepted.request.turn);
        let waits = self.instances.entry(key.clone()).or_default();
        if waits.execution != Some(turn.execution) {
            *waits = Waits { execution: Some(turn.execution), open: BTreeMap::new() };
        }
        for event in &turn.events {
            if let EventKind::OrchestrationStarted { parent: Some(parent), .. } = &event.kind {
                self.parents.insert(key.clone(), parent.clone());
            }
            if let Some(source) = event.kind.source() {
                waits.open.remove(&source);
            }
            let opens = matches!(
                event.kind,
                EventKind::ActivityScheduled { .. }
                    | EventKind::TimerCreated { .. }
                    | EventKind::SubOrchestrationScheduled { .. }
            );
            if opens {
                waits.open.insert(event.id, None);
            }
        }
        for (timer, due) in accepted.applied.iter().flat_map(|applied| &applied.timers) {
            if let Some(open) = waits.open.get_mut(timer) {
                *open = Some(Came::Due(due.0));
            }
        }
        let Some(end) = &turn.end else { return };
        waits.open.clear();
        if !matches!(end, End::ContinuedAsNew { .. })
            && let Some(parent) = self.parents.get(key).cloned()
        {
            let parent_key =
                InstanceKey { namespace: key.namespace.clone(), id: parent.instance.clone() };
            self.came(&parent_key, parent.execution, parent.event, Came::At(span.ended));
        }
    }

    fn handed(&self, handed: &Handed<'_>, span: Span) -> Verdict {
        let Some(waits) = self.instances.get(handed.key) else { return Ok(()) };
        if handed.more || waits.execution != Some(handed.execution) {
            return Ok(());
        }
        let there: BTreeSet<_> =
            handed.arrivals.iter().filter_map(|arrival| source(&arrival.body)).collect();
        for (event, came) in &waits.open {
            let is_owed = match came {
                None => false,
                Some(Came::At(moment)) => *moment < span.began,
                Some(Came::Due(due)) => *due < handed.store_now.0,
            };
            if is_owed && !there.contains(event) {
                let problem =
                    format!("what event {event} waits for has come, and is not handed out");
                return wrong(NAME, handed.key, problem);
            }
        }
        Ok(())
    }
}

/// The command that an arrival completes.
fn source(body: &ArrivalBody) -> Option<EventId> {
    match body {
        ArrivalBody::ActivityDone { source, .. }
        | ArrivalBody::TimerDue { source }
        | ArrivalBody::ChildDone { source, .. } => Some(*source),
        ArrivalBody::Start { .. }
        | ArrivalBody::Mail { .. }
        | ArrivalBody::Cancel { .. }
        | ArrivalBody::Terminate { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity, arrival, child, child_done, completed, started};
    use super::super::build::{started_by, timer, turn};
    use super::*;
    use duroxide_core::Payload;

    fn activity_done() -> duroxide_core::Arrival {
        let outcome = Ok(Payload::json("1"));
        arrival(20, ArrivalBody::ActivityDone { source: EventId(2), outcome })
    }

    #[test]
    fn an_end_a_timer_and_a_child_that_are_handed_out_pass() {
        let mut feed = Feed::new(Owed::default());
        let opens = vec![started(), activity(2), timer(3, 500), child(4, "kid")];
        feed.commit(&turn(None, 1, opens).due(3, 1_500)).unwrap();
        feed.hand(&[]).unwrap();
        feed.complete(&completed(2, 11)).unwrap();
        feed.commit(&turn(None, 9, vec![started_by("a", 4)]).of("kid").completed()).unwrap();
        let due = arrival(21, ArrivalBody::TimerDue { source: EventId(3) });
        feed.hand_at(2_000, &[activity_done(), due, child_done(22, 4)]).unwrap();
    }

    #[test]
    fn an_end_that_is_not_handed_out_is_found() {
        let mut feed = Feed::new(Owed::default());
        feed.commit(&turn(None, 1, vec![started(), activity(2)])).unwrap();
        feed.complete(&completed(2, 11)).unwrap();
        feed.wrong(|feed| feed.hand(&[]), NAME, "event #2");
        feed.hand(&[activity_done()]).unwrap();
    }

    #[test]
    fn a_timer_and_a_child_that_are_forgotten_are_found() {
        let mut feed = Feed::new(Owed::default());
        feed.commit(&turn(None, 1, vec![started(), timer(2, 500)]).due(2, 1_500)).unwrap();
        feed.hand_at(1_500, &[]).unwrap();
        feed.wrong(|feed| feed.hand_at(1_501, &[]), NAME, "event #2");
        let mut feed = Feed::new(Owed::default());
        feed.commit(&turn(None, 1, vec![started(), child(2, "kid")])).unwrap();
        feed.commit(&turn(None, 9, vec![started_by("a", 2)]).of("kid").completed()).unwrap();
        feed.wrong(|feed| feed.hand(&[]), NAME, "event #2");
    }
}
