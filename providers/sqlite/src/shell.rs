//! What all parts of an open store share: connections, clock, bell, counters.

use crate::batch;
use crate::clock::StoreClock;
use crate::connection;
use crate::error::{Result, StoreError};
use crate::liveness::Liveness;
use crate::options::{BeforeCommit, Location};
use crate::stats::Counters;
use crate::storage::Storage;
use crate::wake::Wake;
use crate::writer::{Writer, closed};
use duroxide_core::Limits;
use duroxide_provider::ProviderError;
use duroxide_provider::env::Env;
use rusqlite::Connection;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use tokio::sync::Semaphore;

/// Reads at once. More would not be faster, and each takes a thread and file handles; a
/// thousand waiting clients must not use up a process's.
pub(crate) const READERS: usize = 4;

/// See the module.
pub(crate) struct Shell {
    pub(crate) env: Env,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) location: Location,
    pub(crate) limits: Limits,
    pub(crate) before_commit: Option<BeforeCommit>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) clock: StoreClock,
    pub(crate) wake: Arc<Wake>,
    pub(crate) counters: Counters,
    /// Proof of life towards other handles; none in memory or when only reading.
    pub(crate) liveness: Option<Liveness>,
    pub(crate) owner: AtomicU64,
    pub(crate) closed: AtomicBool,
    /// Reading connections kept for the next read.
    pub(crate) readers: Mutex<Vec<Connection>>,
    /// As many as may read at once.
    pub(crate) reading: Arc<Semaphore>,
}

impl fmt::Debug for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shell").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Shell {
    /// This handle's number among those on the file.
    pub(crate) fn owner(&self) -> u64 {
        self.owner.load(Ordering::SeqCst)
    }

    /// Whether other handles may change the store.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.location, Location::File { .. })
    }

    /// An error unless the store is open.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(closed()) } else { Ok(()) }
    }

    /// Read in one snapshot, off the executor. In memory there is one connection, and the
    /// reader waits its turn at it; a file has readers of its own.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let shell = Arc::clone(self);
        self.check_open().map_err(|error| error.named(operation))?;
        self.counters.count(|stats| *stats.reads.entry(operation).or_default() += 1);
        // Kept by the read itself, which goes on when its caller is gone.
        let permit = Arc::clone(&self.reading).acquire_owned().await.ok();
        let job = move || {
            let _permit = permit;
            shell.read_now(read)
        };
        let done = self.env.blocking(job).await;
        done.unwrap_or_else(|| Err(StoreError::Busy("the reader stopped".to_owned())))
            .map_err(|error| error.named(operation))
    }

    fn read_now<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let Location::File { path, .. } = &self.location else {
            let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            return read(writer.connection()?);
        };
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connection::open_reader(&*self.storage, path)?,
        };
        connection.execute_batch("BEGIN")?;
        let result = read(&connection);
        // SQLite itself ends a read that the disk broke off; what it broke off with is what to
        // tell. A connection that cannot end a read is not used again.
        if result.is_err() && connection.is_autocommit() {
            return result;
        }
        connection.execute_batch("COMMIT")?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS && self.check_open().is_ok() {
            readers.push(connection);
        }
        result
    }

    /// Look, without waiting, for changes and deaths of other processes.
    pub(crate) fn look_around(&self) {
        let changed = {
            let mut writer = match self.writer.try_lock() {
                Ok(writer) => writer,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Being written: the batch looks by itself.
                Err(TryLockError::WouldBlock) => return,
            };
            writer.foreign_change().unwrap_or(false)
        };
        if changed {
            self.wake.foreign_change();
        }
        batch::run(self, Vec::new());
    }

    /// Let go of connections and files.
    pub(crate) fn let_go(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).close();
        if let Some(liveness) = &self.liveness {
            liveness.end();
        }
    }
}
