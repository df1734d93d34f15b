//! The disk as a store of `duroxide-sqlite` uses it beside SQLite: paths, files that are only
//! locked, and logs that are mended. Not here: databases (`vfs`).
//!
//! Nobody waits for a lock here: in a simulation whoever could let go of it is not running. A
//! lock that another has is refused, as what passes.

use crate::handle::Handle;
use crate::locks::Level;
use crate::operation::{Code, Role};
use crate::process::{Life, Opening, Process, role_of};
use duroxide_sqlite::{LockFile, OpenLock, Storage};
use libsqlite3_sys as ffi;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often a store looks for what other processes on its disk did.
const LOOK: Duration = Duration::from_hours(1);

impl Storage for Process {
    fn vfs(&self) -> Option<&str> {
        Some(Self::vfs(self))
    }

    /// Seldom: most worlds have one process on a disk at a time, and time in which something
    /// is looked for is time that cannot be jumped over.
    fn look_every(&self) -> Duration {
        LOOK
    }

    fn resolve(&self, file: &Path, create: bool) -> io::Result<PathBuf> {
        let file = absolute(file)?;
        if create || self.0.exists(&file, false).map_err(io_error)? {
            return Ok(PathBuf::from(file));
        }
        Err(io::Error::new(ErrorKind::NotFound, "the file does not exist"))
    }

    /// There are no folders.
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        if self.is_alive() { Ok(()) } else { Err(dead()) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        if !self.is_alive() {
            return Err(dead());
        }
        let files = self.disk().files().into_iter().map(PathBuf::from);
        Ok(files.filter(|file| file.parent() == Some(folder)).collect())
    }

    fn exists(&self, file: &Path) -> bool {
        absolute(file).is_ok_and(|file| self.0.exists(&file, false) == Ok(true))
    }

    fn open_lock(&self, file: &Path, open: OpenLock) -> io::Result<Box<dyn LockFile>> {
        let name = absolute(file)?;
        let opened = self.0.open(&Opening {
            name: Some(&name),
            role: Role::Lock,
            create: open != OpenLock::Existing,
            new: open == OpenLock::New,
            delete_on_close: false,
        });
        match opened {
            Ok(handle) => Ok(Box::new(Lock { life: Arc::clone(&self.0), handle: Some(handle) })),
            Err(code) if !self.is_alive() => Err(io_error(code)),
            Err(code) => Err(match (open, self.0.shared.machine().files.find(&name)) {
                (OpenLock::Existing, None) => ErrorKind::NotFound.into(),
                (OpenLock::New, Some(_)) => ErrorKind::AlreadyExists.into(),
                (OpenLock::Existing | OpenLock::Any | OpenLock::New, _) => io_error(code),
            }),
        }
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.0.delete(&absolute(file)?, false).map_err(io_error)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let name = absolute(file)?;
        if !self.0.exists(&name, false).map_err(io_error)? {
            return Err(ErrorKind::NotFound.into());
        }
        self.with_file(&name, |handle| {
            let mut bytes = vec![0; handle.size()? as usize];
            handle.read(0, &mut bytes)?;
            Ok(bytes)
        })
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        self.with_file(&absolute(file)?, |handle| {
            if !bytes.is_empty() {
                handle.write(0, bytes)?;
            }
            handle.truncate(bytes.len() as u64)?;
            handle.sync()
        })
    }
}

impl Process {
    /// Open a file, made unless it is there, for as long as something is done with it.
    fn with_file<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Handle) -> Result<T, Code>,
    ) -> io::Result<T> {
        let opening = Opening {
            name: Some(name),
            role: role_of(name),
            create: true,
            new: false,
            delete_on_close: false,
        };
        let mut handle = self.0.open(&opening).map_err(io_error)?;
        let outcome = act(&mut handle);
        handle.close();
        outcome.map_err(io_error)
    }
}

/// An open lock file.
struct Lock {
    life: Arc<Life>,
    /// Taken out when it is dropped.
    handle: Option<Handle>,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

impl Lock {
    fn handle(&self) -> io::Result<&Handle> {
        self.handle.as_ref().filter(|_| self.life.is_alive()).ok_or_else(dead)
    }
}

impl LockFile for Lock {
    fn lock(&self) -> io::Result<()> {
        if self.try_lock()? {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::WouldBlock, "another process has the lock"))
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.handle()?.lock(Level::Exclusive) {
            Ok(()) => Ok(true),
            Err(ffi::SQLITE_BUSY) => Ok(false),
            Err(code) => Err(io_error(code)),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        self.handle()?.unlock(Level::None).map_err(io_error)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.close();
        }
    }
}

/// A name as SQLite would make it of the path.
fn absolute(path: &Path) -> io::Result<String> {
    match Path::new("/").join(path).into_os_string().into_string() {
        Ok(name) => Ok(name),
        Err(_) => Err(io::Error::new(ErrorKind::InvalidInput, "its path is no UTF-8")),
    }
}

fn dead() -> io::Error {
    io::Error::other("the process is dead")
}

fn io_error(code: Code) -> io::Error {
    match code {
        ffi::SQLITE_FULL => ErrorKind::StorageFull.into(),
        ffi::SQLITE_IOERR_DELETE_NOENT => ErrorKind::NotFound.into(),
        _ => io::Error::other(format!("the disk failed (SQLite calls it {code})")),
    }
}
