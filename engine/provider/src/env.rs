//! What makes the same code simulatable: time, randomness, network and tasks come
//! through [`Env`] only. Here are the traits; the system's implementation is in
//! `duroxide-runtime`, the simulated one in `duroxide-sim`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything that code takes from the world around it. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Connections.
    pub network: Arc<dyn Network>,
    /// Tasks and blocking work.
    pub spawner: Arc<dyn Spawner>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

impl Env {
    /// Sleep on this node's clock.
    pub async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// The future's output, or `None` after `duration`. The future is looked at first.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = self.clock.sleep(duration) => None,
        }
    }

    /// Run a task until it ends or its handle aborts it.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        self.spawner.spawn(name, Box::pin(task))
    }

    /// Run blocking work off the executor (in the simulation: inline) and give its result;
    /// `None` if it panicked or the executor is going down.
    pub async fn blocking<T, F>(&self, job: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawner.blocking(Box::new(move || {
            let _ = tx.send(job());
        }));
        rx.await.ok()
    }
}

/// Time of this node. Never compared with another node's, or the store's.
pub trait Clock: Send + Sync + 'static {
    /// Wall clock, ms since the Unix epoch. May jump.
    fn wall_ms(&self) -> u64;
    /// Never goes back.
    fn monotonic(&self) -> Duration;
    /// Resolves after this much monotonic time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Randomness of this node.
pub trait Entropy: Send + Sync + 'static {
    /// Fill with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// A byte stream between nodes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Connections of this node.
pub trait Network: Send + Sync + 'static {
    /// Connect to `host:port`.
    fn connect(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
    /// Listen on `host:port`.
    fn listen(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>>;
}

/// Accepts connections.
pub trait Listener: Send + Sync + 'static {
    /// The next connection.
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
    /// The address bound.
    fn local_address(&self) -> io::Result<String>;
}

/// Tasks of this node.
pub trait Spawner: Send + Sync + 'static {
    /// Run a task.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task;
    /// Run blocking work off the executor.
    fn blocking(&self, job: Box<dyn FnOnce() + Send>);
}

/// A running task. Dropping the handle lets it run on.
pub struct Task(Box<dyn FnOnce() + Send + Sync>);

impl Task {
    /// A handle whose abort calls this.
    pub fn new(abort: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Box::new(abort))
    }

    /// Drop the task at its next await.
    pub fn abort(self) {
        (self.0)();
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}
