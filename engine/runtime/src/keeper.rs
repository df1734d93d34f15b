//! Prolongs the leases of what this node holds, and learns by it what was cancelled or
//! lost. Has nothing to do, and no timer, while nothing is held.

use crate::backoff::Backoff;
use crate::drivers::{DriverMail, HeldInstance};
use crate::node::Node;
use crate::running::HeldActivity;
use duroxide_provider::{Held, LeaseState, Renew};
use std::sync::Arc;
use std::time::Duration;

/// When something happened in the store it may be a cancel of an activity that runs
/// here; more often than this it is not asked.
const ASK_AT_MOST_EVERY: Duration = Duration::from_millis(250);

/// How often a lease is prolonged within its duration.
const TIMES_PER_LEASE: u32 = 3;

/// Renew until the node is gone.
pub(crate) async fn keep(node: Arc<Node>) {
    let shortest = node.options.worker_lease.min(node.options.turn_lease);
    let period = (shortest / TIMES_PER_LEASE).max(Duration::from_millis(1));
    let mut renewed = node.monotonic();
    let mut asked = renewed;
    loop {
        if node.running.is_empty() && node.drivers.is_empty() {
            node.wakes.held.notified().await;
            renewed = node.monotonic();
        }
        tokio::select! {
            biased;
            () = node.wakes.keeper.notified() => {
                if !node.running.is_empty() {
                    node.env.sleep(left(&node, asked, ASK_AT_MOST_EVERY)).await;
                    renew_activities(&node).await;
                    asked = node.monotonic();
                }
            }
            () = node.env.sleep(left(&node, renewed, period)) => {
                renew_instances(&node).await;
                renew_activities(&node).await;
                renewed = node.monotonic();
            }
        }
    }
}

/// How much is left of a pause that began then.
fn left(node: &Node, began: Duration, pause: Duration) -> Duration {
    pause.saturating_sub(node.monotonic().saturating_sub(began))
}

async fn renew_activities(node: &Node) {
    let held = node.running.all();
    let leases = held.iter().copied().map(HeldActivity::held).collect();
    let Some(states) = renew(node, leases, node.options.worker_lease).await else { return };
    for (held, state) in held.into_iter().zip(states) {
        match state {
            LeaseState::Held => {}
            LeaseState::Lost | LeaseState::CancelRequested => {
                node.running.take_away(held);
                node.drivers.tell(held.activity.incarnation, DriverMail::LessInFlight);
            }
        }
    }
}

/// A turn that is older than its lease is not prolonged: a host that is stuck must lose it.
async fn renew_instances(node: &Node) {
    let held = node.drivers.renewable(node.monotonic().saturating_sub(node.options.turn_lease));
    let leases = held.iter().copied().map(HeldInstance::held).collect();
    let Some(states) = renew(node, leases, node.options.turn_lease).await else { return };
    for (held, state) in held.into_iter().zip(states) {
        match state {
            LeaseState::Held | LeaseState::CancelRequested => {}
            LeaseState::Lost => node.drivers.lost(held.incarnation, held.lease),
        }
    }
}

/// A call that failed says nothing about any lease: ask again for a while, then leave it
/// to the next round.
async fn renew(node: &Node, held: Vec<Held>, duration: Duration) -> Option<Vec<LeaseState>> {
    if held.is_empty() {
        return None;
    }
    let request = Renew { held, duration };
    let mut backoff = Backoff::new(&node.env);
    let begun = node.monotonic();
    loop {
        match node.store.renew(request.clone()).await {
            Ok(states) => return Some(states),
            Err(error) => {
                node.note(&error);
                if !error.is_transient() || node.monotonic().saturating_sub(begun) > duration / 2 {
                    return None;
                }
            }
        }
        backoff.pause().await;
    }
}
