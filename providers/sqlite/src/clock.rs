//! The store's clock: never back, never still. The wall clock where that goes forward;
//! where it steps back, the last value plus what has really passed since.

use duroxide_core::TimeMs;
use duroxide_provider::env::Clock;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The clock of one open store.
pub(crate) struct StoreClock {
    node: Arc<dyn Clock>,
    last: Mutex<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    /// Store time since the Unix epoch; finer than a millisecond, so that reading often
    /// does not slow it down.
    time: Duration,
    /// The node's monotonic clock at that reading.
    monotonic: Duration,
}

impl fmt::Debug for StoreClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreClock")
    }
}

impl StoreClock {
    pub(crate) fn new(node: Arc<dyn Clock>) -> Self {
        let last = Reading { time: Duration::ZERO, monotonic: node.monotonic() };
        Self { node, last: Mutex::new(last) }
    }

    /// The time now.
    pub(crate) fn now(&self) -> TimeMs {
        self.after(TimeMs(0))
    }

    /// The time now, and not before what another process, or an earlier run, wrote down.
    pub(crate) fn after(&self, written: TimeMs) -> TimeMs {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic = self.node.monotonic();
        let time = (last.time + monotonic.saturating_sub(last.monotonic))
            .max(Duration::from_millis(self.node.wall_ms()))
            .max(Duration::from_millis(written.0));
        *last = Reading { time, monotonic };
        TimeMs(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duroxide_provider::env::BoxFuture;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Hands {
        wall_ms: AtomicU64,
        monotonic_us: AtomicU64,
    }

    impl Clock for Hands {
        fn wall_ms(&self) -> u64 {
            self.wall_ms.load(Ordering::Relaxed)
        }
        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.monotonic_us.load(Ordering::Relaxed))
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    fn hands(wall_ms: u64) -> (Arc<Hands>, StoreClock) {
        let hands =
            Arc::new(Hands { wall_ms: AtomicU64::new(wall_ms), monotonic_us: AtomicU64::new(0) });
        (Arc::clone(&hands), StoreClock::new(hands))
    }

    #[test]
    fn a_wall_clock_that_steps_back_does_not_take_time_back() {
        let (hands, clock) = hands(10_000);
        assert_eq!(clock.now(), TimeMs(10_000));
        hands.wall_ms.store(4_000, Ordering::Relaxed);
        hands.monotonic_us.store(1_500_000, Ordering::Relaxed);
        assert_eq!(clock.now(), TimeMs(11_500));
        hands.wall_ms.store(20_000, Ordering::Relaxed);
        assert_eq!(clock.now(), TimeMs(20_000));
    }

    #[test]
    fn reading_often_does_not_slow_it_down() {
        let (hands, clock) = hands(1_000);
        clock.now();
        hands.wall_ms.store(0, Ordering::Relaxed);
        for step in 1..=4_000 {
            hands.monotonic_us.store(step * 250, Ordering::Relaxed);
            clock.now();
        }
        assert_eq!(clock.now(), TimeMs(2_000));
    }

    #[test]
    fn what_was_written_down_is_not_undercut() {
        let (_, clock) = hands(1_000);
        assert_eq!(clock.after(TimeMs(5_000)), TimeMs(5_000));
        assert_eq!(clock.now(), TimeMs(5_000));
    }
}
