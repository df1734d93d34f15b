//! An Env with a clock that moves only when it is pushed, and nothing else: the model asks
//! for nothing else.

use duroxide_provider::env::{
    BoxFuture, Clock, Entropy, Env, Listener, Network, Spawner, Stream, Task,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The hands of the clock.
#[derive(Default)]
pub(crate) struct Hands {
    passed_us: AtomicU64,
    back_ms: AtomicU64,
    moved: Notify,
}

impl Hands {
    /// Let so much time pass at once.
    pub(crate) fn advance(&self, by: Duration) {
        self.passed_us.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Set the wall clock back; what has passed has passed.
    pub(crate) fn set_wall_clock_back(&self, by: Duration) {
        self.back_ms.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn passed(&self) -> Duration {
        Duration::from_micros(self.passed_us.load(Ordering::SeqCst))
    }
}

struct Watch(Arc<Hands>);

const EPOCH: Duration = Duration::from_secs(1_700_000_000);

impl Clock for Watch {
    fn wall_ms(&self) -> u64 {
        let back = Duration::from_millis(self.0.back_ms.load(Ordering::SeqCst));
        u64::try_from((EPOCH + self.0.passed()).saturating_sub(back).as_millis()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.passed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let hands = Arc::clone(&self.0);
        let end = hands.passed().saturating_add(duration);
        Box::pin(async move {
            loop {
                let moved = hands.moved.notified();
                tokio::pin!(moved);
                // Registered before the look at the time, so that no move is missed.
                moved.as_mut().enable();
                if hands.passed() >= end {
                    return;
                }
                moved.await;
            }
        })
    }
}

struct Unused;

impl Entropy for Unused {
    fn fill(&self, _: &mut [u8]) {
        unreachable!("the model draws nothing");
    }
}

impl Network for Unused {
    fn connect(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        unreachable!("the model connects to nothing");
    }
    fn listen(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        unreachable!("the model listens to nothing");
    }
}

impl Spawner for Unused {
    fn spawn(&self, _: &'static str, _: BoxFuture<'static, ()>) -> Task {
        unreachable!("the model has no tasks");
    }
    fn blocking(&self, _: Box<dyn FnOnce() + Send>) {
        unreachable!("the model blocks nobody");
    }
}

/// An Env, and the hands of its clock.
pub(crate) fn env() -> (Env, Arc<Hands>) {
    let hands = Arc::new(Hands::default());
    let env = Env {
        clock: Arc::new(Watch(Arc::clone(&hands))),
        entropy: Arc::new(Unused),
        network: Arc::new(Unused),
        spawner: Arc::new(Unused),
    };
    (env, hands)
}
