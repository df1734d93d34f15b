//! What a runtime counts. Each thing once, and only when it is durable: a turn that is
//! redone is not a second turn, and a turn is not a start.

use duroxide_core::{Commit, End, Event, EventKind, ExecutionId, Failure, FailureKind, Payload};
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The counts of a runtime since it started.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct MetricsSnapshot {
            $($(#[$doc])* pub $name: u64,)+
        }

        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(pub(crate) $name: Counter,)+
        }

        impl Metrics {
            pub(crate) fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot { $($name: self.$name.get(),)+ }
            }
        }
    };
}

counters! {
    /// Instances whose first turn became durable here.
    orch_starts,
    /// Instances that completed.
    orch_completions,
    /// Instances that failed, for whatever reason.
    orch_failures,
    /// Of these: the user's code failed, was cancelled, or broke a limit.
    orch_application_errors,
    /// Of these: what is stored cannot be used.
    orch_infrastructure_errors,
    /// Of these: code and history disagree, or nobody has registered the name.
    orch_configuration_errors,
    /// Of these: turns died too often.
    orch_poison,
    /// Activities that returned a value.
    activity_success,
    /// Activities that failed in user code.
    activity_app_errors,
    /// Activities that failed because of the store.
    activity_infra_errors,
    /// Activities that failed because nobody has registered the name, or a call was wrong.
    activity_config_errors,
    /// Activities whose attempts died too often.
    activity_poison,
    /// Instances leased.
    orch_dispatcher_items_fetched,
    /// Activities leased (claimed ones are not fetched).
    worker_dispatcher_items_fetched,
    /// Executions that went on as a new one.
    orch_continue_as_new,
    /// Children scheduled.
    suborchestration_calls,
    /// Calls of the store that failed.
    provider_errors,
    /// Turns run, those that were redone included.
    turns,
    /// Turns that became durable.
    commits,
    /// Calls that fetched something: leases that gave work, reads of history or mail.
    fetches,
    /// Activities claimed by the commit that scheduled them.
    activities_claimed,
    /// Results that became durable together with the turn that took them.
    results_fused,
    /// Turns that were refused by the store.
    commits_refused,
    /// Events and arrivals that turns went through.
    events_handled,
    /// Resident copies dropped to make room, or because they were out of date.
    evictions,
}

/// A count that only rises.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    /// Count what a commit made durable.
    pub(crate) fn committed(&self, commit: &Commit) {
        self.commits.one();
        self.results_fused.add(commit.fused.len() as u64);
        self.suborchestration_calls
            .add(commit.starts.iter().filter(|start| !start.detached).count() as u64);
        if commit.execution == ExecutionId::FIRST && commit.events.iter().any(is_start) {
            self.orch_starts.one();
        }
        match &commit.end {
            None | Some(End::Terminated { .. }) => {}
            Some(End::Completed { .. }) => self.orch_completions.one(),
            Some(End::ContinuedAsNew { .. }) => self.orch_continue_as_new.one(),
            Some(End::Failed { failure }) => {
                self.orch_failures.one();
                self.failed_orchestration(failure.kind).one();
            }
        }
    }

    /// Count a result that the store has accepted.
    pub(crate) fn activity_done(&self, outcome: &Result<Payload, Failure>) {
        match outcome {
            Ok(_) => self.activity_success.one(),
            Err(failure) => self.failed_activity(failure.kind).one(),
        }
    }

    fn failed_orchestration(&self, kind: FailureKind) -> &Counter {
        match kind {
            FailureKind::Application
            | FailureKind::Cancelled
            | FailureKind::Timeout
            | FailureKind::Limit
            | FailureKind::Invalid
            | FailureKind::Terminated => &self.orch_application_errors,
            FailureKind::Nondeterminism | FailureKind::Unregistered => {
                &self.orch_configuration_errors
            }
            FailureKind::Poison => &self.orch_poison,
            FailureKind::Corrupt => &self.orch_infrastructure_errors,
        }
    }

    fn failed_activity(&self, kind: FailureKind) -> &Counter {
        match kind {
            FailureKind::Application
            | FailureKind::Cancelled
            | FailureKind::Timeout
            | FailureKind::Limit
            | FailureKind::Nondeterminism
            | FailureKind::Terminated => &self.activity_app_errors,
            FailureKind::Unregistered | FailureKind::Invalid => &self.activity_config_errors,
            FailureKind::Poison => &self.activity_poison,
            FailureKind::Corrupt => &self.activity_infra_errors,
        }
    }
}

fn is_start(event: &Event) -> bool {
    matches!(event.kind, EventKind::OrchestrationStarted { .. })
}
