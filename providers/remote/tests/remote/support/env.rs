//! An Env in tokio's paused time, on one thread.
#![expect(clippy::disallowed_methods, reason = "this is the tests' implementation of Env")]

use super::network::FaultyNetwork;
use duroxide_provider::env::{BoxFuture, Clock, Entropy, Env, Spawner, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) fn env(network: Arc<FaultyNetwork>) -> Env {
    env_counting(network, Arc::default())
}

/// One that counts the timers it has running.
pub(crate) fn env_counting(network: Arc<FaultyNetwork>, timers: Arc<AtomicUsize>) -> Env {
    Env {
        clock: Arc::new(Paused { start: Instant::now(), timers }),
        entropy: Arc::new(Counting(AtomicU64::new(1))),
        network,
        spawner: Arc::new(Local),
    }
}

struct Paused {
    start: Instant,
    timers: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Clock for Paused {
    fn wall_ms(&self) -> u64 {
        u64::try_from(self.monotonic().as_millis()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.timers.fetch_add(1, Ordering::Relaxed);
        let running = Running(self.timers.clone());
        Box::pin(async move {
            tokio::time::sleep(duration).await;
            drop(running);
        })
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            *byte = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0];
        }
    }
}

struct Local;

impl Spawner for Local {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let task = tokio::spawn(task).abort_handle();
        Task::new(move || task.abort())
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}
