//! What a turn makes durable, as the core sees it. All of it is a function of the
//! events the turn appended and the arrivals it took; the provider applies it whole.
//! Not here: leases, commit ids, claims, which the runtime adds.

use crate::event::{Event, Headers};
use crate::{ArrivalId, EventId, ExecutionId, Failure, InstanceId, Payload, TimeMs, TurnNo};
use serde::{Deserialize, Serialize};

/// The outcome of one turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The execution the turn belongs to.
    pub execution: ExecutionId,
    /// The id that the first appended event has (or would have).
    pub expect_event: EventId,
    /// The number of the turn.
    pub turn: TurnNo,
    /// New events, in order.
    pub events: Vec<Event>,
    /// The turn was cut short: there is more to do without any arrival (the rest of an
    /// activation, or mail that a wait can take). The instance stays ready.
    pub split: bool,
    /// Inbox messages that became events or were late or duplicate: gone after the commit.
    pub consumed: Vec<ArrivalId>,
    /// Fused completions that were taken, by scheduling event.
    pub fused: Vec<EventId>,
    /// Inbox messages that were looked at and stay unread: they no longer make the instance ready.
    pub seen: Vec<ArrivalId>,
    /// Activities to queue.
    pub activities: Vec<NewActivity>,
    /// Activities of earlier turns to remove, by scheduling event.
    pub cancelled_activities: Vec<EventId>,
    /// Timers to set.
    pub timers: Vec<NewTimer>,
    /// Timers of earlier turns to remove, by scheduling event.
    pub cancelled_timers: Vec<EventId>,
    /// Children and detached orchestrations to create.
    pub starts: Vec<NewStart>,
    /// Messages to children.
    pub sends: Vec<Outgoing>,
    /// The custom status after the turn, if it changed.
    pub status: Option<StatusChange>,
    /// Changes to the key-value pairs, in order.
    pub kv: Vec<KvChange>,
    /// How the execution ended, if it did.
    pub end: Option<End>,
    /// What the execution waits on after this turn, in a phrase for people; `None` when
    /// nothing is open, it goes on at once, or it ended.
    #[serde(default)]
    pub waiting: Option<String>,
}

impl Commit {
    /// A commit that appends and changes nothing.
    pub fn empty(execution: ExecutionId, expect_event: EventId, turn: TurnNo) -> Self {
        Self {
            execution,
            expect_event,
            turn,
            events: Vec::new(),
            split: false,
            consumed: Vec::new(),
            fused: Vec::new(),
            seen: Vec::new(),
            activities: Vec::new(),
            cancelled_activities: Vec::new(),
            timers: Vec::new(),
            cancelled_timers: Vec::new(),
            starts: Vec::new(),
            sends: Vec::new(),
            status: None,
            kv: Vec::new(),
            end: None,
            waiting: None,
        }
    }

    /// Nothing was appended, consumed or seen: there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.consumed.is_empty()
            && self.fused.is_empty()
            && self.seen.is_empty()
    }
}

/// An activity to queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewActivity {
    /// The event that scheduled it.
    pub event: EventId,
    /// Registered name.
    pub name: String,
    /// The input.
    pub input: Payload,
    /// Session that pins it to a node.
    pub session: Option<String>,
    /// Tag that routes it.
    pub tag: Option<String>,
    /// Small context values, those of the start.
    pub headers: Headers,
}

/// A timer to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTimer {
    /// The event that created it.
    pub event: EventId,
    /// How long from the commit, on the store's clock.
    pub delay_ms: u64,
}

/// An orchestration to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewStart {
    /// The event that scheduled it.
    pub event: EventId,
    /// Its id.
    pub instance: InstanceId,
    /// Registered name.
    pub name: String,
    /// Version, if the code named one.
    pub version: Option<String>,
    /// The input.
    pub input: Payload,
    /// Nobody waits for it, and an existing id is left alone. A child's existing id is
    /// refused in the parent's mail.
    pub detached: bool,
    /// Small context values.
    pub headers: Headers,
}

/// A message to a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The event that sends it; with instance, execution and `child` the id of the message,
    /// since the end of an execution tells all its children at once.
    pub event: EventId,
    /// The child.
    pub to: InstanceId,
    /// The child's scheduling event: the message is for that child of this execution only.
    pub child: EventId,
    /// What is asked.
    pub what: ChildRequest,
}

/// What a parent asks of its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildRequest {
    /// Stop in your own way (`canceled: parent canceled`).
    Cancel,
    /// Stop without running code (the parent was terminated).
    Terminate,
}

/// The custom status after a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The new status; `None` after a reset.
    pub status: Option<String>,
}

/// One change to the key-value pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KvChange {
    /// Set a key.
    Set {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// When, as the orchestration counts.
        at: TimeMs,
    },
    /// Remove a key.
    Clear {
        /// The key.
        key: String,
    },
    /// Remove every key.
    ClearAll,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It returned.
    Completed {
        /// What it returned.
        output: Payload,
    },
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// It was stopped.
    Terminated {
        /// Why.
        reason: String,
    },
    /// It goes on as the next execution, created by the same commit.
    ContinuedAsNew {
        /// Input of the next execution.
        input: Payload,
        /// Version of the next execution; `None` is the latest then.
        version: Option<String>,
        /// Small context values, carried over.
        headers: Headers,
    },
}
