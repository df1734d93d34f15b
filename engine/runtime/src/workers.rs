//! The activity side: leases activities when permits are free, runs each at the host, and
//! sees to it that the result reaches the store: fused with the next turn if the instance
//! is in hand here, else by a completion of its own. Claimed activities come from a
//! commit (`driver`); leases are prolonged by the `keeper`.

use crate::builtin;
use crate::drivers::DriverMail;
use crate::host::ActivityTask;
use crate::node::{Node, reserve};
use crate::running::HeldActivity;
use duroxide_core::{
    Failure, FailureDetails, FailureKind, Payload, READ_VALUE_ACTIVITY, TimeMs, policy_attempt,
    validate_failure, validate_payload,
};
use duroxide_provider::{
    ActivityFate, CompleteActivity, LeaseActivities, LeaseId, LeasedActivity, ProviderError,
};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// How long a claimed activity waits for a worker of this node before it is for everybody.
const PATIENCE: Duration = Duration::from_millis(20);

/// An attempt that ended, held until the store has acknowledged its outcome.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) held: HeldActivity,
    /// Its time, estimated on the store's clock.
    pub(crate) at: TimeMs,
    pub(crate) outcome: Result<Payload, Failure>,
}

/// Lease activities and run them, until the node stops.
pub(crate) async fn dispatch(node: Arc<Node>) {
    let mut more = true;
    loop {
        if !more {
            tokio::select! {
                biased;
                () = node.stop.cancelled() => return,
                () = node.wakes.activities.notified() => {}
            }
        }
        let Some(permits) = free_permits(&node).await else { return };
        match lease(&node, permits.len()).await {
            Ok((lease, leased)) => {
                more = leased.len() >= permits.len();
                node.note_backlog(more);
                take_on(&node, lease, leased, permits).await;
            }
            // Not an error that passes: the next announcement asks again.
            Err(_) => more = false,
        }
    }
}

/// The permits to lease for: at least one, and without a backlog only part of what is
/// free, so that a question to the store does not keep a commit from claiming what it
/// schedules.
async fn free_permits(node: &Node) -> Option<Vec<OwnedSemaphorePermit>> {
    let workers = &node.permits.workers;
    let first = tokio::select! {
        biased;
        () = node.stop.cancelled() => return None,
        permit = Arc::clone(workers).acquire_owned() => permit.ok()?,
    };
    let mut permits = vec![first];
    let free = workers.available_permits();
    let wanted = if node.has_backlog() { free } else { free / 2 };
    permits.append(&mut reserve(workers, wanted));
    Some(permits)
}

async fn lease(node: &Node, max: usize) -> Result<(LeaseId, Vec<LeasedActivity>), ProviderError> {
    node.wait_if_full().await;
    let lease = LeaseId::draw(&*node.env.entropy);
    let request = LeaseActivities {
        lease,
        node: node.id.clone(),
        filter: node.activity_filter(node.registry.activities.clone()),
        max,
        duration: node.options.worker_lease,
    };
    let leased = node.insist(|| node.store.lease_activities(request.clone())).await?;
    node.clock.observe(leased.store_now);
    if !leased.activities.is_empty() {
        node.metrics.fetches.one();
    }
    node.metrics.worker_dispatcher_items_fetched.add(leased.activities.len() as u64);
    Ok((lease, leased.activities))
}

async fn take_on(
    node: &Arc<Node>,
    lease: LeaseId,
    leased: Vec<LeasedActivity>,
    permits: Vec<OwnedSemaphorePermit>,
) {
    if node.stopping() {
        let held = leased.iter().map(|leased| HeldActivity { activity: leased.activity, lease });
        node.give_back_activities(held.collect()).await;
        return;
    }
    for (leased, permit) in leased.into_iter().zip(permits) {
        start(node, leased, lease, permit);
    }
}

/// Run an activity that is held under `lease`.
pub(crate) fn start(
    node: &Arc<Node>,
    activity: LeasedActivity,
    lease: LeaseId,
    permit: OwnedSemaphorePermit,
) {
    begin(node, activity, lease, Slot::Worker(permit));
}

/// Run an activity that a commit has claimed, as soon as a worker is free. That is at once,
/// unless the workers have all met something that takes its time: then another is to have it.
pub(crate) fn start_claimed(
    node: &Arc<Node>,
    activity: LeasedActivity,
    lease: LeaseId,
    claim: OwnedSemaphorePermit,
) {
    begin(node, activity, lease, Slot::Claim(claim));
}

/// What was reserved for an activity.
enum Slot {
    Worker(OwnedSemaphorePermit),
    Claim(OwnedSemaphorePermit),
}

impl Slot {
    /// The worker that it has, or gets soon.
    async fn worker(self, node: &Node) -> Option<OwnedSemaphorePermit> {
        let _claim = match self {
            Self::Worker(permit) => return Some(permit),
            Self::Claim(claim) => claim,
        };
        tokio::select! {
            biased;
            worker = Arc::clone(&node.permits.workers).acquire_owned() => worker.ok(),
            () = node.env.clock.sleep(PATIENCE) => None,
        }
    }
}

fn begin(node: &Arc<Node>, activity: LeasedActivity, lease: LeaseId, slot: Slot) {
    let held = HeldActivity { activity: activity.activity, lease };
    // A turn that kills its process must be charged to the turn: after a first attempt
    // that came to nothing, the result goes to the store before any turn sees it.
    let fusable = activity.attempt == 1;
    let Some(cancelled) = node.running.hold(held, fusable) else { return };
    node.wakes.held.notify_one();
    let (runner, worker) = (Arc::clone(node), Arc::clone(node));
    node.spawn_work("activity", async move {
        let Some(permit) = slot.worker(&runner).await else { return forgo(&runner, held).await };
        let outcome = run(&runner, activity, cancelled).await;
        drop(permit);
        let finished = Finished { held, at: runner.clock.now(), outcome };
        deliver(&worker, finished, fusable).await;
    });
}

/// Leave an activity that was not begun to whoever has a worker for it.
async fn forgo(node: &Node, held: HeldActivity) {
    node.running.settle(held);
    node.drivers.tell(held.activity.incarnation, DriverMail::LessInFlight);
    node.give_back_activities(vec![held]).await;
}

async fn run(
    node: &Node,
    activity: LeasedActivity,
    cancelled: CancellationToken,
) -> Result<Payload, Failure> {
    let (name, deliveries) = (activity.name.clone(), activity.attempt);
    let again = deliveries.saturating_sub(1);
    let attempt = policy_attempt(&activity.headers).saturating_add(again);
    if deliveries > node.options.max_attempts {
        return Err(poison(&name, again, attempt - 1));
    }
    let outcome = if name == READ_VALUE_ACTIVITY {
        builtin::read_value(node, &activity.input, &cancelled).await
    } else {
        let worker = node.id.name.clone();
        let task = ActivityTask { activity, attempt, worker, cancelled };
        AssertUnwindSafe(node.activities.run_activity(task))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Failure::application(format!("activity `{name}` panicked"))))
    };
    let outcome = match outcome {
        Ok(result) => {
            let what = format!("the result of activity `{name}`");
            validate_payload(&what, &result, &node.limits).map(|()| result)
        }
        Err(failure) => {
            let what = format!("the failure of activity `{name}`");
            Err(validate_failure(&what, &failure, &node.limits).err().unwrap_or(failure))
        }
    };
    outcome.map_err(|failure| described(failure, &name, attempt, &node.id.name))
}

/// So many deliveries died; the last one was this attempt.
fn poison(name: &str, died: u32, attempt: u32) -> Failure {
    let message = format!("activity `{name}` is poison: {died} attempts ended without an outcome");
    let mut failure = Failure::new(FailureKind::Poison, message);
    failure.source = Some(name.to_owned());
    failure.attempt = Some(attempt);
    failure
}

/// A failure with what the host left out.
fn described(mut failure: Failure, name: &str, attempt: u32, worker: &str) -> Failure {
    failure.source.get_or_insert_with(|| name.to_owned());
    failure.attempt.get_or_insert(attempt);
    let details = failure.details.get_or_insert_with(Box::<FailureDetails>::default);
    details.worker.get_or_insert_with(|| worker.to_owned());
    failure
}

async fn deliver(node: &Arc<Node>, finished: Finished, fusable: bool) {
    if !node.running.holds(finished.held) {
        return;
    }
    let finished = Box::new(finished);
    let unfused = if fusable { node.drivers.deliver(finished) } else { Err(finished) };
    if let Err(finished) = unfused {
        complete(node, *finished).await;
    }
}

/// Send a result by a completion of its own, without waiting for it.
pub(crate) fn complete_soon(node: &Arc<Node>, finished: Finished) {
    let sender = Arc::clone(node);
    node.spawn_work("completion", async move { complete(&sender, finished).await });
}

async fn complete(node: &Node, finished: Finished) {
    let Finished { held, outcome, .. } = finished;
    let request = CompleteActivity { activity: held.activity, lease: held.lease, outcome };
    let mut answer = node.insist(|| node.store.complete_activity(request.clone())).await;
    if let Err(ProviderError::Invalid { message, .. }) = &answer {
        // The store does not take this value: that is the activity's failure, and told.
        let outcome = Err(Failure::new(FailureKind::Invalid, message.clone()));
        let refused = CompleteActivity { outcome, ..request.clone() };
        answer = node.insist(|| node.store.complete_activity(refused.clone())).await;
    }
    match answer {
        Ok(ActivityFate::Applied) => node.metrics.activity_done(&request.outcome),
        Ok(ActivityFate::Gone | ActivityFate::LeaseLost) | Err(_) => {}
    }
    node.running.settle(held);
    // A driver that waited for this result waits in vain if it has no taker.
    node.drivers.tell(held.activity.incarnation, DriverMail::LessInFlight);
}
