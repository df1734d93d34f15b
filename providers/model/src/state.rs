//! The tables. Not here: what the contract does with them.
//!
//! An instance owns all that goes when it is deleted: executions, inbox, activities. What
//! outlives it are sessions, which belong to nodes, and the requests that are remembered.

use crate::calls::Call;
use duroxide_core::{
    ArrivalBody, ArrivalId, CompatFlags, Event, EventId, ExecutionId, InstanceId, KvEntry, Limits,
    NewActivity, TimeMs, TurnNo,
};
use duroxide_provider::{
    ActivityKey, CommitId, Incarnation, InstanceKey, InstanceState, LeaseId, Namespace, NodeId,
    RequestId, Submitted, WakeSeq,
};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Later than any time that matters, and with room for sums.
const FAR: u64 = 1 << 60;

/// So much after a time; the far future at the latest.
pub(crate) fn later(time: TimeMs, by: Duration) -> TimeMs {
    let ms = u64::try_from(by.as_millis()).unwrap_or(FAR).min(FAR);
    TimeMs(time.plus(ms).0.min(FAR))
}

/// Everything that is stored.
#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// The store's clock at the operation under way, or at the last one.
    pub now: TimeMs,
    /// The handle that asks.
    #[serde(skip)]
    pub handle: u64,
    /// The limits to hold.
    #[serde(skip)]
    pub limits: Limits,
    /// The last number given to a handle, an incarnation, a message or an activity.
    #[serde(skip)]
    pub sequence: u64,
    /// Counts what called for a node.
    #[serde(skip)]
    pub wake_seq: WakeSeq,
    /// What called for a node at the last look.
    #[serde(skip)]
    pub calls: BTreeSet<Call>,
    /// When that was, if nothing has changed since.
    #[serde(skip)]
    pub(crate) looked_at: Option<TimeMs>,
    /// Instances, by creation.
    pub instances: BTreeMap<Incarnation, Instance>,
    /// Sessions, by tenant and name.
    #[serde(serialize_with = "as_pairs")]
    pub sessions: BTreeMap<(Namespace, String), Session>,
    /// Requests of clients, while they are remembered: the answer and its time.
    pub requests: BTreeMap<RequestId, (Submitted, TimeMs)>,
    /// Messages that nobody will ever take.
    pub dropped: u64,
}

fn as_pairs<S: Serializer, K: Serialize, V: Serialize>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map)
}

/// An instance.
#[derive(Debug, Clone, Serialize)]
pub struct Instance {
    /// Its name.
    pub key: InstanceKey,
    /// Orchestration name.
    pub name: String,
    /// The version recorded, or asked for; `None` is the latest.
    pub version: Option<String>,
    /// Compat flags of the current execution.
    pub flags: CompatFlags,
    /// Who waits for its end.
    pub parent: Option<ParentLink>,
    /// The top of its tree; itself without a parent.
    pub root: Incarnation,
    /// The current execution, which is always in `executions`.
    pub execution: ExecutionId,
    /// Executions that were not pruned.
    pub executions: BTreeMap<ExecutionId, Execution>,
    /// Id of the next event of the current execution.
    pub next_event: EventId,
    /// The last turn of the current execution.
    pub turn: TurnNo,
    /// The last commit applied.
    pub last_commit: Option<CommitId>,
    /// Commits given up before they were applied; forgotten when another one is applied,
    /// since then they come too late.
    pub abandoned: BTreeSet<CommitId>,
    /// The last turn was cut short: it goes on without any arrival.
    pub split: bool,
    /// It was asked to terminate: any node may take it.
    pub stop: bool,
    /// Handed back with a delay: not ready before.
    pub not_before: TimeMs,
    /// Turns begun since the last commit.
    pub attempt: u32,
    /// Who holds it, or held it last and was not replaced.
    pub lease: Option<Lease>,
    /// The lease was kept by the last commit.
    pub kept: bool,
    /// The call that gave news to the holder.
    pub offer: Option<LeaseId>,
    /// Messages and timers, not yet consumed.
    pub inbox: BTreeMap<ArrivalId, Message>,
    /// Open activities of the current execution.
    pub activities: BTreeMap<EventId, Activity>,
    /// The custom status.
    pub status: Option<String>,
    /// Commits that set the custom status.
    pub status_version: u64,
    /// The custom status when the current execution began.
    pub status_base: Option<String>,
    /// Key-value pairs.
    pub kv: BTreeMap<String, KvEntry>,
    /// Key-value pairs when the current execution began.
    pub kv_base: BTreeMap<String, KvEntry>,
    /// Rises when state, execution, status or pairs change.
    pub revision: u64,
    /// When it was made.
    pub created_at: TimeMs,
    /// When it last changed.
    pub updated_at: TimeMs,
    /// What cannot be decoded, if it is set aside.
    pub quarantine: Option<String>,
    /// What it waits on, in a phrase for people.
    pub waiting: Option<String>,
}

/// Who waits for the end of a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParentLink {
    /// The parent.
    pub incarnation: Incarnation,
    /// Its name.
    pub id: InstanceId,
    /// The execution that waits.
    pub execution: ExecutionId,
    /// The event that scheduled the child.
    pub event: EventId,
}

/// An execution.
#[derive(Debug, Clone, Serialize)]
pub struct Execution {
    /// How it stands.
    pub state: InstanceState,
    /// When it was created.
    pub started_at: TimeMs,
    /// When it ended.
    pub ended_at: Option<TimeMs>,
    /// Its history.
    pub events: Vec<Event>,
    /// The history cannot be decoded.
    pub damaged: bool,
}

/// Ownership. It holds until it is taken over or given back; after `until` it may be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// Fences it.
    pub id: LeaseId,
    /// The owner.
    pub node: NodeId,
    /// The handle of the store that the owner uses.
    #[serde(skip)]
    pub handle: u64,
    /// When another may take over.
    pub until: TimeMs,
    /// The ownership of the activity's session that it belongs to; 0 without a session.
    pub term: u64,
}

/// A message of an inbox, or a timer, which is a message that becomes visible later.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// When it arrived, or is due.
    pub visible_at: TimeMs,
    /// A turn looked at it and left it: it makes nothing ready.
    pub seen: bool,
    /// The present holder was given it.
    pub told: bool,
    /// What arrived.
    pub body: ArrivalBody,
    /// The body cannot be decoded.
    pub damaged: bool,
}

/// An activity that is not completed.
#[derive(Debug, Clone, Serialize)]
pub struct Activity {
    /// What is to be done.
    pub what: NewActivity,
    /// Its place among those of one moment.
    pub order: u64,
    /// Attempts begun.
    pub attempt: u32,
    /// Since when it can be taken.
    pub visible_at: TimeMs,
    /// Who holds it, or held it last and was not replaced.
    pub lease: Option<Lease>,
    /// It cannot be decoded.
    pub damaged: bool,
}

/// A session: the node that its activities run on.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// The owner.
    pub node: NodeId,
    /// The handle of the store that the owner uses.
    #[serde(skip)]
    pub handle: u64,
    /// How long it may idle.
    pub idle: Duration,
    /// When another node may own it.
    pub idle_until: TimeMs,
    /// How many sessions the owner may own.
    pub node_max: usize,
    /// The number of its ownership: one more with every change of owner.
    pub term: u64,
}

impl State {
    /// A number never given before; a later one is higher.
    pub(crate) fn number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// The instance of this name.
    pub(crate) fn find(&self, key: &InstanceKey) -> Option<(Incarnation, &Instance)> {
        self.instances.iter().find(|(_, row)| row.key == *key).map(|(id, row)| (*id, row))
    }

    /// The activity, with its instance.
    pub(crate) fn activity(&self, key: &ActivityKey) -> Option<(&Instance, &Activity)> {
        let row = self.instances.get(&key.incarnation)?;
        let activity = row.activities.get(&key.event)?;
        (row.execution == key.execution).then_some((row, activity))
    }

    /// The activity, to be changed.
    pub(crate) fn activity_mut(&mut self, key: &ActivityKey) -> Option<&mut Activity> {
        let row = self.instances.get_mut(&key.incarnation)?;
        if row.execution == key.execution { row.activities.get_mut(&key.event) } else { None }
    }

    /// Every activity.
    pub(crate) fn activities(&self) -> impl Iterator<Item = (ActivityKey, &Instance, &Activity)> {
        self.instances.iter().flat_map(|(incarnation, row)| {
            row.activities.iter().map(move |(event, activity)| {
                let (incarnation, execution, event) = (*incarnation, row.execution, *event);
                (ActivityKey { incarnation, execution, event }, row, activity)
            })
        })
    }

    /// Every activity, the longest in the queue first.
    pub(crate) fn queue(&self) -> Vec<(ActivityKey, &Instance, &Activity)> {
        let mut queue: Vec<_> = self.activities().collect();
        queue.sort_by_key(|(_, _, activity)| (activity.visible_at, activity.order));
        queue
    }

    /// A lease of the handle that asks, from now.
    pub(crate) fn lease(&self, id: LeaseId, node: &NodeId, duration: Duration) -> Lease {
        let until = later(self.now, duration);
        Lease { id, node: node.clone(), handle: self.handle, until, term: 0 }
    }
}
