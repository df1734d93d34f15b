//! Deletion, pruning, lists and counts of the client.
//!
//! A deletion whose answer was lost is not sent again: by then the id may be another
//! instance's, and the counts would be those of the second try. The caller is told that it
//! may have been carried out.

use super::{Client, ClientError, RETRY_FOR};
use duroxide_core::InstanceId;
use duroxide_provider::{
    Deleted, InstanceKey, InstanceStats, ListFilter, Page, PruneRule, Pruned, QueueDepths,
    Selection, SystemMetrics,
};

impl Client {
    /// Ids in their order, from after a cursor, at most `limit`.
    pub async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Result<Page, ClientError> {
        let list = || self.store.list(filter.clone(), after.clone(), limit);
        Ok(self.retry(RETRY_FOR, list).await?)
    }

    /// Delete a root instance and everything below it; a running one only with `force`.
    pub async fn delete(
        &self,
        instance: impl Into<InstanceId>,
        force: bool,
    ) -> Result<Deleted, ClientError> {
        let key = InstanceKey::new(instance);
        self.retry_not_applied(|| self.store.delete(key.clone(), force))
            .await
            .map_err(|error| ClientError::of(&key.id, error))
    }

    /// Delete ended roots that match.
    pub async fn delete_many(&self, selection: Selection) -> Result<Deleted, ClientError> {
        Ok(self.retry_not_applied(|| self.store.delete_many(selection.clone())).await?)
    }

    /// Prune old executions of instances that match; the current one is never pruned.
    pub async fn prune(
        &self,
        selection: Selection,
        rule: PruneRule,
    ) -> Result<Pruned, ClientError> {
        Ok(self.retry_not_applied(|| self.store.prune(selection.clone(), rule)).await?)
    }

    /// Sizes of one instance, or `None` for an unknown id.
    pub async fn stats(
        &self,
        instance: impl Into<InstanceId>,
    ) -> Result<Option<InstanceStats>, ClientError> {
        let key = InstanceKey::new(instance);
        Ok(self.retry(RETRY_FOR, || self.store.stats(key.clone())).await?)
    }

    /// Counts of the store.
    pub async fn metrics(&self) -> Result<SystemMetrics, ClientError> {
        Ok(self.retry(RETRY_FOR, || self.store.metrics()).await?)
    }

    /// How much waits.
    pub async fn depths(&self) -> Result<QueueDepths, ClientError> {
        Ok(self.retry(RETRY_FOR, || self.store.depths()).await?)
    }
}
