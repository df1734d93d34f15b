//! The writer's task: takes every write that has come in, and has them made durable
//! together while the next ones gather.

use crate::batch::{self, Job, Operation};
use crate::error::{Result, StoreError};
use crate::shell::Shell;
use crate::store::Tx;
use crate::writer::closed;
use duroxide_provider::ProviderError;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Operations of one transaction at most: a failure redoes no more than these.
const BATCH: usize = 256;

/// Where writes go in.
pub(crate) struct Writes(mpsc::UnboundedSender<Box<dyn Operation>>);

impl fmt::Debug for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writes")
    }
}

impl Writes {
    /// Begin the task. It ends when the last sender is gone.
    pub(crate) fn begin(shell: Arc<Shell>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let env = shell.env.clone();
        env.spawn("sqlite-writer", write(shell, receiver));
        Self(sender)
    }

    /// Put a write into the next batch, behind all that were put in before.
    pub(crate) fn put<Q: Send + 'static, A: Send + 'static>(
        &self,
        write: Write<Q, A>,
    ) -> Answer<A> {
        let Write { name, relaxed, request, run } = write;
        let (caller, answer) = oneshot::channel();
        let job = Job { name, relaxed, request, run, outcome: None, caller };
        let is_put = self.0.send(Box::new(job)).is_ok();
        Answer { name, answer: is_put.then_some(answer) }
    }
}

/// What becomes of a write.
pub(crate) struct Answer<A> {
    name: &'static str,
    /// None if there is no writer any more.
    answer: Option<oneshot::Receiver<Result<A>>>,
}

impl<A> Answer<A> {
    /// Comes when it is durable.
    pub(crate) async fn wait(self) -> Result<A, ProviderError> {
        let outcome = match self.answer {
            None => Err(closed()),
            Some(answer) => answer.await.unwrap_or_else(|_| {
                Err(StoreError::Unknown("the writer stopped before it answered".to_owned()))
            }),
        };
        outcome.map_err(|error| error.named(self.name))
    }
}

/// A write to be made.
pub(crate) struct Write<Q, A> {
    /// The method.
    pub(crate) name: &'static str,
    /// Whether a power cut may forget it.
    pub(crate) relaxed: bool,
    pub(crate) request: Q,
    pub(crate) run: fn(&Tx<'_>, &Q) -> Result<A>,
}

async fn write(shell: Arc<Shell>, mut queue: mpsc::UnboundedReceiver<Box<dyn Operation>>) {
    while let Some(first) = queue.recv().await {
        if let Some(hook) = &shell.before_commit {
            hook().await;
        }
        let mut jobs = vec![first];
        while jobs.len() < BATCH {
            match queue.try_recv() {
                Ok(job) => jobs.push(job),
                Err(_) => break,
            }
        }
        let writer = Arc::clone(&shell);
        // Callers are answered from there. If the job dies, they learn it by their channel.
        let _ = shell.env.blocking(move || batch::run(&writer, jobs)).await;
    }
}
