//! The contract's methods: each begins, runs into trouble if a check asked for it, and is
//! done in the file that has its faults.

use crate::faulty::{Answer, Faulty};
use async_trait::async_trait;
use duroxide_provider::*;

#[async_trait]
impl Provider for Faulty {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Answer<LeasedOrchestrations> {
        self.change("lease_orchestrations", self.lease_instances(request)).await
    }

    async fn read_history(&self, request: ReadHistory) -> Answer<HistoryPage> {
        self.begin("read_history").await?;
        self.history_page(request).await
    }

    async fn read_mail(&self, request: ReadMail) -> Answer<MailPage> {
        self.begin("read_mail").await?;
        self.mail_page(request).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Answer<CommitOutcome> {
        self.change("commit_turn", self.commit(request)).await
    }

    async fn lease_activities(&self, request: LeaseActivities) -> Answer<LeasedActivities> {
        self.change("lease_activities", self.lease_tasks(request)).await
    }

    async fn complete_activity(&self, request: CompleteActivity) -> Answer<ActivityFate> {
        self.change("complete_activity", self.complete(request)).await
    }

    async fn renew(&self, request: Renew) -> Answer<Vec<LeaseState>> {
        self.change("renew", self.prolong(request)).await
    }

    async fn release(&self, request: Release) -> Answer<()> {
        self.change("release", self.hand_back(request)).await
    }

    async fn submit(&self, request: Submit) -> Answer<Submitted> {
        self.change("submit", self.take_in(request)).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Answer<WakeSeq> {
        self.count("wait_for_work")?;
        self.wait(request).await
    }
}
