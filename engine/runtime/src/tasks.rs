//! Counts the tasks of a node that a shutdown waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Tasks that are running.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: AtomicUsize,
    ended: Notify,
}

impl Tasks {
    /// A task begins; it ends when the guard is dropped, however that comes about.
    pub(crate) fn enter(self: &Arc<Self>) -> TaskGuard {
        self.running.fetch_add(1, Ordering::SeqCst);
        TaskGuard(Arc::clone(self))
    }

    /// Resolves when no task is running.
    pub(crate) async fn none_left(&self) {
        while self.running.load(Ordering::SeqCst) > 0 {
            self.ended.notified().await;
        }
        // Another caller may be waiting for the same moment.
        self.ended.notify_one();
    }
}

/// A running task.
#[derive(Debug)]
pub(crate) struct TaskGuard(Arc<Tasks>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify_one();
        }
    }
}
