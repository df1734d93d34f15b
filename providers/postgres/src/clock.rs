//! What this handle believes the store's time to be, between two answers of the store. Only
//! for knowing when to look again: every decision is made by the store's own clock.

use duroxide_core::TimeMs;
use duroxide_provider::env::Clock;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The last time heard from the store, and when that was.
pub(crate) struct HeardClock {
    node: Arc<dyn Clock>,
    last: Mutex<(TimeMs, Duration)>,
}

impl fmt::Debug for HeardClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeardClock")
    }
}

impl HeardClock {
    /// Nothing was heard so far.
    pub(crate) fn new(node: Arc<dyn Clock>) -> Self {
        let monotonic = node.monotonic();
        Self { node, last: Mutex::new((TimeMs(0), monotonic)) }
    }

    /// The store said what time it is.
    pub(crate) fn heard(&self, now: TimeMs) {
        let monotonic = self.node.monotonic();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (now, monotonic);
    }

    /// About now.
    pub(crate) fn now(&self) -> TimeMs {
        let (time, at) = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.node.monotonic().saturating_sub(at);
        time.plus(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
