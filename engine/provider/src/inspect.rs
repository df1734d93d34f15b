//! Reads and management: what clients and operators ask of a store. None of it is on
//! the path of a turn, and none reads a whole history unless asked for one.

use crate::{InstanceKey, Namespace, ProviderError, Unclaimed, UnclaimedNames};
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits, Payload, TimeMs};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How an instance, or an execution, stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceState {
    /// Not ended.
    Running,
    /// Ended with a result.
    Completed {
        /// What it returned.
        output: Payload,
    },
    /// Ended with a failure.
    Failed {
        /// Why.
        failure: duroxide_core::Failure,
    },
    /// Stopped.
    Terminated {
        /// Why.
        reason: String,
    },
    /// This execution was followed by another (never of an instance as a whole).
    ContinuedAsNew,
}

impl InstanceState {
    /// Nothing more will happen to it.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Running => false,
            Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Terminated { .. }
            | Self::ContinuedAsNew => true,
        }
    }
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceInfo {
    /// Its name.
    pub key: InstanceKey,
    /// Orchestration name.
    pub name: String,
    /// Orchestration version; `None` until the first turn when it is "latest".
    pub version: Option<String>,
    /// The current execution.
    pub execution: ExecutionId,
    /// How it stands.
    pub state: InstanceState,
    /// The custom status.
    pub custom_status: Option<String>,
    /// Rises by one with every commit that sets or resets the custom status.
    pub custom_status_version: u64,
    /// The parent, if it is a child.
    pub parent: Option<InstanceId>,
    /// When it was created.
    pub created_at: TimeMs,
    /// When it last changed.
    pub updated_at: TimeMs,
    /// Changes whenever state, execution, custom status or key-value pairs change; for
    /// [`Inspect::watch`].
    pub revision: u64,
    /// What cannot be decoded, if the instance is quarantined.
    pub quarantined: Option<String>,
    /// What the current execution waits on, in a phrase for people, as its latest commit
    /// said; `None` before the first, when nothing is open, and after the end.
    pub waiting: Option<String>,
    /// The oldest work of this instance that is ready and that no node holds; of equally old
    /// work a turn first, then the activity that was scheduled first.
    pub unclaimed: Option<Unclaimed>,
}

/// An execution of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionInfo {
    /// Its number.
    pub execution: ExecutionId,
    /// How it stands.
    pub state: InstanceState,
    /// When it was created.
    pub started_at: TimeMs,
    /// When it ended.
    pub completed_at: Option<TimeMs>,
    /// How many events it has.
    pub event_count: u64,
}

/// A root and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceTree {
    /// The root.
    pub root: InstanceId,
    /// Root and descendants, parents before children.
    pub ids: Vec<InstanceId>,
}

/// Counts of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SystemMetrics {
    /// Instances.
    pub instances: u64,
    /// Executions.
    pub executions: u64,
    /// Instances that run.
    pub running: u64,
    /// Instances that completed.
    pub completed: u64,
    /// Instances that failed.
    pub failed: u64,
    /// Instances that were terminated.
    pub terminated: u64,
    /// Events (not rows).
    pub events: u64,
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueDepths {
    /// Instances that are ready now.
    pub orchestrations: u64,
    /// Activities not leased.
    pub activities: u64,
    /// Timers not due.
    pub timers: u64,
}

/// Sizes of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InstanceStats {
    /// Events of the current execution.
    pub history_events: u64,
    /// Their size.
    pub history_bytes: u64,
    /// Messages not yet taken.
    pub pending_messages: u64,
    /// Keys.
    pub kv_keys: u64,
    /// Size of their values.
    pub kv_bytes: u64,
}

/// Which instances to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListFilter {
    /// The tenant.
    pub namespace: Namespace,
    /// Only with this status: one of `Running Completed Failed Terminated`.
    pub status: Option<String>,
}

/// A page of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Ids, in their order.
    pub ids: Vec<InstanceId>,
    /// Where the next page begins (exclusive), if there is one.
    pub next: Option<InstanceId>,
}

/// Which instances a bulk operation is for. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// The tenant.
    pub namespace: Namespace,
    /// Only these; `None` is all.
    pub ids: Option<Vec<InstanceId>>,
    /// Only those that ended before.
    pub completed_before: Option<TimeMs>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deleted {
    /// Instances.
    pub instances: u64,
    /// Executions.
    pub executions: u64,
    /// Events.
    pub events: u64,
    /// Messages, timers included.
    pub messages: u64,
}

/// Which executions of a chain to prune. The current one never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PruneRule {
    /// Keep the newest so many.
    pub keep_last: Option<u64>,
    /// Only those that ended before.
    pub completed_before: Option<TimeMs>,
}

/// What was pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pruned {
    /// Instances looked at.
    pub instances: u64,
    /// Executions deleted.
    pub executions: u64,
    /// Events deleted.
    pub events: u64,
}

/// Wait for a change of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchRequest {
    /// The instance, which need not exist yet.
    pub key: InstanceKey,
    /// The revision known; `None` for one that was not there.
    pub seen: Option<u64>,
    /// Return at the latest after this long.
    pub max: Duration,
}

/// Reads and management of a store.
#[async_trait]
pub trait Inspect: Send + Sync + 'static {
    /// The instance, or `None`.
    async fn instance(&self, key: InstanceKey) -> Result<Option<InstanceInfo>, ProviderError>;
    /// Wait until the instance differs from what was seen, or `max`; gives how it stands then.
    async fn watch(&self, request: WatchRequest) -> Result<Option<InstanceInfo>, ProviderError>;
    /// The executions, in order; empty for an unknown instance.
    async fn executions(&self, key: InstanceKey) -> Result<Vec<ExecutionInfo>, ProviderError>;
    /// The history of an execution; empty when it has none or does not exist.
    async fn history(
        &self,
        key: InstanceKey,
        execution: ExecutionId,
    ) -> Result<Vec<Event>, ProviderError>;
    /// The key-value pairs, by key, as the latest commit left them.
    async fn kv(&self, key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError>;
    /// Ids in their order, from after a cursor.
    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Result<Page, ProviderError>;
    /// The whole tree that an instance belongs to, or `None`.
    async fn tree(&self, key: InstanceKey) -> Result<Option<InstanceTree>, ProviderError>;
    /// Sizes of one instance, or `None`.
    async fn stats(&self, key: InstanceKey) -> Result<Option<InstanceStats>, ProviderError>;
    /// Counts of the store.
    async fn metrics(&self) -> Result<SystemMetrics, ProviderError>;
    /// How much waits.
    async fn depths(&self) -> Result<QueueDepths, ProviderError>;
    /// The names of what is ready and held by nobody, each with its oldest; of a long
    /// backlog only the oldest part. Asked often: it must not cost more for a longer backlog.
    async fn unclaimed(&self) -> Result<UnclaimedNames, ProviderError>;
    /// Delete a root with everything below it. A running one only with `force`
    /// ([`ProviderError::Invalid`] says so), a child only through its root.
    async fn delete(&self, key: InstanceKey, force: bool) -> Result<Deleted, ProviderError>;
    /// Delete ended roots that match.
    async fn delete_many(&self, selection: Selection) -> Result<Deleted, ProviderError>;
    /// Prune old executions of instances that match, running ones too.
    async fn prune(&self, selection: Selection, rule: PruneRule) -> Result<Pruned, ProviderError>;
    /// The limits that the store holds; checked before anything is admitted.
    fn limits(&self) -> Limits;
    /// Whether it was opened only to be read: no runtime can work on it.
    fn is_read_only(&self) -> bool {
        false
    }
    /// Finish what is under way and let go of files and connections. Later calls fail with
    /// [`ProviderError::Unusable`].
    async fn close(&self) -> Result<(), ProviderError>;
}
