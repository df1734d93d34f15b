//! Points in the work of a host, where faults act: a method of the store about to be
//! called, a sector about to be written, an activity that begins. Plans name them, with
//! the how manieth time. Not here: what happens there (`fault`).

use serde::{Deserialize, Serialize};

/// A method of the store, as traces and plans name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named after the method it stands for")]
pub enum Op {
    LeaseOrchestrations,
    ReadHistory,
    ReadMail,
    CommitTurn,
    LeaseActivities,
    CompleteActivity,
    Renew,
    Release,
    Submit,
    WaitForWork,
    Instance,
    Watch,
    Other,
}

impl Op {
    /// What traces call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LeaseOrchestrations => "LeaseOrchestrations",
            Self::ReadHistory => "ReadHistory",
            Self::ReadMail => "ReadMail",
            Self::CommitTurn => "CommitTurn",
            Self::LeaseActivities => "LeaseActivities",
            Self::CompleteActivity => "CompleteActivity",
            Self::Renew => "Renew",
            Self::Release => "Release",
            Self::Submit => "Submit",
            Self::WaitForWork => "WaitForWork",
            Self::Instance => "Instance",
            Self::Watch => "Watch",
            Self::Other => "Other",
        }
    }

    /// Whether a call only waits for others' work.
    pub(crate) fn is_idle(self) -> bool {
        matches!(self, Self::WaitForWork | Self::Watch)
    }
}

/// What SQLite asks of the disk of the store's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named after the call it stands for")]
pub enum DiskCall {
    Read,
    Write,
    Sync,
    Truncate,
    Delete,
}

/// A point in the work of a host, counted from 1 over all its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// It is about to call the store.
    Calling(Op),
    /// It was just answered by the store.
    Answered(Op),
    /// A call of this host has reached the store, which has not begun with it.
    Arrived(Op),
    /// The store has carried out a call of this host, and has not answered it yet.
    Durable(Op),
    /// The store has just granted it an instance that another had not given back.
    TookOver,
    /// It has just written to a connection.
    Wrote,
    /// It has just gone to sleep on its clock.
    Slept,
    /// An attempt of an activity begins on it.
    Began,
    /// An activity has just had its effect on the outside world.
    Effect,
    /// Its SQLite is about to use the disk.
    Disk(DiskCall),
    /// Its modelled PostgreSQL is about to run a statement of a call.
    Statement(Op),
    /// Its modelled PostgreSQL is about to commit a call.
    Committing(Op),
    /// Its modelled PostgreSQL is about to tell listeners of a call's news.
    Notifying,
}
