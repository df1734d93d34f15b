//! Requests and answers of [`Provider`](crate::Provider). Requests carry durations,
//! never times of the caller: the store's clock decides everything.

use crate::{
    ActivityKey, CommitId, CommitRefusal, Incarnation, InstanceKey, LeaseId, NodeId, RequestId,
    WakeSeq,
};
use duroxide_core::{
    Arrival, Base, Commit, CompatFlags, Event, EventId, ExecutionId, Failure, Headers, MailName,
    Payload, TimeMs, UnreadMail,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The orchestrations a node can run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrchestrationFilter {
    /// Registered names, with their versions. An execution whose version is not yet
    /// resolved (`None`, latest) matches every version of its name.
    pub names: BTreeMap<String, BTreeSet<String>>,
    /// The compat flags it knows: an execution with others is not for it.
    pub flags: CompatFlags,
}

/// Ask for instances with work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseOrchestrations {
    /// Fences what is leased by this call. Asked again with the same id: the same set.
    pub lease: LeaseId,
    /// Who asks.
    pub node: NodeId,
    /// What it can run. Terminations and quarantined instances ignore it.
    pub filter: OrchestrationFilter,
    /// At most so many instances.
    pub max: usize,
    /// How long the lease holds before another may take over.
    pub duration: Duration,
}

/// Instances leased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeasedOrchestrations {
    /// The instances, the longest ready first.
    pub instances: Vec<LeasedInstance>,
    /// What [`wait_for_work`](crate::Provider::wait_for_work) is to continue after.
    pub wake_seq: WakeSeq,
    /// The store's clock.
    pub store_now: TimeMs,
}

/// An instance with work, without its history: the caller compares (incarnation,
/// execution, next event, last commit) with its resident copy; if they differ it evicts
/// and reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeasedInstance {
    /// Its name.
    pub key: InstanceKey,
    /// This creation of it.
    pub incarnation: Incarnation,
    /// The lease under which it is held: that of the call, or, for an instance the node
    /// holds already and that got new mail, the one it is held under.
    pub lease: LeaseId,
    /// The current execution.
    pub execution: ExecutionId,
    /// The commit that the next one builds on; `None` before the first. For an execution that
    /// continue-as-new began, that of the continue-as-new.
    pub last_commit: Option<CommitId>,
    /// Id of the next event.
    pub next_event: EventId,
    /// Orchestration name.
    pub name: String,
    /// The version recorded, or asked for; `None` until the first turn if it is "latest".
    pub version: Option<String>,
    /// The compat flags of the execution.
    pub flags: CompatFlags,
    /// How often a turn was begun for this state, this one included, from 1. An applied
    /// commit sets it back.
    pub attempt: u32,
    /// What arrived and was not seen, ordered by (time, id). Before the first turn of an
    /// execution its `Start` is among them, first.
    pub arrivals: Vec<Arrival>,
    /// There are more unseen arrivals than these (the instance stays ready after a commit).
    pub more_arrivals: bool,
}

/// Read the history of a leased instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadHistory {
    /// The instance.
    pub incarnation: Incarnation,
    /// The execution.
    pub execution: ExecutionId,
    /// The lease under which it is held.
    pub lease: LeaseId,
    /// The first event wanted.
    pub from: EventId,
    /// Stop after about so many bytes (at least one event is given).
    pub max_bytes: usize,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// Events from `from`, without gaps.
    pub events: Vec<Event>,
    /// Where the next page begins, if there is one.
    pub next: Option<EventId>,
    /// Status and key-value pairs as of the start of this execution; on the first page (`from` = 1).
    pub base: Option<Base>,
    /// Mail seen and not taken, oldest first, a window per name; on the first page.
    pub unread: Vec<UnreadMail>,
    /// Names with more than the window.
    pub more_mail: Vec<MailName>,
}

/// Read unread mail of a leased instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMail {
    /// The instance.
    pub incarnation: Incarnation,
    /// The lease under which it is held.
    pub lease: LeaseId,
    /// Which mailbox, and after which message of it (`None`: from the oldest).
    pub names: Vec<(MailName, Option<duroxide_core::ArrivalId>)>,
    /// At most so many per name.
    pub max: usize,
}

/// Unread mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MailPage {
    /// Seen, unread mail after the ids asked for, oldest first.
    pub unread: Vec<UnreadMail>,
    /// Names with still more.
    pub more_mail: Vec<MailName>,
}

/// Commit a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitTurn {
    /// The instance.
    pub incarnation: Incarnation,
    /// The lease under which it is held.
    pub lease: LeaseId,
    /// Who commits.
    pub node: NodeId,
    /// This computation of the turn.
    pub commit_id: CommitId,
    /// The commit it builds on.
    pub base: Option<CommitId>,
    /// What the turn came to. `turn.execution` and `turn.expect_event` are checked.
    pub turn: Commit,
    /// For the first turn of an execution: the version it resolved to and runs.
    pub version: Option<String>,
    /// The compat flags of the execution after this turn.
    pub flags: CompatFlags,
    /// Fused completions: for each of `turn.fused` the lease its activity is held under.
    pub completed: Vec<(ActivityKey, LeaseId)>,
    /// Keep the instance lease (there is local work in flight), for so long; else it is released.
    pub keep: Option<Duration>,
    /// Claim some of the work this commit schedules.
    pub claim: Option<Claim>,
}

/// Claim activities that the same commit schedules, so that they need no fetch. Oldest
/// first, by name, tag and session; never when older work of the same kind waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// At most so many: permits are reserved first.
    pub max: usize,
    /// What the node can run.
    pub filter: ActivityFilter,
    /// How long the leases hold.
    pub duration: Duration,
}

/// The answer to a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CommitOutcome {
    /// Applied, now or by an earlier try with the same commit id.
    Applied(Box<Applied>),
    /// Not applied; nothing changed.
    Refused(CommitRefusal),
}

/// An applied commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The instance lease is still held. False also when the execution ended for good.
    pub held: bool,
    /// What has arrived and is not seen; given when the lease is held.
    pub arrivals: Vec<Arrival>,
    /// There are more than these.
    pub more_arrivals: bool,
    /// The activities claimed, held under [`CommitId::claim_lease`].
    pub claimed: Vec<ClaimedActivity>,
    /// When each timer set by this commit is due.
    pub timers: Vec<(EventId, TimeMs)>,
    /// The store's clock.
    pub store_now: TimeMs,
}

/// An activity claimed by the commit that scheduled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedActivity {
    /// The scheduling event.
    pub event: EventId,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// Which activities a node can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityFilter {
    /// Registered names.
    pub names: BTreeSet<String>,
    /// Which tags.
    pub tags: TagFilter,
    /// Sessions: how many the node may own, and how long one may idle.
    pub sessions: SessionLimits,
}

/// Which tags a node takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TagFilter {
    /// Only activities without a tag.
    DefaultOnly,
    /// All.
    Any,
    /// None at all.
    None,
    /// Only these tags.
    Tags(BTreeSet<String>),
    /// Activities without a tag, and these tags.
    DefaultAnd(BTreeSet<String>),
}

impl TagFilter {
    /// Whether an activity with this tag is for the node.
    pub fn admits(&self, tag: Option<&str>) -> bool {
        match (self, tag) {
            (Self::Any, _) | (Self::DefaultOnly | Self::DefaultAnd(_), None) => true,
            (Self::Tags(tags) | Self::DefaultAnd(tags), Some(tag)) => tags.contains(tag),
            (Self::None, _) | (Self::DefaultOnly, Some(_)) | (Self::Tags(_), None) => false,
        }
    }
}

/// What a node may own of sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimits {
    /// At most so many sessions at once.
    pub max: usize,
    /// A session with no activity for so long may move to another node.
    pub idle: Duration,
}

/// Ask for activities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseActivities {
    /// Fences what is leased by this call. Asked again with the same id: the same set.
    pub lease: LeaseId,
    /// Who asks.
    pub node: NodeId,
    /// What it can run.
    pub filter: ActivityFilter,
    /// At most so many.
    pub max: usize,
    /// How long each lease holds.
    pub duration: Duration,
}

/// Activities leased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeasedActivities {
    /// The activities, oldest first.
    pub activities: Vec<LeasedActivity>,
    /// What [`wait_for_work`](crate::Provider::wait_for_work) is to continue after.
    pub wake_seq: WakeSeq,
    /// The store's clock.
    pub store_now: TimeMs,
}

/// An activity to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeasedActivity {
    /// Which one.
    pub activity: ActivityKey,
    /// The instance that scheduled it.
    pub key: InstanceKey,
    /// Name of that orchestration.
    pub orchestration: String,
    /// Version of that orchestration.
    pub version: String,
    /// Registered name of the activity.
    pub name: String,
    /// The input.
    pub input: Payload,
    /// Session, if it is pinned.
    pub session: Option<String>,
    /// Tag, if it is routed.
    pub tag: Option<String>,
    /// Small context values.
    pub headers: Headers,
    /// How often it was handed out, from 1, this time included; counted here.
    pub attempt: u32,
    /// Since when it could be taken, on the store's clock; of one that an attempt had held
    /// before, since it was queued.
    pub ready_at: TimeMs,
}

/// Complete an activity on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompleteActivity {
    /// Which one.
    pub activity: ActivityKey,
    /// The lease under which it is held.
    pub lease: LeaseId,
    /// How it ended.
    pub outcome: Result<Payload, Failure>,
}

/// Something held under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Held {
    /// An instance.
    Instance {
        /// Which one.
        incarnation: Incarnation,
        /// Under which lease.
        lease: LeaseId,
    },
    /// An activity.
    Activity {
        /// Which one.
        activity: ActivityKey,
        /// Under which lease.
        lease: LeaseId,
    },
}

/// Prolong leases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// What is held.
    pub held: Vec<Held>,
    /// For how long from now.
    pub duration: Duration,
}

/// What became of a lease. A call that failed says none of these: go on and ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseState {
    /// Held, and prolonged.
    Held,
    /// Taken over or released: whatever comes of the work, it cannot be committed.
    Lost,
    /// The activity was cancelled, or its instance has ended: tell it to stop.
    CancelRequested,
}

/// Hand leases back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// What is held.
    pub held: Vec<Held>,
    /// A commit that was given up, and its instance: if it was not applied it never will
    /// be; if it was, the claims it made and the instance lease it kept are released.
    pub commit: Option<(Incarnation, CommitId)>,
    /// Give the attempt back (no turn or attempt was really made).
    pub refund: bool,
    /// Not before this much later. A termination does not wait for it.
    pub delay: Duration,
}

/// A client's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// Sent again with the same id while it is remembered: applied once.
    pub request: RequestId,
    /// The instance.
    pub key: InstanceKey,
    /// What is asked.
    pub what: Submission,
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Submission {
    /// Create the instance.
    Start {
        /// Registered name.
        name: String,
        /// Version; `None` is the latest when it first runs.
        version: Option<String>,
        /// The input.
        input: Payload,
        /// Small context values.
        headers: Headers,
    },
    /// Send it a message.
    Mail {
        /// Which mailbox.
        mailbox: MailName,
        /// The data.
        data: Payload,
    },
    /// Ask it to stop in its own way.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Stop it without running its code.
    Terminate {
        /// Why.
        reason: String,
    },
}

/// The answer to a client's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Submitted {
    /// The instance was created (by this request, now or at an earlier try).
    Created,
    /// The id was in use: nothing was changed.
    AlreadyExists,
    /// The message is kept.
    Accepted,
    /// The instance has ended: without effect.
    Ended,
    /// There is no such instance.
    NotFound,
}

/// Wait until there may be work for a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitForWork {
    /// Who waits.
    pub node: NodeId,
    /// Return at once if anything happened after this.
    pub after: WakeSeq,
    /// Return at the latest after this long.
    pub max: Duration,
}
