//! The log's way to the disk: its checkpoints, and what is done when a sync failed. Not here:
//! what is in it, which is SQLite's.
//!
//! After a failed sync the operating system takes what it did not write for clean: the next
//! sync leaves it out and succeeds (Rebello et al., *Can Applications Recover from fsync
//! Failures?*, ATC 2020). Leases stand in the log without a sync of their own. A commit that
//! is tried again, synced and acknowledged would stand behind them, and be lost with them
//! when the power is cut. So after a failed sync the log is *in doubt* for every process, and
//! whoever writes next writes all of it once more before anything else. Power that is cut
//! meanwhile may tear what is being written: a copy of it is on the disk by then.

use crate::error::{Result, StoreError};
use crate::options::beside;
use crate::storage::Storage;
use crate::store::sql::Sql;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A small log that is overwritten is faster than a long one.
const PAGES: u32 = 1_000;
/// A copy begins with the digest of what follows.
const DIGEST: usize = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct Log {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    /// It is there while the log is in doubt; empty until it is needed.
    copy: PathBuf,
    /// In doubt by what this process saw, noted or not.
    in_doubt: AtomicBool,
    /// How long it was at the commit that was not looked at yet.
    pages: Arc<AtomicU32>,
}

impl Log {
    pub(crate) fn of(storage: Arc<dyn Storage>, database: &Path) -> Self {
        Self {
            storage,
            path: beside(database, "wal"),
            copy: beside(database, "wal-copy"),
            in_doubt: AtomicBool::new(false),
            pages: Arc::default(),
        }
    }

    /// Be told how long it is. SQLite's own checkpoints keep to themselves that a sync failed,
    /// so there are none, neither after a commit nor when a connection is closed.
    pub(crate) fn watch(&self, connection: &mut Connection) -> Result<()> {
        let pages = Arc::clone(&self.pages);
        connection.wal_hook(Some(move |_: &mut _, now| {
            pages.store(u32::try_from(now).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(())
    }

    /// Whether it was being mended when a process died, or the power was cut.
    pub(crate) fn is_half_mended(&self) -> Result<bool> {
        Ok(self.whole_copy()?.is_some())
    }

    /// Finish what was broken off. The caller has the turn at writing, and SQLite has read
    /// nothing yet.
    pub(crate) fn restore(&self) -> Result<()> {
        match self.whole_copy()? {
            Some(bytes) => self.write_again(&bytes),
            None => Ok(()),
        }
    }

    /// A sync failed, or nobody knows.
    pub(crate) fn doubt(&self) {
        self.in_doubt.store(true, Ordering::SeqCst);
        if !self.storage.exists(&self.copy) {
            // For the others, and for who comes after this process. On a disk that refuses
            // this too it remains for this process to mend it.
            let _ = self.storage.write(&self.copy, &[]);
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::SeqCst) || self.storage.exists(&self.copy)
    }

    /// See to it that the log is on the disk as it is in memory. The caller holds SQLite's
    /// write lock: nobody adds to it.
    pub(crate) fn mend(&self) -> Result<()> {
        if !self.is_in_doubt() {
            return Ok(());
        }
        let bytes = match self.whole_copy()? {
            // An attempt that failed, and may have torn the log on the disk since.
            Some(bytes) => bytes,
            None => self.make_copy()?,
        };
        self.write_again(&bytes)
    }

    fn make_copy(&self) -> Result<Vec<u8>> {
        let bytes = read(&*self.storage, &self.path)?.unwrap_or_default();
        let mut copy = Sha256::digest(&bytes).to_vec();
        copy.extend_from_slice(&bytes);
        self.storage.write(&self.copy, &copy).map_err(failed)?;
        Ok(bytes)
    }

    /// Write the log over itself; after that the copy is never to be taken for the log again.
    fn write_again(&self, bytes: &[u8]) -> Result<()> {
        self.storage.write(&self.path, bytes).map_err(failed)?;
        self.storage.write(&self.copy, &[]).map_err(failed)?;
        self.storage.remove(&self.copy).map_err(failed)?;
        self.in_doubt.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// The log as the copy has it, unless that is empty or was broken off.
    fn whole_copy(&self) -> Result<Option<Vec<u8>>> {
        if !self.storage.exists(&self.copy) {
            return Ok(None);
        }
        let mut copy = read(&*self.storage, &self.copy)?.unwrap_or_default();
        if copy.len() < DIGEST {
            return Ok(None);
        }
        let bytes = copy.split_off(DIGEST);
        Ok((*Sha256::digest(&bytes) == *copy).then_some(bytes))
    }

    /// A commit succeeded: keep the log short.
    pub(crate) fn committed(&self, connection: &Connection) {
        if self.pages.swap(0, Ordering::Relaxed) >= PAGES && checkpoint(connection).is_err() {
            self.doubt();
        }
    }

    /// The connection is about to be closed. Whoever closes the last one moves the log into
    /// the database and removes it, unless something about it is in doubt.
    pub(crate) fn leave(&self, connection: &Connection) {
        if self.is_in_doubt() {
            return;
        }
        match checkpoint(connection) {
            // A log that cannot be removed is no worse than one that is not.
            Ok(true) => drop(keep_on_close(connection, false)),
            Ok(false) => {}
            Err(_) => self.doubt(),
        }
    }
}

/// Whether closing the last connection leaves the log as it is.
pub(crate) fn keep_on_close(connection: &Connection, keep: bool) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)?;
    Ok(())
}

/// Move what is in the log into the database, as far as no reader needs it. True if that was
/// all.
fn checkpoint(connection: &Connection) -> Result<bool> {
    let moved = |row: &rusqlite::Row<'_>| {
        let (busy, in_log, moved): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && in_log == moved)
    };
    Ok(connection.one("PRAGMA wal_checkpoint(PASSIVE)", [], moved)?.unwrap_or(false))
}

fn read(storage: &dyn Storage, file: &Path) -> Result<Option<Vec<u8>>> {
    match storage.read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Nothing was applied, and the same again may work.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` has")]
fn failed(error: io::Error) -> StoreError {
    let message = format!("its log, after a sync that failed: {error}");
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        StoreError::Full(message)
    } else {
        StoreError::Busy(message)
    }
}
