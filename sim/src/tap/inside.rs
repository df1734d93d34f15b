//! The store as it really is: behind the production server, around the production
//! provider. Here answers are lost and calls come twice, after the store has carried
//! them out. Not here: what the oracles are told of that (`witness`).

use super::{Call, Shows, inspect_through, json};
use crate::counts::sometimes;
use crate::fault::Then;
use crate::host::Host;
use crate::oracle::Ledger;
use crate::point::{Boundary, Op};
use async_trait::async_trait;
use duroxide_provider::env::{BoxFuture, Env};
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, HistoryPage, LeaseActivities,
    LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations, MailPage, Provider,
    ProviderError, ReadHistory, ReadMail, Release, Renew, Store, Submit, Submitted, WaitForWork,
    WakeSeq,
};
use serde::Serialize;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

/// The store, with its witness, its host, and the record of what it accepted.
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

/// The call, and nothing else.
macro_rules! through {
    ($method:ident) => {
        |inside, request| Box::pin(async move { inside.store.$method(request).await })
    };
}

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
        let (call, _) = Call::of(op, &request);
        let caller = inside.host.stage().caller(call.digest);
        inside.host.pass().await;
        let strike = |boundary| caller.as_ref().map(|host| host.strike(boundary));
        for then in strike(Boundary::Arrived(op)).unwrap_or_default() {
            if let Then::Refuse(error) = then {
                return Err(error);
            }
        }
        let doing = || carry_out(Arc::clone(inside), request.clone());
        let mut answer = self.carry_out(call, doing()).await;
        for then in strike(Boundary::Durable(op)).unwrap_or_default() {
            match then {
                Then::LoseAnswer { told } => {
                    if op == Op::CommitTurn && answer.is_ok() {
                        self.count(caller.as_ref(), sometimes::LOST_COMMIT_ANSWER);
                    }
                    if !told {
                        pending::<()>().await;
                    }
                    answer = Err(ProviderError::Unknown {
                        operation: format!("{op:?}"),
                        message: "the simulation lost the answer".to_owned(),
                    });
                }
                Then::Again { after } if after.is_zero() => {
                    answer = self.carry_out(call, doing()).await;
                }
                Then::Again { after } => {
                    self.count(caller.as_ref(), sometimes::LATE_DUPLICATE);
                    self.carry_out_later(call, doing(), after);
                }
                // Planned for another point: nothing of it can happen here.
                Then::Nothing
                | Then::Refuse(_)
                | Then::Throw
                | Then::Wait { .. }
                | Then::Disk(_)
                | Then::Server(_) => {}
            }
        }
        inside.host.pass().await;
        answer
    }

    /// What has reached the store is carried out, whether or not the caller still waits.
    async fn carry_out<A: Serialize + Send + 'static>(
        &self,
        call: Call,
        doing: BoxFuture<'static, Result<A, ProviderError>>,
    ) -> Result<A, ProviderError> {
        let (done, wait) = tokio::sync::oneshot::channel();
        let host = Arc::clone(&self.0.host);
        self.0.env.spawn("call", async move {
            let answer = doing.await;
            call.record(&host, "carried out", &json(&answer));
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
        call: Call,
        doing: BoxFuture<'static, Result<A, ProviderError>>,
        after: Duration,
    ) {
        let (host, env) = (Arc::clone(&self.0.host), self.0.env.clone());
        self.0.env.spawn("late call", async move {
            env.sleep(after).await;
            let answer = doing.await;
            call.record(&host, "carried out again", &json(&answer));
        });
    }

    fn count(&self, caller: Option<&Arc<Host>>, what: &str) {
        let name = caller.map_or("nobody", |host| host.name());
        self.0.host.stage().count(name, what);
    }

    async fn plain<R, A, Fut>(&self, op: Op, request: &R, doing: Fut) -> Result<A, ProviderError>
    where
        R: Serialize + Sync,
        A: Serialize + Send,
        Fut: Future<Output = Result<A, ProviderError>> + Send,
    {
        let (call, _) = Call::of(op, request);
        self.0.host.pass().await;
        let answer = doing.await;
        call.record(&self.0.host, "carried out", &json(&answer));
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
                let (name, lease) = (request.node.name.clone(), request.lease);
                let answer = inside.store.lease_orchestrations(request).await;
                if answer.is_ok()
                    && inside.ledger.took_over(lease)
                    && let Some(caller) = inside.host.stage().host(&name)
                {
                    inside.host.stage().count(&name, sometimes::TAKE_OVER);
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
                let (name, commit) = (request.node.name.clone(), request.commit_id);
                let outcome = inside.store.commit_turn(request).await;
                let stage = inside.host.stage();
                match &outcome {
                    Ok(CommitOutcome::Applied(_)) => {
                        if let Some(caller) = stage.host(&name) {
                            caller.work(|work| work.unanswered.insert(commit));
                        }
                    }
                    Ok(CommitOutcome::Refused(_)) => stage.count(&name, sometimes::TURN_REFUSED),
                    Err(_) => {}
                }
                outcome
            })
        })
        .await
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        self.call(Op::ReadHistory, request, through!(read_history)).await
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        self.call(Op::ReadMail, request, through!(read_mail)).await
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        self.call(Op::LeaseActivities, request, through!(lease_activities)).await
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        self.call(Op::CompleteActivity, request, through!(complete_activity)).await
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        self.call(Op::Renew, request, through!(renew)).await
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        self.call(Op::Release, request, through!(release)).await
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        self.call(Op::Submit, request, through!(submit)).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        self.plain(Op::WaitForWork, &request, self.0.store.wait_for_work(request.clone())).await
    }
}

/// What was seen is told where it is carried out.
impl Shows for StoreTap {}

inspect_through!(StoreTap, store);
