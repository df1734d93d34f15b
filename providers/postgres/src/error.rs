//! What can go wrong inside, and the one place that reads SQLSTATE. Codes decide, never
//! messages. Not here: how often something is tried again (`shell`).

use duroxide_provider::ProviderError;
use std::fmt;

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

    /// The store was closed.
    pub(crate) fn closed() -> Self {
        Self::Unusable("the store is closed".to_owned())
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
}

/// A column that is missing or of another type: the row is not what this build wrote.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::corrupt("row", error)
    }
}

/// What a failed attempt means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rolled back to let another through, or the server has no room for a moment: the same
    /// again.
    Again,
    /// The session no longer knows a statement that was prepared on it: the same again, on
    /// another connection. Nothing was applied.
    Stale,
    /// There is no connection, and nothing was sent.
    Unreachable,
    /// The connection broke while a statement was under way: maybe applied.
    Lost,
    /// The disk is full.
    Full,
    /// The caller's data.
    Invalid,
    /// The server's own data.
    Corrupt,
    /// The server refuses for good.
    Unusable,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// While connecting: nothing was sent that could have been applied.
    pub(crate) fn of_connecting(error: &sqlx::Error) -> Self {
        let trouble = Self::from(error);
        match trouble.kind {
            Kind::Lost => Self { kind: Kind::Unreachable, ..trouble },
            Kind::Again
            | Kind::Stale
            | Kind::Unreachable
            | Kind::Full
            | Kind::Invalid
            | Kind::Corrupt
            | Kind::Unusable => trouble,
        }
    }

    /// Whether the connection is of no more use.
    pub(crate) fn breaks_connection(&self) -> bool {
        match self.kind {
            Kind::Stale | Kind::Unreachable | Kind::Lost | Kind::Unusable => true,
            Kind::Again | Kind::Full | Kind::Invalid | Kind::Corrupt => false,
        }
    }

    /// Whether the same request may succeed when it is sent again at once.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        match self.kind {
            Kind::Again | Kind::Stale | Kind::Unreachable | Kind::Lost => true,
            Kind::Full | Kind::Invalid | Kind::Corrupt | Kind::Unusable => false,
        }
    }

    /// What the caller is told. `maybe_applied`: an attempt of this request was lost.
    pub(crate) fn into_error(self, maybe_applied: bool) -> StoreError {
        match self.kind {
            // What is refused now may have been applied before, but asking again is no help.
            Kind::Invalid => StoreError::Invalid(self.message),
            Kind::Corrupt => StoreError::corrupt("database", self.message),
            Kind::Unusable => StoreError::Unusable(self.message),
            Kind::Full if !maybe_applied => StoreError::Full(self.message),
            Kind::Again | Kind::Stale | Kind::Unreachable if !maybe_applied => {
                StoreError::Busy(self.message)
            }
            Kind::Again | Kind::Stale | Kind::Unreachable | Kind::Lost | Kind::Full => {
                StoreError::Unknown(self.message)
            }
        }
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&sqlx::Error> for Trouble {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum grows")]
    fn from(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(refusal) => {
                let code = refusal.code().unwrap_or_default();
                Self::new(of_state(&code), format!("{} (SQLSTATE {code})", refusal.message()))
            }
            sqlx::Error::Io(error) => {
                Self::new(Kind::Lost, format!("the connection broke: {error}"))
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                Self::new(Kind::Unreachable, error.to_string())
            }
            // The stream is out of step: what was sent may have been done.
            sqlx::Error::Protocol(_) => Self::new(Kind::Lost, error.to_string()),
            sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => {
                Self::new(Kind::Invalid, error.to_string())
            }
            sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
                Self::new(Kind::Corrupt, error.to_string())
            }
            _ => Self::new(Kind::Unusable, error.to_string()),
        }
    }
}

/// What an SQLSTATE means.
fn of_state(code: &str) -> Kind {
    match code {
        // Serialization failure, deadlock, lock not available, a unique key that two made at
        // once, a statement cancelled by its time limit.
        "40001" | "40P01" | "55P03" | "23505" | "57014" => Kind::Again,
        // The prepared statement is gone, is there already, or is of an older table; a server
        // that has become a standby, which another connection may find replaced.
        "26000" | "42P05" | "0A000" | "25006" => Kind::Stale,
        "53100" => Kind::Full,
        // The session or server is going down: a transaction may have been through; or the server
        // itself does not know.
        "57P01" | "57P02" | "57P05" | "40003" => Kind::Lost,
        // Starting up or shutting down: no session was begun.
        "57P03" => Kind::Unreachable,
        "XX001" | "XX002" => Kind::Corrupt,
        _ => match code.get(..2).unwrap_or_default() {
            "08" => Kind::Lost,
            // No memory, no more connections; the disk or a file failed below a statement.
            "53" | "58" | "40" => Kind::Again,
            // Data that no column takes, or beyond a limit of the server.
            "22" | "54" => Kind::Invalid,
            // Password, database, privilege, missing schema or function, and all else.
            _ => Kind::Unusable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_sqlstate_has_its_meaning() {
        for (code, kind) in [
            ("40001", Kind::Again),
            ("40P01", Kind::Again),
            ("40002", Kind::Again),
            ("40003", Kind::Lost),
            ("55P03", Kind::Again),
            ("57014", Kind::Again),
            ("23505", Kind::Again),
            ("53000", Kind::Again),
            ("53200", Kind::Again),
            ("53300", Kind::Again),
            ("53400", Kind::Again),
            ("58030", Kind::Again),
            ("53100", Kind::Full),
            ("26000", Kind::Stale),
            ("42P05", Kind::Stale),
            ("0A000", Kind::Stale),
            ("25006", Kind::Stale),
            ("57P01", Kind::Lost),
            ("57P02", Kind::Lost),
            ("57P05", Kind::Lost),
            ("08000", Kind::Lost),
            ("08006", Kind::Lost),
            ("57P03", Kind::Unreachable),
            ("22021", Kind::Invalid),
            ("22P05", Kind::Invalid),
            ("54000", Kind::Invalid),
            ("XX001", Kind::Corrupt),
            ("XX002", Kind::Corrupt),
            ("28P01", Kind::Unusable),
            ("28000", Kind::Unusable),
            ("3D000", Kind::Unusable),
            ("3F000", Kind::Unusable),
            ("42501", Kind::Unusable),
            ("42883", Kind::Unusable),
            ("42P01", Kind::Unusable),
            ("57P04", Kind::Unusable),
            ("XX000", Kind::Unusable),
            ("", Kind::Unusable),
        ] {
            assert_eq!(of_state(code), kind, "{code}");
        }
    }

    #[test]
    fn what_was_lost_once_is_unknown_unless_the_refusal_is_final() {
        let error = |kind, lost| Trouble::new(kind, "x").into_error(lost);
        assert_eq!(error(Kind::Again, false), StoreError::Busy("x".into()));
        assert_eq!(error(Kind::Unreachable, false), StoreError::Busy("x".into()));
        assert_eq!(error(Kind::Unreachable, true), StoreError::Unknown("x".into()));
        assert_eq!(error(Kind::Lost, true), StoreError::Unknown("x".into()));
        assert_eq!(error(Kind::Full, false), StoreError::Full("x".into()));
        assert_eq!(error(Kind::Full, true), StoreError::Unknown("x".into()));
        assert_eq!(error(Kind::Invalid, true), StoreError::Invalid("x".into()));
        assert_eq!(error(Kind::Unusable, true), StoreError::Unusable("x".into()));
    }
}
