//! Reads and management: [`Inspect`], each a script for a session.

use crate::client::Answer;
use crate::provider::{Model, ModelledPostgres};
use crate::{rows, wake};
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits};
use duroxide_model::State;
use duroxide_provider::{
    Deleted, ExecutionInfo, Inspect, InstanceInfo, InstanceKey, InstanceStats, InstanceTree,
    ListFilter, Page, PruneRule, Pruned, QueueDepths, Selection, SystemMetrics, UnclaimedNames,
    WatchRequest,
};
use std::sync::atomic::Ordering;

impl ModelledPostgres {
    /// How the instance stands, read for this call.
    pub(crate) async fn instance_for(
        &self,
        call: &'static str,
        key: InstanceKey,
    ) -> Answer<Option<InstanceInfo>> {
        self.read(call, key, |model: Model, key| async move { model.instance(key).await }).await
    }
}

#[async_trait]
impl Inspect for ModelledPostgres {
    async fn instance(&self, key: InstanceKey) -> Answer<Option<InstanceInfo>> {
        self.instance_for("instance", key).await
    }

    async fn watch(&self, request: WatchRequest) -> Answer<Option<InstanceInfo>> {
        wake::watch(self, request).await
    }

    async fn executions(&self, key: InstanceKey) -> Answer<Vec<ExecutionInfo>> {
        let read = |model: Model, key| async move { model.executions(key).await };
        self.read("executions", key, read).await
    }

    async fn history(&self, key: InstanceKey, execution: ExecutionId) -> Answer<Vec<Event>> {
        let read = |model: Model, (key, of)| async move { model.history(key, of).await };
        self.read("history", (key, execution), read).await
    }

    async fn kv(&self, key: InstanceKey) -> Answer<Vec<KvEntry>> {
        self.read("kv", key, |model: Model, key| async move { model.kv(key).await }).await
    }

    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Answer<Page> {
        let read = |model: Model, (filter, after, limit)| async move {
            model.list(filter, after, limit).await
        };
        self.read("list", (filter, after, limit), read).await
    }

    async fn tree(&self, key: InstanceKey) -> Answer<Option<InstanceTree>> {
        self.read("tree", key, |model: Model, key| async move { model.tree(key).await }).await
    }

    async fn stats(&self, key: InstanceKey) -> Answer<Option<InstanceStats>> {
        self.read("stats", key, |model: Model, key| async move { model.stats(key).await }).await
    }

    async fn metrics(&self) -> Answer<SystemMetrics> {
        self.read("metrics", (), |model: Model, ()| async move { model.metrics().await }).await
    }

    async fn depths(&self) -> Answer<QueueDepths> {
        self.read("depths", (), |model: Model, ()| async move { model.depths().await }).await
    }

    async fn unclaimed(&self) -> Answer<UnclaimedNames> {
        self.read("unclaimed", (), |model: Model, ()| async move { model.unclaimed().await }).await
    }

    async fn delete(&self, key: InstanceKey, force: bool) -> Answer<Deleted> {
        let rows = |state: &State, (key, _): &(InstanceKey, bool)| rows::delete(state, key);
        let change = |model: Model, (key, force)| async move { model.delete(key, force).await };
        self.write("delete", (key, force), rows, change).await
    }

    /// In one transaction, where the real one goes in steps of 50.
    async fn delete_many(&self, selection: Selection) -> Answer<Deleted> {
        let change = |model: Model, selection| async move { model.delete_many(selection).await };
        self.write("delete_many", selection, rows::delete_many, change).await
    }

    /// It locks nothing that anybody else does.
    async fn prune(&self, selection: Selection, rule: PruneRule) -> Answer<Pruned> {
        let change = |model: Model, (of, rule)| async move { model.prune(of, rule).await };
        self.write("prune", (selection, rule), |_: &State, _: &_| Vec::new(), change).await
    }

    fn limits(&self) -> Limits {
        self.server.options.limits.clone()
    }

    /// What nodes hold by this handle is free at once.
    async fn close(&self) -> Answer<()> {
        if !self.closed.load(Ordering::SeqCst) {
            let change = |model: Model, ()| async move { model.close().await };
            self.write("close", (), |_: &State, ()| Vec::new(), change).await?;
            self.closed.store(true, Ordering::SeqCst);
            self.server.core().listeners.ring_all();
        }
        Ok(())
    }
}
