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
//! It owns no loop, never blocks, and knows no clock. Replay and first run are one
//! path: [`record`](Execution::record) either finds the command in history or writes
//! it. A refused commit means: drop the whole thing.
//!
//! Read next: `admit` (what arrives), `record` (what is asked), `finish` (what is
//! committed); `calls` and `tree` are the two ways in which languages ask, `retry` is
//! common to both.

mod admit;
mod calls;
mod finish;
mod kv;
mod mailbox;
mod record;
mod retry;
mod stop;
mod tree;
mod types;
mod waiting;

pub use retry::RetryCall;
pub use types::{
    Activation, Base, Fingerprint, InputChange, KvEntry, MailName, Opening, TurnInput, TurnOutcome,
};

use crate::{
    Arrival, ArrivalId, CompatFlags, Divergence, Event, EventId, ExecutionId, Headers, InstanceId,
    Limits, Nonce, Settled, TimeMs, TurnNo,
};
use kv::KeyValues;
use mailbox::Mailbox;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tree::Tree;

/// The state of one execution; see the module's description for how to use it.
#[derive(Debug)]
pub struct Execution {
    instance: InstanceId,
    id: ExecutionId,
    limits: Limits,
    /// What the first event recorded.
    start: Start,
    /// Recorded events that user code has not reached yet.
    replay: VecDeque<Event>,
    /// Where the recorded history ends: the next id, and the last time in it.
    recorded: (EventId, TimeMs),
    next_event: EventId,
    /// The last turn that was committed; 0 before the first.
    turn: TurnNo,
    /// Time of the current activation. There is no other time.
    now: TimeMs,
    mode: Mode,
    /// Events recorded and not yet committed.
    tail: Vec<Event>,
    open: BTreeMap<EventId, OpenLeaf>,
    /// Leaf mode: outcomes not yet taken.
    settled: BTreeMap<EventId, Settled>,
    /// Tree mode: what the coroutine awaits.
    awaited: Option<Tree>,
    group: Group,
    mailbox: Mailbox,
    status: Option<String>,
    kv: KeyValues,
    cancel: Cancel,
    /// Children that were asked to stop in their own way, and may still be at it.
    cancelled_children: BTreeMap<EventId, InstanceId>,
    /// Guids given so far.
    guids: u64,
    /// Activations so far.
    activations: u64,
    /// Yields of this activation that resolved without an event.
    instants: u32,
    /// The last event ended the execution.
    ended: bool,
    /// Code and history disagree: to be recorded at the end of the turn, and recorded.
    mismatch: Option<Divergence>,
    divergence: Option<Divergence>,
    current: Current,
}

/// What the first event recorded.
#[derive(Debug, Default)]
struct Start {
    name: String,
    version: String,
    headers: Headers,
    flags: CompatFlags,
    nonce: Option<Nonce>,
}

/// Whether the running activation comes from history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Its commands must be those that history has next.
    Replaying,
    /// Its commands are recorded.
    Live,
}

/// Something scheduled and not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OpenLeaf {
    Activity {
        name: String,
    },
    /// `what` it is for, if it belongs to a retried call.
    Timer {
        fire_at: TimeMs,
        what: Option<String>,
    },
    Mail(MailName),
    Child {
        name: String,
        instance: InstanceId,
    },
}

/// Cancels made while a combinator polls its children; recorded when the outermost ends.
#[derive(Debug, Default)]
struct Group {
    depth: usize,
    cancels: BTreeSet<EventId>,
}

/// Who has asked the execution to stop.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Cancel {
    /// Reason of the first request.
    reason: Option<String>,
    by_client: bool,
}

/// What belongs to the turn under way only.
#[derive(Debug, Default)]
struct Current {
    arrivals: VecDeque<Arrival>,
    nonce: Option<Nonce>,
    flags: CompatFlags,
    raise: CompatFlags,
    consumed: Vec<ArrivalId>,
    fused: Vec<EventId>,
    seen: BTreeSet<ArrivalId>,
    input_changes: Vec<InputChange>,
    dropped: usize,
    bytes: usize,
}

impl Execution {
    /// The execution as the store knows it, before any code has run.
    pub fn open(opening: Opening) -> Self {
        let Opening { instance, execution, history, base, unread, more_mail, limits } = opening;
        let replay: VecDeque<Event> = history.into_events().into();
        let last = replay.back();
        let recorded = last.map_or((EventId::FIRST, TimeMs(0)), |e| (e.id.next(), e.at));
        let turn = last.map_or(TurnNo(0), |e| e.turn);
        Self {
            instance,
            id: execution,
            limits,
            start: Start::default(),
            mode: if replay.is_empty() { Mode::Live } else { Mode::Replaying },
            replay,
            recorded,
            next_event: EventId::FIRST,
            turn,
            now: TimeMs(0),
            tail: Vec::new(),
            open: BTreeMap::new(),
            settled: BTreeMap::new(),
            awaited: None,
            group: Group::default(),
            mailbox: Mailbox::new(unread, more_mail),
            status: base.status,
            kv: KeyValues::new(base.kv),
            cancel: Cancel::default(),
            cancelled_children: BTreeMap::new(),
            guids: 0,
            activations: 0,
            instants: 0,
            ended: false,
            mismatch: None,
            divergence: None,
            current: Current::default(),
        }
    }

    /// The instance.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// The execution.
    pub fn execution(&self) -> ExecutionId {
        self.id
    }

    /// Name of the orchestration; empty before its start was admitted.
    pub fn name(&self) -> &str {
        &self.start.name
    }

    /// Version that this execution runs; empty before its start was admitted.
    pub fn version(&self) -> &str {
        &self.start.version
    }

    /// The compat flags that this execution runs under.
    pub fn flags(&self) -> CompatFlags {
        self.start.flags
    }

    /// User code is being taken through what it did before: stay silent.
    pub fn is_replaying(&self) -> bool {
        self.mode == Mode::Replaying
    }

    /// The execution has ended; no user code runs any more.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Stop running user code: the execution has ended, or code and history disagree.
    pub fn is_stopped(&self) -> bool {
        self.ended || self.mismatch.is_some()
    }

    /// Where code and history disagree, if the last turn found that they do.
    pub fn divergence(&self) -> Option<&Divergence> {
        self.divergence.as_ref()
    }

    /// The id that the next recorded event will have.
    pub fn next_event(&self) -> EventId {
        self.next_event
    }

    /// Everything that must be equal between a resident copy and a cold replay.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            next_event: self.next_event,
            now: self.now,
            open: self.open.iter().map(|(id, leaf)| (*id, format!("{leaf:?}"))).collect(),
            status: self.status.clone(),
            kv: self.kv.entries(),
            cancel: self.cancel.reason.clone(),
            guids: self.guids,
            activations: self.activations,
            unread: self.mailbox.unread_ids(),
            ended: self.ended,
        }
    }
}
