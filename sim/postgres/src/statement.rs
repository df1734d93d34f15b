//! What a session does, as it is announced to whoever plans faults, and what may become of
//! it. Not here: what a failure means for the call (`client`).

use crate::locks::Row;
use duroxide_provider::ProviderError;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It reads, and locks nothing.
    Select,
    /// It locks a row, and waits for it if need be: FOR UPDATE.
    Lock,
    /// It locks a row unless another has: FOR UPDATE SKIP LOCKED.
    SkipLocked,
    /// What was done is about to become durable and visible.
    Commit,
    /// It just has, and nobody was told.
    Committed,
    /// A node or a watch is about to be told.
    Notify,
}

/// A statement that is about to be carried out; of [`Kind::Committed`], that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The call it belongs to, by its method.
    pub call: &'static str,
    /// What it does.
    pub kind: Kind,
    /// The how manieth of this kind in calls of this method, from 1, since the server was made.
    pub nth: u64,
    /// Its session; each try of a call has another one.
    pub session: u64,
    /// The row to be locked.
    pub row: Option<Row>,
    /// Who is to be told.
    pub listener: Option<String>,
}

/// What becomes of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Go,
    /// It fails. Before the commit the transaction is rolled back, but for
    /// [`SqlState::ConnectionFailure`]: that the client is told at once, while its session
    /// goes on. After the commit any failure is one of the connection, or the administrator's.
    Fail(SqlState),
    /// It is carried out so much later.
    Delay(std::time::Duration),
    /// Of [`Kind::Notify`]: this listener is not told. Else: none is told of this call.
    LoseNotification,
    /// Whatever the session comes to, the client hears nothing more of it.
    LoseAnswer,
}

/// Why a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SqlState {
    /// 40001.
    SerializationFailure,
    /// 40P01.
    DeadlockDetected,
    /// 55P03.
    LockNotAvailable,
    /// 57014.
    QueryCanceled,
    /// 53300.
    TooManyConnections,
    /// 53100.
    DiskFull,
    /// 57P01.
    AdminShutdown,
    /// 08006.
    ConnectionFailure,
}

impl SqlState {
    /// The five characters.
    pub fn code(self) -> &'static str {
        match self {
            Self::SerializationFailure => "40001",
            Self::DeadlockDetected => "40P01",
            Self::LockNotAvailable => "55P03",
            Self::QueryCanceled => "57014",
            Self::TooManyConnections => "53300",
            Self::DiskFull => "53100",
            Self::AdminShutdown => "57P01",
            Self::ConnectionFailure => "08006",
        }
    }

    /// Whether the transaction may have been committed all the same, as the provider sees it.
    pub(crate) fn is_lost(self) -> bool {
        match self {
            Self::AdminShutdown | Self::ConnectionFailure => true,
            Self::SerializationFailure
            | Self::DeadlockDetected
            | Self::LockNotAvailable
            | Self::QueryCanceled
            | Self::TooManyConnections
            | Self::DiskFull => false,
        }
    }

    /// What the caller is told when the provider gives up. `maybe_applied`: a try of this
    /// call was lost.
    pub(crate) fn into_error(self, call: &str, maybe_applied: bool) -> ProviderError {
        let operation = call.to_owned();
        let message = format!("SQLSTATE {}", self.code());
        match self {
            _ if maybe_applied => ProviderError::Unknown { operation, message },
            Self::DiskFull => ProviderError::Full { operation, message },
            Self::SerializationFailure
            | Self::DeadlockDetected
            | Self::LockNotAvailable
            | Self::QueryCanceled
            | Self::TooManyConnections => ProviderError::Busy { operation, message },
            // Lost, so `maybe_applied` is set.
            Self::AdminShutdown | Self::ConnectionFailure => {
                ProviderError::Unknown { operation, message }
            }
        }
    }
}
