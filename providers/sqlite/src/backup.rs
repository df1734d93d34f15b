//! A copy of the store while it is in use. Made beside its target and moved there when it
//! is whole, so that a file of that name is a backup that succeeded. Not here: copies of
//! files while a store is open, which are none.

use crate::connection;
use crate::error::{Result, StoreError};
use crate::options::{Location, Mode, beside};
use crate::provider::SqliteProvider;
use crate::shell::Shell;
use crate::store::nodes;
use crate::store::sql::Sql;
use duroxide_core::TimeMs;
use duroxide_provider::ProviderError;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

impl SqliteProvider {
    /// Copy the store to a new file while it is used, by whomever: a store of its own, as
    /// the original was at one moment, after every commit that was acknowledged before the
    /// call. A store in memory can be copied too.
    ///
    /// A runtime on the copy goes on with everything at once: what the nodes on the original
    /// hold counts as abandoned there. So it will run again what they are running; a copy
    /// is for the day on which the original is lost.
    ///
    /// [`ProviderError::Invalid`] if there is a file of that name, the store itself among
    /// them, or no such folder, or if SQLite would take it for a part of another file (`…-wal`),
    /// or if the store is on a [storage](crate::Storage) of its own; [`ProviderError::Full`] if there is no room. A backup that
    /// fails leaves no file of that name; one that is killed may leave `<path>-partial-…`.
    ///
    /// ```
    /// use duroxide_provider::ProviderError;
    /// use duroxide_sqlite::SqliteProvider;
    ///
    /// async fn nightly(store: &SqliteProvider) -> Result<(), ProviderError> {
    ///     store.backup("backups/monday.db").await
    /// }
    /// ```
    pub async fn backup(&self, path: impl Into<PathBuf>) -> Result<(), ProviderError> {
        let named = |error: StoreError| error.named("backup");
        self.shell.check_open().map_err(named)?;
        let target = path.into();
        let mut random = [0; 8];
        self.shell.env.entropy.fill(&mut random);
        let partial = beside(&target, &format!("partial-{:016x}", u64::from_le_bytes(random)));
        let shell = Arc::clone(&self.shell);
        let job = move || backup(&shell, &target, &partial);
        let stopped = || Err(StoreError::Unusable("it was broken off".to_owned()));
        self.shell.env.blocking(job).await.unwrap_or_else(stopped).map_err(named)
    }
}

fn backup(shell: &Shell, target: &Path, partial: &Path) -> Result<()> {
    check_target(shell, target)?;
    let made = make(shell, partial).and_then(|()| move_to(partial, target));
    if made.is_err() {
        // It need not be there; what cannot be removed is named as what it is.
        let _ = fs::remove_file(partial);
    }
    made
}

fn check_target(shell: &Shell, target: &Path) -> Result<()> {
    let invalid = |why: &str| Err(StoreError::Invalid(format!("`{}` {why}", target.display())));
    if shell.storage.vfs().is_some() {
        return invalid("is not on the store's disk, which is not the system's");
    }
    if target.file_name().is_none() {
        return invalid("names no file");
    }
    if let Location::File { path, .. } = &shell.location
        && target.canonicalize().is_ok_and(|found| found == *path)
    {
        return invalid("is the store itself");
    }
    if fs::symlink_metadata(target).is_ok() {
        return Err(exists(target));
    }
    if !folder_of(target).is_dir() {
        return invalid("is in a folder that does not exist");
    }
    for suffix in ["wal", "shm", "journal"] {
        // It would be removed, or overwritten, when that one is opened.
        if target.to_string_lossy().ends_with(&format!("-{suffix}")) {
            return invalid(&format!(
                "ends in `-{suffix}`: SQLite takes it for a part of another file"
            ));
        }
        // SQLite would take it for the new file's own.
        let left = beside(target, suffix);
        if fs::symlink_metadata(&left).is_ok() {
            return invalid(&format!("has a `{}` of an earlier file beside it", left.display()));
        }
    }
    Ok(())
}

fn exists(target: &Path) -> StoreError {
    let target = target.display();
    StoreError::Invalid(format!("`{target}` exists already, and a backup overwrites nothing"))
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Make the copy, and let go in it of what is held in the original.
fn make(shell: &Shell, partial: &Path) -> Result<()> {
    let Some(path) = partial.to_str() else {
        return Err(StoreError::Invalid(format!("`{}` is no UTF-8", partial.display())));
    };
    match &shell.location {
        Location::Memory => {
            let writer = shell.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let store = writer.connection()?;
            if !store.is_autocommit() {
                store.execute_batch("ROLLBACK")?;
            }
            store.run("VACUUM INTO ?1", [path])?;
        }
        // Apart from the others: readers wait for no copy.
        Location::File { path: store, .. } => {
            connection::open_copier(&*shell.storage, store)?.run("VACUUM INTO ?1", [path])?;
        }
    }
    let copy = connection::open_file(&*shell.storage, partial, Mode::Write)?;
    copy.execute_batch("BEGIN IMMEDIATE")?;
    // The time of the copy: whoever opens it, on whatever machine, is never before it.
    let now = copy.number("SELECT clock FROM store", [])?;
    nodes::bury_all(&copy, TimeMs(now))?;
    copy.execute_batch("COMMIT")?;
    Ok(())
}

/// On the disk, and then under its name, which is taken first: a move alone would overwrite.
fn move_to(partial: &Path, target: &Path) -> Result<()> {
    let failed = |error| StoreError::of_io(&target.display().to_string(), &error);
    OpenOptions::new()
        .write(true)
        .open(partial)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    OpenOptions::new().write(true).create_new(true).open(target).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists { exists(target) } else { failed(error) }
    })?;
    if let Err(error) = fs::rename(partial, target) {
        let _ = fs::remove_file(target);
        return Err(failed(error));
    }
    // The name too; where folders cannot be opened the system sees to it.
    if let Ok(folder) = File::open(folder_of(target)) {
        let _ = folder.sync_all();
    }
    Ok(())
}
