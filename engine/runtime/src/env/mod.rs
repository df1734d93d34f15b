//! The system's implementation of [`Env`]: tokio's time, ChaCha seeded by the operating
//! system, TCP, tokio's tasks. The only place of the engine that reaches the world
//! itself; everything else is handed an [`Env`]. The simulated one is in `duroxide-sim`.

mod network;

use duroxide_provider::env::{BoxFuture, Clock, Entropy, Env, Spawner, Task};
use network::TcpNetwork;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::time::Instant;

/// The system's [`Env`] on the tokio runtime that calls this.
///
/// # Panics
/// Outside of a tokio runtime (see [`system_env_on`]), or when the operating system gives
/// no random bytes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let env = duroxide_runtime::system_env();
/// env.sleep(std::time::Duration::from_millis(1)).await;
/// assert!(env.clock.wall_ms() > 0);
/// # }
/// ```
pub fn system_env() -> Env {
    system_env_on(Handle::current())
}

/// The system's [`Env`] on a given tokio runtime: tasks run there whoever spawns them.
pub fn system_env_on(handle: Handle) -> Env {
    Env {
        clock: Arc::new(SystemClock::new(handle.clone())),
        entropy: Arc::new(SystemEntropy::new()),
        network: Arc::new(TcpNetwork),
        spawner: Arc::new(TokioSpawner { handle }),
    }
}

struct SystemClock {
    handle: Handle,
    origin: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the system's Env is what others use instead")]
    fn new(handle: Handle) -> Self {
        Self { handle, origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the system's Env is what others use instead")]
    fn wall_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the system's Env is what others use instead")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The timer belongs to the runtime it is created in, wherever it is awaited.
        let _inside = self.handle.enter();
        Box::pin(tokio::time::sleep(duration))
    }
}

struct SystemEntropy {
    rng: Mutex<ChaCha12Rng>,
}

impl SystemEntropy {
    fn new() -> Self {
        let mut seed = [0; 32];
        // Without randomness there are no unique ids: nothing sensible to go on with.
        if let Err(error) = getrandom::fill(&mut seed) {
            panic!("the operating system gives no random bytes: {error}");
        }
        Self { rng: Mutex::new(ChaCha12Rng::from_seed(seed)) }
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

struct TokioSpawner {
    handle: Handle,
}

impl Spawner for TokioSpawner {
    #[expect(clippy::disallowed_methods, reason = "the system's Env is what others use instead")]
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let running = self.handle.spawn(task).abort_handle();
        Task::new(move || running.abort())
    }

    #[expect(clippy::disallowed_methods, reason = "the system's Env is what others use instead")]
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        // Detached: who waits for the job has a channel of its own.
        drop(self.handle.spawn_blocking(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn random_bytes_are_drawn_and_differ() {
        let env = system_env();
        let (mut one, mut two) = ([0; 16], [0; 16]);
        env.entropy.fill(&mut one);
        env.entropy.fill(&mut two);
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn blocking_work_gives_its_result_and_a_panic_gives_none() {
        let env = system_env();
        assert_eq!(env.blocking(|| 7).await, Some(7));
        assert_eq!(env.blocking(|| -> u8 { panic!("as planned") }).await, None);
    }

    #[tokio::test]
    async fn bytes_cross_a_connection() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let env = system_env();
        let listener = env.network.listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_address().unwrap();
        let mut near = env.network.connect(&address).await.unwrap();
        let mut far = listener.accept().await.unwrap();
        near.write_all(b"hello").await.unwrap();
        let mut read = [0; 5];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
    }

    #[test]
    fn a_task_runs_on_the_given_runtime_whoever_spawns_it() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let env = system_env_on(tokio.handle().clone());
        let (tx, rx) = tokio::sync::oneshot::channel();
        let inner = env.clone();
        let _task = env.spawn("test", async move {
            inner.sleep(Duration::from_millis(1)).await;
            tx.send(()).unwrap();
        });
        tokio.block_on(rx).unwrap();
    }
}
