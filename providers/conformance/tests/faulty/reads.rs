//! What is read of a store with a fault, and how it is managed.

use crate::fault::Fault;
use crate::faulty::{Answer, Faulty};
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits, TimeMs};
use duroxide_provider::*;
use std::time::Duration;

impl Faulty {
    fn twist_key(&self, key: &mut InstanceKey) {
        if self.has(Fault::FoldsCase) {
            key.id.0 = key.id.0.to_lowercase();
        }
        if self.has(Fault::IgnoresNamespaces) {
            key.namespace = Namespace::default();
        }
    }

    /// The instance as the fault shows it.
    fn twist_info(&self, mut info: InstanceInfo) -> InstanceInfo {
        let Some(fault) = self.fault else { return info };
        let state = self.state_for(&[Fault::WaitsFromTheStart, Fault::EndsBetweenExecutions]);
        let row = state.instances.values().find(|row| row.key == info.key);
        let is_new = row.is_some_and(|row| row.last_commit.is_none());
        let is_between = row.is_some_and(|row| row.execution.0 > 1 && row.next_event.0 == 1);
        match (fault, &info.state) {
            (Fault::WaitsFromTheStart, _) if is_new => info.waiting = Some("a turn".to_owned()),
            (Fault::SaysNothingIsUnclaimed, _) => info.unclaimed = None,
            (Fault::SaysHeldWorkIsUnclaimed, _) => {
                let (work, since) = (Work::Turn { first: true }, info.created_at);
                info.unclaimed = Some(Unclaimed { work, since, age: Duration::ZERO });
            }
            (Fault::CountsNoStatusVersion, _) => info.custom_status_version = 0,
            (Fault::HasAnEmptyStatusAtFirst, _) => {
                info.custom_status.get_or_insert_default();
            }
            (Fault::StampsNoTimes, _) => info.created_at = TimeMs(0),
            (Fault::EndsBetweenExecutions, _) if is_between => {
                info.state = InstanceState::ContinuedAsNew;
            }
            (Fault::TakesTheTerminatedForFailed, InstanceState::Terminated { reason }) => {
                let failure = duroxide_core::Failure::application(reason);
                info.state = InstanceState::Failed { failure };
            }
            (Fault::ForgetsTheTimeOnReopen, _) if self.was_reopened() => {
                info.created_at.0 -= 3_600_000;
            }
            (Fault::FollowsTheWallClock, _) => {
                info.created_at.0 = info.created_at.0.saturating_sub(self.set_back_ms());
            }
            _ => {}
        }
        info
    }

    fn twist_error(&self, error: ProviderError) -> ProviderError {
        match (self.fault, error) {
            (Some(Fault::NamesNoMethod), ProviderError::NotFound { what, .. }) => {
                ProviderError::NotFound { operation: "it".to_owned(), what }
            }
            (_, error) => error,
        }
    }

    async fn delete_all_that_runs(&self) -> Answer<()> {
        let rows = self.inner.state().instances;
        for key in rows.into_values().filter(|row| row.parent.is_none()).map(|row| row.key) {
            self.inner.delete(key, true).await?;
        }
        Ok(())
    }
}

fn unknown(operation: &str, key: &InstanceKey) -> ProviderError {
    ProviderError::NotFound { operation: operation.to_owned(), what: key.to_string() }
}

#[async_trait]
impl Inspect for Faulty {
    async fn instance(&self, mut key: InstanceKey) -> Answer<Option<InstanceInfo>> {
        self.begin("instance").await?;
        let asked = key.clone();
        self.twist_key(&mut key);
        let info = self.inner.instance(key).await?;
        Ok(info.map(|info| InstanceInfo { key: asked, ..self.twist_info(info) }))
    }

    async fn watch(&self, mut request: WatchRequest) -> Answer<Option<InstanceInfo>> {
        self.count("watch")?;
        self.twist_key(&mut request.key);
        let is_there = self.inner.instance(request.key.clone()).await?;
        match self.fault {
            Some(Fault::WatchesTooLong) => request.seen = is_there.map(|info| info.revision),
            Some(Fault::WaitsTooLong) => request.max += Duration::from_hours(24),
            Some(Fault::WatchesOnlyWhatIsThere) if is_there.is_none() => return Ok(None),
            Some(Fault::SharesNoWakeUps) if self.handle > 1 => {
                return std::future::pending().await;
            }
            _ => {}
        }
        Ok(self.inner.watch(request).await?.map(|info| self.twist_info(info)))
    }

    async fn executions(&self, mut key: InstanceKey) -> Answer<Vec<ExecutionInfo>> {
        self.begin("executions").await?;
        self.twist_key(&mut key);
        let mut executions = self.inner.executions(key.clone()).await?;
        if executions.is_empty() && self.has(Fault::FailsReadsOfTheUnknown) {
            return Err(unknown("executions", &key));
        }
        if self.has(Fault::TellsNoEnds) {
            for one in &mut executions {
                one.completed_at = None;
            }
        }
        if self.memory().pruned.contains(&key.id) {
            executions.pop();
        }
        Ok(executions)
    }

    async fn history(&self, mut key: InstanceKey, execution: ExecutionId) -> Answer<Vec<Event>> {
        self.begin("history").await?;
        self.twist_key(&mut key);
        let mut execution = execution;
        if let Some(info) = self.inner.instance(key.clone()).await? {
            if self.has(Fault::ReadsTheCurrentHistoryOnly) {
                execution = info.execution;
            }
        } else if self.has(Fault::FailsReadsOfTheUnknown) {
            return Err(unknown("history", &key));
        }
        self.inner.history(key, execution).await
    }

    async fn kv(&self, mut key: InstanceKey) -> Answer<Vec<KvEntry>> {
        self.begin("kv").await?;
        self.twist_key(&mut key);
        let mut entries = self.inner.kv(key.clone()).await?;
        match self.fault {
            Some(Fault::FailsReadsOfTheUnknown) => {
                let found = self.inner.instance(key.clone()).await?;
                found.ok_or_else(|| unknown("kv", &key))?;
            }
            Some(Fault::StampsKeysWhenTheyAreRead) => {
                let now = self.inner.state().now.plus(1);
                for entry in &mut entries {
                    entry.updated_at = now;
                }
            }
            Some(Fault::OrdersKeysWithoutCase) => {
                entries.sort_by_key(|entry| entry.key.to_lowercase());
            }
            _ => {}
        }
        Ok(entries)
    }

    async fn list(
        &self,
        mut filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Answer<Page> {
        self.begin("list").await?;
        match self.fault {
            Some(Fault::ListsAllNamespaces) => filter.namespace = Namespace::default(),
            Some(Fault::IgnoresTheStatusOfAList) => filter.status = None,
            _ => {}
        }
        let mut page = self.inner.list(filter, after.clone(), limit).await?;
        match (self.fault, after) {
            (Some(Fault::ListsBackwards), _) => page.ids.reverse(),
            (Some(Fault::ListsTheCursorAgain), Some(after)) => page.ids.insert(0, after),
            _ => {}
        }
        Ok(page)
    }

    async fn tree(&self, mut key: InstanceKey) -> Answer<Option<InstanceTree>> {
        self.begin("tree").await?;
        self.twist_key(&mut key);
        let id = key.id.clone();
        let tree = self.inner.tree(key).await?;
        Ok(tree.filter(|tree| !self.has(Fault::SeesTreesFromTheRootOnly) || tree.root == id))
    }

    async fn stats(&self, mut key: InstanceKey) -> Answer<Option<InstanceStats>> {
        self.begin("stats").await?;
        self.twist_key(&mut key);
        let mut stats = self.inner.stats(key.clone()).await?;
        if let (Some(stats), true) = (&mut stats, self.has(Fault::CountsAllExecutions)) {
            let executions = self.inner.executions(key).await?;
            stats.history_events = executions.iter().map(|one| one.event_count).sum();
        }
        Ok(stats)
    }

    async fn metrics(&self) -> Answer<SystemMetrics> {
        self.begin("metrics").await?;
        let mut metrics = self.inner.metrics().await?;
        if self.has(Fault::CountsExecutionsAsInstances) {
            metrics.instances = metrics.executions;
        }
        if self.has(Fault::WritesWhatItRefuses) {
            metrics.instances = self.memory().requests.len() as u64;
        }
        Ok(metrics)
    }

    async fn depths(&self) -> Answer<QueueDepths> {
        self.begin("depths").await?;
        let mut depths = self.inner.depths().await?;
        let state = self.state_for(&[Fault::CountsHeldActivities, Fault::KeepsTimersOfTheEnded]);
        if self.has(Fault::CountsHeldActivities) {
            depths.activities =
                state.instances.values().map(|row| row.activities.len() as u64).sum();
        }
        if self.has(Fault::KeepsTimersOfTheEnded) {
            let messages = state.instances.values().flat_map(|row| row.inbox.values());
            let later = messages.filter(|message| message.visible_at > state.now);
            depths.timers = later.count() as u64;
        }
        Ok(depths)
    }

    async fn unclaimed(&self) -> Answer<UnclaimedNames> {
        self.begin("unclaimed").await?;
        let mut found = self.inner.unclaimed().await?;
        if self.has(Fault::NamesNoUnclaimedWork) {
            found.activities.clear();
            found.orchestrations.clear();
        }
        if self.has(Fault::TellsTheYoungestOfAName) {
            let now = found.store_now;
            found.orchestrations.iter_mut().for_each(|found| found.since = now);
        }
        if self.has(Fault::NamesWhatIsQuarantined) {
            let state = self.inner.state();
            let aside = state.instances.values().filter(|row| row.quarantine.is_some());
            for activity in aside.flat_map(|row| row.activities.values()) {
                let (name, since) = (activity.what.name.clone(), activity.visible_at);
                found.activities.push(UnclaimedName { name, version: None, since });
            }
        }
        Ok(found)
    }

    async fn delete(&self, mut key: InstanceKey, force: bool) -> Answer<Deleted> {
        self.begin("delete").await?;
        self.twist_key(&mut key);
        let before = self.inner.state();
        let is_damaged = before.instances.values().any(|row| row.quarantine.is_some());
        if is_damaged && self.has(Fault::DeletesOnlyTheReadable) {
            let operation = "delete".to_owned();
            let (what, message) = (key.to_string(), "unexpected byte".to_owned());
            return Err(ProviderError::Corrupt { operation, what, message });
        }
        let force = force || self.has(Fault::DeletesWhatRuns);
        let deleted = self.inner.delete(key.clone(), force).await;
        if deleted.is_err() && self.has(Fault::DeletesTheUnknown) {
            return Ok(Deleted::default());
        }
        let mut deleted = deleted.map_err(|error| self.twist_error(error))?;
        if self.has(Fault::CountsNoDeletedMessages) {
            deleted.messages = 0;
        }
        let left = self.inner.state();
        let gone = before.instances.into_iter().filter(|(id, _)| !left.instances.contains_key(id));
        for (id, row) in gone {
            if self.has(Fault::LeavesChildrenBehind) && row.parent.is_some() {
                self.edit(|state| {
                    state.instances.insert(id, row.clone());
                });
            }
            self.memory().deleted.insert(id, row);
        }
        Ok(deleted)
    }

    async fn delete_many(&self, mut selection: Selection) -> Answer<Deleted> {
        self.begin("delete_many").await?;
        let no_ids = selection.ids.as_ref().is_some_and(Vec::is_empty);
        match self.fault {
            Some(Fault::DeletesBeyondTheSelection) => selection.ids = None,
            Some(Fault::DeletesAllForNoIds) if no_ids => selection.ids = None,
            Some(Fault::IgnoresTheLimitOfABulk) => selection.limit = None,
            Some(Fault::IgnoresTheTimeOfABulk) => selection.completed_before = None,
            Some(Fault::IgnoresTheNamespaceOfABulk) => selection.namespace = Namespace::default(),
            Some(Fault::DeletesWhatRunsInBulk) => self.delete_all_that_runs().await?,
            _ => {}
        }
        self.inner.delete_many(selection).await
    }

    async fn prune(&self, mut selection: Selection, mut rule: PruneRule) -> Answer<Pruned> {
        self.begin("prune").await?;
        let ids = selection.ids.clone().unwrap_or_default();
        match self.fault {
            Some(Fault::PrunesNothing) => return Ok(Pruned::default()),
            Some(Fault::PrunesTheCurrentExecution) => self.memory().pruned.extend(ids.clone()),
            Some(Fault::PrunesByEitherCondition) if rule.keep_last.is_some() => {
                rule.completed_before = None;
            }
            Some(Fault::PrunesKeys) => self.edit(|state| {
                for row in state.instances.values_mut() {
                    row.kv.clear();
                    row.kv_base.clear();
                }
            }),
            Some(Fault::IgnoresTheNamespaceOfABulk) => selection.namespace = Namespace::default(),
            Some(Fault::IgnoresTheLimitOfABulk) => selection.limit = None,
            Some(Fault::IgnoresTheTimeOfABulk) => rule.completed_before = None,
            _ => {}
        }
        let mut pruned = self.inner.prune(selection, rule).await?;
        if self.has(Fault::CountsTheUnknownAsPruned) {
            pruned.instances = pruned.instances.max(ids.len() as u64);
        }
        Ok(pruned)
    }

    fn limits(&self) -> Limits {
        if self.has(Fault::TellsNoLimits) {
            let mut limits = self.inner.limits();
            limits.kv_keys = 0;
            return limits;
        }
        self.inner.limits()
    }

    async fn close(&self) -> Answer<()> {
        let was_closed = std::mem::replace(&mut self.memory().closed, true);
        match self.fault {
            Some(Fault::StaysOpen) => Ok(()),
            Some(Fault::ClosesOnlyOnce) if was_closed => std::future::pending().await,
            _ => self.inner.close().await,
        }
    }
}
