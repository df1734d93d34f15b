//! The store as it really is: behind the production server, around the production
//! provider. Here answers are lost and calls come twice, after the store has carried
//! them out; and here is seen what was accepted, whoever heard of it.

use super::{Call, inspect_through, json};
use crate::fault::{Boundary, Fault, Met, Op};
use crate::host::Host;
use crate::ledger::Ledger;
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits};
use duroxide_provider::env::{BoxFuture, Env};
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, Deleted, ExecutionInfo, HistoryPage,
    Inspect, InstanceInfo, InstanceKey, InstanceStats, InstanceTree, LeaseActivities,
    LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations, ListFilter, MailPage,
    Page, Provider, ProviderError, PruneRule, Pruned, QueueDepths, ReadHistory, ReadMail, Release,
    Renew, Selection, Store, Submit, Submitted, SystemMetrics, UnclaimedNames, WaitForWork,
    WakeSeq, WatchRequest,
};
use serde::Serialize;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

/// The store, its host, and the record of what it accepted.
pub(crate) struct Inside {
    pub(crate) host: Arc<Host>,
    pub(crate) env: Env,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger: Arc<Ledger>,
}

/// A store that others reach through a server.
#[derive(Clone)]
pub(crate) struct StoreTap(pub(crate) Arc<Inside>);

type CarryOut<R, A> = fn(Arc<Inside>, R) -> BoxFuture<'static, Result<A, ProviderError>>;

impl StoreTap {
    fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    async fn call<R, A>(
        &self,
        op: Op,
        request: R,
        carry_out: CarryOut<R, A>,
    ) -> Result<A, ProviderError>
    where
        R: Serialize + Clone + Send + Sync + 'static,
        A: Serialize + Send + 'static,
    {
        let inside = &self.0;
        let call = Call::of(op, &request);
        let caller = inside.host.stage().caller(call.digest);
        inside.host.pass().await;
        let mut answer =
            self.carry_out(&call, carry_out(Arc::clone(inside), request.clone())).await;
        let faults =
            caller.as_ref().map(|host| host.strike(Boundary::Durable(op))).unwrap_or_default();
        for fault in faults {
            match fault {
                Fault::LoseAnswer { told } => {
                    self.count(caller.as_ref(), Met::LostAnswer);
                    if op == Op::CommitTurn && answer.is_ok() {
                        self.count(caller.as_ref(), Met::LostCommitAnswer);
                    }
                    if !told {
                        pending::<()>().await;
                    }
                    answer = Err(ProviderError::Unknown {
                        operation: call.label.clone(),
                        message: "the simulation lost the answer".to_owned(),
                    });
                }
                Fault::Duplicate { late_ms } => {
                    self.count(caller.as_ref(), Met::Duplicate);
                    let again = carry_out(Arc::clone(inside), request.clone());
                    if late_ms == 0 {
                        answer = self.carry_out(&call, again).await;
                    } else {
                        self.count(caller.as_ref(), Met::LateDuplicate);
                        self.carry_out_later(&call, again, Duration::from_millis(late_ms));
                    }
                }
                // The caller itself has seen to these.
                Fault::Kill { .. }
                | Fault::HostLoss { .. }
                | Fault::Partition { .. }
                | Fault::Hold { .. } => {}
            }
        }
        inside.host.pass().await;
        answer
    }

    /// What has reached the store is carried out, whether or not the caller still waits.
    async fn carry_out<A: Serialize + Send + 'static>(
        &self,
        call: &Call,
        doing: BoxFuture<'static, Result<A, ProviderError>>,
    ) -> Result<A, ProviderError> {
        let (done, wait) = tokio::sync::oneshot::channel();
        let host = Arc::clone(&self.0.host);
        let label = format!("carried out {}", call.label);
        self.0.env.spawn("call", async move {
            let answer = doing.await;
            host.stage().record(host.name(), &label, &json(&answer));
            // The caller may have gone.
            let _ = done.send(answer);
        });
        match wait.await {
            Ok(answer) => answer,
            // Only when the world ends.
            Err(_) => pending().await,
        }
    }

    fn carry_out_later<A: Serialize + Send + 'static>(
        &self,
        call: &Call,
        doing: BoxFuture<'static, Result<A, ProviderError>>,
        after: Duration,
    ) {
        let (host, env) = (Arc::clone(&self.0.host), self.0.env.clone());
        let label = format!("carried out again {}", call.label);
        self.0.env.spawn("late call", async move {
            env.sleep(after).await;
            let answer = doing.await;
            host.stage().record(host.name(), &label, &json(&answer));
        });
    }

    fn count(&self, caller: Option<&Arc<Host>>, met: Met) {
        let name = caller.map_or("nobody", |host| host.name());
        self.0.host.stage().count(name, met);
    }

    async fn plain<R, A, Fut>(&self, op: Op, request: &R, doing: Fut) -> Result<A, ProviderError>
    where
        R: Serialize + Sync,
        A: Serialize + Send,
        Fut: Future<Output = Result<A, ProviderError>> + Send,
    {
        let call = Call::of(op, request);
        self.0.host.pass().await;
        let answer = doing.await;
        let label = format!("carried out {}", call.label);
        self.0.host.stage().record(self.0.host.name(), &label, &json(&answer));
        self.0.host.pass().await;
        answer
    }
}

#[async_trait]
impl Provider for StoreTap {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        self.call(Op::LeaseOrchestrations, request, |inside, request| {
            Box::pin(async move {
                let name = request.node.name.clone();
                let answer = inside.store.lease_orchestrations(request).await;
                if let Ok(leased) = &answer
                    && inside.ledger.leased(&inside, leased).await > 0
                    && let Some(caller) = inside.host.stage().host(&name)
                {
                    caller.strike(Boundary::TookOver);
                }
                answer
            })
        })
        .await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        self.call(Op::CommitTurn, request, |inside, request| {
            Box::pin(async move {
                let outcome = inside.store.commit_turn(request.clone()).await;
                if let Ok(CommitOutcome::Applied(applied)) = &outcome {
                    inside.ledger.committed(&inside, &request, applied).await;
                }
                outcome
            })
        })
        .await
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        self.call(Op::ReadHistory, request, |inside, request| {
            Box::pin(async move { inside.store.read_history(request).await })
        })
        .await
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        self.call(Op::ReadMail, request, |inside, request| {
            Box::pin(async move { inside.store.read_mail(request).await })
        })
        .await
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        self.call(Op::LeaseActivities, request, |inside, request| {
            Box::pin(async move { inside.store.lease_activities(request).await })
        })
        .await
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        self.call(Op::CompleteActivity, request, |inside, request| {
            Box::pin(async move { inside.store.complete_activity(request).await })
        })
        .await
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        self.call(Op::Renew, request, |inside, request| {
            Box::pin(async move { inside.store.renew(request).await })
        })
        .await
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        self.call(Op::Release, request, |inside, request| {
            Box::pin(async move {
                let answer = inside.store.release(request.clone()).await;
                if answer.is_ok() {
                    inside.ledger.released(&request);
                }
                answer
            })
        })
        .await
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        self.call(Op::Submit, request, |inside, request| {
            Box::pin(async move { inside.store.submit(request).await })
        })
        .await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        self.plain(Op::WaitForWork, &request, self.0.store.wait_for_work(request.clone())).await
    }
}

inspect_through!(StoreTap, store);
