//! What a handle has done, counted: the cost model is checked by these numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts since the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Statements sent for calls of the contract, by method, repeats included.
    pub statements: BTreeMap<&'static str, u64>,
    /// Waits for the server for them. A statement costs one; the first time on a
    /// connection one more, to prepare it.
    pub round_trips: u64,
    /// Statements sent again: after a serialization failure, a deadlock, a lost connection or
    /// answer, or a prepared statement that was gone.
    pub retries: u64,
    /// Connections made.
    pub connections: u64,
    /// Statements of the handle's own session: proof of life, looks at the others.
    pub session_statements: u64,
    /// Notifications sent to other handles.
    pub notifications_sent: u64,
    /// Notifications received from other handles.
    pub notifications_received: u64,
    /// Messages dropped: their target had ended, was unknown or another by now.
    pub dropped_messages: u64,
    /// Instances quarantined.
    pub quarantined: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counting(Mutex<Counters>);

impl Counting {
    /// Count something.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// As they stand.
    pub(crate) fn snapshot(&self) -> Counters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
