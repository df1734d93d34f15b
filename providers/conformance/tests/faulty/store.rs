//! A working store with one fault in front of it.

#![expect(clippy::wildcard_enum_match_arm, reason = "each method has its few faults of many")]

use crate::fault::Fault;
use async_trait::async_trait;
use duroxide_core::{
    CompatFlags, End, Event, EventId, ExecutionId, InstanceId, KvChange, KvEntry, Limits, Payload,
    TimeMs,
};
use duroxide_provider::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a fault has to remember to do its wrong.
#[derive(Default)]
struct Memory {
    applied: BTreeSet<CommitId>,
    holder: BTreeMap<Incarnation, LeaseId>,
    worker: BTreeMap<ActivityKey, LeaseId>,
    last_leased: Vec<LeasedInstance>,
    last_tasks: Vec<LeasedActivity>,
    position: BTreeMap<Incarnation, (Option<CommitId>, EventId)>,
    cancelled: BTreeSet<InstanceKey>,
    phrase: Option<String>,
}

/// The store with its fault.
pub(crate) struct Faulty {
    inner: Arc<dyn Store>,
    fault: Fault,
    memory: Mutex<Memory>,
    drawn: AtomicU64,
}

const FOR_EVER: Duration = Duration::from_hours(1_000);

type Answer<T> = Result<T, ProviderError>;

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Store>, fault: Fault) -> Self {
        Self { inner, fault, memory: Mutex::default(), drawn: AtomicU64::new(1) }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn is_applied(&self, id: CommitId) -> bool {
        self.memory.lock().unwrap().applied.contains(&id)
    }

    /// Where the instance really stands, for a store that looks at neither base nor event.
    fn position_to_use(&self, incarnation: Incarnation) -> Option<(Option<CommitId>, EventId)> {
        let memory = self.memory.lock().unwrap();
        memory
            .position
            .get(&incarnation)
            .copied()
            .filter(|_| self.has(Fault::AppliesConflictingCommits))
    }

    fn earlier(&self, now: TimeMs) -> TimeMs {
        let n = self.drawn.fetch_add(1, Ordering::SeqCst);
        if self.has(Fault::TellsEarlierTimes) { TimeMs(now.0 - n * 1_000) } else { now }
    }

    /// The request as the fault passes it on.
    fn spoil_commit(&self, mut request: CommitTurn) -> CommitTurn {
        let turn = &mut request.turn;
        match self.fault {
            Fault::ReleasesWithEveryCommit => request.keep = None,
            Fault::FiresTimersEarly => turn.timers.iter_mut().for_each(|t| t.delay_ms = 0),
            Fault::TakesSeenMail => turn.consumed.append(&mut turn.seen),
            Fault::LosesTimers => turn.timers.clear(),
            Fault::ForgetsSplits => turn.split = false,
            Fault::ForgetsTheParent => turn.starts.iter_mut().for_each(|s| s.detached = true),
            Fault::ForgetsToTellChildren => turn.sends.clear(),
            Fault::KeepsCancelledActivities => turn.cancelled_activities.clear(),
            Fault::KeepsClearedKeys => {
                turn.kv.retain(|change| matches!(change, KvChange::Set { .. }));
            }
            Fault::IgnoresSessions => turn.activities.iter_mut().for_each(|a| a.session = None),
            Fault::IgnoresFlags => request.flags = CompatFlags::NONE,
            Fault::ClaimsBeyondPermits => {
                request.claim.iter_mut().for_each(|claim| claim.max = 1_000);
            }
            Fault::ClearsKeysOnContinue => {
                if matches!(turn.end, Some(End::ContinuedAsNew { .. })) {
                    turn.kv.push(KvChange::ClearAll);
                }
            }
            Fault::KeepsTheVersionOnContinue => {
                if let Some(End::ContinuedAsNew { version, .. }) = &mut turn.end {
                    version.get_or_insert_with(|| "1.0.0".to_owned());
                }
            }
            Fault::ClaimsNothing => request.claim = None,
            Fault::KeepsNoPhrases => turn.waiting = None,
            Fault::IgnoresTheFence => {
                let memory = self.memory.lock().unwrap();
                request.lease =
                    memory.holder.get(&request.incarnation).copied().unwrap_or(request.lease);
            }
            _ => {}
        }
        request
    }

    /// What is read of an instance, as the fault gives it.
    fn spoil_info(&self, mut info: InstanceInfo) -> InstanceInfo {
        if self.has(Fault::KeepsOldPhrases) {
            let mut memory = self.memory.lock().unwrap();
            memory.phrase = info.waiting.take().or(memory.phrase.take());
            info.waiting.clone_from(&memory.phrase);
        }
        if self.has(Fault::SaysNothingIsUnclaimed) {
            info.unclaimed = None;
        }
        if self.has(Fault::SaysHeldWorkIsUnclaimed) {
            let (work, since) = (Work::Turn { first: true }, info.created_at);
            info.unclaimed = Some(Unclaimed { work, since, age: Duration::ZERO });
        }
        info
    }

    /// The answer as the fault gives it.
    fn spoil_outcome(&self, outcome: CommitOutcome) -> CommitOutcome {
        match outcome {
            CommitOutcome::Applied(mut applied) => {
                if self.has(Fault::StampsTimersAnew) {
                    applied.timers.iter_mut().for_each(|(_, due)| *due = due.plus(1));
                }
                if self.has(Fault::ReordersArrivals) {
                    applied.arrivals.reverse();
                }
                applied.store_now = self.earlier(applied.store_now);
                CommitOutcome::Applied(applied)
            }
            CommitOutcome::Refused(_) if self.has(Fault::SaysConflictForEverything) => {
                CommitOutcome::Refused(CommitRefusal::Conflict)
            }
            CommitOutcome::Refused(why) => CommitOutcome::Refused(why),
        }
    }
}

#[async_trait]
impl Provider for Faulty {
    async fn lease_orchestrations(
        &self,
        mut request: LeaseOrchestrations,
    ) -> Answer<LeasedOrchestrations> {
        if self.has(Fault::IgnoresVersions) {
            for versions in request.filter.names.values_mut() {
                versions.extend(["1.0.0", "2.0.0", "3.0.0"].map(ToOwned::to_owned));
            }
        }
        match self.fault {
            Fault::IgnoresNames => {
                let latest = BTreeSet::from(["1.0.0".to_owned()]);
                request.filter.names.insert("Unknown".to_owned(), latest);
            }
            Fault::GivesMoreThanAsked => request.max += 1,
            Fault::NeverExpires => request.duration = FOR_EVER,
            Fault::FiltersTerminations if request.filter.names.is_empty() => request.max = 0,
            _ => {}
        }
        let max = request.max;
        let mut leased = self.inner.lease_orchestrations(request).await?;
        if self.has(Fault::GivesTheYoungestFirst) {
            leased.instances.reverse();
        }
        let mut memory = self.memory.lock().unwrap();
        for instance in &mut leased.instances {
            memory.holder.insert(instance.incarnation, instance.lease);
            let position = (instance.last_commit, instance.next_event);
            memory.position.insert(instance.incarnation, position);
            if self.has(Fault::CountsAttemptsFromZero) {
                instance.attempt -= 1;
            }
            if self.has(Fault::ReordersArrivals) {
                instance.arrivals.reverse();
            }
            if self.has(Fault::CountsNoAttempts) {
                instance.attempt = 1;
            }
        }
        if self.has(Fault::LeasesTwice) && leased.instances.is_empty() && max > 0 {
            leased.instances = std::mem::take(&mut memory.last_leased);
        } else {
            memory.last_leased.clone_from(&leased.instances);
        }
        drop(memory);
        leased.store_now = self.earlier(leased.store_now);
        Ok(leased)
    }

    async fn read_history(&self, mut request: ReadHistory) -> Answer<HistoryPage> {
        if self.has(Fault::ReadsWithoutTheLease) {
            let memory = self.memory.lock().unwrap();
            request.lease =
                memory.holder.get(&request.incarnation).copied().unwrap_or(request.lease);
        }
        self.inner.read_history(request).await
    }

    async fn read_mail(&self, request: ReadMail) -> Answer<MailPage> {
        self.inner.read_mail(request).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Answer<CommitOutcome> {
        let id = request.commit_id;
        if self.has(Fault::ForgetsCommitIds) && self.is_applied(id) {
            return Ok(CommitOutcome::Refused(CommitRefusal::Conflict));
        }
        let request = self.spoil_commit(request);
        let (incarnation, turn) = (request.incarnation, &request.turn);
        let after = (Some(id), EventId(turn.expect_event.0 + turn.events.len() as u64));
        let mut outcome = self.inner.commit_turn(request.clone()).await?;
        let lost = matches!(outcome, CommitOutcome::Refused(CommitRefusal::ActivityLost { .. }));
        if lost && self.has(Fault::AppliesWhatItCanOfACommit) {
            let mut rest = request.clone();
            rest.completed.clear();
            rest.turn.fused.clear();
            outcome = self.inner.commit_turn(rest).await?;
        } else if let (CommitOutcome::Refused(CommitRefusal::Conflict), Some((base, event))) =
            (&outcome, self.position_to_use(request.incarnation))
        {
            let mut forced = request;
            forced.base = base;
            forced.turn.expect_event = event;
            outcome = self.inner.commit_turn(forced).await?;
        }
        if matches!(outcome, CommitOutcome::Applied(_)) {
            let mut memory = self.memory.lock().unwrap();
            memory.applied.insert(id);
            memory.position.insert(incarnation, after);
        }
        Ok(self.spoil_outcome(outcome))
    }

    async fn lease_activities(&self, mut request: LeaseActivities) -> Answer<LeasedActivities> {
        if self.has(Fault::IgnoresTags) {
            request.filter.tags = TagFilter::Any;
        }
        match self.fault {
            Fault::IgnoresNames => {
                request.filter.names.extend(["Unknown", "Greet", "Work"].map(ToOwned::to_owned));
            }
            Fault::GivesMoreThanAsked => request.max += 1,
            Fault::NeverExpires => request.duration = FOR_EVER,
            _ => {}
        }
        let (lease, max) = (request.lease, request.max);
        let mut leased = self.inner.lease_activities(request).await?;
        if self.has(Fault::GivesTheYoungestFirst) {
            leased.activities.reverse();
        }
        if self.has(Fault::LeasesActivitiesTwice) && max > 0 {
            let mut memory = self.memory.lock().unwrap();
            if leased.activities.is_empty() {
                leased.activities = std::mem::take(&mut memory.last_tasks);
            } else {
                memory.last_tasks.clone_from(&leased.activities);
            }
        }
        for activity in &mut leased.activities {
            self.memory.lock().unwrap().worker.insert(activity.activity, lease);
            match self.fault {
                Fault::CountsNoAttempts => activity.attempt = 1,
                Fault::CountsAttemptsFromZero => activity.attempt -= 1,
                _ => {}
            }
        }
        leased.store_now = self.earlier(leased.store_now);
        Ok(leased)
    }

    async fn complete_activity(&self, mut request: CompleteActivity) -> Answer<ActivityFate> {
        if self.has(Fault::CompletesUnderAnyLease) {
            let memory = self.memory.lock().unwrap();
            request.lease = memory.worker.get(&request.activity).copied().unwrap_or(request.lease);
        }
        if self.has(Fault::LosesFailures) && request.outcome.is_err() {
            request.outcome = Ok(Payload::null());
        }
        let fate = self.inner.complete_activity(request).await?;
        let again = self.has(Fault::CompletesAgain) && fate == ActivityFate::Gone;
        Ok(if again { ActivityFate::Applied } else { fate })
    }

    async fn renew(&self, request: Renew) -> Answer<Vec<LeaseState>> {
        let states = self.inner.renew(request).await?;
        let spoil = |state| match (self.fault, state) {
            (Fault::RenewsWhatIsLost, LeaseState::Lost) => LeaseState::Held,
            (Fault::SaysLostForCancelled, LeaseState::CancelRequested) => LeaseState::Lost,
            (_, state) => state,
        };
        Ok(states.into_iter().map(spoil).collect())
    }

    async fn release(&self, mut request: Release) -> Answer<()> {
        match self.fault {
            Fault::ReleasesNothing => return Ok(()),
            Fault::IgnoresDelays => request.delay = Duration::ZERO,
            Fault::RefundsNothing => request.refund = false,
            Fault::ForgetsGivenUpCommits => request.commit = None,
            _ => {}
        }
        self.inner.release(request).await
    }

    async fn submit(&self, mut request: Submit) -> Answer<Submitted> {
        if self.has(Fault::DropsMail) && matches!(request.what, Submission::Mail { .. }) {
            return Ok(Submitted::Accepted);
        }
        if self.has(Fault::ForgetsRequestIds) {
            let n = self.drawn.fetch_add(1, Ordering::SeqCst);
            request.request = RequestId(request.request.0 ^ u128::from(n));
        }
        if self.has(Fault::IgnoresNamespaces) {
            request.key.namespace = Namespace::default();
        }
        if self.has(Fault::TakesOneCancel) && matches!(request.what, Submission::Cancel { .. }) {
            let first = self.memory.lock().unwrap().cancelled.insert(request.key.clone());
            if !first {
                return Ok(Submitted::Accepted);
            }
        }
        let submitted = self.inner.submit(request).await;
        match (self.fault, &submitted) {
            (Fault::AcceptsASecondStart, Ok(Submitted::AlreadyExists)) => Ok(Submitted::Created),
            (Fault::AcceptsMailForNobody, Ok(Submitted::NotFound)) => Ok(Submitted::Accepted),
            (Fault::AcceptsWhatIsTooLarge, Err(ProviderError::Invalid { .. })) => {
                Ok(Submitted::Accepted)
            }
            _ => submitted,
        }
    }

    async fn wait_for_work(&self, mut request: WaitForWork) -> Answer<WakeSeq> {
        if self.has(Fault::MissesWakeUps) {
            request.after = WakeSeq(u64::MAX >> 1);
            self.inner.wait_for_work(request).await?;
            return std::future::pending().await;
        }
        self.inner.wait_for_work(request).await
    }
}

#[async_trait]
impl Inspect for Faulty {
    async fn instance(&self, key: InstanceKey) -> Answer<Option<InstanceInfo>> {
        let mut info = self.inner.instance(key).await?;
        if self.has(Fault::CountsNoStatusVersion) {
            info = info.map(|info| InstanceInfo { custom_status_version: 0, ..info });
        }
        if self.has(Fault::StampsNoTimes) {
            info = info.map(|info| InstanceInfo { created_at: TimeMs(0), ..info });
        }
        Ok(info.map(|info| self.spoil_info(info)))
    }
    async fn watch(&self, mut request: WatchRequest) -> Answer<Option<InstanceInfo>> {
        if self.has(Fault::WatchesTooLong) {
            request.seen = self.inner.instance(request.key.clone()).await?.map(|i| i.revision);
        }
        self.inner.watch(request).await
    }
    async fn executions(&self, key: InstanceKey) -> Answer<Vec<ExecutionInfo>> {
        self.inner.executions(key).await
    }
    async fn history(&self, key: InstanceKey, execution: ExecutionId) -> Answer<Vec<Event>> {
        self.inner.history(key, execution).await
    }
    async fn kv(&self, key: InstanceKey) -> Answer<Vec<KvEntry>> {
        self.inner.kv(key).await
    }
    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Answer<Page> {
        let mut page = self.inner.list(filter, after, limit).await?;
        if self.has(Fault::ListsBackwards) {
            page.ids.reverse();
        }
        Ok(page)
    }
    async fn tree(&self, key: InstanceKey) -> Answer<Option<InstanceTree>> {
        self.inner.tree(key).await
    }
    async fn stats(&self, key: InstanceKey) -> Answer<Option<InstanceStats>> {
        self.inner.stats(key).await
    }
    async fn metrics(&self) -> Answer<SystemMetrics> {
        self.inner.metrics().await
    }
    async fn depths(&self) -> Answer<QueueDepths> {
        self.inner.depths().await
    }
    async fn unclaimed(&self) -> Answer<UnclaimedNames> {
        let mut found = self.inner.unclaimed().await?;
        if self.has(Fault::NamesNoUnclaimedWork) {
            found.activities.clear();
            found.orchestrations.clear();
        }
        if self.has(Fault::TellsTheYoungestOfAName) {
            let now = found.store_now;
            found.orchestrations.iter_mut().for_each(|found| found.since = now);
        }
        Ok(found)
    }
    async fn delete(&self, key: InstanceKey, force: bool) -> Answer<Deleted> {
        self.inner.delete(key, force || self.has(Fault::DeletesWhatRuns)).await
    }
    async fn delete_many(&self, mut selection: Selection) -> Answer<Deleted> {
        if self.has(Fault::DeletesBeyondTheSelection) {
            selection = Selection::default();
        }
        self.inner.delete_many(selection).await
    }
    async fn prune(&self, selection: Selection, rule: PruneRule) -> Answer<Pruned> {
        if self.has(Fault::PrunesNothing) {
            return Ok(Pruned::default());
        }
        self.inner.prune(selection, rule).await
    }
    fn limits(&self) -> Limits {
        self.inner.limits()
    }
    async fn close(&self) -> Answer<()> {
        if self.has(Fault::StaysOpen) { Ok(()) } else { self.inner.close().await }
    }
}
