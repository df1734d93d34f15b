//! Rules on instances: that those exist that were asked for, and end as they must.

use crate::chaos::{Counted, End, Evidence};
use duroxide_core::{EventKind, Payload};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn expected(evidence: &Evidence) -> BTreeMap<&str, &End> {
    let mut ends = BTreeMap::new();
    for order in &evidence.orders {
        ends.insert(order.id.as_str(), &order.ends);
        ends.extend(order.others.iter().map(|(id, end)| (id.as_str(), end)));
    }
    ends
}

fn json(payload: &Payload) -> Value {
    let text = payload.as_json().and_then(|text| serde_json::from_str(text).ok());
    text.unwrap_or_else(|| Value::String(format!("{payload:?}")))
}

/// How an instance ended, by the last event of its history.
fn end_of(evidence: &Evidence, id: &str) -> Option<End> {
    let (_, last) = evidence.histories.last_event(id)?;
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are no ends")]
    match &last.kind {
        EventKind::OrchestrationCompleted { output } => {
            Some(End::Completed { output: json(output) })
        }
        EventKind::OrchestrationFailed { failure, .. } => {
            Some(End::Failed { error: failure.message.clone() })
        }
        EventKind::OrchestrationTerminated { reason } => {
            Some(End::Terminated { error: reason.clone() })
        }
        _ => None,
    }
}

pub(super) fn ends(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, wanted) in expected(evidence) {
        let got = end_of(evidence, id);
        if got.as_ref() != Some(wanted) {
            wrong.push(format!("`{id}` must end with {wanted:?}, and has {got:?}"));
        }
    }
    let running = evidence.stored.instances.values().filter(|instance| instance.running);
    wrong.extend(running.map(|instance| format!("`{}` has not ended", instance.id)));
    wrong
}

pub(super) fn ordered(evidence: &Evidence) -> Vec<String> {
    let (wanted, orders) = (evidence.wanted, evidence.orders.len() as u64);
    let lacking = (wanted != orders).then(|| format!("{orders} orders, and not {wanted}"));
    lacking.into_iter().collect()
}

pub(super) fn told(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for instance in evidence.stored.instances.values() {
        let (told, ended) = (evidence.told.ends.get(&instance.id), end_of(evidence, &instance.id));
        if told != Some(&ended) {
            wrong.push(format!("`{}` ended with {ended:?}, a client hears {told:?}", instance.id));
        }
    }
    wrong
}

pub(super) fn counted(evidence: &Evidence) -> Vec<String> {
    let there = Counted {
        instances: evidence.stored.instances.len() as u64,
        running: 0,
        executions: evidence.histories.executions.len() as u64,
        events: evidence.histories.events().count() as u64,
        waiting: 0,
    };
    let told = evidence.told.counted;
    let wrong = (told != there).then(|| format!("there are {there:?}, and it counts {told:?}"));
    wrong.into_iter().collect()
}

/// Children and detached ones that some history says were started.
fn started(evidence: &Evidence) -> BTreeSet<&str> {
    let mut ids = BTreeSet::new();
    for (_, _, event) in evidence.histories.events() {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others start nobody")]
        match &event.kind {
            EventKind::SubOrchestrationScheduled { instance, .. }
            | EventKind::OrchestrationChained { instance, .. } => {
                ids.insert(instance.as_str());
            }
            _ => {}
        }
    }
    ids
}

pub(super) fn unasked(evidence: &Evidence) -> Vec<String> {
    let (expected, started) = (expected(evidence), started(evidence));
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for instance in evidence.stored.instances.values() {
        let id = instance.id.as_str();
        if !expected.contains_key(id) && !started.contains(id) {
            wrong.push(format!("nobody asked for `{id}`"));
        }
        if !seen.insert(id) {
            wrong.push(format!("there are two of `{id}`"));
        }
    }
    wrong
}

pub(super) fn missing(evidence: &Evidence) -> Vec<String> {
    let there: BTreeSet<_> =
        evidence.stored.instances.values().map(|instance| instance.id.as_str()).collect();
    let mut wanted = started(evidence);
    wanted.extend(expected(evidence).keys());
    wanted.difference(&there).map(|id| format!("`{id}` does not exist")).collect()
}

pub(super) fn parents(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((id, number), execution) in &evidence.histories.executions {
        let mut children = BTreeMap::new();
        for event in &execution.events {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the others are about no child")]
            let (source, told) = match &event.kind {
                EventKind::SubOrchestrationScheduled { instance, .. } => {
                    children.insert(event.id, instance.as_str());
                    continue;
                }
                EventKind::SubOrchestrationCompleted { source, result } => {
                    (source, End::Completed { output: json(result) })
                }
                EventKind::SubOrchestrationFailed { source, failure } => {
                    (source, End::Failed { error: failure.message.clone() })
                }
                _ => continue,
            };
            let child = children.get(source).copied().unwrap_or_default();
            let ended = match end_of(evidence, child) {
                // A parent hears of it as of a failure.
                Some(End::Terminated { error }) => Some(End::Failed { error }),
                other => other,
            };
            if ended.as_ref() != Some(&told) {
                wrong.push(format!(
                    "`{id}`, execution {number}: `{child}` ended with {ended:?}, it heard {told:?}"
                ));
            }
        }
    }
    wrong
}
