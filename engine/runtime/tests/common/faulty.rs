//! A store that fails as told: refuses commits, loses answers, is busy, lets waits end in vain;
//! and counts what it is asked.

use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits};
use duroxide_provider::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What happens to a call.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is not carried out.
    Busy,
    /// It is carried out, and its answer lost.
    LostAnswer,
    /// A commit is refused (and not carried out).
    Refused(CommitRefusal),
}

/// Chooses the fault of a commit.
type Choice = Box<dyn FnMut(&CommitTurn) -> Option<Fault> + Send>;

pub(crate) struct Faulty {
    inner: Arc<dyn Store>,
    commits: Mutex<Option<Choice>>,
    completions: Mutex<VecDeque<Fault>>,
    /// Every n-th call is not carried out, or its answer is lost, in turns.
    every: AtomicU64,
    calls: AtomicU64,
    held_back: Mutex<Option<Arc<Semaphore>>>,
    in_vain: Semaphore,
    asked: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) delivered: AtomicU64,
    pub(crate) completed: AtomicU64,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            commits: Mutex::default(),
            completions: Mutex::default(),
            every: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            held_back: Mutex::default(),
            in_vain: Semaphore::new(0),
            asked: Mutex::default(),
            delivered: AtomicU64::new(0),
            completed: AtomicU64::new(0),
        }
    }

    pub(crate) fn on_commit(
        &self,
        choice: impl FnMut(&CommitTurn) -> Option<Fault> + Send + 'static,
    ) {
        *self.commits.lock().unwrap() = Some(Box::new(choice));
    }

    pub(crate) fn on_completion(&self, fault: Fault) {
        self.completions.lock().unwrap().push_back(fault);
    }

    pub(crate) fn trouble_every(&self, n: u64) {
        self.every.store(n, Ordering::SeqCst);
    }

    /// Hold answers back that lease instances, one until each permit; carried out they are.
    pub(crate) fn hold_leases_back(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.held_back.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    /// Let one wait for work end without news, the next that has none.
    pub(crate) fn end_a_wait_in_vain(&self) {
        self.in_vain.add_permits(1);
    }

    /// How often each call was made.
    pub(crate) fn asked(&self) -> BTreeMap<&'static str, u64> {
        self.asked.lock().unwrap().clone()
    }

    fn any(&self) -> Option<Fault> {
        let every = self.every.load(Ordering::SeqCst);
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if every == 0 || !call.is_multiple_of(every) {
            return None;
        }
        Some(if (call / every).is_multiple_of(2) { Fault::Busy } else { Fault::LostAnswer })
    }

    async fn meet<T>(
        &self,
        operation: &'static str,
        fault: Option<Fault>,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        *self.asked.lock().unwrap().entry(operation).or_default() += 1;
        let (operation, message) = (operation.to_owned(), "as planned".to_owned());
        match fault {
            None => call.await,
            Some(Fault::LostAnswer) => {
                self.delivered.fetch_add(1, Ordering::SeqCst);
                call.await?;
                Err(ProviderError::Unknown { operation, message })
            }
            Some(Fault::Busy | Fault::Refused(_)) => {
                self.delivered.fetch_add(1, Ordering::SeqCst);
                Err(ProviderError::Busy { operation, message })
            }
        }
    }
}

#[async_trait]
impl Provider for Faulty {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        let call = self.inner.lease_orchestrations(request);
        let answer = self.meet("lease_orchestrations", self.any(), call).await?;
        let gate = self.held_back.lock().unwrap().clone();
        if let Some(gate) = gate.filter(|_| !answer.instances.is_empty()) {
            self.delivered.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
        }
        Ok(answer)
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        self.meet("read_history", self.any(), self.inner.read_history(request)).await
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        self.meet("read_mail", self.any(), self.inner.read_mail(request)).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        let chosen = self.commits.lock().unwrap().as_mut().and_then(|choice| choice(&request));
        let fault = chosen.or_else(|| self.any());
        if let Some(Fault::Refused(refusal)) = fault {
            self.delivered.fetch_add(1, Ordering::SeqCst);
            return Ok(CommitOutcome::Refused(refusal));
        }
        self.meet("commit", fault, self.inner.commit_turn(request)).await
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        self.meet("lease_activities", self.any(), self.inner.lease_activities(request)).await
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        let chosen = self.completions.lock().unwrap().pop_front();
        let fault = chosen.or_else(|| self.any());
        let answer = self.meet("complete", fault, self.inner.complete_activity(request)).await;
        if answer == Ok(ActivityFate::Applied) {
            self.completed.fetch_add(1, Ordering::SeqCst);
        }
        answer
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        self.meet("renew", self.any(), self.inner.renew(request)).await
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        self.meet("release", self.any(), self.inner.release(request)).await
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        self.meet("submit", self.any(), self.inner.submit(request)).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        let after = request.after;
        let waiting = async {
            tokio::select! {
                biased;
                news = self.inner.wait_for_work(request) => news,
                permit = self.in_vain.acquire() => {
                    permit.unwrap().forget();
                    Ok(after)
                }
            }
        };
        self.meet("wait", self.any(), waiting).await
    }
}

#[async_trait]
impl Inspect for Faulty {
    async fn instance(&self, key: InstanceKey) -> Result<Option<InstanceInfo>, ProviderError> {
        self.inner.instance(key).await
    }
    async fn watch(&self, request: WatchRequest) -> Result<Option<InstanceInfo>, ProviderError> {
        self.inner.watch(request).await
    }
    async fn executions(&self, key: InstanceKey) -> Result<Vec<ExecutionInfo>, ProviderError> {
        self.inner.executions(key).await
    }
    async fn history(
        &self,
        key: InstanceKey,
        execution: ExecutionId,
    ) -> Result<Vec<Event>, ProviderError> {
        self.inner.history(key, execution).await
    }
    async fn kv(&self, key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError> {
        self.inner.kv(key).await
    }
    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Result<Page, ProviderError> {
        self.inner.list(filter, after, limit).await
    }
    async fn tree(&self, key: InstanceKey) -> Result<Option<InstanceTree>, ProviderError> {
        self.inner.tree(key).await
    }
    async fn stats(&self, key: InstanceKey) -> Result<Option<InstanceStats>, ProviderError> {
        self.inner.stats(key).await
    }
    async fn metrics(&self) -> Result<SystemMetrics, ProviderError> {
        self.inner.metrics().await
    }
    async fn depths(&self) -> Result<QueueDepths, ProviderError> {
        self.inner.depths().await
    }
    async fn unclaimed(&self) -> Result<UnclaimedNames, ProviderError> {
        self.meet("unclaimed", None, self.inner.unclaimed()).await
    }
    async fn delete(&self, key: InstanceKey, force: bool) -> Result<Deleted, ProviderError> {
        self.meet("delete", self.any(), self.inner.delete(key, force)).await
    }
    async fn delete_many(&self, selection: Selection) -> Result<Deleted, ProviderError> {
        self.inner.delete_many(selection).await
    }
    async fn prune(&self, selection: Selection, rule: PruneRule) -> Result<Pruned, ProviderError> {
        self.inner.prune(selection, rule).await
    }
    fn limits(&self) -> Limits {
        self.inner.limits()
    }
    async fn close(&self) -> Result<(), ProviderError> {
        self.inner.close().await
    }
}
