//! Events: past-tense facts, the only thing an execution is made of.
//! Not here: what makes a list of them a history (`history`), how they are
//! written (`codec`), or how they come about (`execution`).

use crate::flags::CompatFlags;
use crate::{EventId, ExecutionId, Failure, InstanceId, Nonce, Payload, TimeMs, TurnNo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Small text values that travel with starts, mail and activities (trace context). Names that
/// begin with [`ENGINE_HEADERS`] are the engine's: clients cannot give them.
pub type Headers = BTreeMap<String, String>;

/// How the names of the engine's own headers begin.
pub const ENGINE_HEADERS: &str = "duroxide-";

/// On an activity that is a second or later try of its retry policy: which one.
pub(crate) const ATTEMPT_HEADER: &str = "duroxide-attempt";

/// Which try of its retry policy an activity with these headers is, from 1.
pub fn policy_attempt(headers: &Headers) -> u32 {
    headers.get(ATTEMPT_HEADER).and_then(|attempt| attempt.parse().ok()).unwrap_or(1)
}

/// One fact of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the execution, from 1, without gaps.
    pub id: EventId,
    /// The turn that recorded it.
    pub turn: TurnNo,
    /// When it happened on the store's clock; never before the event before it.
    pub at: TimeMs,
    /// Set on the last event of a turn that was split: its activation goes on in the next turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub split: bool,
    /// What happened.
    pub kind: EventKind,
}

/// Which of the two kinds of mailbox a wait or a message belongs to. They work alike
/// and never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Channel {
    /// `raiseEvent` / `waitForEvent`.
    Event,
    /// `enqueueEvent` / `dequeueEvent`.
    Queue,
}

/// The parent of a child orchestration: who waits for its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// The parent's id.
    pub instance: InstanceId,
    /// The parent's execution that scheduled the child.
    pub execution: ExecutionId,
    /// The event that scheduled the child.
    pub event: EventId,
}

/// What happened. Arrivals (facts from outside) and records of commands; see
/// [`EventKind::role`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// The execution began. Always the first event.
    OrchestrationStarted {
        /// Registered name.
        name: String,
        /// The version this execution runs, whatever is latest later.
        version: String,
        /// The input.
        input: Payload,
        /// Who waits for the end, if this is a child.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Parent>,
        /// Seed of `newGuid`.
        nonce: Nonce,
        /// The compat flags the execution runs under.
        flags: CompatFlags,
        /// Small context values.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: Headers,
    },
    /// The function returned.
    OrchestrationCompleted {
        /// What it returned.
        output: Payload,
    },
    /// The function failed.
    OrchestrationFailed {
        /// Why.
        failure: Failure,
        /// The engine ended it (no code asked for this end): nondeterminism, poison, a
        /// name nobody knows, a cancel before the first turn.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_engine: bool,
    },
    /// The function asked to go on as a new execution.
    OrchestrationContinuedAsNew {
        /// Input of the next execution.
        input: Payload,
        /// Version of the next execution; `None` is the latest then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Stopped without running its code.
    OrchestrationTerminated {
        /// Why.
        reason: String,
    },
    /// A cancel was admitted.
    OrchestrationCancelRequested {
        /// Why.
        reason: String,
        /// The parent asked, not a client.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        from_parent: bool,
        /// It came before the first turn: no code ran.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unstarted: bool,
    },
    /// Compat flags were added to the execution.
    CompatFlagsAdded {
        /// The flags added.
        flags: CompatFlags,
    },
    /// An activity was scheduled.
    ActivityScheduled {
        /// Registered name.
        name: String,
        /// The input.
        input: Payload,
        /// Session that pins it to a node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Tag that routes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
        /// Which try of its retry policy it is, from 1; 1 also without a policy.
        #[serde(default = "first_attempt", skip_serializing_if = "is_first_attempt")]
        attempt: u32,
    },
    /// An activity completed.
    ActivityCompleted {
        /// The event that scheduled it.
        source: EventId,
        /// What it returned.
        result: Payload,
    },
    /// An activity failed.
    ActivityFailed {
        /// The event that scheduled it.
        source: EventId,
        /// Why.
        failure: Failure,
    },
    /// An activity lost its race or its orchestration was cancelled.
    ActivityCancelRequested {
        /// The event that scheduled it.
        source: EventId,
    },
    /// A timer was created.
    TimerCreated {
        /// How long, in milliseconds.
        delay_ms: u64,
        /// When it is due, as the orchestration counts: `at` plus the delay.
        fire_at: TimeMs,
    },
    /// A timer fired.
    TimerFired {
        /// The event that created it.
        source: EventId,
        /// When the store held it due.
        fire_at: TimeMs,
    },
    /// A timer lost its race or its orchestration was cancelled.
    TimerCancelled {
        /// The event that created it.
        source: EventId,
    },
    /// A wait for mail was opened.
    MailSubscribed {
        /// Which mailbox.
        channel: Channel,
        /// The event or queue name.
        name: String,
    },
    /// A wait got its message. Names both, so that replay never matches again.
    MailDelivered {
        /// The event that opened the wait.
        source: EventId,
        /// The message.
        mail: crate::ArrivalId,
        /// Which mailbox.
        channel: Channel,
        /// The event or queue name.
        name: String,
        /// The message's data.
        data: Payload,
    },
    /// A wait lost its race or its orchestration was cancelled; it took nothing.
    MailUnsubscribed {
        /// The event that opened the wait.
        source: EventId,
    },
    /// A child was scheduled.
    SubOrchestrationScheduled {
        /// Registered name.
        name: String,
        /// Version, if the code named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// The child's id.
        instance: InstanceId,
        /// The input.
        input: Payload,
    },
    /// A child completed.
    SubOrchestrationCompleted {
        /// The event that scheduled it.
        source: EventId,
        /// What it returned.
        result: Payload,
    },
    /// A child failed, was terminated, or could not be started.
    SubOrchestrationFailed {
        /// The event that scheduled it.
        source: EventId,
        /// Why.
        failure: Failure,
    },
    /// A child lost its race or its parent was cancelled.
    SubOrchestrationCancelRequested {
        /// The event that scheduled it.
        source: EventId,
        /// The child's id.
        instance: InstanceId,
    },
    /// A detached orchestration was started; nobody waits for it.
    OrchestrationChained {
        /// Registered name.
        name: String,
        /// Version, if the code named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// Its id.
        instance: InstanceId,
        /// The input.
        input: Payload,
    },
    /// The custom status changed.
    CustomStatusUpdated {
        /// The new status; `None` after a reset.
        status: Option<String>,
    },
    /// A key was set.
    KeyValueSet {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A key, or every key, was cleared.
    KeyValueCleared {
        /// The key; `None` clears all.
        key: Option<String>,
    },
    /// Keys last written at or before a time were removed.
    KeyValuePruned {
        /// The time asked for.
        before: TimeMs,
        /// The keys that were removed.
        keys: Vec<String>,
    },
}

fn first_attempt() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_first_attempt(attempt: &u32) -> bool {
    *attempt == 1
}
