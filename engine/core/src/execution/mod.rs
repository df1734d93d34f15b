//! One execution as a state machine: fed arrivals, it hands out activations, takes
//! back what user code asks for, and gives the commit of the turn.
//!
//! Protocol of use, per turn:
//! 1. [`begin_turn`](Execution::begin_turn) with what arrived.
//! 2. Until [`next_activation`](Execution::next_activation) gives `None`: run user code
//!    as the activation says; meanwhile it calls [`schedule`](Execution::schedule) or
//!    [`await_tree`](Execution::await_tree), and the state calls. When it suspends,
//!    just ask for the next activation; when it ends, call [`end`](Execution::end).
//! 3. [`finish_turn`](Execution::finish_turn) gives what to commit.
//!
//! It owns no loop, never blocks, and knows no clock. A refused commit means: drop it.

use crate::*;
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
    /// Names that still have more.
    pub more_mail: Vec<MailName>,
    /// Nonce to record if this turn starts the execution; drawn by the runtime from Env.
    pub nonce: Nonce,
    /// Compat flags that a new execution starts with, and that older ones are raised to
    /// when `raise` says so. A subset of [`CompatFlags::KNOWN`].
    pub flags: CompatFlags,
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
    /// [`Execution::settled`] for their outcome.
    Poll,
    /// Tree mode: the awaited tree settled; continue with its value, or throw its failure.
    Resume(Settled),
}

/// What a turn came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnOutcome {
    /// What to commit. May be empty: see [`Commit::is_empty`].
    pub commit: Commit,
    /// Arrivals that were not looked at (the turn was long enough, or the execution ended
    /// by continue-as-new): feed them again.
    pub unadmitted: Vec<Arrival>,
    /// Open waits whose window ran dry while the store has more: read that mail and begin
    /// another turn.
    pub wants_mail: Vec<MailName>,
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
}

/// STUB: the lead is writing it.
#[derive(Debug)]
pub struct Execution {}

#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unimplemented, unused_variables, reason = "stub")]
impl Execution {
    pub fn open(opening: Opening) -> Self { unimplemented!() }
    pub fn begin_turn(&mut self, input: TurnInput) { unimplemented!() }
    pub fn next_activation(&mut self) -> Option<Activation> { unimplemented!() }
    pub fn finish_turn(&mut self) -> TurnOutcome { unimplemented!() }
    pub fn schedule(&mut self, leaf: Leaf) -> Result<Scheduled, Refused> { unimplemented!() }
    pub fn settled(&mut self, leaf: EventId) -> Option<Settled> { unimplemented!() }
    pub fn cancel(&mut self, leaf: EventId) { unimplemented!() }
    pub fn enter_group(&mut self) { unimplemented!() }
    pub fn leave_group(&mut self) { unimplemented!() }
    pub fn await_tree(&mut self, tree: Await) -> Result<Awaited, Refused> { unimplemented!() }
    pub fn end(&mut self, ending: Ending) -> Result<(), Refused> { unimplemented!() }
    pub fn set_status(&mut self, status: Option<String>) -> Result<(), Refused> { unimplemented!() }
    pub fn status(&self) -> Option<&str> { unimplemented!() }
    pub fn kv_set(&mut self, key: &str, value: &str) -> Result<(), Refused> { unimplemented!() }
    pub fn kv_clear(&mut self, key: Option<&str>) -> Result<(), Refused> { unimplemented!() }
    pub fn kv_prune(&mut self, before: TimeMs) -> Result<usize, Refused> { unimplemented!() }
    pub fn kv_get(&mut self, key: &str) -> Result<Option<String>, Refused> { unimplemented!() }
    pub fn kv_all(&mut self) -> Result<Vec<(String, String)>, Refused> { unimplemented!() }
    pub fn instance(&self) -> &InstanceId { unimplemented!() }
    pub fn execution(&self) -> ExecutionId { unimplemented!() }
    pub fn name(&self) -> &str { unimplemented!() }
    pub fn version(&self) -> &str { unimplemented!() }
    pub fn is_replaying(&self) -> bool { unimplemented!() }
    pub fn is_ended(&self) -> bool { unimplemented!() }
    pub fn is_stopped(&self) -> bool { unimplemented!() }
    pub fn next_event(&self) -> EventId { unimplemented!() }
    pub fn fingerprint(&self) -> Fingerprint { unimplemented!() }
}
