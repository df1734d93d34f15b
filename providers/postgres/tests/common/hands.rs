//! An Env whose time is real but can be pushed on.

use duroxide_provider::env::{
    BoxFuture, Clock, Entropy, Env, Listener, Network, Spawner, Stream, Task,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The clock of a test: real time, plus what it was pushed on.
pub(crate) struct Hands {
    begun: Instant,
    pushed_ms: AtomicU64,
    moved: Arc<Notify>,
}

impl Hands {
    /// Let so much time pass at once.
    pub(crate) fn advance(&self, by: Duration) {
        self.pushed_ms.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    fn passed(&self) -> Duration {
        self.begun.elapsed() + Duration::from_millis(self.pushed_ms.load(Ordering::SeqCst))
    }
}

struct Watch(Arc<Hands>);

const EPOCH_MS: i64 = 1_700_000_000_000;

impl Clock for Watch {
    fn wall_ms(&self) -> u64 {
        let passed = i64::try_from(self.0.passed().as_millis()).unwrap();
        let wall = EPOCH_MS + passed;
        u64::try_from(wall).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.passed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Env of these tests")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let hands = Arc::clone(&self.0);
        Box::pin(async move {
            let end = hands.passed().saturating_add(duration);
            loop {
                let moved = hands.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                let left = end.saturating_sub(hands.passed());
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    biased;
                    () = moved => {}
                    () = tokio::time::sleep(left) => {}
                }
            }
        })
    }
}

struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::SeqCst);
        let seed = [n.to_le_bytes(), u64::from(std::process::id()).to_le_bytes()].concat();
        for (byte, from) in bytes.iter_mut().zip(seed.iter().cycle()) {
            *byte = *from;
        }
    }
}

struct NoNetwork;

impl Network for NoNetwork {
    fn connect(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
    fn listen(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

struct Tokio;

#[expect(clippy::disallowed_methods, reason = "this is the Env of these tests")]
impl Spawner for Tokio {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let handle = tokio::spawn(task);
        Task::new(move || handle.abort())
    }
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(job);
    }
}

/// An Env, and the hands of its clock.
#[expect(clippy::disallowed_methods, reason = "this is the Env of these tests")]
pub(crate) fn env() -> (Env, Arc<Hands>) {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let hands = Arc::new(Hands {
        begun: Instant::now(),
        pushed_ms: AtomicU64::new(0),
        moved: Arc::default(),
    });
    let env = Env {
        clock: Arc::new(Watch(Arc::clone(&hands))),
        entropy: Arc::new(Counted(AtomicU64::new(DRAWN.fetch_add(1 << 32, Ordering::SeqCst)))),
        network: Arc::new(NoNetwork),
        spawner: Arc::new(Tokio),
    };
    (env, hands)
}
