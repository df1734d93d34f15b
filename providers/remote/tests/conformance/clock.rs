//! A clock that can be moved on: sleepers notice.

use duroxide_provider::env::{BoxFuture, Clock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

pub(crate) struct ShiftedClock {
    real: Arc<dyn Clock>,
    shift: Arc<Shift>,
}

#[derive(Default)]
struct Shift {
    ahead_ms: AtomicU64,
    wall_back_ms: AtomicU64,
    moved: Notify,
}

impl ShiftedClock {
    pub(crate) fn new(real: Arc<dyn Clock>) -> Self {
        Self { real, shift: Arc::default() }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.shift.ahead_ms.fetch_add(ms(by), Ordering::SeqCst);
        self.shift.moved.notify_waiters();
    }

    pub(crate) fn set_wall_back(&self, by: Duration) {
        self.shift.wall_back_ms.fetch_add(ms(by), Ordering::SeqCst);
    }
}

/// In whole milliseconds, rounded up.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap()
}

impl Shift {
    fn now(&self, real: &dyn Clock) -> Duration {
        real.monotonic() + Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }
}

impl Clock for ShiftedClock {
    fn wall_ms(&self) -> u64 {
        let ahead = self.shift.ahead_ms.load(Ordering::SeqCst);
        let back = self.shift.wall_back_ms.load(Ordering::SeqCst);
        (self.real.wall_ms() + ahead).saturating_sub(back)
    }

    fn monotonic(&self) -> Duration {
        self.shift.now(&*self.real)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.monotonic().saturating_add(duration);
        let (real, shift) = (self.real.clone(), self.shift.clone());
        Box::pin(async move {
            loop {
                let moved = shift.moved.notified();
                tokio::pin!(moved);
                // Registered before the look at the time, so that no move is missed.
                moved.as_mut().enable();
                let left = until.saturating_sub(shift.now(&*real));
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    biased;
                    () = moved => (),
                    () = real.sleep(left) => (),
                }
            }
        })
    }
}
