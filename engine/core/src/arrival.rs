//! Arrivals: what reaches an execution from outside, not yet admitted to history.
//! Not here: the events they become.

use crate::event::{Channel, Headers, Parent};
use crate::{ArrivalId, EventId, Failure, Payload, TimeMs};
use serde::{Deserialize, Serialize};

/// A message of the inbox, or a completion the same node brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Where it comes from; decides what a commit must name to consume it.
    pub origin: Origin,
    /// The store's stamp (arrived, or due), or the runtime's estimate for a fused completion.
    pub at: TimeMs,
    /// What arrived.
    pub body: ArrivalBody,
}

/// Where an arrival comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A row of the store's inbox.
    Inbox(ArrivalId),
    /// A completion that this node's worker hands over with the commit itself; named by
    /// the event that scheduled the activity.
    Fused(EventId),
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrivalBody {
    /// The execution is to begin.
    Start {
        /// Registered name.
        name: String,
        /// The version to run: as asked, or as the leasing node resolved it.
        version: Option<String>,
        /// The input.
        input: Payload,
        /// Who waits for the end.
        parent: Option<Parent>,
        /// Small context values.
        headers: Headers,
    },
    /// An activity ended.
    ActivityDone {
        /// The event that scheduled it.
        source: EventId,
        /// How it ended.
        outcome: Result<Payload, Failure>,
    },
    /// A timer is due; the arrival's time is the due time.
    TimerDue {
        /// The event that created it.
        source: EventId,
    },
    /// A child ended.
    ChildDone {
        /// The event that scheduled it.
        source: EventId,
        /// How it ended.
        outcome: Result<Payload, Failure>,
    },
    /// A message for a wait, now or later.
    Mail {
        /// Which mailbox.
        channel: Channel,
        /// The event or queue name.
        name: String,
        /// The data.
        data: Payload,
    },
    /// Someone asks the orchestration to stop in its own way.
    Cancel {
        /// Why.
        reason: String,
        /// The parent asks, not a client: any number of these count as one.
        from_parent: bool,
    },
    /// The orchestration is to stop without running its code.
    Terminate {
        /// Why.
        reason: String,
    },
}

/// A message that was seen and not yet taken by a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadMail {
    /// The message.
    pub id: ArrivalId,
    /// When it arrived.
    pub at: TimeMs,
    /// Which mailbox.
    pub channel: Channel,
    /// The event or queue name.
    pub name: String,
    /// The data.
    pub data: Payload,
}
