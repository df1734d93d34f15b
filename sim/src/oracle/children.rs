//! Oracle "children": a child that was scheduled exists, or its start was refused; and what
//! its parent recorded of its end is how it ended. (That a parent is told once is for
//! "completed twice", that it is told at all for "forgotten".)

use super::fact::{Instance, Oracle, Stored, wrong};
use super::managed::Managed;
use crate::wrong::Verdict;
use duroxide_core::{
    Event, EventId, EventKind, ExecutionId, Failure, FailureKind, InstanceId, Parent, Payload, Role,
};
use duroxide_provider::{InstanceKey, InstanceState};
use std::collections::BTreeMap;

const NAME: &str = "children";

/// Looks at the end only.
#[derive(Default)]
pub(crate) struct Children;

type Ids<'a> = BTreeMap<&'a InstanceKey, &'a Instance>;

impl Oracle for Children {
    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        let ids: Ids<'_> = stored.iter().map(|instance| (&instance.key, instance)).collect();
        for parent in stored.iter() {
            for (execution, events) in &parent.executions {
                let managed = stored.managed;
                let at = Scheduled { parent, execution: *execution, events, managed };
                events.iter().try_for_each(|event| at.check(event, &ids))?;
            }
        }
        stored.iter().try_for_each(|child| has_parent(child, &ids))
    }
}

/// An execution that may have children.
struct Scheduled<'a> {
    parent: &'a Instance,
    execution: ExecutionId,
    events: &'a [Event],
    managed: &'a Managed,
}

impl Scheduled<'_> {
    fn check(&self, event: &Event, ids: &Ids<'_>) -> Verdict {
        let of = |instance: &InstanceId| InstanceKey {
            namespace: self.parent.key.namespace.clone(),
            id: instance.clone(),
        };
        if let EventKind::OrchestrationChained { instance, .. } = &event.kind
            && !ids.contains_key(&of(instance))
            && !self.managed.contains(&of(instance))
        {
            return self.wrong(format!("`{instance}`, started at {}, does not exist", event.id));
        }
        let EventKind::SubOrchestrationScheduled { instance, .. } = &event.kind else {
            return Ok(());
        };
        let told = self.told(event.id);
        let child = ids.get(&of(instance)).filter(|child| self.is_parent_of(child, event.id));
        match (child, told) {
            (None, Some(Err(failure))) if failure.kind == FailureKind::Invalid => Ok(()),
            (None, None) if self.was_never_started(event) => Ok(()),
            (None, None) if ids.contains_key(&of(instance)) => Ok(()),
            (None, _) => self.wrong(format!("child `{instance}` of {} does not exist", event.id)),
            (Some(_), None) => Ok(()),
            (Some(child), Some(told)) => {
                if is_end(told, &child.info.state) {
                    return Ok(());
                }
                let state = &child.info.state;
                self.wrong(format!("it recorded {told:?} of `{instance}`, which is {state:?}"))
            }
        }
    }

    /// What it recorded of a child's end.
    fn told(&self, scheduled: EventId) -> Option<Result<&Payload, &Failure>> {
        self.events.iter().find_map(|event| {
            if event.kind.source() != Some(scheduled) {
                return None;
            }
            if let EventKind::SubOrchestrationCompleted { result, .. } = &event.kind {
                return Some(Ok(result));
            }
            if let EventKind::SubOrchestrationFailed { failure, .. } = &event.kind {
                return Some(Err(failure));
            }
            None
        })
    }

    fn is_parent_of(&self, child: &Instance, scheduled: EventId) -> bool {
        let parent = Parent {
            instance: self.parent.key.id.clone(),
            execution: self.execution,
            event: scheduled,
        };
        let begun = child.executions.first().and_then(|(_, events)| events.first());
        let of = |event: &Event| matches!(&event.kind, EventKind::OrchestrationStarted { parent: Some(of), .. } if *of == parent);
        begun.map_or(child.info.parent.as_ref() == Some(&parent.instance), of)
    }

    /// Scheduled and given up in one turn.
    fn was_never_started(&self, scheduled: &Event) -> bool {
        self.events.iter().any(|event| {
            let gives_up =
                event.kind.source() == Some(scheduled.id) || event.kind.role() == Role::End;
            gives_up && event.turn == scheduled.turn
        })
    }

    fn wrong(&self, sentence: String) -> Verdict {
        wrong(NAME, &self.parent.key, sentence)
    }
}

fn is_end(told: Result<&Payload, &Failure>, state: &InstanceState) -> bool {
    match (told, state) {
        (Ok(result), InstanceState::Completed { output }) => result == output,
        (Err(told), InstanceState::Failed { failure }) => told == failure,
        (Err(told), InstanceState::Terminated { reason }) => {
            told.kind == FailureKind::Terminated && told.message == *reason
        }
        (
            Ok(_) | Err(_),
            InstanceState::Running
            | InstanceState::ContinuedAsNew
            | InstanceState::Completed { .. }
            | InstanceState::Failed { .. }
            | InstanceState::Terminated { .. },
        ) => false,
    }
}

/// What says that it is a child was scheduled by its parent.
fn has_parent(child: &Instance, ids: &Ids<'_>) -> Verdict {
    let Some(id) = &child.info.parent else { return Ok(()) };
    let key = InstanceKey { namespace: child.key.namespace.clone(), id: id.clone() };
    let scheduled = |event: &Event| {
        matches!(&event.kind, EventKind::SubOrchestrationScheduled { instance, .. }
            if *instance == child.key.id)
    };
    let parent = ids.get(&key);
    if parent.is_some_and(|parent| {
        parent.executions.first().is_some_and(|(of, _)| *of != ExecutionId::FIRST)
    }) {
        return Ok(()); // its first executions were pruned
    }
    let executions = parent.iter().flat_map(|parent| &parent.executions);
    if executions.flat_map(|(_, events)| events).any(scheduled) {
        return Ok(());
    }
    wrong(NAME, &child.key, format!("it is a child of `{id}`, which has not scheduled it"))
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, child, event, key, started, started_by, stored};
    use super::*;

    fn ended(output: &str) -> InstanceState {
        InstanceState::Completed { output: Payload::json(output) }
    }

    fn kid(state: InstanceState) -> Instance {
        let mut kid = stored(vec![started_by("a", 2)]);
        kid.key = InstanceKey::new("kid");
        kid.info.parent = Some(key().id);
        kid.info.state = state;
        kid
    }

    fn parent(told: &str) -> Instance {
        let (source, result) = (EventId(2), Payload::json(told));
        let told = EventKind::SubOrchestrationCompleted { source, result };
        stored(vec![started(), child(2, "kid"), event(3, told)])
    }

    #[test]
    fn a_child_that_ended_as_its_parent_recorded_passes() {
        Feed::new(Children).end(&[parent("1"), kid(ended("1"))]).unwrap();
    }

    #[test]
    fn a_child_that_does_not_exist_is_found() {
        let mut feed = Feed::new(Children);
        feed.wrong(|feed| feed.end(&[parent("1")]), NAME, "child `kid` of #2 does not exist");
        let detached = EventKind::OrchestrationChained {
            name: "n".to_owned(),
            version: None,
            instance: "other".into(),
            input: Payload::json("1"),
        };
        let starts = stored(vec![started(), event(2, detached)]);
        feed.wrong(|feed| feed.end(&[starts]), NAME, "`other`, started at #2");
    }

    #[test]
    fn another_end_than_the_childs_and_a_child_of_nobody_are_found() {
        let mut feed = Feed::new(Children);
        feed.wrong(|feed| feed.end(&[parent("1"), kid(ended("2"))]), NAME, "it recorded Ok");
        let nobody = stored(vec![started()]);
        feed.wrong(|feed| feed.end(&[nobody, kid(ended("1"))]), NAME, "has not scheduled it");
    }
}
