//! Handing leases back, and giving up commits. Touches only what is named.

use crate::rows::is_under;
use crate::state::{Instance, State, later};
use duroxide_core::TimeMs;
use duroxide_provider::{ActivityKey, CommitId, Held, Incarnation, LeaseId, Release};

/// See [`Provider::release`](duroxide_provider::Provider::release).
pub(crate) fn release(state: &mut State, request: &Release) {
    for held in &request.held {
        match held {
            Held::Instance { incarnation, lease } => {
                instance(state, request, *incarnation, *lease);
            }
            Held::Activity { activity, lease } => one_activity(state, request, activity, *lease),
        }
    }
    if let Some((incarnation, commit)) = request.commit {
        give_up(state, request, incarnation, commit);
    }
}

fn instance(state: &mut State, request: &Release, incarnation: Incarnation, lease: LeaseId) {
    let now = state.now;
    let Some(row) = state.instances.get_mut(&incarnation) else { return };
    if row.offer == Some(lease) {
        // The news it was offered by that call did not reach it.
        row.offer = None;
        row.inbox.values_mut().for_each(|message| message.told = false);
    }
    if is_under(row.lease.as_ref(), lease) {
        free(row, request, now);
    }
}

fn free(row: &mut Instance, request: &Release, now: TimeMs) {
    row.lease = None;
    row.kept = false;
    row.offer = None;
    row.not_before = later(now, request.delay);
    row.attempt = row.attempt.saturating_sub(u32::from(request.refund));
}

fn one_activity(state: &mut State, request: &Release, key: &ActivityKey, lease: LeaseId) {
    let now = state.now;
    let Some((row, _)) = state.activity(key) else { return };
    let namespace = row.key.namespace.clone();
    let Some(activity) = state.activity_mut(key) else { return };
    if !is_under(activity.lease.as_ref(), lease) {
        return;
    }
    activity.lease = None;
    activity.attempt = activity.attempt.saturating_sub(u32::from(request.refund));
    // Without a delay it keeps its place in the queue.
    if !request.delay.is_zero() {
        activity.visible_at = activity.visible_at.max(later(now, request.delay));
    }
    if let Some(name) = activity.what.session.clone() {
        state.session_used(&(namespace, name));
    }
}

/// If the commit was applied, release what it claimed and kept; else see to it that it
/// never is.
fn give_up(state: &mut State, request: &Release, incarnation: Incarnation, commit: CommitId) {
    let now = state.now;
    let Some(row) = state.instances.get_mut(&incarnation) else { return };
    if row.last_commit != Some(commit) {
        row.abandoned.insert(commit);
        return;
    }
    if row.kept && row.lease.is_some() {
        free(row, request, now);
    }
    let execution = row.execution;
    for event in row.activities.keys().copied().collect::<Vec<_>>() {
        let key = ActivityKey { incarnation, execution, event };
        one_activity(state, request, &key, commit.claim_lease());
    }
}
