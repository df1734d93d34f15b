//! Work that is ready and that nobody holds: of one instance, for its status, and the names
//! of all of it, for nodes that look for work nobody can do.

use crate::state::{Activity, Instance, State};
use duroxide_core::TimeMs;
use duroxide_provider::{Unclaimed, UnclaimedName, UnclaimedNames, Work};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Since when the turn of an instance is ready and nobody holds it.
fn turn_since(row: &Instance, now: TimeMs) -> Option<TimeMs> {
    let lost_at = row.lease.as_ref().map_or(TimeMs(0), |lease| lease.until);
    row.ready_at().map(|at| at.max(lost_at)).filter(|at| *at <= now)
}

/// Since when an activity can be taken and nobody holds it.
fn activity_since(row: &Instance, activity: &Activity, now: TimeMs) -> Option<TimeMs> {
    let lost_at = activity.lease.as_ref().map_or(TimeMs(0), |lease| lease.until);
    activity.is_free(row, now).then_some(activity.visible_at.max(lost_at))
}

/// The oldest work of an instance that is ready and that nobody holds.
pub(crate) fn oldest(row: &Instance, now: TimeMs) -> Option<Unclaimed> {
    let first = row.last_commit.is_none();
    let mut found = Vec::new();
    found.extend(turn_since(row, now).map(|since| (since, Work::Turn { first })));
    for activity in row.activities.values() {
        let what = activity.what.clone();
        let work = Work::Activity { name: what.name, tag: what.tag, session: what.session };
        found.extend(activity_since(row, activity, now).map(|since| (since, work)));
    }
    let (since, work) = found.into_iter().min_by_key(|(since, _)| *since)?;
    Some(Unclaimed { work, since, age: Duration::from_millis(now.0.saturating_sub(since.0)) })
}

/// See [`Inspect::unclaimed`](duroxide_provider::Inspect::unclaimed).
pub(crate) fn names(state: &State) -> UnclaimedNames {
    UnclaimedNames {
        orchestrations: orchestrations(state),
        activities: activities(state),
        store_now: state.now,
    }
}

fn orchestrations(state: &State) -> Vec<UnclaimedName> {
    let mut oldest = BTreeMap::new();
    for row in state.instances.values() {
        if let Some(since) = turn_since(row, state.now) {
            note(&mut oldest, (row.name.clone(), row.version.clone()), since);
        }
    }
    let named = |((name, version), since)| UnclaimedName { name, version, since };
    oldest.into_iter().map(named).collect()
}

fn activities(state: &State) -> Vec<UnclaimedName> {
    let (mut held, mut youngest) = (BTreeSet::new(), BTreeMap::new());
    for (_, _, activity) in state.queue() {
        if let Some(lease) = activity.lease.as_ref().filter(|lease| lease.until > state.now) {
            held.insert(activity.what.name.clone());
            // In the order of the queue: what comes later is younger.
            youngest.insert((lease.handle, lease.node.name.clone()), activity.visible_at);
        }
    }
    let mut oldest = BTreeMap::new();
    for (_, row, activity) in state.queue() {
        if let Some(since) = activity_since(row, activity, state.now)
            && !waits_for_room(state, row, activity)
        {
            note(&mut oldest, activity.what.name.clone(), since);
        }
    }
    // A name of which one is held may merely wait for its turn; so may what is younger than
    // everything that some node holds.
    oldest.retain(|name, since| {
        !held.contains(name) && !youngest.values().any(|youngest| *youngest < *since)
    });
    let named = |(name, since)| UnclaimedName { name, version: None, since };
    oldest.into_iter().map(named).collect()
}

/// Whether it has a session that nobody owns, while some node owns as many as it may.
fn waits_for_room(state: &State, row: &Instance, activity: &Activity) -> bool {
    let Some(session) = &activity.what.session else { return false };
    let key = (row.key.namespace.clone(), session.clone());
    let is_owned = state.sessions.get(&key).is_some_and(|found| found.idle_until > state.now);
    let is_lost = activity.lease.is_some();
    state.is_some_node_full() && (is_lost || !is_owned)
}

fn note<K: Ord>(oldest: &mut BTreeMap<K, TimeMs>, name: K, since: TimeMs) {
    oldest.entry(name).and_modify(|first| *first = since.min(*first)).or_insert(since);
}
