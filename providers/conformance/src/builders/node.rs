//! A node as a check needs it: who it is, what it runs, how long its leases hold.

use super::{Task, Tenure};
use crate::expect::{CheckResult, Stop, ensure, expect_eq};
use crate::fixture::Fixture;
use duroxide_core::CompatFlags;
use duroxide_provider::{
    ActivityFilter, Claim, LeaseActivities, LeaseOrchestrations, LeasedActivities,
    LeasedOrchestrations, NodeId, OrchestrationFilter, SessionLimits, TagFilter, WaitForWork,
    WakeSeq,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// A lease that holds for as long as any check takes.
pub(crate) const LONG: Duration = Duration::from_mins(10);

/// A node. Runs `Flow` and `Child` 1.0.0, and the activities `Greet` and `Work` of every
/// tag, unless told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    fx: Fixture,
    id: NodeId,
    orchestrations: OrchestrationFilter,
    activities: ActivityFilter,
    lease_for: Duration,
}

impl Node {
    pub(crate) fn new(fx: Fixture, name: &str) -> Self {
        let sessions = SessionLimits { max: 10, idle: LONG };
        let activities = ActivityFilter { names: BTreeSet::new(), tags: TagFilter::Any, sessions };
        Self {
            fx,
            id: NodeId { name: name.to_owned(), run: 1 },
            orchestrations: OrchestrationFilter::default(),
            activities,
            lease_for: LONG,
        }
        .runs("Flow", &["1.0.0"])
        .runs("Child", &["1.0.0"])
        .works(&["Greet", "Work"])
    }

    /// This run of the node; the newest counts.
    pub(crate) fn run(mut self, run: u64) -> Self {
        self.id.run = run;
        self
    }

    /// Runs these versions of an orchestration.
    pub(crate) fn runs(mut self, name: &str, versions: &[&str]) -> Self {
        let versions = versions.iter().map(ToString::to_string).collect();
        self.orchestrations.names.insert(name.to_owned(), versions);
        self
    }

    /// Runs no orchestration.
    pub(crate) fn runs_nothing(mut self) -> Self {
        self.orchestrations.names.clear();
        self
    }

    /// Knows these compat flags.
    pub(crate) fn knows_flags(mut self, flags: u64) -> Self {
        self.orchestrations.flags = CompatFlags(flags);
        self
    }

    /// Runs these activities only.
    pub(crate) fn works(mut self, names: &[&str]) -> Self {
        self.activities.names = names.iter().map(ToString::to_string).collect();
        self
    }

    /// Takes these tags.
    pub(crate) fn tags(mut self, tags: TagFilter) -> Self {
        self.activities.tags = tags;
        self
    }

    /// May own so many sessions, each idle for so long.
    pub(crate) fn sessions(mut self, max: usize, idle_ms: u64) -> Self {
        self.activities.sessions = SessionLimits { max, idle: Duration::from_millis(idle_ms) };
        self
    }

    /// Its leases hold for so long before another may take over.
    pub(crate) fn lease_ms(mut self, ms: u64) -> Self {
        self.lease_for = Duration::from_millis(ms);
        self
    }

    pub(crate) fn id(&self) -> &NodeId {
        &self.id
    }

    /// A request for instances, to be sent as it is.
    pub(crate) fn ask_instances(&self, max: usize) -> LeaseOrchestrations {
        LeaseOrchestrations {
            lease: self.fx.lease_id(),
            node: self.id.clone(),
            filter: self.orchestrations.clone(),
            max,
            duration: self.lease_for,
        }
    }

    /// A request for activities, to be sent as it is.
    pub(crate) fn ask_activities(&self, max: usize) -> LeaseActivities {
        LeaseActivities {
            lease: self.fx.lease_id(),
            node: self.id.clone(),
            filter: self.activities.clone(),
            max,
            duration: self.lease_for,
        }
    }

    /// A wish to claim what a commit schedules.
    pub(crate) fn claim(&self, max: usize) -> Claim {
        Claim { max, filter: self.activities.clone(), duration: self.lease_for }
    }

    /// Lease instances.
    pub(crate) async fn lease(&self, max: usize) -> CheckResult<Vec<Tenure>> {
        let leased = self.fx.store().lease_orchestrations(self.ask_instances(max)).await?;
        Ok(self.tenures(leased))
    }

    /// What an answer gives to this node.
    pub(crate) fn tenures(&self, leased: LeasedOrchestrations) -> Vec<Tenure> {
        let now = leased.store_now;
        leased
            .instances
            .into_iter()
            .map(|instance| Tenure::new(self.fx.clone(), self.id.clone(), instance, now))
            .collect()
    }

    /// Lease all that is ready, which must be this one instance.
    pub(crate) async fn lease_instance(&self, id: &str) -> CheckResult<Tenure> {
        let mut tenures = self.lease(100).await?;
        let ids: Vec<_> = tenures.iter().map(|t| t.id().to_owned()).collect();
        expect_eq!(format!("what node {} can lease", self.id.name), ids, [id]);
        tenures.pop().ok_or_else(|| Stop::Failed("nothing was leased".to_owned()))
    }

    /// No instance is ready for this node.
    pub(crate) async fn finds_no_instance(&self, why: &str) -> CheckResult {
        let ids: Vec<_> = self.lease(100).await?.iter().map(|t| t.id().to_owned()).collect();
        ensure!(ids.is_empty(), "nothing is to be leased ({why}), got {ids:?}");
        Ok(())
    }

    /// Lease activities, with all that the answer says.
    pub(crate) async fn lease_activities(&self, max: usize) -> CheckResult<LeasedActivities> {
        Ok(self.fx.store().lease_activities(self.ask_activities(max)).await?)
    }

    /// Lease activities.
    pub(crate) async fn tasks(&self, max: usize) -> CheckResult<Vec<Task>> {
        let request = self.ask_activities(max);
        let lease = request.lease;
        let leased = self.fx.store().lease_activities(request).await?;
        let task = |a: &_| Task::leased(self.fx.clone(), a, lease);
        Ok(leased.activities.iter().map(task).collect())
    }

    /// Lease the one activity that waits.
    pub(crate) async fn task(&self) -> CheckResult<Task> {
        let mut tasks = self.tasks(100).await?;
        expect_eq!("activities that wait", tasks.len(), 1);
        tasks.pop().ok_or_else(|| Stop::Failed("nothing was leased".to_owned()))
    }

    /// Lease the oldest of the activities that wait.
    pub(crate) async fn one_task(&self) -> CheckResult<Task> {
        let mut tasks = self.tasks(1).await?;
        tasks.pop().ok_or_else(|| Stop::Failed("no activity was leased".to_owned()))
    }

    /// No activity waits for this node.
    pub(crate) async fn finds_no_activity(&self, why: &str) -> CheckResult {
        let found = self.lease_activities(100).await?.activities;
        ensure!(found.is_empty(), "no activity is to be leased ({why}), got {found:?}");
        Ok(())
    }

    /// Where a wait of this node continues from now.
    pub(crate) async fn wake_seq(&self) -> CheckResult<WakeSeq> {
        let none = LeaseOrchestrations { max: 0, ..self.ask_instances(0) };
        Ok(self.fx.store().lease_orchestrations(none).await?.wake_seq)
    }

    /// Wait for work for an hour: it must come back earlier.
    pub(crate) async fn is_woken(&self, after: WakeSeq, why: &str) -> CheckResult<WakeSeq> {
        let hour = Duration::from_hours(1);
        let request = WaitForWork { node: self.id.clone(), after, max: hour };
        let woken = self.fx.soon(why, self.fx.store().wait_for_work(request)).await?;
        Ok(woken?)
    }
}
