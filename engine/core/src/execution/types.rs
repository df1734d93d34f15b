//! What goes into an execution and what comes out of it.

use crate::{
    Arrival, ArrivalId, Channel, Commit, CompatFlags, EventId, ExecutionId, History, InstanceId,
    Limits, Nonce, Payload, Settled, TimeMs, UnreadMail,
};
use serde::{Deserialize, Serialize};

/// What an execution is opened from: everything the store knows of it.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The instance.
    pub instance: InstanceId,
    /// The execution.
    pub execution: ExecutionId,
    /// What has happened; empty before the first turn.
    pub history: History,
    /// Status and key-value pairs as of the start of this execution.
    pub base: Base,
    /// Mail that was seen and not taken, oldest first; per name a prefix of what there is.
    pub unread: Vec<UnreadMail>,
    /// Names with more unread mail than `unread` holds.
    pub more_mail: Vec<MailName>,
    /// The limits to hold.
    pub limits: Limits,
}

/// A mailbox of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailName {
    /// Which kind.
    pub channel: Channel,
    /// The event or queue name.
    pub name: String,
}

/// State that an execution inherits from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Base {
    /// The custom status.
    pub status: Option<String>,
    /// The key-value pairs.
    pub kv: Vec<KvEntry>,
}

/// A key-value pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvEntry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// When it was last written, as the orchestration counts.
    pub updated_at: TimeMs,
}

/// What a turn begins with.
#[derive(Debug, Clone)]
pub struct TurnInput {
    /// What arrived, ordered by (time, id).
    pub arrivals: Vec<Arrival>,
    /// More unread mail, for names that the last turn wanted ([`TurnOutcome::wants_mail`]).
    pub unread: Vec<UnreadMail>,
    /// The names that were read to fill `unread`.
    pub mail_read: Vec<MailName>,
    /// Of those, the names that still have more.
    pub more_mail: Vec<MailName>,
    /// Nonce to record if this turn starts the execution; drawn by the runtime from Env.
    pub nonce: Nonce,
    /// Compat flags that a new execution starts with.
    pub flags: CompatFlags,
    /// Compat flags to add to a running execution that does not have them.
    pub raise: CompatFlags,
}

/// What user code is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activation {
    /// Call the function with this input, and run it until it suspends.
    Start {
        /// The input.
        input: Payload,
    },
    /// Leaf mode: something settled, or a cancel came; poll the future. Its leaves ask
    /// [`Execution::settled`](crate::Execution::settled) for their outcome.
    Poll,
    /// Tree mode: the awaited tree settled; continue with its value, or throw its failure.
    Resume(Settled),
}

/// What a turn came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnOutcome {
    /// What to commit. May be empty: see [`Commit::is_empty`].
    pub commit: Commit,
    /// Arrivals that were not looked at (the turn was long enough, mail is wanted first, or
    /// the execution ended): feed them again, if it goes on.
    pub unadmitted: Vec<Arrival>,
    /// Open waits whose window ran dry while the store has more, with the last message
    /// known: read that mail and begin another turn.
    pub wants_mail: Vec<(MailName, Option<ArrivalId>)>,
    /// Commands whose input differs from what history recorded (replay went on).
    pub input_changes: Vec<InputChange>,
    /// Late or duplicate arrivals that were consumed without an event.
    pub dropped: usize,
}

/// A command that was replayed with another input than recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputChange {
    /// The event that recorded the command.
    pub event: EventId,
    /// A sentence for the log.
    pub message: String,
}

/// Everything that must be equal between a resident copy and a cold replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Id of the next event.
    pub next_event: EventId,
    /// Time of the last activation.
    pub now: TimeMs,
    /// What is open, by scheduling event.
    pub open: Vec<(EventId, String)>,
    /// The custom status.
    pub status: Option<String>,
    /// The key-value pairs.
    pub kv: Vec<KvEntry>,
    /// Why it was asked to stop, if it was.
    pub cancel: Option<String>,
    /// Guids given.
    pub guids: u64,
    /// Activations so far.
    pub activations: u64,
    /// Mail in the window, by mailbox.
    pub unread: Vec<(MailName, Vec<ArrivalId>)>,
    /// It has ended.
    pub ended: bool,
}
