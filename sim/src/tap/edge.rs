//! The store as a host sees it: around the production client, on the host's own side of
//! the network.

use super::{Call, Shows, inspect_through};
use crate::host::{Host, Work};
use crate::point::{Boundary, Op};
use async_trait::async_trait;
use duroxide_provider::{
    ActivityFate, ActivityKey, CommitOutcome, CommitTurn, CompleteActivity, Held, HistoryPage,
    LeaseActivities, LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations,
    MailPage, Provider, ProviderError, ReadHistory, ReadMail, Release, Renew, Store, Submit,
    Submitted, WaitForWork, WakeSeq,
};
use serde::Serialize;
use std::future::{Future, pending};
use std::sync::Arc;

/// A store, seen from a host.
pub(crate) struct Edge {
    host: Arc<Host>,
    store: Arc<dyn Store>,
}

/// Keeps a call among those in flight until it is answered or given up.
struct InFlight<'a>(&'a Host, u64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.call_ends(self.1);
    }
}

impl Edge {
    /// The store as this life of a host reaches it.
    pub(crate) fn new(host: Arc<Host>, store: Arc<dyn Store>) -> Self {
        Self { host, store }
    }

    fn store(&self) -> &dyn Store {
        &*self.store
    }

    async fn call<R, A, Fut>(
        &self,
        op: Op,
        request: &R,
        sending: Fut,
        observe: impl FnOnce(&mut Work, &A) + Send,
    ) -> Result<A, ProviderError>
    where
        R: Serialize + Sync,
        A: Send + Sync,
        Fut: Future<Output = Result<A, ProviderError>> + Send,
    {
        let host = &self.host;
        let (call, text) = Call::of(op, request);
        host.pass().await;
        host.strike(Boundary::Calling(op));
        self.stop_if_dead().await;
        call.record(host, "calls", &text);
        drop(text);
        host.stage().calls(call.digest, host);
        let in_flight = InFlight(host, host.call_begins(op));
        let answer = sending.await;
        self.stop_if_dead().await;
        // What the store answered is in the trace already; what is lost on the way is not.
        let heard = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
        call.record(host, "answered", heard.as_bytes());
        drop(in_flight);
        if let Ok(answer) = &answer {
            host.work(|work| observe(work, answer));
        }
        host.strike(Boundary::Answered(op));
        host.pass().await;
        answer
    }

    async fn plain<R, A, Fut>(&self, op: Op, request: &R, sending: Fut) -> Result<A, ProviderError>
    where
        R: Serialize + Sync,
        A: Send + Sync,
        Fut: Future<Output = Result<A, ProviderError>> + Send,
    {
        self.call(op, request, sending, |_, _| ()).await
    }

    async fn stop_if_dead(&self) {
        if !self.host.is_alive() {
            pending::<()>().await;
        }
    }
}

/// What a commit leaves its host with.
fn after_commit(work: &mut Work, request: &CommitTurn, outcome: &CommitOutcome) {
    work.unanswered.remove(&request.commit_id);
    let instance = Held::Instance { incarnation: request.incarnation, lease: request.lease };
    match outcome {
        CommitOutcome::Applied(applied) => {
            for (activity, lease) in &request.completed {
                work.held.remove(&Held::Activity { activity: *activity, lease: *lease });
            }
            for claimed in &applied.claimed {
                let activity = ActivityKey {
                    incarnation: request.incarnation,
                    execution: request.turn.execution,
                    event: claimed.event,
                };
                work.held
                    .insert(Held::Activity { activity, lease: request.commit_id.claim_lease() });
            }
            if !applied.held {
                work.held.remove(&instance);
            }
        }
        CommitOutcome::Refused(_) => {
            work.held.remove(&instance);
        }
    }
}

#[async_trait]
impl Provider for Edge {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        let sending = self.store.lease_orchestrations(request.clone());
        self.call(Op::LeaseOrchestrations, &request, sending, |work, answer| {
            work.held.extend(answer.instances.iter().map(|leased| Held::Instance {
                incarnation: leased.incarnation,
                lease: leased.lease,
            }));
        })
        .await
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        let sending = self.store.read_history(request.clone());
        self.plain(Op::ReadHistory, &request, sending).await
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        let sending = self.store.read_mail(request.clone());
        self.plain(Op::ReadMail, &request, sending).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        let sending = self.store.commit_turn(request.clone());
        self.call(Op::CommitTurn, &request, sending, |work, outcome| {
            after_commit(work, &request, outcome);
        })
        .await
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        let sending = self.store.lease_activities(request.clone());
        self.call(Op::LeaseActivities, &request, sending, |work, answer| {
            work.held.extend(
                answer.activities.iter().map(|leased| Held::Activity {
                    activity: leased.activity,
                    lease: request.lease,
                }),
            );
        })
        .await
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        let sending = self.store.complete_activity(request.clone());
        self.call(Op::CompleteActivity, &request, sending, |work, _| {
            let (activity, lease) = (request.activity, request.lease);
            work.held.remove(&Held::Activity { activity, lease });
        })
        .await
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        let sending = self.store.renew(request.clone());
        self.plain(Op::Renew, &request, sending).await
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        let sending = self.store.release(request.clone());
        self.call(Op::Release, &request, sending, |work, ()| {
            for held in &request.held {
                work.held.remove(held);
            }
        })
        .await
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        let sending = self.store.submit(request.clone());
        self.plain(Op::Submit, &request, sending).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        let sending = self.store.wait_for_work(request.clone());
        self.plain(Op::WaitForWork, &request, sending).await
    }
}

/// A host knows what it was shown; what is true of it is seen at the store.
impl Shows for Edge {}

inspect_through!(Edge, store);
