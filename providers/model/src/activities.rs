//! Activities: handing out what is queued, taking completions, removing what is done or
//! cancelled. Not here: the claims that commits make of what they schedule.

use crate::fault::Fault;
use crate::rows::is_under;
use crate::sessions::Claimant;
use crate::state::{Lease, State, later};
use duroxide_core::{ArrivalBody, EventId, ExecutionId, NewActivity, TimeMs};
use duroxide_provider::{
    ActivityFate, ActivityFilter, ActivityKey, CompleteActivity, Incarnation, LeaseActivities,
    LeasedActivities, LeasedActivity, NodeId,
};
use std::collections::BTreeSet;

/// See [`Provider::lease_activities`](duroxide_provider::Provider::lease_activities).
pub(crate) fn lease_activities(state: &mut State, request: &LeaseActivities) -> LeasedActivities {
    let wake_seq = state.wake_seq;
    let mut activities = Vec::new();
    let queue = state.queue();
    let given_before: Vec<_> = queue
        .iter()
        .filter(|(_, _, activity)| is_under(activity.lease.as_ref(), request.lease))
        .map(|(key, _, _)| *key)
        .collect();
    // What nobody holds any longer first, it is the older; then what waits, oldest first.
    let mut free: Vec<_> = queue
        .iter()
        .filter(|(_, row, activity)| activity.is_free(row, state.now))
        .map(|(key, _, activity)| (activity.lease.is_none(), *key))
        .collect();
    free.sort_by_key(|(waits, _)| *waits);
    for key in &given_before {
        activities.extend(give(state, key));
    }
    if activities.is_empty() {
        for (_, key) in free {
            if activities.len() < request.max && take(state, request, &key) {
                // What turns out to be undecodable leaves room for others.
                activities.extend(give(state, &key));
            }
        }
    }
    // In the order of the queue, whichever were chosen first.
    activities.sort_by_key(|leased: &LeasedActivity| leased.ready_at);
    LeasedActivities { activities, wake_seq, store_now: state.now }
}

/// Give the caller the lease, if the activity is for it; counts the attempt.
fn take(state: &mut State, request: &LeaseActivities, key: &ActivityKey) -> bool {
    let until = later(state.now, request.duration);
    let Some((row, activity)) = state.activity(key) else { return false };
    if !activity.is_free(row, state.now) {
        return false;
    }
    let what = activity.what.clone();
    let wanted = (key.incarnation, &what);
    let Some(term) = may_take(state, wanted, &request.filter, &request.node, until) else {
        return false;
    };
    let lease = Lease { term, ..state.lease(request.lease, &request.node, request.duration) };
    if let Some(activity) = state.activity_mut(key) {
        activity.lease = Some(lease);
        activity.attempt += 1;
    }
    true
}

/// Whether a node may have an activity, by name, tag and session; makes it the owner of the
/// session, and gives the term of that; 0 without a session.
pub(crate) fn may_take(
    state: &mut State,
    (incarnation, what): (Incarnation, &NewActivity),
    filter: &ActivityFilter,
    node: &NodeId,
    lease_until: TimeMs,
) -> Option<u64> {
    if !filter.names.contains(&what.name) || !filter.tags.admits(what.tag.as_deref()) {
        return None;
    }
    let Some(session) = &what.session else { return Some(0) };
    let row = state.instances.get(&incarnation)?;
    let session = (row.key.namespace.clone(), session.clone());
    let claimant = Claimant { node, limits: &filter.sessions, lease_until };
    state.claim_session(session, &claimant)
}

/// The activity as the caller gets it; `None` if it cannot be decoded: then its instance is
/// quarantined, and the others go on.
fn give(state: &mut State, key: &ActivityKey) -> Option<LeasedActivity> {
    let (row, activity) = state.activity(key)?;
    if activity.damaged {
        let message = format!("headers of activity {}: cannot be decoded", key.event);
        let fault = Fault::Corrupt { what: row.key.to_string(), message };
        state.quarantine(key.incarnation, &fault);
        return None;
    }
    let NewActivity { event: _, name, input, session, tag, headers } = activity.what.clone();
    Some(LeasedActivity {
        activity: *key,
        key: row.key.clone(),
        orchestration: row.name.clone(),
        version: row.version.clone().unwrap_or_default(),
        name,
        input,
        session,
        tag,
        headers,
        attempt: activity.attempt,
        ready_at: activity.visible_at,
    })
}

/// See [`Provider::complete_activity`](duroxide_provider::Provider::complete_activity).
pub(crate) fn complete_activity(state: &mut State, request: &CompleteActivity) -> ActivityFate {
    let key = &request.activity;
    let Some((_, activity)) = state.activity(key) else { return ActivityFate::Gone };
    if !is_under(activity.lease.as_ref(), request.lease) {
        return ActivityFate::LeaseLost;
    }
    remove(state, key);
    let (source, outcome) = (key.event, request.outcome.clone());
    let done = ArrivalBody::ActivityDone { source, outcome };
    state.put(key.incarnation, done);
    ActivityFate::Applied
}

/// Remove an activity. Gives whether someone held it.
pub(crate) fn remove(state: &mut State, key: &ActivityKey) -> bool {
    let Some((row, activity)) = state.activity(key) else { return false };
    let held = activity.lease.is_some();
    let session = activity.what.session.clone().map(|name| (row.key.namespace.clone(), name));
    if let Some(row) = state.instances.get_mut(&key.incarnation) {
        row.activities.remove(&key.event);
    }
    if let Some(session) = session {
        state.session_used(&session);
    }
    held
}

/// Remove an activity whose result nobody wants; whoever runs it is told.
pub(crate) fn cancel(
    state: &mut State,
    incarnation: Incarnation,
    execution: ExecutionId,
    event: EventId,
) {
    if remove(state, &ActivityKey { incarnation, execution, event }) {
        state.announce();
    }
}

/// Name, tag and session: work of one kind.
pub(crate) type Kind = (String, Option<String>, Option<String>);

/// The kind of an activity.
pub(crate) fn kind(what: &NewActivity) -> Kind {
    (what.name.clone(), what.tag.clone(), what.session.clone())
}

/// The kinds of which some waits that nobody has begun: it goes before what is scheduled now.
pub(crate) fn waiting_kinds(state: &State) -> BTreeSet<Kind> {
    let queue = state.queue().into_iter();
    let waiting = queue
        .filter(|(_, row, activity)| activity.lease.is_none() && activity.is_free(row, state.now));
    waiting.map(|(_, _, activity)| kind(&activity.what)).collect()
}
