//! Work whose name no live node has. It waits, for a rolling deployment may bring the
//! name; it fails when it has waited too long, with the nearest names in the error.
//!
//! Nobody is asked which names the other nodes have: that work has been ready for so long
//! and nobody took it, while this node ran and the store had no backlog, is the proof. A
//! node finds such instances by looking through the running ones, now and then; such
//! activities only among those that it scheduled itself since its start, and those that
//! have waited for longer than one of these.

use crate::driver::{self, Verdict};
use crate::drivers::Routed;
use crate::node::{Node, unbegun};
use crate::running::HeldActivity;
use crate::workers::{self, Finished};
use duroxide_core::{Commit, CompatFlags, Failure, FailureKind, InstanceId, TimeMs};
use duroxide_provider::{
    ActivityFilter, ActivityKey, Held, Incarnation, LeaseActivities, LeaseId, LeaseOrchestrations,
    LeasedInstance, ListFilter, OrchestrationFilter, ProviderError, TagFilter,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many running instances one round looks at; the next goes on behind them.
const LOOKED_AT: usize = 500;
/// How much one round fails.
const FAILED_AT_ONCE: usize = 16;
/// With more than this ready, what waits may just wait for its turn.
const BACKLOG: u64 = 1_000;
/// How many activities are remembered.
const NOTED: usize = 10_000;
/// So many older ones, of the same names, are found with those remembered.
const OLDER: usize = 1_000;
/// No round is sooner after another.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);

/// Activities that were scheduled here under names that are not registered here.
#[derive(Debug, Default)]
pub(crate) struct Stranded {
    noted: Mutex<BTreeMap<ActivityKey, (String, Duration)>>,
}

impl Stranded {
    /// Remember what a turn scheduled that this node cannot run.
    pub(crate) fn note(&self, node: &Node, incarnation: Incarnation, commit: &Commit) {
        let unknown =
            commit.activities.iter().filter(|new| !node.registry.activities.contains(&new.name));
        for new in unknown {
            let key = ActivityKey { incarnation, execution: commit.execution, event: new.event };
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.insert(key, (new.name.clone(), node.monotonic()));
            if noted.len() > NOTED {
                noted.pop_first();
            }
        }
    }

    /// The names noted before then, with their activities; they are noted no longer.
    fn take_older_than(&self, then: Duration) -> BTreeMap<ActivityKey, String> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = BTreeMap::new();
        noted.retain(|key, (name, at)| {
            let keep = *at > then;
            if !keep {
                old.insert(*key, std::mem::take(name));
            }
            keep
        });
        old
    }
}

/// Look for stranded work now and then, until the node stops.
pub(crate) async fn watch(node: Arc<Node>, timeout: Duration) {
    let mut cursor = None;
    let begun = node.monotonic();
    loop {
        tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            () = node.env.sleep((timeout / 2).max(SHORTEST_ROUND)) => {}
        }
        // While no node ran at all, none could have brought the name.
        if node.monotonic().saturating_sub(begun) < timeout {
            continue;
        }
        // A store that is in trouble is asked again in the next round.
        if let Err(error) = round(&node, timeout, &mut cursor).await {
            node.note(&error);
        }
    }
}

async fn round(
    node: &Arc<Node>,
    timeout: Duration,
    cursor: &mut Option<InstanceId>,
) -> Result<(), ProviderError> {
    fail_activities(node, timeout).await?;
    let depths = node.store.depths().await?;
    if depths.orchestrations == 0 || depths.orchestrations > BACKLOG {
        return Ok(());
    }
    let names = unknown_names(node, cursor).await?;
    if names.is_empty() {
        return Ok(());
    }
    fail_instances(node, names, timeout).await
}

/// Names and versions of running instances that are not registered here.
async fn unknown_names(
    node: &Node,
    cursor: &mut Option<InstanceId>,
) -> Result<BTreeMap<String, BTreeSet<String>>, ProviderError> {
    let running = ListFilter { status: Some("Running".to_owned()), ..ListFilter::default() };
    let page = node.store.list(running, cursor.clone(), LOOKED_AT).await?;
    *cursor = page.next;
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for id in page.ids {
        let key = duroxide_provider::InstanceKey::new(id);
        let Some(info) = node.store.instance(key).await? else { continue };
        if node.registry.resolve(&info.name, info.version.as_deref()).is_none() {
            names.entry(info.name).or_default().extend(info.version);
        }
    }
    Ok(names)
}

async fn fail_instances(
    node: &Arc<Node>,
    names: BTreeMap<String, BTreeSet<String>>,
    timeout: Duration,
) -> Result<(), ProviderError> {
    let asked = node.marks.now();
    let lease = LeaseId::draw(&*node.env.entropy);
    let request = LeaseOrchestrations {
        lease,
        node: node.id.clone(),
        filter: OrchestrationFilter { names, flags: CompatFlags::KNOWN },
        max: FAILED_AT_ONCE,
        duration: node.options.turn_lease,
    };
    let leased = node.insist(|| node.store.lease_orchestrations(request.clone())).await?;
    let mut innocent = Vec::new();
    for instance in leased.instances.into_iter().filter(|instance| instance.lease == lease) {
        if waited(&instance, leased.store_now) < timeout || node.stopping() {
            innocent.push(Held::Instance { incarnation: instance.incarnation, lease });
            continue;
        }
        let verdict = Verdict::Failed(unregistered_orchestration(node, &instance));
        match node.drivers.route(instance, lease, asked) {
            Routed::Told => {}
            Routed::Drive(mut assignment) => {
                assignment.verdict = Some(verdict);
                node.spawn_work("stranded", driver::drive(Arc::clone(node), *assignment, None));
            }
            Routed::Stuck(incarnation) => innocent.push(Held::Instance { incarnation, lease }),
        }
    }
    if !innocent.is_empty() {
        node.release(unbegun(innocent)).await;
    }
    Ok(())
}

/// How long the oldest of what arrived has been waiting.
fn waited(instance: &LeasedInstance, now: TimeMs) -> Duration {
    let oldest = instance.arrivals.iter().map(|arrival| arrival.at).min().unwrap_or(now);
    Duration::from_millis(now.0.saturating_sub(oldest.0))
}

fn unregistered_orchestration(node: &Node, instance: &LeasedInstance) -> Failure {
    let name = &instance.name;
    let version = instance.version.as_ref().map(|v| format!("@{v}")).unwrap_or_default();
    let nearest = node.registry.nearest_orchestrations(name);
    let message =
        format!("no running node has registered orchestration `{name}{version}`; {nearest}");
    Failure { source: Some(name.clone()), ..Failure::new(FailureKind::Unregistered, message) }
}

async fn fail_activities(node: &Arc<Node>, timeout: Duration) -> Result<(), ProviderError> {
    let Some(then) = node.monotonic().checked_sub(timeout) else { return Ok(()) };
    let old = node.stranded.take_older_than(then);
    if old.is_empty() {
        return Ok(());
    }
    let lease = LeaseId::draw(&*node.env.entropy);
    let request = LeaseActivities {
        lease,
        node: node.id.clone(),
        filter: ActivityFilter {
            tags: TagFilter::Any,
            ..node.activity_filter(old.values().cloned().collect())
        },
        max: old.len() + OLDER,
        duration: node.options.worker_lease,
    };
    let leased = node.insist(|| node.store.lease_activities(request.clone())).await?;
    let mut innocent = Vec::new();
    // The oldest come first: what stands before one of ours has waited for longer.
    let stranded = leased.activities.iter().rposition(|found| old.contains_key(&found.activity));
    let stranded = stranded.map_or(0, |last| last + 1);
    for (n, activity) in leased.activities.into_iter().enumerate() {
        let held = HeldActivity { activity: activity.activity, lease };
        // A younger one of the same name, or one that somebody did begin.
        if n >= stranded || activity.attempt > 1 {
            innocent.push(held);
            continue;
        }
        let outcome = Err(unregistered_activity(node, &activity.name));
        if node.running.hold(held, false).is_some() {
            workers::complete_soon(node, Finished { held, at: leased.store_now, outcome });
        }
    }
    node.give_back_activities(innocent).await;
    Ok(())
}

fn unregistered_activity(node: &Node, name: &str) -> Failure {
    let nearest = node.registry.nearest_activities(name);
    let message = format!("no running node has registered activity `{name}`; {nearest}");
    Failure { source: Some(name.to_owned()), ..Failure::new(FailureKind::Unregistered, message) }
}
