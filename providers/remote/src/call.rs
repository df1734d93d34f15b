//! The methods of the contract as data: what a client asks, how the server does it, and what
//! may be done about a lost answer. Not here: the connection it travels on.

use crate::wire::{Sealed, ToServer};
use duroxide_core::{ExecutionId, InstanceId, Undecodable};
use duroxide_provider::{
    CommitTurn, CompleteActivity, InstanceKey, LeaseActivities, LeaseOrchestrations, ListFilter,
    ProviderError, PruneRule, ReadHistory, ReadMail, Release, Renew, Selection, Store, Submit,
    WaitForWork, WatchRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::time::Duration;

/// One call of a [`Provider`](duroxide_provider::Provider) or
/// [`Inspect`](duroxide_provider::Inspect) method. `limits` and `is_read_only` are not among them (they come
/// with the welcome), nor is `close` (a client closes itself, not the store of everybody).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
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
    Instance { key: InstanceKey },
    Watch(WatchRequest),
    Executions { key: InstanceKey },
    History { key: InstanceKey, execution: ExecutionId },
    Kv { key: InstanceKey },
    List { filter: ListFilter, after: Option<InstanceId>, limit: usize },
    Tree { key: InstanceKey },
    Stats { key: InstanceKey },
    Metrics,
    Depths,
    Unclaimed,
    Delete { key: InstanceKey, force: bool },
    DeleteMany { selection: Selection },
    Prune { selection: Selection, rule: PruneRule },
}

/// What a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Changes nothing: it may be asked again, and never was applied.
    Read,
    /// A read that the server holds back until there is news, or for so long.
    Poll(Duration),
    /// Applied once by its ids, however often it is sent.
    Idempotent,
    /// Carries no id: sent again it could undo what others did since, so it is not.
    Once,
}

impl Call {
    /// The method's name.
    pub(crate) fn operation(&self) -> &'static str {
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
            Self::Instance { .. } => "instance",
            Self::Watch(_) => "watch",
            Self::Executions { .. } => "executions",
            Self::History { .. } => "history",
            Self::Kv { .. } => "kv",
            Self::List { .. } => "list",
            Self::Tree { .. } => "tree",
            Self::Stats { .. } => "stats",
            Self::Metrics => "metrics",
            Self::Depths => "depths",
            Self::Unclaimed => "unclaimed",
            Self::Delete { .. } => "delete",
            Self::DeleteMany { .. } => "delete_many",
            Self::Prune { .. } => "prune",
        }
    }

    /// What a lost answer to it means.
    pub(crate) fn nature(&self) -> Nature {
        match self {
            Self::WaitForWork(request) => Nature::Poll(request.max),
            Self::Watch(request) => Nature::Poll(request.max),
            Self::LeaseOrchestrations(_)
            | Self::CommitTurn(_)
            | Self::LeaseActivities(_)
            | Self::CompleteActivity(_)
            | Self::Renew(_)
            | Self::Release(_)
            | Self::Submit(_) => Nature::Idempotent,
            Self::Delete { .. } | Self::DeleteMany { .. } | Self::Prune { .. } => Nature::Once,
            Self::ReadHistory(_)
            | Self::ReadMail(_)
            | Self::Instance { .. }
            | Self::Executions { .. }
            | Self::History { .. }
            | Self::Kv { .. }
            | Self::List { .. }
            | Self::Tree { .. }
            | Self::Stats { .. }
            | Self::Metrics
            | Self::Depths
            | Self::Unclaimed => Nature::Read,
        }
    }

    /// Hold it back no longer than this, if it is a long poll. An early answer says that there
    /// is no news, and whoever still waits asks again.
    pub(crate) fn held_for_at_most(&mut self, most: Duration) {
        if let Self::WaitForWork(WaitForWork { max, .. }) | Self::Watch(WatchRequest { max, .. }) =
            self
        {
            *max = most.min(*max);
        }
    }

    /// Do it, and encode the method's `Result`.
    pub(crate) async fn perform(self, store: &dyn Store) -> Encoded {
        match self {
            Self::LeaseOrchestrations(request) => {
                result(&store.lease_orchestrations(request).await)
            }
            Self::ReadHistory(request) => result(&store.read_history(request).await),
            Self::ReadMail(request) => result(&store.read_mail(request).await),
            Self::CommitTurn(request) => result(&store.commit_turn(*request).await),
            Self::LeaseActivities(request) => result(&store.lease_activities(request).await),
            Self::CompleteActivity(request) => result(&store.complete_activity(request).await),
            Self::Renew(request) => result(&store.renew(request).await),
            Self::Release(request) => result(&store.release(request).await),
            Self::Submit(request) => result(&store.submit(request).await),
            Self::WaitForWork(request) => result(&store.wait_for_work(request).await),
            Self::Instance { key } => result(&store.instance(key).await),
            Self::Watch(request) => result(&store.watch(request).await),
            Self::Executions { key } => result(&store.executions(key).await),
            Self::History { key, execution } => result(&store.history(key, execution).await),
            Self::Kv { key } => result(&store.kv(key).await),
            Self::List { filter, after, limit } => result(&store.list(filter, after, limit).await),
            Self::Tree { key } => result(&store.tree(key).await),
            Self::Stats { key } => result(&store.stats(key).await),
            Self::Metrics => result(&store.metrics().await),
            Self::Depths => result(&store.depths().await),
            Self::Unclaimed => result(&store.unclaimed().await),
            Self::Delete { key, force } => result(&store.delete(key, force).await),
            Self::DeleteMany { selection } => result(&store.delete_many(selection).await),
            Self::Prune { selection, rule } => result(&store.prune(selection, rule).await),
        }
    }
}

/// What a client asks. Read in one go; only if that fails, the call apart from its envelope, so
/// that one that cannot be decoded is still answered.
pub(crate) fn opened(
    frame: &[u8],
) -> Result<ToServer<Result<Call, Undecodable>>, serde_json::Error> {
    if let Ok(whole) = serde_json::from_slice::<ToServer<Call>>(frame) {
        return Ok(whole.map(Ok));
    }
    let sealed: Sealed<'_> = serde_json::from_slice(frame)?;
    Ok(sealed.map(|call| serde_json::from_str(call.get()).map_err(Undecodable::from)))
}

/// The `Result` of a method, as JSON.
pub(crate) type Encoded = Result<Box<RawValue>, serde_json::Error>;

/// Encode the `Result` of a method.
pub(crate) fn result<T: Serialize>(result: &Result<T, ProviderError>) -> Encoded {
    to_raw_value(result)
}
