//! Rules on what activities did outside: at least once for what is recorded, never for what is
//! not, and each attempt by one process.

use crate::chaos::evidence::{Cut, Evidence, SESSION_IDLE_MS};
use duroxide_core::{EventId, EventKind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// So long after a connection was lost, its process may be taken for dead.
const NOTICED_MS: u64 = 2_000;

/// Whether any of these moments can be why what was so at one time is not at another.
fn happened(at: u64, since: u64, until: u64) -> bool {
    (since.saturating_sub(NOTICED_MS)..=until).contains(&at)
}

/// Instance, execution, and the event that scheduled it.
type Key<'a> = (&'a str, u64, u64);

fn keys(evidence: &Evidence) -> BTreeSet<Key<'_>> {
    evidence.effects.iter().map(|it| (it.instance.as_str(), it.execution, it.event)).collect()
}

pub(super) fn done(evidence: &Evidence) -> Vec<String> {
    let effects = keys(evidence);
    let mut wrong = Vec::new();
    for (id, number, event) in evidence.histories.events() {
        let recorded = matches!(
            event.kind,
            EventKind::ActivityCompleted { .. } | EventKind::ActivityFailed { .. }
        );
        if let Some(source) = event.kind.source().filter(|_| recorded)
            && !effects.contains(&(id, number, source.0))
        {
            wrong.push(format!("`{id}`, execution {number}: nobody did {source}"));
        }
    }
    wrong
}

pub(super) fn scheduled(evidence: &Evidence) -> Vec<String> {
    let scheduled: BTreeSet<Key<'_>> = evidence
        .histories
        .events()
        .filter(|(_, _, event)| matches!(event.kind, EventKind::ActivityScheduled { .. }))
        .map(|(id, number, event)| (id, number, event.id.0))
        .collect();
    let stray = keys(evidence).into_iter().filter(|key| !scheduled.contains(key));
    stray.map(|(id, number, event)| format!("`{id}`, execution {number}: #{event}")).collect()
}

/// Leases do not wait for the disk: a server that stops at once may forget the last of them, with
/// the attempts that they counted.
pub(super) fn attempts(evidence: &Evidence) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut wrong = Vec::new();
    for effect in &evidence.effects {
        let attempt = (effect.instance.as_str(), effect.execution, effect.event, effect.attempt);
        let Some((before, since)) = seen.insert(attempt, (effect.pid, effect.at)) else {
            continue;
        };
        if !evidence.restarts.iter().any(|at| happened(*at, since, effect.at)) {
            let now = effect.pid;
            wrong.push(format!("{attempt:?}, in process {before} and in process {now}"));
        }
    }
    wrong
}

#[derive(Deserialize)]
struct Given {
    attempt: u64,
}

/// The attempt whose result or failure was recorded, `None` if it does not say, and the event that
/// scheduled it.
fn recorded(kind: &EventKind) -> Option<(EventId, Option<u64>)> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others end no activity")]
    match kind {
        EventKind::ActivityCompleted { source, result } => {
            let given = serde_json::from_slice::<Given>(result.bytes()).ok();
            Some((*source, given.map(|given| given.attempt)))
        }
        EventKind::ActivityFailed { source, failure } => {
            Some((*source, failure.attempt.map(u64::from)))
        }
        _ => None,
    }
}

/// Whoever lost its lease can complete nothing: no attempt after the one that was recorded has
/// done anything.
pub(super) fn last_attempt(evidence: &Evidence) -> Vec<String> {
    let mut last: BTreeMap<Key<'_>, u64> = BTreeMap::new();
    for effect in &evidence.effects {
        let key = (effect.instance.as_str(), effect.execution, effect.event);
        let attempt = last.entry(key).or_default();
        *attempt = effect.attempt.max(*attempt);
    }
    let mut wrong = Vec::new();
    for (id, number, event) in evidence.histories.events() {
        if let Some((source, attempt)) = recorded(&event.kind)
            && let Some(last) = last.get(&(id, number, source.0))
            && Some(*last) != attempt
        {
            let of = format!("`{id}`, execution {number}, {source}");
            wrong.push(format!("{of}: attempt {attempt:?} is recorded, {last} was the last"));
        }
    }
    wrong
}

/// A session moves when its process has died or has lost its connection, or when nothing of it ran
/// for a while.
pub(super) fn sessions(evidence: &Evidence) -> Vec<String> {
    let mut last: BTreeMap<&str, (u32, u64)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for effect in &evidence.effects {
        let Some(session) = &effect.session else { continue };
        let before = last.insert(session, (effect.pid, effect.at));
        let Some((pid, since)) = before.filter(|(pid, _)| *pid != effect.pid) else { continue };
        let died = evidence.deaths.get(&pid).is_some_and(|death| *death <= effect.at);
        let was_cut = evidence.cuts.iter().any(|Cut { at, pid: whose }| {
            whose.is_none_or(|whose| whose == pid) && happened(*at, since, effect.at)
        });
        let idled = effect.at.saturating_sub(since) >= SESSION_IDLE_MS;
        if !died && !was_cut && !idled {
            let now = effect.pid;
            wrong.push(format!("`{session}` moved from process {pid}, which lived, to {now}"));
        }
    }
    wrong
}
