//! The trait through which everything durable goes. Ten methods one can recite:
//! lease · read · commit · complete · renew · release · submit · wait.

use crate::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, HistoryPage, Inspect,
    LeaseActivities, LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations,
    MailPage, ProviderError, ReadHistory, ReadMail, Release, Renew, Submit, Submitted, WaitForWork,
    WakeSeq,
};
use async_trait::async_trait;

/// A store of runs.
///
/// Every method is atomic, and safe to send again when its answer was lost, with the
/// same ids. A lease holds until it is taken over, released or its row deleted; expiry
/// only permits take-over. The store's clock is the only clock; it never goes back.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Lease instances that have unseen mail, a due timer or a split turn: those nobody
    /// holds, those whose lease expired or whose node is known to be dead, and, under
    /// their present lease, those that this node holds and that got mail since they were
    /// last given to it. Counts an attempt for each newly leased one.
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError>;

    /// Read history in pages. Recovery may assume: it is what the commits appended, whole
    /// and in order. [`ProviderError::NotFound`] when the lease is no longer held.
    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError>;

    /// Read mail that was seen and not taken. [`ProviderError::NotFound`] when the lease
    /// is no longer held.
    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError>;

    /// Make a turn durable, all or nothing. Checked in this order: already applied
    /// (`last_commit == commit_id`) → `Applied` with the same claims; instance, execution
    /// → `Gone`; base and next event → `Conflict`; lease → `LeaseLost`; each completed
    /// activity → `ActivityLost`. Readiness is cleared for exactly the ids consumed or
    /// seen. When it answers `Applied`, the turn survives anything the store promises to
    /// survive.
    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError>;

    /// Lease activities, oldest first, each to one node at a time. Counts an attempt for
    /// each.
    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError>;

    /// Put the completion of an activity into the inbox of its instance, and remove the
    /// activity.
    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError>;

    /// Prolong leases; one answer for each, in order. Whoever holds an instance is given all
    /// of its news again: the answer that gave them may have reached nobody.
    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError>;

    /// Hand leases back. Touches only what it names; idempotent.
    async fn release(&self, request: Release) -> Result<(), ProviderError>;

    /// A client's request, applied once per request id. Acknowledged means durable; a
    /// submit begun after another was acknowledged sorts later.
    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError>;

    /// Wait until there may be work: at once if anything happened after `after`; else on
    /// ready instances or activities, mail or cancels for what the node holds, the next
    /// due time, or `max`. May return for nothing; never misses anything. Gives the
    /// sequence to continue after.
    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError>;
}

/// A provider with its reads and management: what a runtime and a client need.
pub trait Store: Provider + Inspect {}

impl<T: Provider + Inspect> Store for T {}
