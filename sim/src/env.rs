//! The simulated [`Env`] of one life of a host. Not here: the network (`network`).

use crate::dice::{Dice, Yield};
use crate::host::Host;
use crate::network::HostNetwork;
use crate::point::Boundary;
use crate::sync::lock;
use crate::wrong::Wrong;
use duroxide_provider::env::{BoxFuture, Clock, Entropy, Env, Spawner, Task};
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The environment of one life of a host.
pub(crate) fn env(host: &Arc<Host>) -> Env {
    let seed = host.stage().plan.seed;
    let stream = |what: &str| Dice::new(seed, &format!("{what} of {host:?}"));
    Env {
        clock: Arc::new(HostClock(Arc::clone(host))),
        entropy: Arc::new(HostEntropy(Mutex::new(stream("entropy")))),
        network: Arc::new(HostNetwork::new(Arc::clone(host))),
        spawner: Arc::new(HostSpawner {
            host: Arc::clone(host),
            delays: Mutex::new(stream("spawns")),
        }),
    }
}

struct HostClock(Arc<Host>);

impl Clock for HostClock {
    fn wall_ms(&self) -> u64 {
        self.0.time.wall_ms(self.0.stage().timeline.now())
    }

    fn monotonic(&self) -> Duration {
        self.0.time.monotonic(self.0.stage().timeline.now())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let host = Arc::clone(&self.0);
        host.stage().record(host.name(), "sleep", &(duration.as_micros() as u64).to_le_bytes());
        let sleep = host.stage().timeline.sleep(host.time.really(duration));
        Box::pin(async move {
            host.strike(Boundary::Slept);
            sleep.await;
            host.gate().await;
        })
    }
}

struct HostEntropy(Mutex<Dice>);

impl Entropy for HostEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        lock(&self.0).fill(bytes);
    }
}

struct HostSpawner {
    host: Arc<Host>,
    delays: Mutex<Dice>,
}

impl Spawner for HostSpawner {
    #[expect(clippy::disallowed_methods, reason = "this is the simulated Env")]
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        if !self.host.is_alive() {
            return Task::new(|| ());
        }
        let host = Arc::clone(&self.host);
        // An executor may begin tasks in any order.
        let delay = lock(&self.delays).within(0..=2);
        let handle = tokio::spawn(async move {
            Yield(delay).await;
            host.gate().await;
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                let reason = format!("task `{name}` of {host:?} panicked: {}", text_of(&*panic));
                host.stage().fail(&Wrong::of("panic", reason));
            }
        });
        Task::new(move || handle.abort())
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}

/// What a panic said.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("something that is not text")
}
