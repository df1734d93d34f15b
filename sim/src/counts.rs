//! What is counted over a range of seeds: every fault that was delivered to work in
//! flight, and every `sometimes` point, a situation that must come up now and then for
//! the range to have tested anything. Not here: when something counts (`host`, `tap`).

use crate::fault::CATALOGUE;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Situations that a range of seeds must come to. A fault is counted under its own name.
pub mod sometimes {
    /// A process or machine died while it held a lease.
    pub const DEATH_HOLDING_LEASE: &str = "death holding a lease";
    /// A process or machine died while a commit of it was durable and not yet answered.
    pub const DEATH_BEFORE_ANSWER: &str = "death between a commit and its answer";
    /// Something befell a host that had just taken over from one that was lost.
    pub const BROKEN_TAKE_OVER: &str = "broken take-over";
    /// A host that died came back.
    pub const RESTART: &str = "restart";
    /// The answer to an applied commit was lost.
    pub const LOST_COMMIT_ANSWER: &str = "lost commit answer";
    /// A call came again after its answer.
    pub const LATE_DUPLICATE: &str = "late duplicate";
    /// A node was granted an instance that another had not given back.
    pub const TAKE_OVER: &str = "take-over";
    /// The store refused a turn: the lease or the base was no longer right.
    pub const TURN_REFUSED: &str = "turn refused";
    /// An activity had its effect more than once.
    pub const EFFECT_REPEATED: &str = "effect repeated";
    /// A node opened an execution from its history.
    pub const COLD_TURN: &str = "cold turn";
    /// The store's process died and came back.
    pub const STORE_RESTART: &str = "store restart";

    /// All of these.
    pub const ALL: &[&str] = &[
        DEATH_HOLDING_LEASE,
        DEATH_BEFORE_ANSWER,
        BROKEN_TAKE_OVER,
        RESTART,
        LOST_COMMIT_ANSWER,
        LATE_DUPLICATE,
        TAKE_OVER,
        TURN_REFUSED,
        EFFECT_REPEATED,
        COLD_TURN,
        STORE_RESTART,
    ];
}

/// What met nothing: a fault without anything in flight. Told, and not counted as delivered.
pub(crate) const IDLE: &str = "without effect";

/// How often each fault met work, and each point was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Count one.
    pub fn add(&mut self, what: &str) {
        self.add_many(what, 1);
    }

    /// Count so many.
    pub fn add_many(&mut self, what: &str, count: u64) {
        match self.0.get_mut(what) {
            Some(so_far) => *so_far += count,
            None => {
                self.0.insert(what.to_owned(), count);
            }
        }
    }

    /// How often.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// Add those of another run.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, count)| self.add_many(what, *count));
    }

    /// Faults of the catalogue that seeds draw by themselves, and points, that were never
    /// reached.
    pub fn missing(&self) -> Vec<&'static str> {
        let faults = CATALOGUE.iter().filter(|kind| kind.share.is_some()).map(|kind| kind.name);
        faults.chain(sometimes::ALL.iter().copied()).filter(|what| self.of(what) == 0).collect()
    }

    /// Each with its count, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (what, count)) in self.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{what}: {count}")?;
        }
        Ok(())
    }
}
