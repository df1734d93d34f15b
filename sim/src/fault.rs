//! Faults: what can go wrong, at which point of whose work, and how often it really did.
//! Not here: which faults a seed draws (`plan`), or how they are carried out (`world`,
//! `tap`).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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

/// A point in the work of a host, counted from 1 over all its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// It is about to call the store.
    Calling(Op),
    /// It was just answered by the store.
    Answered(Op),
    /// The store has carried out a call of this host, and has not answered it yet.
    Durable(Op),
    /// The store has just granted it an instance that another had not given back.
    TookOver,
    /// It has just written to a connection.
    Wrote,
    /// It has just gone to sleep on its clock.
    Slept,
    /// An activity has just had its effect on the outside world.
    Effect,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The process dies; the kernel closes its sockets. It starts again after a while.
    Kill {
        /// How long it stays down.
        down_ms: u64,
    },
    /// The machine goes: nobody hears anything, open connections hang.
    HostLoss {
        /// How long it stays down.
        down_ms: u64,
    },
    /// Nothing passes between the host and the store; what is on its way is lost.
    Partition {
        /// How long.
        for_ms: u64,
    },
    /// Nothing passes between the host and the store until later; nothing is lost.
    Hold {
        /// How long.
        for_ms: u64,
    },
    /// The store carries the call out, and the answer never comes.
    LoseAnswer {
        /// The caller hears that the store does not know, instead of nothing.
        told: bool,
    },
    /// The store gets the call twice.
    Duplicate {
        /// The second time so much later, after the answer.
        late_ms: u64,
    },
}

/// What is counted: faults that met work in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Met {
    /// A process died while it held a lease or waited for an answer.
    Kill,
    /// A machine went while it held a lease or waited for an answer.
    HostLoss,
    /// Of both: while it held a lease.
    DeathHoldingLease,
    /// Of both: while a commit of it was durable and not yet answered.
    DeathBetweenCommitAndAnswer,
    /// Whatever befell a host that had just taken over from one that was lost.
    BrokenTakeOver,
    /// A host that died came back.
    Restart,
    /// A partition that cut off calls.
    Partition,
    /// A delay that held calls up.
    Hold,
    /// An answer was lost.
    LostAnswer,
    /// Of these: the answer to an applied commit.
    LostCommitAnswer,
    /// A call came twice.
    Duplicate,
    /// Of these: the second time after the answer.
    LateDuplicate,
    /// A fault that met nothing. Does not count.
    Idle,
}

impl Met {
    /// All that a range of seeds must reach.
    pub const ALL: [Self; 12] = [
        Self::Kill,
        Self::HostLoss,
        Self::DeathHoldingLease,
        Self::DeathBetweenCommitAndAnswer,
        Self::BrokenTakeOver,
        Self::Restart,
        Self::Partition,
        Self::Hold,
        Self::LostAnswer,
        Self::LostCommitAnswer,
        Self::Duplicate,
        Self::LateDuplicate,
    ];
}

/// How often each fault met work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<Met, u64>);

impl Counts {
    /// Count one.
    pub fn add(&mut self, met: Met) {
        *self.0.entry(met).or_default() += 1;
    }

    /// How often.
    pub fn of(&self, met: Met) -> u64 {
        self.0.get(&met).copied().unwrap_or_default()
    }

    /// Add those of another run.
    pub fn merge(&mut self, other: &Self) {
        for (met, count) in &other.0 {
            *self.0.entry(*met).or_default() += count;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, met) in Met::ALL.into_iter().chain([Met::Idle]).enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{}: {}", met.label(), self.of(met))?;
        }
        Ok(())
    }
}

impl Met {
    /// As reports name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Kill => "kills",
            Self::HostLoss => "host losses",
            Self::DeathHoldingLease => "deaths holding a lease",
            Self::DeathBetweenCommitAndAnswer => "deaths between a commit and its answer",
            Self::BrokenTakeOver => "broken take-overs",
            Self::Restart => "restarts",
            Self::Partition => "partitions",
            Self::Hold => "holds",
            Self::LostAnswer => "lost answers",
            Self::LostCommitAnswer => "lost commit answers",
            Self::Duplicate => "duplicates",
            Self::LateDuplicate => "late duplicates",
            Self::Idle => "without effect (not counted)",
        }
    }
}
