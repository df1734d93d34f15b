//! What an activity knows about itself, and how it learns that it is to stop.

use crate::trace::{self, Level};
use duroxide_core::{EventId, ExecutionId, InstanceId};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The facts of one attempt of an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityFacts {
    /// The instance that scheduled it.
    pub instance: InstanceId,
    /// The execution that scheduled it.
    pub execution: ExecutionId,
    /// Name of that orchestration.
    pub orchestration_name: String,
    /// Version of that orchestration.
    pub orchestration_version: String,
    /// Registered name of the activity.
    pub activity_name: String,
    /// The event that scheduled it.
    pub activity: EventId,
    /// The attempt, from 1: those of its retry policy before it count, and so do redeliveries.
    pub attempt: u32,
    /// The worker that runs it.
    pub worker: String,
    /// The session that pins it.
    pub session: Option<String>,
    /// The tag that routed it.
    pub tag: Option<String>,
}

/// Given to every activity. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ActivityContext {
    facts: Arc<ActivityFacts>,
    cancelled: CancellationToken,
}

impl ActivityContext {
    /// The context of an attempt that stops when the token is cancelled.
    pub fn new(facts: ActivityFacts, cancelled: CancellationToken) -> Self {
        Self { facts: Arc::new(facts), cancelled }
    }

    /// The instance that scheduled this activity.
    pub fn instance_id(&self) -> &str {
        self.facts.instance.as_str()
    }

    /// The execution that scheduled it.
    pub fn execution_id(&self) -> ExecutionId {
        self.facts.execution
    }

    /// Name of the orchestration that scheduled it.
    pub fn orchestration_name(&self) -> &str {
        &self.facts.orchestration_name
    }

    /// Version of the orchestration that scheduled it.
    pub fn orchestration_version(&self) -> &str {
        &self.facts.orchestration_version
    }

    /// Registered name of this activity.
    pub fn activity_name(&self) -> &str {
        &self.facts.activity_name
    }

    /// The event that scheduled it. With instance and execution it names the activity, the
    /// same for every redelivery: a key to make a side effect idempotent with. Each attempt of a
    /// retry policy has its own.
    pub fn activity_id(&self) -> EventId {
        self.facts.activity
    }

    /// The attempt, from 1: earlier ones of its retry policy count, and so do redeliveries of
    /// this one, after a process died.
    pub fn attempt(&self) -> u32 {
        self.facts.attempt
    }

    /// The worker that runs this attempt.
    pub fn worker_id(&self) -> &str {
        &self.facts.worker
    }

    /// The session that pins it, if any.
    pub fn session_id(&self) -> Option<&str> {
        self.facts.session.as_deref()
    }

    /// The tag that routed it, if any.
    pub fn tag(&self) -> Option<&str> {
        self.facts.tag.as_deref()
    }

    /// Whether its outcome is no longer wanted: it lost a race, its instance was cancelled
    /// or ended, or another worker took over.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Resolves when its outcome is no longer wanted.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Traces at level INFO.
    pub fn trace_info(&self, message: impl AsRef<str>) {
        trace::activity(Level::Info, &self.facts, message.as_ref());
    }

    /// Traces at level WARN.
    pub fn trace_warn(&self, message: impl AsRef<str>) {
        trace::activity(Level::Warn, &self.facts, message.as_ref());
    }

    /// Traces at level ERROR.
    pub fn trace_error(&self, message: impl AsRef<str>) {
        trace::activity(Level::Error, &self.facts, message.as_ref());
    }

    /// Traces at level DEBUG.
    pub fn trace_debug(&self, message: impl AsRef<str>) {
        trace::activity(Level::Debug, &self.facts, message.as_ref());
    }
}
