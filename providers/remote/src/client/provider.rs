//! The contract's traits over the client: each method is its [`Call`]. Not here: any
//! decision.

use super::RemoteProvider;
use super::driver::Command;
use crate::call::Call;
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits};
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, Deleted, ExecutionInfo, HistoryPage,
    Inspect, InstanceInfo, InstanceKey, InstanceStats, InstanceTree, LeaseActivities,
    LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations, ListFilter, MailPage,
    Page, Provider, ProviderError, PruneRule, Pruned, QueueDepths, ReadHistory, ReadMail, Release,
    Renew, Selection, Submit, Submitted, SystemMetrics, UnclaimedNames, WaitForWork, WakeSeq,
    WatchRequest,
};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

#[async_trait]
impl Provider for RemoteProvider {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        self.ask(Call::LeaseOrchestrations(request)).await
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        self.ask(Call::ReadHistory(request)).await
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        self.ask(Call::ReadMail(request)).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        self.ask(Call::CommitTurn(Box::new(request))).await
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        self.ask(Call::LeaseActivities(request)).await
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        self.ask(Call::CompleteActivity(request)).await
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        self.ask(Call::Renew(request)).await
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        self.ask(Call::Release(request)).await
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        self.ask(Call::Submit(request)).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        self.ask(Call::WaitForWork(request)).await
    }
}

#[async_trait]
impl Inspect for RemoteProvider {
    async fn instance(&self, key: InstanceKey) -> Result<Option<InstanceInfo>, ProviderError> {
        self.ask(Call::Instance { key }).await
    }

    async fn watch(&self, request: WatchRequest) -> Result<Option<InstanceInfo>, ProviderError> {
        self.ask(Call::Watch(request)).await
    }

    async fn executions(&self, key: InstanceKey) -> Result<Vec<ExecutionInfo>, ProviderError> {
        self.ask(Call::Executions { key }).await
    }

    async fn history(
        &self,
        key: InstanceKey,
        execution: ExecutionId,
    ) -> Result<Vec<Event>, ProviderError> {
        self.ask(Call::History { key, execution }).await
    }

    async fn kv(&self, key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError> {
        self.ask(Call::Kv { key }).await
    }

    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Result<Page, ProviderError> {
        self.ask(Call::List { filter, after, limit }).await
    }

    async fn tree(&self, key: InstanceKey) -> Result<Option<InstanceTree>, ProviderError> {
        self.ask(Call::Tree { key }).await
    }

    async fn stats(&self, key: InstanceKey) -> Result<Option<InstanceStats>, ProviderError> {
        self.ask(Call::Stats { key }).await
    }

    async fn metrics(&self) -> Result<SystemMetrics, ProviderError> {
        self.ask(Call::Metrics).await
    }

    async fn depths(&self) -> Result<QueueDepths, ProviderError> {
        self.ask(Call::Depths).await
    }

    async fn unclaimed(&self) -> Result<UnclaimedNames, ProviderError> {
        self.ask(Call::Unclaimed).await
    }

    async fn delete(&self, key: InstanceKey, force: bool) -> Result<Deleted, ProviderError> {
        self.ask(Call::Delete { key, force }).await
    }

    async fn delete_many(&self, selection: Selection) -> Result<Deleted, ProviderError> {
        self.ask(Call::DeleteMany { selection }).await
    }

    async fn prune(&self, selection: Selection, rule: PruneRule) -> Result<Pruned, ProviderError> {
        self.ask(Call::Prune { selection, rule }).await
    }

    /// Those of the server's store; the defaults until the first connection is made.
    fn limits(&self) -> Limits {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As the server's store says; `false` until the first connection is made.
    fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    async fn close(&self) -> Result<(), ProviderError> {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Command::Close(done)).is_ok() {
            // Dropped, not sent: the driver has ended, which is what is waited for.
            let _ = ended.await;
        }
        Ok(())
    }
}
