//! Rules on histories alone.

use crate::chaos::Evidence;
use duroxide_core::{Event, EventId, EventKind, History, Role};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn well_formed(evidence: &Evidence) -> Vec<String> {
    let mut wrong = evidence.histories.unreadable.clone();
    let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
    for ((id, number), execution) in &evidence.histories.executions {
        let of = format!("`{id}`, execution {number}");
        let before = numbers.insert(id, *number).unwrap_or_default();
        if before + 1 != *number {
            wrong.push(format!("{of} comes after execution {before}"));
        }
        if let Err(problem) = History::parse(execution.events.clone()) {
            wrong.push(format!("{of}: {problem}"));
        }
        let end = execution.events.last().filter(|last| last.kind.role() == Role::End);
        let goes_on = evidence.histories.executions.contains_key(&(id.clone(), number + 1));
        match end.map(|end| matches!(end.kind, EventKind::OrchestrationContinuedAsNew { .. })) {
            Some(continued) if continued == goes_on => {}
            Some(true) => wrong.push(format!("{of} goes on as new, and there is no next one")),
            Some(false) => wrong.push(format!("{of} ended, and there is a next one")),
            None => wrong.push(format!("{of} has no end")),
        }
    }
    wrong
}

pub(super) fn rows(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in evidence.stored.instances.values() {
        let last = evidence.histories.last_event(&row.id);
        let says = last.map(|(execution, event)| (execution, event.id.0 + 1));
        if says != Some((row.execution, row.next_event)) {
            wrong.push(format!("{row:?}, and in its history it is {says:?}"));
        }
    }
    wrong
}

fn completes(event: &Event) -> Option<EventId> {
    let is_completion = matches!(
        event.kind,
        EventKind::ActivityCompleted { .. }
            | EventKind::ActivityFailed { .. }
            | EventKind::TimerFired { .. }
            | EventKind::MailDelivered { .. }
            | EventKind::SubOrchestrationCompleted { .. }
            | EventKind::SubOrchestrationFailed { .. }
    );
    event.kind.source().filter(|_| is_completion)
}

pub(super) fn completed_once(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((id, number), execution) in &evidence.histories.executions {
        let mut completed = BTreeSet::new();
        for source in execution.events.iter().filter_map(completes) {
            if !completed.insert(source) {
                wrong.push(format!("`{id}`, execution {number}: {source} is completed twice"));
            }
        }
    }
    wrong
}

pub(super) fn timers(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((id, number), execution) in &evidence.histories.executions {
        let mut due = BTreeMap::new();
        for event in &execution.events {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the others are no timers")]
            match &event.kind {
                EventKind::TimerCreated { delay_ms, .. } => {
                    due.insert(event.id, event.at.0 + delay_ms);
                }
                EventKind::TimerFired { source, .. }
                    if due.get(source).is_none_or(|due| event.at.0 < *due) =>
                {
                    let at = event.at.0;
                    wrong.push(format!("`{id}`, execution {number}: {source} fired at {at}"));
                }
                _ => {}
            }
        }
    }
    wrong
}
