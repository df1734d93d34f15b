//! Who sees what the store carries out, and tells the ledger. Around the provider; or, where
//! answers come in another order than that in which calls are carried out, around what
//! carries them out. It delays nothing, and strikes nothing.

use super::{Shows, inspect_through};
use crate::oracle::{Fact, Ledger};
use crate::point::Op;
use crate::stage::Stage;
use async_trait::async_trait;
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, HistoryPage, InstanceKey,
    LeaseActivities, LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations,
    MailPage, Provider, ProviderError, ReadHistory, ReadMail, Release, Renew, Store, Submit,
    Submitted, WaitForWork, WakeSeq,
};
use std::future::Future;
use std::sync::Arc;

/// A store, each call of which is seen.
pub(crate) struct Witness {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) stage: Arc<Stage>,
}

impl Witness {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The answer to a call that began then was seen.
    fn saw(&self, began: u64, fact: &Fact<'_>) {
        self.ledger.saw(began, fact);
        self.ledger.report(&self.stage);
    }

    async fn plain<R, A>(
        &self,
        _: Op,
        _: &R,
        doing: impl Future<Output = Result<A, ProviderError>> + Send,
    ) -> Result<A, ProviderError> {
        doing.await
    }
}

#[async_trait]
impl Provider for Witness {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        let began = self.ledger.asked(&Fact::Leasing(&request));
        let answer = self.store.lease_orchestrations(request.clone()).await;
        if let Ok(leased) = &answer {
            self.ledger.leased(self, began, &request, leased).await;
        }
        answer
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        let began = self.ledger.committing(&request);
        let outcome = self.store.commit_turn(request.clone()).await;
        if let Ok(CommitOutcome::Applied(applied)) = &outcome {
            self.ledger.committed(self, began, &request, applied).await;
        }
        outcome
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        let began = self.ledger.begins();
        let answer = self.store.read_history(request.clone()).await;
        if let (Ok(page), Some(key)) = (&answer, self.ledger.name(request.incarnation)) {
            self.saw(began, &Fact::Read(&key, &request, page));
        }
        answer
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        let began = self.ledger.begins();
        let answer = self.store.read_mail(request.clone()).await;
        if let (Ok(page), Some(key)) = (&answer, self.ledger.name(request.incarnation)) {
            self.saw(began, &Fact::MailRead(&key, page));
        }
        answer
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        let began = self.ledger.begins();
        let answer = self.store.lease_activities(request.clone()).await;
        if let Ok(leased) = &answer {
            self.saw(began, &Fact::ActivitiesLeased(&request, leased));
        }
        answer
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        let (began, key) = self.ledger.completing(&request);
        let answer = self.store.complete_activity(request.clone()).await;
        if let (Ok(fate), Some(key)) = (&answer, key) {
            self.saw(began, &Fact::Completed(&key, &request, *fate));
        }
        answer
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        let began = self.ledger.asked(&Fact::Renewing(&request));
        let answer = self.store.renew(request.clone()).await;
        if let Ok(states) = &answer {
            self.saw(began, &Fact::Renewed(&request, states));
        }
        answer
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        self.ledger.asked(&Fact::Releasing(&request));
        let answer = self.store.release(request.clone()).await;
        if answer.is_ok() {
            self.ledger.released(&request);
        }
        answer
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        let began = self.ledger.asked(&Fact::Submitting(&request));
        let answer = self.store.submit(request.clone()).await;
        if let Ok(submitted) = &answer {
            self.saw(began, &Fact::Submitted(&request, *submitted));
        }
        answer
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        self.store.wait_for_work(request).await
    }
}

impl Shows for Witness {
    fn begins(&self) -> u64 {
        self.ledger.begins()
    }

    fn deletes(&self, keys: Option<&[InstanceKey]>, force: bool) -> u64 {
        self.ledger.deleting(keys, force)
    }

    fn deleted(&self, keys: &[InstanceKey]) {
        self.ledger.deleted(keys);
    }

    fn shows(&self, began: u64, fact: &Fact<'_>) {
        self.saw(began, fact);
    }
}

inspect_through!(Witness, store);
