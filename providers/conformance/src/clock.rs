//! A clock that a factory can move on: for stores that take their time from an
//! [`Env`](duroxide_provider::env::Env). Not here: the time of a database server, which
//! nobody moves.

use duroxide_provider::env::{BoxFuture, Clock};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// A clock that runs as another does, and can be moved on at once; who sleeps on it notices.
/// Give it to the store, and answer [`Factory::advance`](crate::Factory::advance) and
/// [`Factory::set_wall_clock_back`](crate::Factory::set_wall_clock_back) by its methods: so
/// the checks wait for nothing.
#[derive(Clone)]
pub struct MovedClock {
    real: Arc<dyn Clock>,
    hands: Arc<Hands>,
}

#[derive(Default)]
struct Hands {
    ahead_ms: AtomicU64,
    wall_back_ms: AtomicU64,
    moved: Notify,
}

impl fmt::Debug for MovedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MovedClock")
    }
}

impl MovedClock {
    /// A clock that shows what this one shows, until it is moved.
    pub fn new(real: Arc<dyn Clock>) -> Self {
        Self { real, hands: Arc::default() }
    }

    /// Let so much time pass at once, rounded up to whole milliseconds.
    pub fn advance(&self, by: Duration) {
        self.hands.ahead_ms.fetch_add(whole_ms(by), Ordering::SeqCst);
        self.hands.moved.notify_waiters();
    }

    /// Set the wall clock back by whole milliseconds; what has passed has passed.
    pub fn set_wall_back(&self, by: Duration) {
        self.hands.wall_back_ms.fetch_add(whole_ms(by), Ordering::SeqCst);
    }

    fn ahead(&self) -> u64 {
        self.hands.ahead_ms.load(Ordering::SeqCst)
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Clock for MovedClock {
    fn wall_ms(&self) -> u64 {
        let back = self.hands.wall_back_ms.load(Ordering::SeqCst);
        (self.real.wall_ms() + self.ahead()).saturating_sub(back)
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic() + Duration::from_millis(self.ahead())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (clock, end) = (self.clone(), self.monotonic().saturating_add(duration));
        Box::pin(async move {
            loop {
                let mut moved = std::pin::pin!(clock.hands.moved.notified());
                // Registered before the look at the time, so that no move is missed.
                moved.as_mut().enable();
                let left = end.saturating_sub(clock.monotonic());
                if left.is_zero() {
                    return;
                }
                futures_util::future::select(moved, clock.real.sleep(left)).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time that stands still.
    struct Still;

    impl Clock for Still {
        fn wall_ms(&self) -> u64 {
            1_700_000_000_000
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(7)
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_sleeper_wakes_when_the_clock_is_moved_far_enough() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let clock = MovedClock::new(Arc::new(Still));
            let mut sleeping = clock.sleep(Duration::from_millis(100));
            clock.advance(Duration::from_millis(99));
            assert!(futures_util::poll!(&mut sleeping).is_pending());
            clock.advance(Duration::from_nanos(1));
            assert!(futures_util::poll!(&mut sleeping).is_ready());
            assert_eq!(clock.wall_ms(), 1_700_000_000_100);
        });
    }

    #[test]
    fn a_wall_clock_set_back_leaves_what_has_passed() {
        let clock = MovedClock::new(Arc::new(Still));
        clock.set_wall_back(Duration::from_secs(1));
        assert_eq!(clock.wall_ms(), 1_699_999_999_000);
        assert_eq!(clock.monotonic(), Duration::from_secs(7));
    }
}
