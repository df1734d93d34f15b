//! What a runtime can be told. Limits are not here: they come from the store.

use crate::host::ResidentKey;
use duroxide_core::{CompatFlags, EventId, Fingerprint, TurnNo};
use duroxide_provider::{CommitId, InstanceKey, TagFilter};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Options of a [`Runtime`](crate::Runtime). Start from the default.
#[derive(Clone)]
pub struct RuntimeOptions {
    /// Turns stepped at once (not commits, and not instances that wait). 0: this node
    /// runs no orchestrations.
    pub orchestration_concurrency: usize,
    /// Activities run at once. 0: this node runs no activities.
    pub worker_concurrency: usize,
    /// How soon to ask again when waiting for work failed. Work that is announced never
    /// waits for it.
    pub poll_interval: Duration,
    /// How long an activity is held before another node may take it over; prolonged while
    /// it runs.
    pub worker_lease: Duration,
    /// How long an instance is held before another node may take it over. A turn that
    /// takes longer loses it.
    pub turn_lease: Duration,
    /// At most so many sessions are owned by this node.
    pub max_sessions: usize,
    /// A session without activity for so long may move to another node.
    pub session_idle: Duration,
    /// Stable name of this node; random if absent.
    pub node_id: Option<String>,
    /// Which activities this node takes, by tag.
    pub tags: TagFilter,
    /// Turns or attempts that died (crash, lost lease) before the instance or activity is
    /// poison. Missing names never count.
    pub max_attempts: u32,
    /// Work whose name no node has registered fails after so long; `None`: never.
    pub unregistered_timeout: Option<Duration>,
    /// Live instances kept in memory between turns.
    pub resident_instances: usize,
    /// What happens when replayed code gives a command another input than it had.
    pub determinism: Determinism,
    /// The compat flags that this node knows and gives to new executions: those of its build.
    /// Others are for tests of rolling upgrades.
    pub flags: CompatFlags,
    /// Told of every applied commit.
    pub observer: Option<Arc<dyn TurnObserver>>,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            orchestration_concurrency: 4,
            worker_concurrency: 8,
            poll_interval: Duration::from_millis(100),
            worker_lease: Duration::from_secs(30),
            turn_lease: Duration::from_secs(30),
            max_sessions: 10,
            session_idle: Duration::from_mins(5),
            node_id: None,
            tags: TagFilter::DefaultOnly,
            max_attempts: 10,
            unregistered_timeout: Some(Duration::from_mins(5)),
            resident_instances: 1_000,
            determinism: Determinism::Warn,
            flags: CompatFlags::KNOWN,
            observer: None,
        }
    }
}

impl fmt::Debug for RuntimeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeOptions")
            .field("orchestration_concurrency", &self.orchestration_concurrency)
            .field("worker_concurrency", &self.worker_concurrency)
            .field("poll_interval", &self.poll_interval)
            .field("worker_lease", &self.worker_lease)
            .field("turn_lease", &self.turn_lease)
            .field("max_sessions", &self.max_sessions)
            .field("session_idle", &self.session_idle)
            .field("node_id", &self.node_id)
            .field("tags", &self.tags)
            .field("max_attempts", &self.max_attempts)
            .field("unregistered_timeout", &self.unregistered_timeout)
            .field("resident_instances", &self.resident_instances)
            .field("determinism", &self.determinism)
            .field("flags", &self.flags)
            .field("observer", &self.observer.is_some())
            .finish()
    }
}

/// What happens when replayed code gives a command another input than history recorded.
/// (Another command, or another order, always fails the run.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Determinism {
    /// Nothing: the recorded input counts.
    Off,
    /// A warning in the log; the recorded input counts.
    #[default]
    Warn,
    /// The run fails as nondeterministic.
    Fail,
}

/// Is told of every turn that became durable. For simulations and tests; called on the
/// path of the turn, so it must be quick.
pub trait TurnObserver: Send + Sync + 'static {
    /// Whether turns are to give the fingerprint of the state they led to.
    fn wants_fingerprint(&self) -> bool {
        false
    }

    /// A turn was committed.
    fn turn_committed(&self, turn: &CommittedTurn);
}

/// A turn that became durable.
#[derive(Debug, Clone)]
pub struct CommittedTurn {
    /// The instance.
    pub key: InstanceKey,
    /// Its incarnation and execution.
    pub resident: ResidentKey,
    /// The number of the turn.
    pub turn: TurnNo,
    /// The commit.
    pub commit: CommitId,
    /// The commit it built on.
    pub base: Option<CommitId>,
    /// Id of the event after the turn's last.
    pub next_event: EventId,
    /// The state after the turn, if it was asked for and the host gives it.
    pub fingerprint: Option<Fingerprint>,
    /// The turn began with a replay of the history, not with a resident copy.
    pub cold: bool,
    /// Events and arrivals that the turn went through: replayed, admitted and recorded.
    pub handled: usize,
}
