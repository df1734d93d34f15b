//! Where user code runs, as the runtime sees it: a host takes turns and activities and
//! gives back what came of them. The Rust SDK and the Node binding each implement it.
//! Not here: dispatch, leases, retries.

use async_trait::async_trait;
use duroxide_core::{ExecutionId, Failure, Fingerprint, Opening, Payload, TurnInput, TurnOutcome};
use duroxide_provider::{Incarnation, InstanceKey, LeasedActivity};
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

/// Names one execution of one creation of an instance: what is resident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResidentKey {
    /// The instance.
    pub incarnation: Incarnation,
    /// The execution.
    pub execution: ExecutionId,
}

/// A turn to run.
#[derive(Debug)]
pub struct TurnRequest {
    /// The instance, for logs and the context.
    pub key: InstanceKey,
    /// What is, or will be, resident.
    pub resident: ResidentKey,
    /// Orchestration name.
    pub name: String,
    /// The version to run: recorded, or resolved by the runtime.
    pub version: String,
    /// `None`: continue the resident copy. Else: drop any and open from this.
    pub opening: Option<Box<Opening>>,
    /// What the turn begins with.
    pub input: TurnInput,
    /// Give the state's fingerprint with the reply.
    pub fingerprint: bool,
}

/// What came of a turn.
#[derive(Debug)]
pub enum TurnReply {
    /// It ran. The execution stays resident, unless it ended.
    Ran {
        /// What to commit.
        outcome: Box<TurnOutcome>,
        /// The state after the turn, if it was asked for.
        fingerprint: Option<Box<Fingerprint>>,
    },
    /// There is no resident copy: ask again with an opening. The input is handed back.
    NotResident(TurnInput),
    /// The host is shutting down or the code is not registered: no turn was run.
    Unavailable(String),
}

/// Runs orchestrations.
#[async_trait]
pub trait OrchestrationHost: Send + Sync + 'static {
    /// Registered names with their versions.
    fn registered(&self) -> BTreeMap<String, BTreeSet<semver::Version>>;
    /// Run one turn. Turns of one execution are never asked for concurrently; those of
    /// different ones are, and a host may run them together.
    async fn run_turn(&self, request: TurnRequest) -> TurnReply;
    /// Drop a resident copy without any effect.
    fn evict(&self, resident: ResidentKey);
}

/// An activity to run.
#[derive(Debug)]
pub struct ActivityTask {
    /// What to run, with its input.
    pub activity: LeasedActivity,
    /// Which attempt it is, from 1: those of its retry policy before this one count, and so
    /// does each delivery of this one.
    pub attempt: u32,
    /// Name of the worker, for the context and failure details.
    pub worker: String,
    /// Cancelled when the activity is to stop: cancelled, or its lease lost.
    pub cancelled: CancellationToken,
}

/// Runs activities.
#[async_trait]
pub trait ActivityHost: Send + Sync + 'static {
    /// Registered names.
    fn registered(&self) -> BTreeSet<String>;
    /// Run one attempt to its end. A panic or crash of user code is a [`Failure`].
    async fn run_activity(&self, task: ActivityTask) -> Result<Payload, Failure>;
}
