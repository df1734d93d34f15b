//! Reads and management: [`Inspect`], each method a line to the store. Bulk operations go
//! in steps, so that they hold up nobody's turn.

use crate::provider::SqliteProvider;
use crate::store::instances::InstanceRow;
use crate::store::manage::{self, Bulk};
use crate::store::{history, info, unclaimed};
use crate::waiting;
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits};
use duroxide_provider::{
    Deleted, ExecutionInfo, Inspect, InstanceInfo, InstanceKey, InstanceStats, InstanceTree,
    ListFilter, Page, ProviderError, PruneRule, Pruned, QueueDepths, Selection, SystemMetrics,
    UnclaimedNames, WatchRequest,
};

#[async_trait]
impl Inspect for SqliteProvider {
    async fn instance(&self, key: InstanceKey) -> Result<Option<InstanceInfo>, ProviderError> {
        let now = self.shell.clock.now();
        self.shell.read("instance", move |sql| info::instance(sql, &key, now)).await
    }

    async fn watch(&self, request: WatchRequest) -> Result<Option<InstanceInfo>, ProviderError> {
        waiting::watch(&self.shell, request).await
    }

    async fn executions(&self, key: InstanceKey) -> Result<Vec<ExecutionInfo>, ProviderError> {
        self.shell.read("executions", move |sql| info::executions(sql, &key)).await
    }

    async fn history(
        &self,
        key: InstanceKey,
        execution: ExecutionId,
    ) -> Result<Vec<Event>, ProviderError> {
        let read = move |sql: &rusqlite::Connection| match InstanceRow::find(sql, &key)? {
            Some(row) => history::events(sql, &row, execution),
            None => Ok(Vec::new()),
        };
        self.shell.read("history", read).await
    }

    async fn kv(&self, key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError> {
        self.shell.read("kv", move |sql| info::kv(sql, &key)).await
    }

    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Result<Page, ProviderError> {
        self.shell.read("list", move |sql| info::list(sql, &filter, after.as_ref(), limit)).await
    }

    async fn tree(&self, key: InstanceKey) -> Result<Option<InstanceTree>, ProviderError> {
        self.shell.read("tree", move |sql| info::tree(sql, &key)).await
    }

    async fn stats(&self, key: InstanceKey) -> Result<Option<InstanceStats>, ProviderError> {
        self.shell.read("stats", move |sql| info::stats(sql, &key)).await
    }

    async fn metrics(&self) -> Result<SystemMetrics, ProviderError> {
        self.shell.read("metrics", info::metrics).await
    }

    async fn depths(&self) -> Result<QueueDepths, ProviderError> {
        let now = self.shell.clock.now();
        self.shell.read("depths", move |sql| info::depths(sql, now)).await
    }

    async fn unclaimed(&self) -> Result<UnclaimedNames, ProviderError> {
        let now = self.shell.clock.now();
        self.shell.read("unclaimed", move |sql| unclaimed::names(sql, now)).await
    }

    async fn delete(&self, key: InstanceKey, force: bool) -> Result<Deleted, ProviderError> {
        self.write("delete", (key, force), manage::delete).await
    }

    async fn delete_many(&self, selection: Selection) -> Result<Deleted, ProviderError> {
        let mut total = Deleted::default();
        let mut left = selection.limit.unwrap_or(u64::MAX);
        let mut after = 0;
        while let Some(chosen) = self.choose(Bulk::Delete, &selection, after).await? {
            after = chosen.last().copied().unwrap_or(u64::MAX);
            for step in chosen.chunks(manage::STEP) {
                let step: Vec<u64> = step.iter().copied().take(cap(left)).collect();
                if step.is_empty() {
                    return Ok(total);
                }
                left -= step.len() as u64;
                let deleted = self.write("delete_many", step, manage::delete_ended).await?;
                total.instances += deleted.instances;
                total.executions += deleted.executions;
                total.events += deleted.events;
                total.messages += deleted.messages;
            }
        }
        Ok(total)
    }

    async fn prune(&self, selection: Selection, rule: PruneRule) -> Result<Pruned, ProviderError> {
        let mut total = Pruned::default();
        let mut left = selection.limit.unwrap_or(u64::MAX);
        let mut after = 0;
        while let Some(chosen) = self.choose(Bulk::Prune, &selection, after).await? {
            after = chosen.last().copied().unwrap_or(u64::MAX);
            for step in chosen.chunks(manage::STEP) {
                let step: Vec<u64> = step.iter().copied().take(cap(left)).collect();
                if step.is_empty() {
                    return Ok(total);
                }
                left -= step.len() as u64;
                let pruned = self.write("prune", (step, rule), manage::prune).await?;
                total.instances += pruned.instances;
                total.executions += pruned.executions;
                total.events += pruned.events;
            }
        }
        Ok(total)
    }

    fn limits(&self) -> Limits {
        self.shell.limits.clone()
    }

    fn is_read_only(&self) -> bool {
        self.shell.location.is_read_only()
    }

    async fn close(&self) -> Result<(), ProviderError> {
        self.close_store().await
    }
}

fn cap(left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX)
}

impl SqliteProvider {
    /// The next instances of a bulk operation; `None` when there are no more.
    async fn choose(
        &self,
        bulk: Bulk,
        selection: &Selection,
        after: u64,
    ) -> Result<Option<Vec<u64>>, ProviderError> {
        let selection = selection.clone();
        let chosen = self
            .shell
            .read(bulk.operation(), move |sql| manage::select(sql, &selection, bulk, after))
            .await?;
        Ok(if chosen.is_empty() { None } else { Some(chosen) })
    }
}
