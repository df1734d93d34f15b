//! What can go wrong inside, and the one place that turns it into the contract's errors.
//! SQLite's result codes decide, never its messages.

use duroxide_provider::ProviderError;
use rusqlite::ErrorCode;
use std::fmt;
use std::io::ErrorKind;

/// A failure inside the store, before the name of the operation is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("busy: {0}")]
    Busy(String),
    #[error("full: {0}")]
    Full(String),
    #[error("unknown: {0}")]
    Unknown(String),
    #[error("{0}")]
    Invalid(String),
    #[error("`{what}`: {message}")]
    Corrupt { what: String, message: String },
    #[error("`{0}` does not exist")]
    NotFound(String),
    #[error("schema version {found}, known {known}")]
    NewerSchema { found: u32, known: u32 },
    #[error("{0}")]
    Unusable(String),
}

/// Results inside the store.
pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// A stored value that is not what it should be.
    pub(crate) fn corrupt(what: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::Corrupt { what: what.into(), message: message.to_string() }
    }

    /// The contract's error, with the operation's name.
    pub(crate) fn named(self, operation: &str) -> ProviderError {
        let operation = operation.to_owned();
        match self {
            Self::Busy(message) => ProviderError::Busy { operation, message },
            Self::Full(message) => ProviderError::Full { operation, message },
            Self::Unknown(message) => ProviderError::Unknown { operation, message },
            Self::Invalid(message) => ProviderError::Invalid { operation, message },
            Self::Corrupt { what, message } => ProviderError::Corrupt { operation, what, message },
            Self::NotFound(what) => ProviderError::NotFound { operation, what },
            Self::NewerSchema { found, known } => {
                ProviderError::NewerSchema { operation, found, known }
            }
            Self::Unusable(message) => ProviderError::Unusable { operation, message },
        }
    }

    /// The same failure where nobody can say whether the transaction became durable: a COMMIT
    /// that failed for another reason than a lock or a full disk. After a sync that failed the
    /// transaction is in the log, where whoever opens the store after a death finds it.
    pub(crate) fn of_commit(error: rusqlite::Error) -> Self {
        let of_the_disk = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        let error = Self::from(error);
        let known = matches!(error, Self::Busy(_) | Self::Full(_)) && !of_the_disk;
        if known { error } else { Self::Unknown(error.to_string()) }
    }

    /// The disk or a file failed below a statement: nothing was applied.
    pub(crate) fn of_io(what: &str, error: &std::io::Error) -> Self {
        let message = format!("{what}: {error}");
        if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            Self::Full(message)
        } else if matches!(
            error.kind(),
            ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
        ) {
            Self::Busy(message)
        } else {
            Self::Unusable(message)
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let message = error.to_string();
        if let Some(code) = error.sqlite_error_code() {
            return of_code(code, message);
        }
        let undecodable = matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        );
        if undecodable { Self::corrupt("row", message) } else { Self::Unusable(message) }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are faults of code or set-up alike")]
fn of_code(code: ErrorCode, message: String) -> StoreError {
    match code {
        ErrorCode::DiskFull => StoreError::Full(message),
        // Before COMMIT a failed read or write has changed nothing: the same again may work.
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::SchemaChanged
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted
        | ErrorCode::OperationAborted
        | ErrorCode::SystemIoFailure => StoreError::Busy(message),
        ErrorCode::TooBig => StoreError::Invalid(message),
        ErrorCode::DatabaseCorrupt => StoreError::corrupt("database file", message),
        ErrorCode::NotADatabase => StoreError::Unusable(format!("not a database: {message}")),
        ErrorCode::ReadOnly => StoreError::Unusable(format!("read-only: {message}")),
        _ => StoreError::Unusable(message),
    }
}
