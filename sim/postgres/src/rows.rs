//! Which rows a call locks, and in which order, as the functions of the real provider do:
//! requests, instances (the lower number first, so a parent before its child), completed
//! activities, children, names, other activities, sessions. All of it is looked up in the
//! state as it is committed; who waited looks again. Not here: leasing, which waits for no
//! row (`take`).
//!
//! One thing differs: a commit that claims activities of sessions waits for these sessions,
//! where the real one passes over those that another has its hands on.

use crate::locks::Row;
use duroxide_core::{End, TimeMs};
use duroxide_model::{Instance, State};
use duroxide_provider::{
    ActivityKey, CommitTurn, CompleteActivity, Held, Incarnation, InstanceKey, Release, Renew,
    Selection, Submission, Submit,
};
use std::collections::BTreeSet;

/// Of [`commit_turn`](duroxide_provider::Provider::commit_turn).
pub(crate) fn commit_turn(state: &State, request: &CommitTurn) -> Vec<Row> {
    let Some(row) = state.instances.get(&request.incarnation) else { return Vec::new() };
    let turn = &request.turn;
    let mut rows = Vec::new();
    if matches!(turn.end, Some(End::Completed { .. } | End::Failed { .. } | End::Terminated { .. }))
    {
        rows.extend(parent(state, row));
    }
    rows.push(Row::Instance(request.incarnation));
    let is_fenced = row.lease.as_ref().is_none_or(|lease| lease.id != request.lease);
    if is_fenced || row.last_commit != request.base {
        // Refused, or applied before: it needs no more.
        return rows;
    }
    let mut removed: BTreeSet<_> = request.completed.iter().map(|(key, _)| *key).collect();
    rows.extend(removed.iter().copied().map(Row::Activity));
    for (child, member) in children(state, request.incarnation, row) {
        if turn.end.is_some() || turn.sends.iter().any(|send| send.to == member.key.id) {
            rows.push(Row::Instance(child));
            rows.extend(ended(state, child, member));
        }
    }
    let namespace = &row.key.namespace;
    let names: BTreeSet<_> = turn.starts.iter().map(|start| start.instance.clone()).collect();
    let name = |id| Row::Name(InstanceKey { namespace: namespace.clone(), id });
    rows.extend(names.into_iter().map(name));
    let (incarnation, execution) = (request.incarnation, row.execution);
    let key = |event| ActivityKey { incarnation, execution, event };
    removed.extend(turn.cancelled_activities.iter().copied().map(key));
    if turn.end.is_some() {
        removed.extend(row.activities.keys().copied().map(key));
    }
    rows.extend(removed.iter().copied().map(Row::Activity));
    let claims = turn.activities.iter().filter(|_| request.claim.is_some());
    let claimed: Vec<_> = claims.filter_map(|what| what.session.clone()).collect();
    if !claimed.is_empty() {
        rows.push(Row::SessionsOf(request.node.name.clone()));
    }
    let mut sessions = sessions(state, &removed);
    sessions.extend(claimed.into_iter().map(|name| Row::Session(namespace.clone(), name)));
    rows.extend(sessions);
    rows
}

/// Of [`submit`](duroxide_provider::Provider::submit).
pub(crate) fn submit(state: &State, request: &Submit) -> Vec<Row> {
    let mut rows = vec![Row::Request(request.request)];
    if state.requests.contains_key(&request.request) {
        return rows;
    }
    match &request.what {
        Submission::Start { .. } => rows.push(Row::Name(request.key.clone())),
        Submission::Mail { .. } | Submission::Cancel { .. } => {
            rows.extend(
                find(state, &request.key).map(|(incarnation, _)| Row::Instance(incarnation)),
            );
        }
        Submission::Terminate { .. } => {
            if let Some((incarnation, row)) = find(state, &request.key) {
                // What is quarantined is ended here, and tells its parent.
                rows.extend(row.quarantine.as_ref().and_then(|_| parent(state, row)));
                rows.push(Row::Instance(incarnation));
                rows.extend(ended(state, incarnation, row));
            }
        }
    }
    rows
}

/// Of [`complete_activity`](duroxide_provider::Provider::complete_activity).
pub(crate) fn complete_activity(state: &State, request: &CompleteActivity) -> Vec<Row> {
    let key = request.activity;
    let mut rows = Vec::new();
    if state.instances.contains_key(&key.incarnation) {
        rows.extend([Row::Instance(key.incarnation), Row::Activity(key)]);
        rows.extend(sessions(state, &BTreeSet::from([key])));
    }
    rows
}

/// Of [`renew`](duroxide_provider::Provider::renew).
pub(crate) fn renew(state: &State, request: &Renew) -> Vec<Row> {
    named(state, &request.held, None)
}

/// Of [`release`](duroxide_provider::Provider::release).
pub(crate) fn release(state: &State, request: &Release) -> Vec<Row> {
    named(state, &request.held, Some(request))
}

fn named(state: &State, held: &[Held], release: Option<&Release>) -> Vec<Row> {
    let (mut instances, mut activities) = (BTreeSet::new(), BTreeSet::new());
    for held in held {
        match held {
            Held::Instance { incarnation, .. } => {
                instances.insert(*incarnation);
            }
            Held::Activity { activity, .. } => {
                activities.insert(*activity);
            }
        }
    }
    if let Some((incarnation, commit)) = release.and_then(|release| release.commit) {
        instances.insert(incarnation);
        if let Some(row) = state.instances.get(&incarnation)
            && row.last_commit == Some(commit)
        {
            let claimed = activities_of(incarnation, row).filter(|key| {
                let lease = row.activities.get(&key.event).and_then(|one| one.lease.as_ref());
                lease.is_some_and(|lease| lease.id == commit.claim_lease())
            });
            activities.extend(claimed);
        }
    }
    instances.retain(|incarnation| state.instances.contains_key(incarnation));
    let sessions = sessions(state, &activities);
    let instances = instances.into_iter().map(Row::Instance);
    instances.chain(activities.into_iter().map(Row::Activity)).chain(sessions).collect()
}

/// Of [`delete`](duroxide_provider::Inspect::delete).
pub(crate) fn delete(state: &State, key: &InstanceKey) -> Vec<Row> {
    trees(state, &find(state, key).map(|(incarnation, _)| incarnation).into_iter().collect())
}

/// Of [`delete_many`](duroxide_provider::Inspect::delete_many).
pub(crate) fn delete_many(state: &State, selection: &Selection) -> Vec<Row> {
    let is_old = |at: Option<TimeMs>| {
        selection.completed_before.is_none_or(|before| at.is_some_and(|at| at < before))
    };
    let selected = state.instances.iter().filter(|(_, row)| {
        row.parent.is_none()
            && !is_running(row)
            && row.key.namespace == selection.namespace
            && selection.ids.as_ref().is_none_or(|ids| ids.contains(&row.key.id))
            && is_old(row.executions.get(&row.execution).and_then(|last| last.ended_at))
    });
    let limit = selection.limit.map_or(usize::MAX, |limit| limit as usize);
    trees(state, &selected.map(|(incarnation, _)| *incarnation).take(limit).collect())
}

/// Whole trees: their instances, then their activities.
fn trees(state: &State, roots: &BTreeSet<Incarnation>) -> Vec<Row> {
    let members = || state.instances.iter().filter(|(_, row)| roots.contains(&row.root));
    let activities = members().flat_map(|(incarnation, row)| activities_of(*incarnation, row));
    members().map(|(id, _)| Row::Instance(*id)).chain(activities.map(Row::Activity)).collect()
}

/// The instance of this name.
pub(crate) fn find<'a>(state: &'a State, key: &InstanceKey) -> Option<(Incarnation, &'a Instance)> {
    // Ids differ, namespaces hardly ever do.
    let is_it = |row: &Instance| row.key.id == key.id && row.key.namespace == key.namespace;
    state.instances.iter().find(|(_, row)| is_it(row)).map(|(id, row)| (*id, row))
}

fn is_running(row: &Instance) -> bool {
    row.executions.get(&row.execution).is_some_and(|current| !current.state.is_terminal())
}

fn parent(state: &State, row: &Instance) -> Option<Row> {
    let parent = row.parent.as_ref()?.incarnation;
    state.instances.contains_key(&parent).then_some(Row::Instance(parent))
}

/// The children that the current execution waits for, in the order of their numbers.
fn children<'a>(
    state: &'a State,
    parent: Incarnation,
    row: &'a Instance,
) -> impl Iterator<Item = (Incarnation, &'a Instance)> {
    let is_its = move |child: &Instance| {
        child
            .parent
            .as_ref()
            .is_some_and(|link| link.incarnation == parent && link.execution == row.execution)
    };
    let children = state.instances.iter();
    children.filter(move |(_, row)| is_its(row) && is_running(row)).map(|(id, row)| (*id, row))
}

/// What is locked besides its own row when an instance is ended without its code, as one is
/// that was set aside.
fn ended(state: &State, incarnation: Incarnation, row: &Instance) -> Vec<Row> {
    let mut rows = Vec::new();
    if row.quarantine.is_none() {
        return rows;
    }
    for (child, member) in children(state, incarnation, row) {
        rows.push(Row::Instance(child));
        rows.extend(ended(state, child, member));
    }
    let removed: BTreeSet<_> = activities_of(incarnation, row).collect();
    let sessions = sessions(state, &removed);
    rows.extend(removed.into_iter().map(Row::Activity));
    rows.extend(sessions);
    rows
}

fn activities_of(incarnation: Incarnation, row: &Instance) -> impl Iterator<Item = ActivityKey> {
    let execution = row.execution;
    row.activities.keys().map(move |event| ActivityKey { incarnation, execution, event: *event })
}

/// The sessions of these activities, as far as they are there.
fn sessions(state: &State, activities: &BTreeSet<ActivityKey>) -> BTreeSet<Row> {
    let session = |key: &ActivityKey| {
        let row = state.instances.get(&key.incarnation)?;
        let name = row.activities.get(&key.event)?.what.session.clone()?;
        Some(Row::Session(row.key.namespace.clone(), name))
    };
    activities.iter().filter_map(session).collect()
}
