//! What is told of a run: hosts and their lives, what struck them, who held what and when,
//! turns, calls, and of each instance what happened to it and its history. Times are in µs
//! of virtual time; hosts and instances are named by their place in the lists here.

use serde::Serialize;

/// Virtual time, in µs.
pub(crate) type Us = u64;

/// A run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Story {
    /// The last thing that was recorded.
    pub(crate) end: Us,
    pub(crate) hosts: Vec<HostStory>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) bars: Vec<Bar>,
    pub(crate) turns: Vec<Turn>,
    pub(crate) calls: Vec<CallStory>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) instances: Vec<InstanceStory>,
}

/// A host.
#[derive(Debug, Serialize)]
pub(crate) struct HostStory {
    pub(crate) name: String,
    pub(crate) kind: HostKind,
    /// From each start to the death after it, if it died.
    pub(crate) lives: Vec<(Us, Option<Us>)>,
    /// While it was not as it should be, and the fault's name.
    pub(crate) troubled: Vec<(Us, Us, &'static str)>,
}

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostKind {
    Client,
    Store,
    Node,
    Outside,
}

/// A fault that struck, or a point that was reached.
#[derive(Debug, Serialize)]
pub(crate) struct Mark {
    pub(crate) at: Us,
    pub(crate) host: usize,
    pub(crate) name: String,
    pub(crate) kind: MarkKind,
    /// For a fault: at which point of the host's work, and what it was, in a phrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MarkKind {
    /// A fault that met work in flight: these are counted.
    Fault,
    /// A fault that met nothing, or something else than it is counted by.
    Idle,
    /// A point that was reached.
    Point,
}

/// Something held by a node, under a lease.
#[derive(Debug, Serialize)]
pub(crate) struct Bar {
    pub(crate) host: usize,
    pub(crate) from: Us,
    pub(crate) to: Us,
    pub(crate) instance: usize,
    /// The activity, if it is not the instance itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activity: Option<String>,
    /// How it came to an end.
    pub(crate) ended: String,
}

/// A turn that a node wanted to commit.
#[derive(Debug, Serialize)]
pub(crate) struct Turn {
    pub(crate) at: Us,
    pub(crate) host: usize,
    pub(crate) instance: usize,
    pub(crate) execution: u64,
    pub(crate) number: u64,
    pub(crate) events: usize,
    pub(crate) fate: Fate,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    Applied,
    /// The same commit, once more.
    Again,
    Refused,
    /// The store could not.
    Failed,
    /// It never reached the store.
    Lost,
}

/// A call of the store: a message there and one back.
#[derive(Debug, Serialize)]
pub(crate) struct CallStory {
    pub(crate) op: String,
    pub(crate) host: usize,
    pub(crate) from: Us,
    /// When the store had carried it out, each time.
    pub(crate) done: Vec<Us>,
    /// When the host heard of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answered: Option<Us>,
    /// What the host was told instead of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The instance, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<usize>,
}

/// An activity did something to the outside world.
#[derive(Debug, Serialize)]
pub(crate) struct Effect {
    pub(crate) at: Us,
    pub(crate) host: usize,
    pub(crate) instance: usize,
}

/// An instance.
#[derive(Debug, Serialize)]
pub(crate) struct InstanceStory {
    pub(crate) id: String,
    pub(crate) orchestration: String,
    /// How it ended, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) executions: Vec<Execution>,
}

/// One thing that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Line {
    pub(crate) at: Us,
    pub(crate) host: usize,
    pub(crate) kind: LineKind,
    pub(crate) text: String,
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LineKind {
    Fault,
    Mail,
    Lease,
    Activity,
    Turn,
    Refused,
    End,
}

/// An execution's history, as it was committed.
#[derive(Debug, Serialize)]
pub(crate) struct Execution {
    pub(crate) number: u64,
    /// Which creation of the instance it belongs to.
    pub(crate) incarnation: u64,
    pub(crate) events: Vec<Recorded>,
}

/// An event, and the commit that recorded it.
#[derive(Debug, Serialize)]
pub(crate) struct Recorded {
    pub(crate) at: Us,
    pub(crate) host: usize,
    /// As the engine renders it.
    pub(crate) text: String,
}
