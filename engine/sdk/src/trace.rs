//! Traces of user code, with the fields that a log reader filters by. Not here: when an
//! orchestration is silent (`context`), or where traces go (the application's subscriber).

use crate::activity::ActivityFacts;
use duroxide_core::Execution;

/// How much a trace matters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

macro_rules! at_level {
    ($level:expr, $target:literal, $($field:tt)+) => {
        match $level {
            Level::Error => tracing::error!(target: $target, $($field)+),
            Level::Warn => tracing::warn!(target: $target, $($field)+),
            Level::Info => tracing::info!(target: $target, $($field)+),
            Level::Debug => tracing::debug!(target: $target, $($field)+),
        }
    };
}

pub(crate) fn orchestration(level: Level, execution: &Execution, message: &str) {
    at_level!(
        level,
        "duroxide::orchestration",
        instance_id = execution.instance().as_str(),
        execution_id = execution.execution().0,
        orchestration_name = execution.name(),
        orchestration_version = execution.version(),
        "{message}"
    );
}

pub(crate) fn activity(level: Level, facts: &ActivityFacts, message: &str) {
    at_level!(
        level,
        "duroxide::activity",
        instance_id = facts.instance.as_str(),
        execution_id = facts.execution.0,
        orchestration_name = facts.orchestration_name,
        orchestration_version = facts.orchestration_version,
        activity_name = facts.activity_name,
        activity_id = facts.activity.0,
        worker_id = facts.worker,
        "{message}"
    );
}
