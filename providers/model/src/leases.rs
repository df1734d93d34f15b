//! Prolonging leases, and letting those of a handle run out that is closed. Not here:
//! handing them back (`release`).

use crate::rows::is_under;
use crate::state::{State, later};
use duroxide_core::TimeMs;
use duroxide_provider::{ActivityKey, Held, Incarnation, LeaseId, LeaseState, Renew};

/// See [`Provider::renew`](duroxide_provider::Provider::renew).
pub(crate) fn renew(state: &mut State, request: &Renew) -> Vec<LeaseState> {
    let until = later(state.now, request.duration);
    let mut states = Vec::with_capacity(request.held.len());
    for held in &request.held {
        states.push(match held {
            Held::Instance { incarnation, lease } => instance(state, *incarnation, *lease, until),
            Held::Activity { activity, lease } => one_activity(state, activity, *lease, until),
        });
    }
    states
}

fn instance(state: &mut State, incarnation: Incarnation, id: LeaseId, until: TimeMs) -> LeaseState {
    let handle = state.handle;
    let Some(row) = state.instances.get_mut(&incarnation) else { return LeaseState::Lost };
    match row.lease.as_mut().filter(|lease| lease.id == id) {
        None => LeaseState::Lost,
        Some(lease) => {
            (lease.until, lease.handle) = (until, handle);
            // The holder may not have got the answer that told it.
            row.inbox.values_mut().for_each(|message| message.told = false);
            LeaseState::Held
        }
    }
}

fn one_activity(state: &mut State, key: &ActivityKey, id: LeaseId, until: TimeMs) -> LeaseState {
    let handle = state.handle;
    let Some((row, activity)) = state.activity(key) else {
        // Removed: cancelled, or with its instance. (Or done by whoever took it over, to
        // whom nothing is lost by stopping.)
        return LeaseState::CancelRequested;
    };
    if !is_under(activity.lease.as_ref(), id) {
        return LeaseState::Lost;
    }
    let session = activity.what.session.clone().map(|name| (row.key.namespace.clone(), name));
    if let Some(session) = session {
        state.prolong_session(&session, until);
    }
    if let Some(lease) = state.activity_mut(key).and_then(|activity| activity.lease.as_mut()) {
        (lease.until, lease.handle) = (until, handle);
    }
    LeaseState::Held
}

/// The handle is closed: what its nodes hold may be taken over at once, and is theirs until
/// then.
pub(crate) fn bury(state: &mut State) {
    let (now, handle) = (state.now, state.handle);
    for row in state.instances.values_mut() {
        let activities = row.activities.values_mut().filter_map(|one| one.lease.as_mut());
        for lease in row.lease.as_mut().into_iter().chain(activities) {
            if lease.handle == handle {
                lease.until = lease.until.min(now);
            }
        }
    }
    for session in state.sessions.values_mut().filter(|session| session.handle == handle) {
        session.idle_until = TimeMs(0);
    }
}
