//! The one writing connection, and the turn-taking of writers in several processes: each
//! holds the lock on `<db>-writer.lock` for the length of a batch, so that they queue, and
//! `database is locked` reaches nobody.

use crate::connection;
use crate::error::{Result, StoreError};
use crate::log::Log;
use crate::options::{Durability, Location, beside};
use crate::storage::{LockFile, OpenLock, Storage};
use crate::store::sql::Sql;
use rusqlite::Connection;
use std::sync::Arc;

/// See the module. Used by one thread at a time, under a mutex.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: Option<Connection>,
    queue: Option<Box<dyn LockFile>>,
    /// None in memory, and when only reading.
    log: Option<Log>,
    writable: bool,
    durability: Durability,
    /// What `synchronous` is set to.
    current: Durability,
    data_version: i64,
}

impl Writer {
    /// Open the store, creating or migrating it.
    pub(crate) fn open(
        storage: &Arc<dyn Storage>,
        location: &Location,
        durability: Durability,
    ) -> Result<Self> {
        // In memory there is no disk to wait for.
        let durability = match location {
            Location::Memory => Durability::Process,
            Location::File { .. } => durability,
        };
        let writable = !location.is_read_only();
        let queue = match location {
            Location::File { path, .. } if writable => {
                let lock = beside(path, "writer.lock");
                let file = storage.open_lock(&lock, OpenLock::Any);
                Some(file.map_err(|error| StoreError::of_io("its lock file", &error))?)
            }
            Location::File { .. } | Location::Memory => None,
        };
        let log = match location {
            Location::File { path, .. } => Some(Log::of(Arc::clone(storage), path)),
            Location::Memory => None,
        };
        let waited = wait(queue.as_deref())?;
        let connection = open_connection(&**storage, location, durability, log.as_ref());
        drop(waited);
        let connection = connection?;
        let mut writer = Self {
            connection: Some(connection),
            queue,
            log: log.filter(|_| writable),
            writable,
            durability,
            current: durability,
            data_version: 0,
        };
        // What others did before is no news.
        writer.foreign_change()?;
        Ok(writer)
    }

    /// Whether the store may be written.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The connection, to read.
    pub(crate) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(closed)
    }

    /// The connection, to have it fail.
    #[cfg(test)]
    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("the store is open")
    }

    /// Begin a turn at writing, and a transaction in it: wait for the other processes, and see
    /// to it that nothing is left of a transaction that broke off, and that the log is sound.
    /// `relaxed` does not wait for the disk.
    pub(crate) fn begin(&mut self, relaxed: bool) -> Result<Turn<'_>> {
        let connection = self.connection.as_ref().ok_or_else(closed)?;
        if !self.writable {
            return Err(StoreError::Unusable(
                "the store was opened read-only (mode=ro)".to_owned(),
            ));
        }
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        let wanted = if relaxed { Durability::Process } else { self.durability };
        if self.current != wanted {
            connection::synchronous(connection, wanted)?;
            self.current = wanted;
        }
        let queue = wait(self.queue.as_deref())?;
        let turn = Turn { connection, log: self.log.as_ref(), _queue: queue };
        connection.run("BEGIN IMMEDIATE", [])?;
        if let Some(log) = &self.log
            && let Err(error) = log.mend()
        {
            turn.break_off();
            return Err(error);
        }
        Ok(turn)
    }

    /// Whether another connection has changed the file since this was asked last.
    pub(crate) fn foreign_change(&mut self) -> Result<bool> {
        let connection = self.connection.as_ref().ok_or_else(closed)?;
        let version = connection.one("PRAGMA data_version", [], |row| row.get::<_, i64>(0))?;
        let before = std::mem::replace(&mut self.data_version, version.unwrap_or(0));
        Ok(before != self.data_version)
    }

    /// Let go of the files.
    pub(crate) fn close(&mut self) {
        if let (Some(connection), Some(log)) = (&self.connection, &self.log)
            && let Ok(_waited) = wait(self.queue.as_deref())
        {
            log.leave(connection);
        }
        self.connection = None;
        self.queue = None;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The store's writing connection, on a log that nothing is wrong with.
fn open_connection(
    storage: &dyn Storage,
    location: &Location,
    durability: Durability,
    log: Option<&Log>,
) -> Result<Connection> {
    let Some(log) = log else { return connection::open_writer(storage, location, durability) };
    if !location.is_read_only() {
        log.restore()?;
    } else if log.is_half_mended()? {
        return Err(StoreError::Unusable(
            "its log was being mended when it was left: open it once for writing".to_owned(),
        ));
    }
    let opened = connection::open_writer(storage, location, durability);
    if let Err(StoreError::Busy(_) | StoreError::Full(_)) = &opened
        && !location.is_read_only()
    {
        log.doubt();
    }
    let mut connection = opened?;
    log.watch(&mut connection)?;
    Ok(connection)
}

/// What every call gets after the store was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Unusable("the store is closed".to_owned())
}

/// A turn at writing; over when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    connection: &'a Connection,
    log: Option<&'a Log>,
    _queue: Queued<'a>,
}

impl<'a> Turn<'a> {
    /// The connection, in the turn's transaction.
    pub(crate) fn sql(&self) -> &'a Connection {
        self.connection
    }

    /// COMMIT.
    pub(crate) fn commit(&self) -> Result<()> {
        let result =
            self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        let outcome = result.map(|_| ()).map_err(StoreError::of_commit);
        match (&outcome, self.log) {
            (Ok(()), Some(log)) => log.committed(self.connection),
            (Err(StoreError::Unknown(_)), Some(log)) => log.doubt(),
            (Ok(()) | Err(_), _) => {}
        }
        outcome
    }

    /// Other processes must not meet a transaction that nobody will end.
    pub(crate) fn break_off(&self) {
        if !self.connection.is_autocommit() {
            // What cannot be undone now is undone when the next turn begins.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// The lock of the queue of writers; let go of when dropped.
#[derive(Debug)]
struct Queued<'a>(Option<&'a dyn LockFile>);

/// Wait for the other processes.
fn wait(queue: Option<&dyn LockFile>) -> Result<Queued<'_>> {
    if let Some(file) = queue {
        file.lock().map_err(|error| StoreError::of_io("its lock file", &error))?;
    }
    Ok(Queued(queue))
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            // A lock that cannot be let go of here goes with the file's handle.
            let _ = file.unlock();
        }
    }
}
