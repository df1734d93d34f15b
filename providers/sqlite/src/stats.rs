//! What a store has done, counted: the cost model is checked by these numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts since the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Durable transactions: each costs a wait for the disk under
    /// [`Durability::Full`](crate::Durability::Full).
    pub commits: u64,
    /// Transactions that only lease or renew. A power cut may forget them, which harms
    /// nothing, so they do not wait for the disk.
    pub relaxed_commits: u64,
    /// Transactions that were rolled back whole and redone operation by operation.
    pub redone: u64,
    /// Write operations that were run, by method.
    pub operations: BTreeMap<&'static str, u64>,
    /// Reads that were run, by method.
    pub reads: BTreeMap<&'static str, u64>,
    /// Messages dropped: their target had ended, was unknown or another by now.
    pub dropped_messages: u64,
    /// Instances quarantined.
    pub quarantined: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Stats>);

impl Counters {
    /// Count something.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// As they stand.
    pub(crate) fn snapshot(&self) -> Stats {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
