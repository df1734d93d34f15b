//! The one writing connection, and the turn-taking of writers in several processes: each
//! holds the lock on `<db>-writer.lock` for the length of a batch, so that they queue, and
//! `database is locked` reaches nobody.

use crate::connection;
use crate::error::{Result, StoreError};
use crate::options::{Durability, Location, beside};
use crate::storage::{LockFile, OpenLock, Storage};
use crate::store::sql::Sql;
use rusqlite::Connection;

/// See the module. Used by one thread at a time, under a mutex.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: Option<Connection>,
    queue: Option<Box<dyn LockFile>>,
    writable: bool,
    durability: Durability,
    /// What `synchronous` is set to.
    current: Durability,
    data_version: i64,
}

impl Writer {
    /// Open the store, creating or migrating it.
    pub(crate) fn open(
        storage: &dyn Storage,
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
        let turn = Turn::take(queue.as_deref())?;
        let connection = connection::open_writer(storage, location, durability)?;
        drop(turn);
        let mut writer = Self {
            connection: Some(connection),
            queue,
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

    /// Begin a turn at writing: wait for the other processes, and see to it that nothing is
    /// left of a transaction that broke off. `relaxed` does not wait for the disk.
    pub(crate) fn begin(&mut self, relaxed: bool) -> Result<(Turn<'_>, &Connection)> {
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
        let turn = Turn::take(self.queue.as_deref())?;
        connection.run("BEGIN IMMEDIATE", [])?;
        Ok((turn, connection))
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
        self.connection = None;
        self.queue = None;
    }
}

/// What every call gets after the store was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Unusable("the store is closed".to_owned())
}

/// A turn at writing; over when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(Option<&'a dyn LockFile>);

impl<'a> Turn<'a> {
    fn take(queue: Option<&'a dyn LockFile>) -> Result<Self> {
        if let Some(file) = queue {
            file.lock().map_err(|error| StoreError::of_io("its lock file", &error))?;
        }
        Ok(Self(queue))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            // A lock that cannot be let go of here goes with the file's handle.
            let _ = file.unlock();
        }
    }
}
