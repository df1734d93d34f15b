//! Takes work from the store: waits until there may be some, leases instances, and gives
//! each to a driver. Nothing here polls as long as the store can be waited on.

use crate::backoff::Backoff;
use crate::driver::{self, Reserved};
use crate::drivers::Routed;
use crate::marks::MarkSeq;
use crate::node::{Node, reserve, unbegun};
use duroxide_provider::{
    Held, LeaseId, LeaseOrchestrations, LeasedInstance, ProviderError, Release, WaitForWork,
    WakeSeq,
};
use std::sync::Arc;
use std::time::Duration;

/// The longest that one call waits for work. Long, so that an idle node does nothing.
const IDLE_WAIT: Duration = Duration::from_mins(5);

/// How long an instance rests that came back to the node where its turn is stuck.
const STUCK: Duration = Duration::from_secs(1);

/// Wait for work and tell everyone who may take it, until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut after = WakeSeq::default();
    let interval = node.options.poll_interval;
    let mut backoff = Backoff::starting_at(&node.env, interval);
    loop {
        let request = WaitForWork { node: node.id.clone(), after, max: IDLE_WAIT };
        let answer = tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            answer = node.store.wait_for_work(request) => answer,
        };
        match answer {
            Ok(seq) => {
                backoff = Backoff::starting_at(&node.env, interval);
                // Nothing has happened. Only a call that the store refused is tried again.
                if seq == after {
                    node.wakes.orchestrations.notify_one();
                    node.wakes.activities.notify_one();
                    continue;
                }
                after = seq;
            }
            // Polling is only the fallback.
            Err(error) => {
                node.note(&error);
                backoff.pause().await;
            }
        }
        node.wakes.orchestrations.notify_one();
        node.wakes.activities.notify_one();
        node.wakes.keeper.notify_one();
        node.wakes.stranded.notify_one();
    }
}

/// Lease instances and give them to drivers, until the node stops.
pub(crate) async fn dispatch(node: Arc<Node>) {
    let mut more = true;
    loop {
        if !more {
            tokio::select! {
                biased;
                () = node.stop.cancelled() => return,
                () = node.wakes.orchestrations.notified() => {}
            }
        }
        let Some(reserved) = reserve_for_drivers(&node).await else { return };
        let asked = node.marks.now();
        match lease(&node, reserved.len()).await {
            Ok((lease, leased)) => {
                more = leased.len() >= reserved.len();
                let died = leased.iter().any(|leased| leased.attempt > 1);
                node.permits.unbegun.leased(leased.len(), more, died);
                hand_out(&node, lease, leased, asked, reserved).await;
                node.marks.forget(asked, |key| node.drivers.holds(key));
            }
            // Not an error that passes: the next announcement asks again.
            Err(_) => more = false,
        }
    }
}

/// Permits for what can be worked on, and for what can be begun soon: at least one of each.
async fn reserve_for_drivers(node: &Node) -> Option<Vec<Reserved>> {
    let (instances, unbegun) = (&node.permits.instances, &node.permits.unbegun.permits);
    let first = async {
        let held = Arc::clone(instances).acquire_owned().await.ok()?;
        let unbegun = Arc::clone(unbegun).acquire_owned().await.ok()?;
        Some(Reserved { held, unbegun })
    };
    let first = tokio::select! {
        biased;
        () = node.stop.cancelled() => return None,
        first = first => first?,
    };
    let more = reserve(unbegun, usize::MAX);
    let held = reserve(instances, more.len());
    let more = held.into_iter().zip(more).map(|(held, unbegun)| Reserved { held, unbegun });
    Some(std::iter::once(first).chain(more).collect())
}

async fn lease(node: &Node, max: usize) -> Result<(LeaseId, Vec<LeasedInstance>), ProviderError> {
    node.wait_if_full().await;
    let lease = LeaseId::draw(&*node.env.entropy);
    let request = LeaseOrchestrations {
        lease,
        node: node.id.clone(),
        filter: node.registry.filter(node.options.flags),
        max,
        duration: node.options.turn_lease,
    };
    let leased = node.insist(|| node.store.lease_orchestrations(request.clone())).await?;
    node.clock.observe(leased.store_now);
    if !leased.instances.is_empty() {
        node.metrics.fetches.one();
    }
    let new = leased.instances.iter().filter(|leased| leased.lease == lease).count();
    node.metrics.orch_dispatcher_items_fetched.add(new as u64);
    Ok((lease, leased.instances))
}

async fn hand_out(
    node: &Arc<Node>,
    lease: LeaseId,
    leased: Vec<LeasedInstance>,
    asked: MarkSeq,
    reserved: Vec<Reserved>,
) {
    if node.stopping() {
        let new = leased.iter().filter(|leased| leased.lease == lease);
        let held: Vec<Held> =
            new.map(|leased| Held::Instance { incarnation: leased.incarnation, lease }).collect();
        if !held.is_empty() {
            node.release(unbegun(held)).await;
        }
        return;
    }
    let mut reserved = reserved.into_iter();
    for leased in leased {
        match node.drivers.route(leased, lease, asked) {
            Routed::Told => {}
            Routed::Drive(assignment) => {
                node.wakes.held.notify_one();
                let driver = driver::drive(Arc::clone(node), *assignment, reserved.next());
                node.spawn_work("instance", driver);
            }
            Routed::Stuck(incarnation) => {
                let held = vec![Held::Instance { incarnation, lease }];
                node.release(Release { delay: STUCK, ..unbegun(held) }).await;
            }
        }
    }
}
