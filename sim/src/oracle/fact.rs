//! Facts: what the store was asked and what it answered, in the order in which it was seen
//! at the store; of the modelled PostgreSQL that is the order of its commits. Not here: who
//! makes them of calls (`ledger`), and what they must look like.

use super::managed::Managed;
use crate::wrong::{Verdict, Wrong};
use duroxide_core::{Arrival, Event, ExecutionId, KvEntry, TimeMs};
use duroxide_provider::{
    ActivityFate, ActivityKey, Applied, CommitTurn, CompleteActivity, HistoryPage, InstanceInfo,
    InstanceKey, InstanceStats, LeaseActivities, LeaseOrchestrations, LeaseState, LeasedActivities,
    LeasedOrchestrations, MailPage, ReadHistory, Release, Renew, Submit, Submitted,
};
use std::ops::Deref;
use std::sync::Arc;

/// When a call was under way, in calls of the store. What has ended before another began
/// comes first; of two that overlap either may. On the modelled PostgreSQL no two overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// When the store got it; of a call that came more than once, the first time.
    pub(crate) began: u64,
    /// When its answer was seen.
    pub(crate) ended: u64,
}

/// What was seen. A call that is "…ing" has reached the store: from now on it may be carried
/// out, whether or not its answer is ever seen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fact<'a> {
    /// A client asks.
    Submitting(&'a Submit),
    /// It has its answer.
    Submitted(&'a Submit, Submitted),
    /// A node asks for instances.
    Leasing(&'a LeaseOrchestrations),
    /// It has them.
    Leased(&'a LeaseOrchestrations, &'a LeasedOrchestrations),
    /// A node was given all that has arrived for an instance.
    Handed(Handed<'a>),
    /// Leases are given back.
    Releasing(&'a Release),
    /// Leases are prolonged.
    Renewing(&'a Renew),
    /// They were, or not.
    Renewed(&'a Renew, &'a [LeaseState]),
    /// A turn is to be made durable.
    Committing(&'a InstanceKey, &'a Arc<CommitTurn>),
    /// It was. Told once for each turn, and never before the turn that it builds on.
    Committed(Accepted<'a>),
    /// Activities were handed out.
    ActivitiesLeased(&'a LeaseActivities, &'a LeasedActivities),
    /// An activity has ended.
    Completing(&'a InstanceKey, &'a CompleteActivity),
    /// What became of it.
    Completed(&'a InstanceKey, &'a CompleteActivity, ActivityFate),
    /// A holder read history.
    Read(&'a InstanceKey, &'a ReadHistory, &'a HistoryPage),
    /// A holder read mail.
    MailRead(&'a InstanceKey, &'a MailPage),
    /// A client looked how an instance stands.
    Looked(&'a InstanceKey, Option<&'a InstanceInfo>),
    /// A client read a history.
    Shown(&'a InstanceKey, ExecutionId, &'a [Event]),
    /// A client read the key-value pairs.
    Values(&'a InstanceKey, &'a [KvEntry]),
    /// A client was told that an instance is deleted, with all that is below it.
    Deleted(&'a InstanceKey),
    /// Something became of an attempt of an activity, on the node that runs it.
    Attempt(&'a InstanceKey, &'a Attempt, Moment),
    /// A life of a node is told to stop: it tells whatever runs there to stop, too.
    NodeStops(&'a str),
    /// Old executions may be gone from now on.
    Pruning,
    /// The store died, and came back.
    StoreDied,
}

impl<'a> Fact<'a> {
    /// The instance that it is about, if it is about one.
    pub(super) fn key(&self) -> Option<&'a InstanceKey> {
        match self {
            Self::Submitting(request) | Self::Submitted(request, _) => Some(&request.key),
            Self::Handed(handed) => Some(handed.key),
            Self::Committed(accepted) => Some(accepted.key),
            Self::Committing(key, _)
            | Self::Completing(key, _)
            | Self::Completed(key, ..)
            | Self::Read(key, ..)
            | Self::MailRead(key, _)
            | Self::Looked(key, _)
            | Self::Shown(key, ..)
            | Self::Values(key, _)
            | Self::Attempt(key, ..)
            | Self::Deleted(key) => Some(key),
            Self::Leasing(_)
            | Self::Leased(..)
            | Self::Releasing(_)
            | Self::Renewing(_)
            | Self::Renewed(..)
            | Self::ActivitiesLeased(..)
            | Self::NodeStops(_)
            | Self::Pruning
            | Self::StoreDied => None,
        }
    }
}

/// An attempt of an activity, as the node has it that runs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt {
    pub(crate) activity: ActivityKey,
    /// On which node, in which of its lives.
    pub(crate) on: String,
}

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Begins,
    /// Its code sees that it is to stop.
    IsTold,
    Ends,
}

/// An accepted turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted<'a> {
    pub(crate) key: &'a InstanceKey,
    pub(crate) request: &'a Arc<CommitTurn>,
    /// The answer; `None` if nobody heard it, and only what followed tells.
    pub(crate) applied: Option<&'a Applied>,
}

/// What a node was given of an inbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handed<'a> {
    pub(crate) key: &'a InstanceKey,
    pub(crate) execution: ExecutionId,
    pub(crate) arrivals: &'a [Arrival],
    /// There is more than that.
    pub(crate) more: bool,
    pub(crate) store_now: TimeMs,
}

/// An instance as the store has it in the end.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) key: InstanceKey,
    pub(crate) info: InstanceInfo,
    /// The events of each execution that is stored, the current one last.
    pub(crate) executions: Vec<(ExecutionId, Vec<Event>)>,
    pub(crate) kv: Vec<KvEntry>,
    pub(crate) stats: InstanceStats,
}

/// All that is stored in the end, but for what may have been deleted.
pub(crate) struct Stored<'a> {
    pub(super) instances: &'a [Instance],
    pub(super) managed: &'a Managed,
}

impl Deref for Stored<'_> {
    type Target = [Instance];

    fn deref(&self) -> &[Instance] {
        self.instances
    }
}

/// Something that must hold. Fed with every fact, and in the end with all that is stored.
pub(crate) trait Oracle: Send {
    /// Something was seen.
    fn see(&mut self, _fact: &Fact<'_>, _span: Span) -> Verdict {
        Ok(())
    }

    /// From now on nothing is told of these: clients may have deleted them.
    fn leave(&mut self, _managed: &Managed) {}

    /// Nothing happens any more; this is what is there.
    fn end(&mut self, _stored: &Stored<'_>) -> Verdict {
        Ok(())
    }
}

/// An oracle says that something is wrong with an instance.
pub(crate) fn wrong<T>(oracle: &str, key: &InstanceKey, sentence: impl Into<String>) -> Verdict<T> {
    Err(Wrong::of(oracle, sentence).with(key.to_string()))
}
