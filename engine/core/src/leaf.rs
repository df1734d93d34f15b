//! What user code can wait for: leaves, and trees of them under `all` and `race`;
//! and what they resolve to. Not here: how a tree settles (`execution::tree`).

use crate::event::Channel;
use crate::{EventId, Failure, InstanceId, Payload, RetryPolicy, TimeMs};
use serde::{Deserialize, Serialize};

/// One thing to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaf {
    /// Run an activity.
    Activity {
        /// Registered name.
        name: String,
        /// The input.
        input: Payload,
        /// Session that pins it to a node.
        #[serde(default)]
        session: Option<String>,
        /// Tag that routes it.
        #[serde(default)]
        tag: Option<String>,
    },
    /// Wait for a time.
    Timer {
        /// How long, in milliseconds.
        delay_ms: u64,
    },
    /// Wait for a message.
    Mail {
        /// Which mailbox.
        channel: Channel,
        /// The event or queue name.
        name: String,
    },
    /// Run a child and wait for its end.
    Child {
        /// Registered name.
        name: String,
        /// Version; `None` is the latest.
        #[serde(default)]
        version: Option<String>,
        /// Its id; `None` lets the core derive one.
        #[serde(default)]
        instance: Option<InstanceId>,
        /// The input.
        input: Payload,
    },
    /// Start an orchestration nobody waits for. Resolves at once, to null.
    Detached {
        /// Registered name.
        name: String,
        /// Version; `None` is the latest.
        #[serde(default)]
        version: Option<String>,
        /// Its id.
        instance: InstanceId,
        /// The input.
        input: Payload,
    },
    /// The time of this activation. Resolves at once.
    UtcNow,
    /// A new guid. Resolves at once.
    NewGuid,
    /// End this execution and go on as the next. Only as the root of an await; never resolves.
    ContinueAsNew {
        /// Input of the next execution.
        input: Payload,
        /// Version of the next execution; `None` is the latest then.
        #[serde(default)]
        version: Option<String>,
    },
}

/// What one yield waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Await {
    /// One thing.
    Leaf(Leaf),
    /// An activity that is tried again when it fails.
    Retry {
        /// The activity; no other leaf can be retried.
        activity: Leaf,
        /// How often, and when.
        policy: RetryPolicy,
    },
    /// Every one; never fails: each element has its own outcome.
    All(Vec<Await>),
    /// The first one to settle; the others are cancelled.
    Race(Vec<Await>),
}

/// What an await resolves to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A user's value.
    Payload(Payload),
    /// Nothing (timers, detached starts).
    Null,
    /// A time in ms (`utcNow`).
    Time(TimeMs),
    /// Text (`newGuid`).
    Text(String),
    /// The outcomes of `all`, in order.
    All(Vec<Settled>),
    /// The winner of `race`.
    Race {
        /// Which branch won, from 0.
        index: usize,
        /// Its value.
        value: Box<Value>,
    },
}

/// The outcome of an await.
pub type Settled = Result<Value, Failure>;

/// What scheduling a leaf gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduled {
    /// Open: the event that recorded it.
    Pending(EventId),
    /// Resolved without waiting.
    Ready(Value),
}

/// What yielding a tree gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The function stays suspended until an [`Activation::Resume`](crate::Activation).
    Pending,
    /// Resolved without waiting: go on stepping.
    Ready(Settled),
}

/// Why a call of user code was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The call was wrong; throw this where it was made. Nothing was recorded.
    Failed(Failure),
    /// The execution is over (it ended, or code and history disagree): stop running user
    /// code, drop the coroutine, finish the turn.
    Stopped,
}

/// How user code ends, other than by continue-as-new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It returned.
    Returned(Payload),
    /// It threw.
    Threw(Failure),
}

/// Name of the built-in activity behind `getValueFromInstance`; its input is the JSON
/// array `[instance, key]`, its result the value as a JSON string, or null.
pub const READ_VALUE_ACTIVITY: &str = "duroxide::value-from-instance";
