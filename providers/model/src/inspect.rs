//! Reads and management: [`Inspect`], each method a line to the state.

use crate::provider::{Answer, ModelProvider};
use crate::state::State;
use crate::{leases, manage, reads, unclaimed};
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits};
use duroxide_provider::{
    Deleted, ExecutionInfo, Inspect, InstanceInfo, InstanceKey, InstanceStats, InstanceTree,
    ListFilter, Page, PruneRule, Pruned, QueueDepths, Selection, SystemMetrics, UnclaimedNames,
    WatchRequest,
};

#[async_trait]
impl Inspect for ModelProvider {
    async fn instance(&self, key: InstanceKey) -> Answer<Option<InstanceInfo>> {
        self.read("instance", |state| reads::instance(state, &key))
    }

    async fn watch(&self, request: WatchRequest) -> Answer<Option<InstanceInfo>> {
        let read = |state: &State| {
            let info = reads::instance(state, &request.key);
            let revision = info.as_ref().map(|info| info.revision);
            (info, revision != request.seen)
        };
        self.wait("watch", request.max, read).await
    }

    async fn executions(&self, key: InstanceKey) -> Answer<Vec<ExecutionInfo>> {
        self.read("executions", |state| reads::executions(state, &key))
    }

    async fn history(&self, key: InstanceKey, execution: ExecutionId) -> Answer<Vec<Event>> {
        let read = self.read("history", |state| reads::history(state, &key, execution))?;
        read.map_err(|fault| fault.named("history"))
    }

    async fn kv(&self, key: InstanceKey) -> Answer<Vec<KvEntry>> {
        self.read("kv", |state| reads::kv(state, &key))
    }

    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Answer<Page> {
        let read = |state: &State| reads::list(state, &filter, after.as_ref(), limit);
        self.read("list", read)?.map_err(|fault| fault.named("list"))
    }

    async fn tree(&self, key: InstanceKey) -> Answer<Option<InstanceTree>> {
        self.read("tree", |state| reads::tree(state, &key))
    }

    async fn stats(&self, key: InstanceKey) -> Answer<Option<InstanceStats>> {
        self.read("stats", |state| reads::stats(state, &key))
    }

    async fn metrics(&self) -> Answer<SystemMetrics> {
        self.read("metrics", reads::metrics)
    }

    async fn depths(&self) -> Answer<QueueDepths> {
        self.read("depths", reads::depths)
    }

    async fn unclaimed(&self) -> Answer<UnclaimedNames> {
        self.read("unclaimed", unclaimed::names)
    }

    async fn delete(&self, key: InstanceKey, force: bool) -> Answer<Deleted> {
        self.try_write("delete", |state| manage::delete(state, &key, force))
    }

    async fn delete_many(&self, selection: Selection) -> Answer<Deleted> {
        self.write("delete_many", |state| manage::delete_many(state, &selection))
    }

    async fn prune(&self, selection: Selection, rule: PruneRule) -> Answer<Pruned> {
        self.write("prune", |state| manage::prune(state, &selection, rule))
    }

    fn limits(&self) -> Limits {
        self.lock().limits.clone()
    }

    async fn close(&self) -> Answer<()> {
        if self.begin_closing() {
            self.edit(leases::bury);
        }
        Ok(())
    }
}
