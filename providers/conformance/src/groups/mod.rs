//! The checks, a file per part of the contract. Each is one clause; its name says which.

pub(crate) mod activities;
pub(crate) mod atomicity;
pub(crate) mod attempts;
pub(crate) mod cancellation;
pub(crate) mod children;
pub(crate) mod claims;
pub(crate) mod clock;
pub(crate) mod concurrency;
pub(crate) mod corruption;
pub(crate) mod deletion;
pub(crate) mod durability;
pub(crate) mod executions;
pub(crate) mod inbox;
pub(crate) mod kv;
pub(crate) mod leases;
pub(crate) mod limits;
pub(crate) mod pruning;
pub(crate) mod reads;
pub(crate) mod refusals;
pub(crate) mod release;
pub(crate) mod retries;
pub(crate) mod routing;
pub(crate) mod sessions;
pub(crate) mod sharing;
pub(crate) mod starts;
pub(crate) mod status;
pub(crate) mod timers;
pub(crate) mod trouble;
pub(crate) mod unclaimed;
pub(crate) mod versions;
pub(crate) mod waiting;
pub(crate) mod wakeups;

/// What every file of checks is written with.
mod prelude {
    pub(crate) use crate::builders::{Node, Task, Tenure, letters, trace};
    pub(crate) use crate::expect::{CheckResult, ensure, expect_eq, expect_matches};
    pub(crate) use crate::fixture::{Fixture, mail, pairs, start};
    pub(crate) use duroxide_core::{
        ArrivalBody, Channel, EventId, ExecutionId, MailName, Payload, TimeMs,
    };
    pub(crate) use duroxide_provider::{
        ActivityFate, CommitOutcome, CommitRefusal, InstanceKey, InstanceState, LeaseState,
        ProviderError, Submission, Submitted,
    };
}
