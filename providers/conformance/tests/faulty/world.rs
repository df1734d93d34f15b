//! A store to be made faulty: SQLite in memory on a clock that only the checks move.

use duroxide_provider::env::{
    BoxFuture, Clock, Entropy, Env, Listener, Network, Spawner, Stream, Task,
};
use duroxide_sqlite::SqliteProvider;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

const EPOCH_MS: u64 = 1_700_000_000_000;

/// Time that stands still until it is moved.
#[derive(Clone, Default)]
pub(crate) struct StandingClock(Arc<Hands>);

#[derive(Default)]
struct Hands {
    passed: Mutex<Duration>,
    moved: Notify,
}

impl StandingClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.passed.lock().unwrap() += by;
        self.0.moved.notify_waiters();
    }
}

impl Clock for StandingClock {
    fn wall_ms(&self) -> u64 {
        EPOCH_MS + u64::try_from(self.monotonic().as_millis()).unwrap()
    }
    fn monotonic(&self) -> Duration {
        *self.0.passed.lock().unwrap()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (clock, end) = (self.clone(), self.monotonic().saturating_add(duration));
        Box::pin(async move {
            loop {
                let mut moved = std::pin::pin!(clock.0.moved.notified());
                moved.as_mut().enable();
                if clock.monotonic() >= end {
                    return;
                }
                moved.await;
            }
        })
    }
}

struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        bytes.iter_mut().zip(n.iter().cycle()).for_each(|(byte, from)| *byte = *from);
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

struct TokioTasks;

#[expect(clippy::disallowed_methods, reason = "this is the Env of these tests")]
impl Spawner for TokioTasks {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let handle = tokio::spawn(task);
        Task::new(move || handle.abort())
    }
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(job);
    }
}

/// A fresh store on this clock.
pub(crate) async fn working_store(clock: &StandingClock) -> SqliteProvider {
    let env = Env {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(Counter(AtomicU64::new(1))),
        network: Arc::new(NoNetwork),
        spawner: Arc::new(TokioTasks),
    };
    SqliteProvider::in_memory(env).await.unwrap()
}
