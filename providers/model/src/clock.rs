//! The store's clock: never back, never still. The wall clock where that goes forward;
//! where it steps back, the last value plus what has really passed since.

use duroxide_core::TimeMs;
use duroxide_provider::env::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The clock as one handle reads it.
pub(crate) struct StoreClock {
    node: Arc<dyn Clock>,
    last: Mutex<Reading>,
}

struct Reading {
    /// Store time since the Unix epoch; finer than a millisecond, so that reading often
    /// does not slow it down.
    time: Duration,
    monotonic: Duration,
}

impl StoreClock {
    pub(crate) fn new(node: Arc<dyn Clock>) -> Self {
        let last = Reading { time: Duration::ZERO, monotonic: node.monotonic() };
        Self { node, last: Mutex::new(last) }
    }

    /// The time now, not before what was read by any handle.
    pub(crate) fn after(&self, read: TimeMs) -> TimeMs {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic = self.node.monotonic();
        let time = (last.time + monotonic.saturating_sub(last.monotonic))
            .max(Duration::from_millis(self.node.wall_ms()))
            .max(Duration::from_millis(read.0));
        *last = Reading { time, monotonic };
        TimeMs(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}
