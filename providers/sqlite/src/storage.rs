//! The disk under a store: what a path leads to, by which name SQLite reaches it, and the
//! files beside the database: those that are only locked, and a log that must be mended. Production has [`SystemStorage`]; a
//! simulation brings a disk of its own.
//!
//! Not here: the database itself, which SQLite reads and writes through its VFS.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// See the module. Errors are the system's, or such that name what is wrong with the path.
pub trait Storage: fmt::Debug + Send + Sync {
    /// SQLite's name for it, a registered VFS; none is SQLite's default.
    fn vfs(&self) -> Option<&str>;

    /// The one true path of a file, by which every process names the files beside it, whatever
    /// links lead there. If there is none: with `create` the path that it will have, in a
    /// folder that is there; else [`ErrorKind::NotFound`].
    fn resolve(&self, file: &Path, create: bool) -> io::Result<PathBuf>;

    /// Make a folder, and those above it, unless they are there.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// The files in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether there is such a file.
    fn exists(&self, file: &Path) -> bool;

    /// Open a file that is only locked.
    fn open_lock(&self, file: &Path, open: OpenLock) -> io::Result<Box<dyn LockFile>>;

    /// Remove a file's name; who has it open keeps it.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// All bytes of a file. [`ErrorKind::NotFound`] if there is none.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// Make these the bytes of a file, which is made unless it is there, and bring them, its
    /// length and its name to the disk. They are written over those that it has, even where
    /// they are the same.
    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;

    /// How often to look for what other processes did to the database, while anyone waits.
    fn look_every(&self) -> Duration {
        Duration::from_millis(25)
    }
}

/// How a lock file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenLock {
    /// It is there.
    Existing,
    /// It is made unless it is there.
    Any,
    /// It is not there, and made.
    New,
}

/// A file that is only locked, by at most one handle on it. Dropped, or when its process
/// dies, it is closed and its lock let go of.
pub trait LockFile: fmt::Debug + Send + Sync {
    /// Wait for the lock.
    fn lock(&self) -> io::Result<()>;

    /// Take the lock if it is free. False if another handle has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Let go of the lock.
    fn unlock(&self) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemStorage;

impl Storage for SystemStorage {
    fn vfs(&self) -> Option<&str> {
        None
    }

    fn resolve(&self, file: &Path, create: bool) -> io::Result<PathBuf> {
        match fs::metadata(file) {
            Ok(found) if found.is_file() => return file.canonicalize(),
            Ok(found) if found.is_dir() => return Err(invalid("it is a folder, not a file")),
            Ok(_) => return Err(invalid("it is a device, pipe or socket, not a file")),
            Err(_) if create => {}
            Err(_) => return Err(io::Error::new(ErrorKind::NotFound, "the file does not exist")),
        }
        let path = std::path::absolute(file)?;
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(invalid("it names no file"));
        };
        fs::create_dir_all(folder)?;
        Ok(folder.canonicalize()?.join(name))
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn exists(&self, file: &Path) -> bool {
        file.exists()
    }

    fn open_lock(&self, file: &Path, open: OpenLock) -> io::Result<Box<dyn LockFile>> {
        let mut options = OpenOptions::new();
        match open {
            OpenLock::Existing => options.read(true),
            OpenLock::Any => options.write(true).create(true).truncate(false),
            OpenLock::New => options.write(true).create_new(true),
        };
        Ok(Box::new(options.open(file)?))
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        fs::read(file)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut open = OpenOptions::new().write(true).create(true).truncate(false).open(file)?;
        open.write_all(bytes)?;
        open.set_len(bytes.len() as u64)?;
        open.sync_all()?;
        // Where folders cannot be opened the system sees to names.
        match file.parent().map(File::open) {
            Some(Ok(folder)) => folder.sync_all(),
            Some(Err(_)) | None => Ok(()),
        }
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

impl LockFile for File {
    fn lock(&self) -> io::Result<()> {
        Self::lock(self)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match Self::try_lock(self) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        Self::unlock(self)
    }
}
