//! A store that remembers ids and counts what it applies. Reads answer with something
//! recognisable; polls wait until they are woken.

use async_trait::async_trait;
use duroxide_core::{
    Event, EventId, ExecutionId, InstanceId, KvEntry, Limits, Payload, TimeMs, UnreadMail,
};
use duroxide_provider::env::Env;
use duroxide_provider::*;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

pub(crate) struct CountingStore {
    env: Env,
    /// Calls that changed something, each id once.
    pub(crate) applied: AtomicUsize,
    /// Calls that came.
    pub(crate) called: AtomicUsize,
    /// Polls that wait now.
    pub(crate) waiting: AtomicUsize,
    /// Answers of `metrics` to give before it works.
    pub(crate) errors: Mutex<Vec<ProviderError>>,
    /// `commit_turn` waits for one of these.
    pub(crate) gate: Semaphore,
    pub(crate) news: Notify,
    known: Mutex<BTreeSet<u128>>,
}

impl CountingStore {
    pub(crate) fn new(env: Env) -> Self {
        Self {
            env,
            applied: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            errors: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            news: Notify::new(),
            known: Mutex::default(),
        }
    }

    pub(crate) fn applied(&self) -> usize {
        self.applied.load(Ordering::Relaxed)
    }

    pub(crate) fn called(&self) -> usize {
        self.called.load(Ordering::Relaxed)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether the request of this id was applied.
    pub(crate) fn knows(&self, id: u128) -> bool {
        self.known.lock().unwrap().contains(&id)
    }

    fn call(&self) -> Result<(), ProviderError> {
        self.called.fetch_add(1, Ordering::Relaxed);
        let mut errors = self.errors.lock().unwrap();
        if errors.is_empty() { Ok(()) } else { Err(errors.remove(0)) }
    }

    fn apply(&self, id: u128) {
        if self.known.lock().unwrap().insert(id) {
            self.applied.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn poll(&self, max: std::time::Duration) {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        self.env.timeout(max, self.news.notified()).await;
    }
}

#[async_trait]
impl Provider for CountingStore {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        self.call()?;
        self.apply(request.lease.0);
        Ok(LeasedOrchestrations {
            instances: Vec::new(),
            wake_seq: WakeSeq(request.max as u64),
            store_now: TimeMs(1),
        })
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        self.call()?;
        Ok(HistoryPage {
            events: Vec::new(),
            next: Some(request.from.next()),
            base: None,
            unread: Vec::new(),
            more_mail: Vec::new(),
        })
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        self.call()?;
        let unread = UnreadMail {
            id: duroxide_core::ArrivalId(request.max as u64),
            at: TimeMs(2),
            channel: duroxide_core::Channel::Queue,
            name: "orders".to_owned(),
            data: Payload::new(duroxide_core::Encoding(7), &[0, 255]),
        };
        Ok(MailPage { unread: vec![unread], more_mail: Vec::new() })
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        self.call()?;
        self.gate.acquire().await.unwrap().forget();
        self.apply(request.commit_id.0);
        Ok(CommitOutcome::Applied(Box::new(Applied {
            held: request.keep.is_some(),
            arrivals: Vec::new(),
            more_arrivals: false,
            claimed: vec![ClaimedActivity { event: EventId(2), attempt: 1 }],
            timers: Vec::new(),
            store_now: TimeMs(3),
        })))
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        self.call()?;
        self.apply(request.lease.0);
        Ok(LeasedActivities {
            activities: Vec::new(),
            wake_seq: WakeSeq(request.max as u64),
            store_now: TimeMs(4),
        })
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        self.call()?;
        self.apply(request.lease.0);
        Ok(if request.outcome.is_ok() { ActivityFate::Applied } else { ActivityFate::Gone })
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        self.call()?;
        Ok(request.held.iter().map(|_| LeaseState::CancelRequested).collect())
    }

    async fn release(&self, _request: Release) -> Result<(), ProviderError> {
        self.call()
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        self.call()?;
        self.apply(request.request.0);
        Ok(Submitted::Created)
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        self.call()?;
        self.poll(request.max).await;
        Ok(WakeSeq(request.after.0 + 1))
    }
}

#[async_trait]
impl Inspect for CountingStore {
    async fn instance(&self, key: InstanceKey) -> Result<Option<InstanceInfo>, ProviderError> {
        self.call()?;
        Ok(Some(InstanceInfo {
            key,
            name: "hello".to_owned(),
            version: None,
            execution: ExecutionId(3),
            state: InstanceState::Completed { output: Payload::json("[\"ü\\n\"]") },
            custom_status: Some("half".to_owned()),
            custom_status_version: 4,
            parent: None,
            created_at: TimeMs(5),
            updated_at: TimeMs(u64::MAX),
            revision: 6,
            quarantined: None,
            waiting: Some("an event “go”".to_owned()),
            unclaimed: Some(Unclaimed {
                work: Work::Activity { name: "é".to_owned(), tag: None, session: None },
                since: TimeMs(1),
                age: Duration::from_millis(1_001),
            }),
        }))
    }

    async fn watch(&self, request: WatchRequest) -> Result<Option<InstanceInfo>, ProviderError> {
        self.call()?;
        self.poll(request.max).await;
        Ok(None)
    }

    async fn executions(&self, _key: InstanceKey) -> Result<Vec<ExecutionInfo>, ProviderError> {
        self.call()?;
        Ok(vec![ExecutionInfo {
            execution: ExecutionId(1),
            state: InstanceState::ContinuedAsNew,
            started_at: TimeMs(7),
            completed_at: Some(TimeMs(8)),
            event_count: 9,
        }])
    }

    async fn history(
        &self,
        _key: InstanceKey,
        execution: ExecutionId,
    ) -> Result<Vec<Event>, ProviderError> {
        self.call()?;
        Ok(vec![super::super::methods::event(execution.0)])
    }

    async fn kv(&self, _key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError> {
        self.call()?;
        Ok(Vec::new())
    }

    async fn list(
        &self,
        _filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Result<Page, ProviderError> {
        self.call()?;
        Ok(Page { ids: after.into_iter().collect(), next: Some(limit.to_string().into()) })
    }

    async fn tree(&self, key: InstanceKey) -> Result<Option<InstanceTree>, ProviderError> {
        self.call()?;
        Ok(Some(InstanceTree { root: key.id.clone(), ids: vec![key.id] }))
    }

    async fn stats(&self, _key: InstanceKey) -> Result<Option<InstanceStats>, ProviderError> {
        self.call()?;
        Ok(Some(InstanceStats { kv_keys: 10, ..InstanceStats::default() }))
    }

    async fn metrics(&self) -> Result<SystemMetrics, ProviderError> {
        self.call()?;
        Ok(SystemMetrics { instances: 11, ..SystemMetrics::default() })
    }

    async fn depths(&self) -> Result<QueueDepths, ProviderError> {
        self.call()?;
        Ok(QueueDepths { timers: 12, ..QueueDepths::default() })
    }

    async fn unclaimed(&self) -> Result<UnclaimedNames, ProviderError> {
        self.call()?;
        let name = UnclaimedName { name: "Helo".to_owned(), version: None, since: TimeMs(13) };
        Ok(UnclaimedNames {
            orchestrations: vec![name],
            activities: Vec::new(),
            store_now: TimeMs(14),
        })
    }

    async fn delete(&self, _key: InstanceKey, force: bool) -> Result<Deleted, ProviderError> {
        self.call()?;
        self.applied.fetch_add(1, Ordering::Relaxed);
        Ok(Deleted { instances: u64::from(force), ..Deleted::default() })
    }

    async fn delete_many(&self, selection: Selection) -> Result<Deleted, ProviderError> {
        self.call()?;
        Ok(Deleted { instances: selection.limit.unwrap_or(0), ..Deleted::default() })
    }

    async fn prune(&self, _selection: Selection, rule: PruneRule) -> Result<Pruned, ProviderError> {
        self.call()?;
        Ok(Pruned { executions: rule.keep_last.unwrap_or(0), ..Pruned::default() })
    }

    fn limits(&self) -> Limits {
        Limits { kv_keys: 7, ..Limits::default() }
    }

    fn is_read_only(&self) -> bool {
        true
    }

    async fn close(&self) -> Result<(), ProviderError> {
        panic!("a client closed the store of everybody");
    }
}
