//! An Env that nothing moves but the test: its clock stands still until it is pushed on, its
//! randomness is counted. So two stores that are given the same time agree on every stamp. And a
//! clock that goes by itself and can be pushed on, for who must talk to a real server.

use duroxide_provider::env::{
    BoxFuture, Clock, Entropy, Env, Listener, Network, Spawner, Stream, Task,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// When every sequence begins, on every store's clock.
pub const EPOCH_MS: u64 = 1_900_000_000_000;

/// The hands of a clock.
#[derive(Debug, Default)]
pub struct Hands {
    passed_ms: AtomicU64,
    behind_ms: AtomicU64,
    moved: Notify,
}

impl Hands {
    /// Let so much time pass.
    pub fn advance(&self, by: Duration) {
        self.passed_ms.fetch_add(ms(by), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Set the wall clock back; what has passed has passed.
    pub fn set_back(&self, by: Duration) {
        self.behind_ms.fetch_add(ms(by), Ordering::SeqCst);
    }

    /// What the wall clock shows.
    pub fn wall_ms(&self) -> u64 {
        let passed = self.passed_ms.load(Ordering::SeqCst);
        EPOCH_MS + passed - self.behind_ms.load(Ordering::SeqCst)
    }

    fn passed(&self) -> Duration {
        Duration::from_millis(self.passed_ms.load(Ordering::SeqCst))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An Env, and the hands of its clock. Blocking work runs where it is asked for.
pub fn env() -> (Env, Arc<Hands>) {
    env_with(Arc::new(Tasks { threads: false }))
}

/// An Env whose blocking work has threads of its own, as that of a process has.
pub(crate) fn env_with_threads() -> (Env, Arc<Hands>) {
    env_with(Arc::new(Tasks { threads: true }))
}

fn env_with(spawner: Arc<dyn Spawner>) -> (Env, Arc<Hands>) {
    let hands = Arc::new(Hands::default());
    let env = Env {
        clock: Arc::new(Watch(Arc::clone(&hands))),
        entropy: Arc::new(Counted(AtomicU64::new(1))),
        network: Arc::new(NoNetwork),
        spawner,
    };
    (env, hands)
}

struct Watch(Arc<Hands>);

impl Clock for Watch {
    fn wall_ms(&self) -> u64 {
        self.0.wall_ms()
    }

    fn monotonic(&self) -> Duration {
        self.0.passed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let hands = Arc::clone(&self.0);
        Box::pin(async move {
            let end = hands.passed().saturating_add(duration);
            loop {
                let moved = hands.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                if hands.passed() >= end {
                    return;
                }
                moved.await;
            }
        })
    }
}

/// Real time, plus what it was pushed on.
#[derive(Debug, Clone)]
pub(crate) struct Pushed(Arc<Going>);

#[derive(Debug)]
struct Going {
    begun: Instant,
    pushed_ms: AtomicU64,
    moved: Notify,
}

impl Pushed {
    pub(crate) fn new() -> Self {
        let (pushed_ms, moved) = (AtomicU64::new(0), Notify::new());
        Self(Arc::new(Going { begun: Instant::now(), pushed_ms, moved }))
    }

    pub(crate) fn push(&self, by: Duration) {
        self.0.pushed_ms.fetch_add(ms(by), Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }
}

impl Clock for Pushed {
    fn wall_ms(&self) -> u64 {
        EPOCH_MS + ms(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.0.begun.elapsed() + Duration::from_millis(self.0.pushed_ms.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            let end = clock.monotonic().saturating_add(duration);
            loop {
                let moved = clock.0.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                let left = end.saturating_sub(clock.monotonic());
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
        let n = self.0.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for (byte, from) in bytes.iter_mut().zip(n.to_le_bytes().iter().cycle()) {
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

struct Tasks {
    threads: bool,
}

impl Spawner for Tasks {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let handle = tokio::spawn(task);
        Task::new(move || handle.abort())
    }
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        if self.threads {
            drop(tokio::task::spawn_blocking(job));
        } else {
            job();
        }
    }
}
