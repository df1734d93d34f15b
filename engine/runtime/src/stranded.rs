//! Work whose name no live node has. It waits, for a rolling deployment may bring the
//! name; it is warned of once, and fails when it has waited too long, with the nearest names
//! in the error.
//!
//! Nobody is asked which names the other nodes have: that work has been ready for so long
//! and nobody took it, while this node looked on and the store had no backlog, is the proof.
//! The store says under which names there is work that nobody holds, whoever scheduled it;
//! it is asked at the start, after something happened, and again while there is such work
//! under a name that this node does not have.

use crate::driver::{self, Verdict};
use crate::drivers::Routed;
use crate::node::{Node, unbegun};
use crate::registry::Registry;
use crate::running::HeldActivity;
use crate::workers::{self, Finished};
use duroxide_core::{Commit, Failure, FailureKind, TimeMs};
use duroxide_provider::{
    ActivityFilter, Held, InstanceKey, LeaseActivities, LeaseId, LeaseOrchestrations,
    LeasedInstance, OrchestrationFilter, ProviderError, SessionLimits, TagFilter, UnclaimedNames,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For so long work may just be on its way to another node.
const GRACE: Duration = Duration::from_secs(1);
/// How soon, and how late, the store is asked again while something waits.
const ROUND: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How many instances one round fails.
const INSTANCES_AT_ONCE: usize = 16;
/// How many activities one round fails.
const ACTIVITIES_AT_ONCE: usize = 1_000;
/// With more instances than this ready, what waits may just wait for its turn.
const BACKLOG: u64 = 1_000;
/// What fails owns its session only for so long as that takes: then it is anybody's again.
const IN_PASSING: SessionLimits = SessionLimits { max: usize::MAX, idle: Duration::ZERO };
/// How many names are remembered to have been warned of.
const WARNED: usize = 1_000;

/// A name that this node does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Unknown {
    Orchestration { name: String, version: Option<String> },
    Activity { name: String },
}

/// What was warned of by this node.
#[derive(Debug, Default)]
pub(crate) struct Stranded {
    warned: Mutex<BTreeSet<Unknown>>,
}

impl Stranded {
    /// Warn at once when a turn asked for a name that this node does not have: another may,
    /// and then it is no news the next time; but it may be a typing error.
    pub(crate) fn scheduled(&self, registry: &Registry, key: &InstanceKey, commit: &Commit) {
        let activities =
            commit.activities.iter().filter(|new| !registry.activities.contains(&new.name));
        let activities = activities.map(|new| Unknown::Activity { name: new.name.clone() });
        let starts =
            commit.starts.iter().filter(|start| !registry.orchestrations.contains_key(&start.name));
        let starts = starts.map(|start| {
            let (name, version) = (start.name.clone(), start.version.clone());
            Unknown::Orchestration { name, version }
        });
        for unknown in activities.chain(starts).filter(|unknown| self.is_news(unknown)) {
            let said = told(registry, &unknown);
            tracing::warn!(target: "duroxide::runtime", instance = %key, "{said}");
        }
    }

    /// Whether it is to be warned of; not a second time.
    fn is_news(&self, unknown: &Unknown) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() >= WARNED {
            warned.clear();
        }
        warned.insert(unknown.clone())
    }
}

/// Look for stranded work until the node stops. Without a timeout it is only warned of.
pub(crate) async fn watch(node: Arc<Node>, timeout: Option<Duration>) {
    let mut looking = Looking { node: Arc::clone(&node), timeout, seen: BTreeMap::new() };
    loop {
        let again = match looking.look().await {
            Ok(again) => again,
            // A store that is in trouble is asked again in the next round.
            Err(error) => {
                node.note(&error);
                Some(ROUND.0)
            }
        };
        let news = async {
            node.wakes.stranded.notified().await;
            node.env.sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            () = node.env.sleep(again.unwrap_or_default()), if again.is_some() => {}
            () = news => {}
        }
    }
}

struct Looking {
    node: Arc<Node>,
    timeout: Option<Duration>,
    /// Since when each was there whenever this node looked. A name that somebody has is gone
    /// from time to time, and while no node ran at all none could have brought it.
    seen: BTreeMap<Unknown, Duration>,
}

impl Looking {
    /// Look once. Gives when to look again at the latest; `None`: when something has happened.
    async fn look(&mut self) -> Result<Option<Duration>, ProviderError> {
        let found = tokio::select! {
            biased;
            () = self.node.stop.cancelled() => return Ok(None),
            found = self.node.store.unclaimed() => found?,
        };
        let unknown = unknown(&self.node.registry, found);
        let now = self.node.monotonic();
        self.seen.retain(|name, _| unknown.contains_key(name));
        let mut again = None;
        let mut stranded = BTreeSet::new();
        for (name, age) in unknown {
            let begun = *self.seen.entry(name.clone()).or_insert(now);
            if age < GRACE {
                again = Some(GRACE);
            } else if self.node.stranded.is_news(&name) {
                let said = told(&self.node.registry, &name);
                tracing::warn!(target: "duroxide::runtime", waited = ?age, "{said}");
            }
            let Some(timeout) = self.timeout else { continue };
            let left = timeout.saturating_sub(age.min(now.saturating_sub(begun)));
            again = Some(again.map_or(left, |again: Duration| again.min(left)));
            if left.is_zero() {
                stranded.insert(name);
            }
        }
        if let Some(timeout) = self.timeout {
            fail(&self.node, stranded, timeout).await?;
        }
        Ok(again.map(|again| again.clamp(ROUND.0, ROUND.1)))
    }
}

/// The names that are not registered here, each with how long its oldest work waits.
fn unknown(registry: &Registry, found: UnclaimedNames) -> BTreeMap<Unknown, Duration> {
    let age = |since: TimeMs| Duration::from_millis(found.store_now.0.saturating_sub(since.0));
    let orchestrations = found
        .orchestrations
        .into_iter()
        .filter(|found| registry.resolve(&found.name, found.version.as_deref()).is_none());
    let activities =
        found.activities.into_iter().filter(|found| !registry.activities.contains(&found.name));
    let orchestrations = orchestrations.map(|found| {
        let (name, version) = (found.name, found.version);
        (Unknown::Orchestration { name, version }, age(found.since))
    });
    let activities =
        activities.map(|found| (Unknown::Activity { name: found.name }, age(found.since)));
    orchestrations.chain(activities).collect()
}

/// That the name is not there, and which are.
fn told(registry: &Registry, unknown: &Unknown) -> String {
    let (what, nearest) = match unknown {
        Unknown::Orchestration { name, version } => {
            let shown = format!("orchestration `{}`", versioned(name, version.as_deref()));
            (shown, registry.nearest_orchestrations(name))
        }
        Unknown::Activity { name } => {
            (format!("activity `{name}`"), registry.nearest_activities(name))
        }
    };
    format!("{what} is not registered here and waits for a node that has it; {nearest}")
}

fn versioned(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"))
}

/// Fail what waits under these names for longer than this.
async fn fail(
    node: &Arc<Node>,
    stranded: BTreeSet<Unknown>,
    timeout: Duration,
) -> Result<(), ProviderError> {
    let mut activities = BTreeSet::new();
    let mut orchestrations: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for unknown in stranded {
        match unknown {
            Unknown::Activity { name } => drop(activities.insert(name)),
            Unknown::Orchestration { name, version } => {
                orchestrations.entry(name).or_default().extend(version);
            }
        }
    }
    if !activities.is_empty() {
        fail_activities(node, activities, timeout).await?;
    }
    if !orchestrations.is_empty() && node.store.depths().await?.orchestrations <= BACKLOG {
        fail_instances(node, orchestrations, timeout).await?;
    }
    Ok(())
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
        filter: OrchestrationFilter { names, flags: node.options.flags },
        max: INSTANCES_AT_ONCE,
        duration: node.options.turn_lease,
    };
    let leased = node.insist(|| node.store.lease_orchestrations(request.clone())).await?;
    let mut innocent = Vec::new();
    for instance in leased.instances.into_iter().filter(|instance| instance.lease == lease) {
        // Of a name that is here, in a version that is not, the latest comes along.
        let known = node.registry.resolve(&instance.name, instance.version.as_deref()).is_some();
        if known || waited(&instance, leased.store_now) < timeout || node.stopping() {
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
    let shown = versioned(name, instance.version.as_deref());
    let nearest = node.registry.nearest_orchestrations(name);
    let message = format!("no running node has registered orchestration `{shown}`; {nearest}");
    Failure { source: Some(name.clone()), ..Failure::new(FailureKind::Unregistered, message) }
}

async fn fail_activities(
    node: &Arc<Node>,
    names: BTreeSet<String>,
    timeout: Duration,
) -> Result<(), ProviderError> {
    let lease = LeaseId::draw(&*node.env.entropy);
    let request = LeaseActivities {
        lease,
        node: node.id.clone(),
        filter: ActivityFilter { names, tags: TagFilter::Any, sessions: IN_PASSING },
        max: ACTIVITIES_AT_ONCE,
        duration: node.options.worker_lease,
    };
    let leased = node.insist(|| node.store.lease_activities(request.clone())).await?;
    let mut innocent = Vec::new();
    for activity in leased.activities {
        let held = HeldActivity { activity: activity.activity, lease };
        let waited = leased.store_now.0.saturating_sub(activity.ready_at.0);
        // A younger one of the same name. (Of one that died nobody held any for so long.)
        if Duration::from_millis(waited) < timeout {
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
