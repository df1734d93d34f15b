//! What a store with a fault does to its state around a commit, besides what it is asked.

#![expect(clippy::wildcard_enum_match_arm, reason = "each step has its few faults of many")]

use crate::fault::Fault;
use crate::faulty::Faulty;
use duroxide_core::{
    ArrivalBody, ArrivalId, ChildRequest, End, ExecutionId, KvChange, Payload, TimeMs,
};
use duroxide_model::{Instance, Message, State};
use duroxide_provider::{
    ActivityKey, CommitTurn, Incarnation, InstanceState, LeasedActivity, Namespace,
};
use std::collections::BTreeSet;

/// Later than any check lasts.
const FAR: TimeMs = TimeMs(1 << 50);

fn put(state: &mut State, to: Incarnation, body: ArrivalBody) {
    state.sequence += 1;
    let (id, visible_at) = (ArrivalId(state.sequence), state.now);
    if let Some(row) = state.instances.get_mut(&to) {
        let (seen, told, damaged) = (false, false, false);
        row.inbox.insert(id, Message { visible_at, seen, told, body, damaged });
    }
}

fn is_over(row: &Instance) -> bool {
    row.executions.get(&row.execution).is_some_and(|one| one.state != InstanceState::Running)
}

impl Faulty {
    pub(crate) fn before_a_commit(&self, request: &CommitTurn) {
        let Some(fault) = self.fault.filter(|_| request.claim.is_some()) else { return };
        self.edit(|state| match fault {
            Fault::ClaimsPastSessions => state.sessions.clear(),
            Fault::ClaimsAheadOfOlderWork => {
                let older =
                    state.instances.values_mut().flat_map(|row| row.activities.values_mut());
                older.for_each(|activity| activity.visible_at.0 += FAR.0);
            }
            _ => {}
        });
    }

    /// `row` is how the instance was before.
    pub(crate) fn after_a_commit(
        &self,
        request: &CommitTurn,
        row: Option<&Instance>,
        applied: bool,
        again: bool,
    ) {
        let (Some(fault), Some(before)) = (self.fault, row) else { return };
        if again {
            self.edit(|state| after_a_repeated_one(fault, state, request, before));
        } else if applied {
            self.edit(|state| {
                after_any(fault, state, request, before);
                after_its_records(fault, state, request, before);
                after_its_family(fault, state, request, before);
                after_an_end(fault, state, request, before);
            });
            self.leave_behind(fault, request, before);
        } else {
            self.edit(|state| after_a_refusal(fault, state, request));
        }
        if fault == Fault::ClaimsAheadOfOlderWork && request.claim.is_some() {
            self.edit(|state| {
                let all = state.instances.values_mut().flat_map(|row| row.activities.values_mut());
                for activity in all.filter(|activity| activity.visible_at >= FAR) {
                    activity.visible_at.0 -= FAR.0;
                }
            });
        }
    }

    /// Activities that go on though their instance has failed.
    fn leave_behind(&self, fault: Fault, request: &CommitTurn, before: &Instance) {
        let failed = matches!(request.turn.end, Some(End::Failed { .. } | End::Terminated { .. }));
        if fault != Fault::KeepsActivitiesOfTheFailed || !failed {
            return;
        }
        let left = before.activities.iter().map(|(event, activity)| LeasedActivity {
            activity: ActivityKey {
                incarnation: request.incarnation,
                execution: before.execution,
                event: *event,
            },
            key: before.key.clone(),
            orchestration: before.name.clone(),
            version: before.version.clone().unwrap_or_default(),
            name: activity.what.name.clone(),
            input: activity.what.input.clone(),
            session: activity.what.session.clone(),
            tag: activity.what.tag.clone(),
            headers: activity.what.headers.clone(),
            attempt: 1,
            ready_at: activity.visible_at,
        });
        self.memory().left_behind.extend(left);
    }
}

fn after_a_repeated_one(fault: Fault, state: &mut State, request: &CommitTurn, before: &Instance) {
    if let (Fault::TellsTheParentAgain, Some(End::Completed { output }), Some(link)) =
        (fault, &request.turn.end, &before.parent)
    {
        let outcome = Ok(output.clone());
        put(state, link.incarnation, ArrivalBody::ChildDone { source: link.event, outcome });
    }
}

fn after_a_refusal(fault: Fault, state: &mut State, request: &CommitTurn) {
    let Some(row) = state.instances.get_mut(&request.incarnation) else { return };
    match fault {
        Fault::KeepsEffectsOfARefusedCommit => {
            if let Some(change) = &request.turn.status {
                row.status.clone_from(&change.status);
                row.status_version += 1;
            }
            row.waiting = request.turn.waiting.clone().or(row.waiting.take());
        }
        Fault::FreesTheInstanceOnRefusal => row.lease = None,
        Fault::ForgivesOnRefusal => row.attempt = 0,
        _ => {}
    }
}

/// Leases, attempts, activities, timers.
fn after_any(fault: Fault, state: &mut State, request: &CommitTurn, before: &Instance) {
    let claim = request.commit_id.claim_lease();
    match fault {
        Fault::CancelsInOtherInstances => {
            for row in state.instances.values_mut() {
                row.activities
                    .retain(|event, _| !request.turn.cancelled_activities.contains(event));
            }
        }
        Fault::EndsSessionsWithTheExecution if request.turn.end.is_some() => {
            state.sessions.clear();
        }
        _ => {}
    }
    let Some(row) = state.instances.get_mut(&request.incarnation) else { return };
    match fault {
        Fault::KeepsFusedActivities => {
            for (activity, _) in &request.completed {
                if let Some(kept) = before.activities.get(&activity.event) {
                    let kept = duroxide_model::Activity { lease: None, ..kept.clone() };
                    row.activities.insert(activity.event, kept);
                }
            }
        }
        Fault::KeepsAttemptsAfterACommit => row.attempt = before.attempt,
        Fault::ClaimsWithoutAnAttempt => {
            let is_claimed = |activity: &&mut duroxide_model::Activity| {
                activity.lease.as_ref().is_some_and(|lease| lease.id == claim)
            };
            row.activities.values_mut().filter(is_claimed).for_each(|one| one.attempt = 0);
        }
        Fault::ClaimsUnderNoTerm => {
            let leases = row.activities.values_mut().filter_map(|one| one.lease.as_mut());
            leases.filter(|lease| lease.id == claim).for_each(|lease| lease.term = 0);
        }
        _ => {}
    }
}

/// Status, keys, phrases.
fn after_its_records(fault: Fault, state: &mut State, request: &CommitTurn, before: &Instance) {
    let clears_all = request.turn.kv.contains(&KvChange::ClearAll);
    if fault == Fault::ClearsKeysOfOthers && clears_all {
        state.instances.values_mut().for_each(|row| row.kv.clear());
    }
    let Some(row) = state.instances.get_mut(&request.incarnation) else { return };
    let continued = row.execution != before.execution;
    match fault {
        Fault::CountsOnlyChangesOfStatus if row.status == before.status => {
            row.status_version = before.status_version;
        }
        Fault::ClearsTheStatusAtTheEnd if is_over(row) => row.status = None,
        Fault::CountsStatusAnewOnContinue if continued => row.status_version = 0,
        Fault::KeepsOldPhrases if row.waiting.is_none() => {
            row.waiting.clone_from(&before.waiting);
        }
        Fault::ClearsKeysAtTheEnd if is_over(row) => row.kv.clear(),
        Fault::TakesTheLastExecutionForTheBase if continued => {
            let set = request.turn.kv.iter().filter_map(|change| match change {
                KvChange::Set { key, .. } => Some(key.clone()),
                _ => None,
            });
            let set: BTreeSet<_> = set.collect();
            row.kv_base.retain(|key, _| set.contains(key));
        }
        Fault::WatchesNoValues if row.status == before.status && !continued && !is_over(row) => {
            row.revision = before.revision;
        }
        _ => {}
    }
}

/// Parents and children.
fn after_its_family(fault: Fault, state: &mut State, request: &CommitTurn, before: &Instance) {
    let continued = matches!(request.turn.end, Some(End::ContinuedAsNew { .. }));
    let link = before.parent.clone();
    match (fault, link, &request.turn.end) {
        (Fault::ForgetsTheParentOnFailure, Some(link), Some(End::Failed { .. })) => {
            if let Some(parent) = state.instances.get_mut(&link.incarnation) {
                parent.inbox.retain(|_, message| {
                    !matches!(&message.body, ArrivalBody::ChildDone { source, .. } if *source == link.event)
                });
            }
        }
        (Fault::TellsTheParentOfEachExecution, Some(link), _) if continued => {
            let outcome = Ok(Payload::null());
            put(state, link.incarnation, ArrivalBody::ChildDone { source: link.event, outcome });
        }
        (Fault::TellsAFormerExecution, Some(link), Some(End::Completed { output })) => {
            let outcome = Ok(output.clone());
            let parent = state.instances.get(&link.incarnation);
            if parent.is_some_and(|parent| parent.execution != link.execution || is_over(parent)) {
                let done = ArrivalBody::ChildDone { source: link.event, outcome };
                put(state, link.incarnation, done);
            }
        }
        _ => {}
    }
    after_its_children(fault, state, request);
    let Some(row) = state.instances.get_mut(&request.incarnation) else { return };
    match fault {
        Fault::ForgetsTheParentOnContinue if continued => {
            row.parent = None;
            for message in row.inbox.values_mut() {
                if let ArrivalBody::Start { parent, .. } = &mut message.body {
                    *parent = None;
                }
            }
        }
        Fault::RefusesChildrenQuietly if !request.turn.starts.is_empty() => {
            row.inbox.retain(|_, message| {
                !matches!(message.body, ArrivalBody::ChildDone { outcome: Err(_), .. })
            });
        }
        _ => {}
    }
}

fn after_its_children(fault: Fault, state: &mut State, request: &CommitTurn) {
    let parent = request.incarnation;
    let Some(key) = state.instances.get(&parent).map(|row| row.key.clone()) else { return };
    let starts = request.turn.starts.iter().filter(|start| !start.detached);
    match fault {
        Fault::PutsChildrenElsewhere => {
            let ids: BTreeSet<_> = request.turn.starts.iter().map(|s| s.instance.clone()).collect();
            for row in state.instances.values_mut().filter(|row| ids.contains(&row.key.id)) {
                row.key.namespace = Namespace::default();
            }
        }
        Fault::AdoptsWhoIsThere => {
            for start in starts {
                let execution = request.turn.execution;
                let (id, event) = (key.id.clone(), start.event);
                let link = duroxide_model::ParentLink { incarnation: parent, id, execution, event };
                let is_it = |row: &&mut Instance| row.key.id == start.instance;
                state.instances.values_mut().filter(is_it).for_each(|row| {
                    row.parent = Some(link.clone());
                });
            }
        }
        Fault::LetsChildrenRunOn => {
            for row in state.instances.values_mut() {
                row.inbox.retain(|_, message| {
                    !matches!(message.body, ArrivalBody::Cancel { from_parent: true, .. })
                });
            }
        }
        Fault::TellsAnyInstanceOfThatId => {
            for send in &request.turn.sends {
                let found = state.instances.iter().find(|(_, row)| row.key.id == send.to);
                let Some((to, false)) = found.map(|(to, row)| (*to, is_over(row))) else {
                    continue;
                };
                let reason = "parent".to_owned();
                let body = match send.what {
                    ChildRequest::Cancel => ArrivalBody::Cancel { reason, from_parent: true },
                    ChildRequest::Terminate => ArrivalBody::Terminate { reason },
                };
                put(state, to, body);
            }
        }
        _ => {}
    }
}

/// What an end leaves, and what continue-as-new takes along.
fn after_an_end(fault: Fault, state: &mut State, request: &CommitTurn, before: &Instance) {
    let Some(row) = state.instances.get_mut(&request.incarnation) else { return };
    let is_timer = |body: &ArrivalBody| matches!(body, ArrivalBody::TimerDue { .. });
    let is_done = |body: &ArrivalBody| matches!(body, ArrivalBody::ActivityDone { .. });
    let taken = |id: &ArrivalId| request.turn.consumed.contains(id);
    let mut keep = |of: &dyn Fn(&ArrivalBody) -> bool| {
        for (id, message) in before.inbox.iter().filter(|(id, m)| of(&m.body) && !taken(id)) {
            row.inbox.insert(*id, message.clone());
        }
    };
    match (fault, &request.turn.end) {
        (Fault::KeepsTimersOfTheEnded, Some(End::Completed { .. }))
        | (Fault::CarriesTimersOver, Some(End::ContinuedAsNew { .. })) => keep(&is_timer),
        (Fault::CarriesCompletionsOver, Some(End::ContinuedAsNew { .. })) => keep(&is_done),
        _ => {}
    }
    if !matches!(request.turn.end, Some(End::ContinuedAsNew { .. })) {
        return;
    }
    match fault {
        Fault::CarriesActivitiesOver => row.activities.clone_from(&before.activities),
        Fault::CarriesAHundredOver => {
            let mail = |message: &Message| matches!(message.body, ArrivalBody::Mail { .. });
            let beyond: Vec<_> = row.inbox.iter().filter(|(_, message)| mail(message)).collect();
            let beyond: Vec<_> = beyond.into_iter().map(|(id, _)| *id).skip(100).collect();
            row.inbox.retain(|id, _| !beyond.contains(id));
        }
        Fault::DropsCancelsOnContinue => {
            row.inbox.retain(|_, message| !matches!(message.body, ArrivalBody::Cancel { .. }));
        }
        Fault::StartsTheNextExecutionLate => {
            for message in row.inbox.values_mut() {
                if matches!(message.body, ArrivalBody::Start { .. }) {
                    message.visible_at = message.visible_at.plus(5);
                }
            }
        }
        Fault::ListsTheCurrentExecutionOnly => {
            let current: ExecutionId = row.execution;
            row.executions.retain(|execution, _| *execution == current);
        }
        _ => {}
    }
}
