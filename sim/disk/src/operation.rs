//! What SQLite asks of the disk, and what may become of it. Not here: doing it.

use libsqlite3_sys as ffi;
use std::time::Duration;

/// A result code of SQLite.
pub(crate) type Code = i32;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The database itself.
    Database,
    /// The write-ahead log.
    Wal,
    /// A rollback journal, or a copy of a log: what a file is mended from.
    Journal,
    /// Shared memory: the index of the write-ahead log.
    Shm,
    /// A file that nobody looks for after its handle is closed.
    Temp,
    /// A file that is only locked.
    Lock,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Open, and create if asked for.
    Open,
    /// Read bytes.
    Read,
    /// Write bytes.
    Write,
    /// Set the length.
    Truncate,
    /// Bring what was written to the platter.
    Sync,
    /// Ask for the length.
    Size,
    /// Take the name away.
    Delete,
    /// Ask whether there is such a name.
    Exists,
    /// Raise the level of the lock.
    Lock,
    /// Lower the level of the lock.
    Unlock,
    /// Map a region of shared memory.
    MapShm,
    /// Lock slots of shared memory.
    LockShm,
    /// Unlock slots of shared memory.
    UnlockShm,
}

impl Kind {
    /// Whether it moves what a power cut leaves.
    pub fn changes_files(self) -> bool {
        matches!(self, Self::Write | Self::Truncate | Self::Sync | Self::Delete)
    }

    /// How SQLite names its failure.
    pub(crate) fn io_error(self) -> Code {
        match self {
            Self::Open => ffi::SQLITE_CANTOPEN,
            Self::Read => ffi::SQLITE_IOERR_READ,
            Self::Write => ffi::SQLITE_IOERR_WRITE,
            Self::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            Self::Sync => ffi::SQLITE_IOERR_FSYNC,
            Self::Size => ffi::SQLITE_IOERR_FSTAT,
            Self::Delete => ffi::SQLITE_IOERR_DELETE,
            Self::Exists => ffi::SQLITE_IOERR_ACCESS,
            Self::Lock => ffi::SQLITE_IOERR_LOCK,
            Self::Unlock => ffi::SQLITE_IOERR_UNLOCK,
            Self::MapShm => ffi::SQLITE_IOERR_SHMMAP,
            Self::LockShm | Self::UnlockShm => ffi::SQLITE_IOERR_SHMLOCK,
        }
    }
}

/// One call, before it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation<'a> {
    /// The number of the process, in the order in which they began on this disk.
    pub process: u64,
    /// The file's name; empty for one that has none.
    pub file: &'a str,
    /// What the file is for.
    pub role: Role,
    /// What is done.
    pub kind: Kind,
    /// Where; the wanted length of a truncation, the wanted level of a lock, the number of a
    /// region, the first slot.
    pub offset: u64,
    /// How many bytes, or slots.
    pub len: u64,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Go,
    /// It goes on, after so long; see [`Disk::take_latency`](crate::Disk::take_latency).
    Slow(Duration),
    /// It fails with an IO error. A write may have written its first part; what a sync should
    /// have written is forgotten: no later sync writes it.
    Fail,
    /// The disk is full. A write may have written its first part.
    Full,
    /// The process dies, before the call acts or after.
    Kill,
    /// The power is cut, before the call acts or after.
    CutPower,
}

/// A verdict that waits for its call, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// Which kind of call counts; none is every kind that
    /// [changes files](Kind::changes_files).
    pub kind: Option<Kind>,
    /// Which files count; none is all.
    pub role: Option<Role>,
    /// Which of those calls it hits, counted from one.
    pub nth: u64,
    /// What becomes of that one.
    pub verdict: Verdict,
}

impl Strike {
    /// The nth call from now on that changes files.
    pub fn at_change(nth: u64, verdict: Verdict) -> Self {
        Self { kind: None, role: None, nth, verdict }
    }

    /// The nth call of this kind from now on.
    pub fn at(kind: Kind, nth: u64, verdict: Verdict) -> Self {
        Self { kind: Some(kind), role: None, nth, verdict }
    }

    /// Only on files of this role.
    #[must_use]
    pub fn on(self, role: Role) -> Self {
        Self { role: Some(role), ..self }
    }

    pub(crate) fn counts(&self, operation: &Operation<'_>) -> bool {
        let kind = self.kind.map_or(operation.kind.changes_files(), |kind| kind == operation.kind);
        kind && self.role.is_none_or(|role| role == operation.role)
    }
}
