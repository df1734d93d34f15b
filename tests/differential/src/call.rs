//! Every call of the contract as a value, with what came of it, so that a call can be kept,
//! sent to several stores, sent again, and printed. Not here: which calls are made (`world`).

use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry};
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, Deleted, ExecutionInfo, HistoryPage,
    InstanceInfo, InstanceKey, InstanceStats, InstanceTree, LeaseActivities, LeaseOrchestrations,
    LeaseState, LeasedActivities, LeasedOrchestrations, ListFilter, MailPage, Page, ProviderError,
    PruneRule, Pruned, QueueDepths, ReadHistory, ReadMail, Release, Renew, Selection, Store,
    Submit, Submitted, SystemMetrics, UnclaimedNames, WaitForWork, WakeSeq, WatchRequest,
};

/// A call of a store.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is the method of its name")]
pub enum Call {
    LeaseOrchestrations(LeaseOrchestrations),
    ReadHistory(ReadHistory),
    ReadMail(ReadMail),
    CommitTurn(Box<CommitTurn>),
    LeaseActivities(LeaseActivities),
    CompleteActivity(CompleteActivity),
    Renew(Renew),
    Release(Release),
    Submit(Submit),
    WaitForWork(WaitForWork),
    Instance(InstanceKey),
    Watch(WatchRequest),
    Executions(InstanceKey),
    History(InstanceKey, ExecutionId),
    Kv(InstanceKey),
    List(ListFilter, Option<InstanceId>, usize),
    Tree(InstanceKey),
    Stats(InstanceKey),
    Metrics,
    Depths,
    Unclaimed,
    Delete(InstanceKey, bool),
    DeleteMany(Selection),
    Prune(Selection, PruneRule),
    Close,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is the answer of a method")]
pub enum Answer {
    Orchestrations(LeasedOrchestrations),
    HistoryPage(HistoryPage),
    MailPage(MailPage),
    Commit(CommitOutcome),
    Activities(LeasedActivities),
    Fate(ActivityFate),
    States(Vec<LeaseState>),
    Submitted(Submitted),
    Woken(WakeSeq),
    Instance(Option<Box<InstanceInfo>>),
    Executions(Vec<ExecutionInfo>),
    Events(Vec<Event>),
    Kv(Vec<KvEntry>),
    Page(Page),
    Tree(Option<InstanceTree>),
    Stats(Option<InstanceStats>),
    Metrics(SystemMetrics),
    Depths(QueueDepths),
    Unclaimed(UnclaimedNames),
    Deleted(Deleted),
    Pruned(Pruned),
    Done,
}

/// An error as far as stores must agree on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The method that it names.
    pub operation: String,
    /// Which variant.
    pub kind: &'static str,
    /// What it says of the caller's data: what is not there, which rule is broken.
    pub about: Option<String>,
    /// All that it says; not compared, since how a store itself fails is told in its own words.
    pub message: Message,
}

/// Text that equals any other.
#[derive(Debug, Clone)]
pub struct Message(pub String);

impl PartialEq for Message {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Message {}

/// What a call came to, or why it failed.
pub type Outcome = Result<Answer, Refused>;

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        let message = Message(error.to_string());
        let (operation, kind, about) = match error {
            ProviderError::Busy { operation, .. } => (operation, "Busy", None),
            ProviderError::Full { operation, .. } => (operation, "Full", None),
            ProviderError::Unknown { operation, .. } => (operation, "Unknown", None),
            ProviderError::Invalid { operation, message } => (operation, "Invalid", Some(message)),
            ProviderError::Corrupt { operation, what, .. } => (operation, "Corrupt", Some(what)),
            ProviderError::NotFound { operation, what } => (operation, "NotFound", Some(what)),
            ProviderError::Exists { operation, what } => (operation, "Exists", Some(what)),
            ProviderError::NewerSchema { operation, .. } => (operation, "NewerSchema", None),
            ProviderError::Unusable { operation, .. } => (operation, "Unusable", None),
        };
        Self { operation, kind, about, message }
    }
}

impl Call {
    /// The method.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::LeaseOrchestrations(_) => "lease_orchestrations",
            Self::ReadHistory(_) => "read_history",
            Self::ReadMail(_) => "read_mail",
            Self::CommitTurn(_) => "commit_turn",
            Self::LeaseActivities(_) => "lease_activities",
            Self::CompleteActivity(_) => "complete_activity",
            Self::Renew(_) => "renew",
            Self::Release(_) => "release",
            Self::Submit(_) => "submit",
            Self::WaitForWork(_) => "wait_for_work",
            Self::Instance(_) => "instance",
            Self::Watch(_) => "watch",
            Self::Executions(_) => "executions",
            Self::History(..) => "history",
            Self::Kv(_) => "kv",
            Self::List(..) => "list",
            Self::Tree(_) => "tree",
            Self::Stats(_) => "stats",
            Self::Metrics => "metrics",
            Self::Depths => "depths",
            Self::Unclaimed => "unclaimed",
            Self::Delete(..) => "delete",
            Self::DeleteMany(_) => "delete_many",
            Self::Prune(..) => "prune",
            Self::Close => "close",
        }
    }

    /// Send it.
    pub async fn send(self, store: &dyn Store) -> Result<Answer, ProviderError> {
        Ok(match self {
            Self::LeaseOrchestrations(request) => {
                Answer::Orchestrations(store.lease_orchestrations(request).await?)
            }
            Self::ReadHistory(request) => Answer::HistoryPage(store.read_history(request).await?),
            Self::ReadMail(request) => Answer::MailPage(store.read_mail(request).await?),
            Self::CommitTurn(request) => Answer::Commit(store.commit_turn(*request).await?),
            Self::LeaseActivities(request) => {
                Answer::Activities(store.lease_activities(request).await?)
            }
            Self::CompleteActivity(request) => {
                Answer::Fate(store.complete_activity(request).await?)
            }
            Self::Renew(request) => Answer::States(store.renew(request).await?),
            Self::Release(request) => done(store.release(request).await?),
            Self::Submit(request) => Answer::Submitted(store.submit(request).await?),
            Self::WaitForWork(request) => Answer::Woken(store.wait_for_work(request).await?),
            Self::Instance(key) => Answer::Instance(store.instance(key).await?.map(Box::new)),
            Self::Watch(request) => Answer::Instance(store.watch(request).await?.map(Box::new)),
            Self::Executions(key) => Answer::Executions(store.executions(key).await?),
            Self::History(key, execution) => Answer::Events(store.history(key, execution).await?),
            Self::Kv(key) => Answer::Kv(store.kv(key).await?),
            Self::List(filter, after, limit) => {
                Answer::Page(store.list(filter, after, limit).await?)
            }
            Self::Tree(key) => Answer::Tree(store.tree(key).await?),
            Self::Stats(key) => Answer::Stats(store.stats(key).await?),
            Self::Metrics => Answer::Metrics(store.metrics().await?),
            Self::Depths => Answer::Depths(store.depths().await?),
            Self::Unclaimed => Answer::Unclaimed(store.unclaimed().await?),
            Self::Delete(key, force) => Answer::Deleted(store.delete(key, force).await?),
            Self::DeleteMany(selection) => Answer::Deleted(store.delete_many(selection).await?),
            Self::Prune(selection, rule) => Answer::Pruned(store.prune(selection, rule).await?),
            Self::Close => done(store.close().await?),
        })
    }
}

fn done((): ()) -> Answer {
    Answer::Done
}
