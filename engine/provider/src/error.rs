//! Errors of the contract: states that the caller acts on, never text to be read.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a call of a provider failed, and thereby what the caller does.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum ProviderError {
    /// Not applied: the same request again, with back-off.
    #[error("{operation}: the store is busy: {message}")]
    Busy {
        /// The method.
        operation: String,
        /// What the store said.
        message: String,
    },
    /// Not applied, no room: the same request again, with back-off; take no new work.
    #[error("{operation}: the store is full: {message}")]
    Full {
        /// The method.
        operation: String,
        /// What the store said.
        message: String,
    },
    /// Maybe applied: the same request with the same ids. Giving up = release lease and commit id.
    #[error("{operation}: no answer, it may have been applied: {message}")]
    Unknown {
        /// The method.
        operation: String,
        /// What is known.
        message: String,
    },
    /// The caller's data breaks a limit or a rule: fails that call, never retried.
    #[error("{operation}: {message}")]
    Invalid {
        /// The method.
        operation: String,
        /// Which rule, with the value.
        message: String,
    },
    /// What is stored cannot be decoded. Quarantine this instance; others go on.
    #[error("{operation}: stored data of `{what}` cannot be decoded: {message}")]
    Corrupt {
        /// The method.
        operation: String,
        /// The instance or row.
        what: String,
        /// What was wrong.
        message: String,
    },
    /// There is no such instance, or it is not the incarnation or execution named.
    #[error("{operation}: `{what}` does not exist")]
    NotFound {
        /// The method.
        operation: String,
        /// What was asked for.
        what: String,
    },
    /// The instance exists already.
    #[error("{operation}: instance `{what}` exists already")]
    Exists {
        /// The method.
        operation: String,
        /// The id.
        what: String,
    },
    /// The store was written by a newer version that this one must not touch.
    #[error(
        "{operation}: the store has schema version {found}, this build knows up to {known}; upgrade duroxide"
    )]
    NewerSchema {
        /// The method.
        operation: String,
        /// The version found.
        found: u32,
        /// The newest version known.
        known: u32,
    },
    /// The store cannot be opened or used at all (wrong path, not a database, closed).
    #[error("{operation}: {message}")]
    Unusable {
        /// The method.
        operation: String,
        /// Why, with the path or address, without secrets.
        message: String,
    },
}

impl ProviderError {
    /// Whether it is certain that the request was not carried out.
    pub fn is_not_applied(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }

    /// Whether the same request may be sent again, with back-off.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Full { .. } | Self::Unknown { .. } => true,
            Self::Invalid { .. }
            | Self::Corrupt { .. }
            | Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::NewerSchema { .. }
            | Self::Unusable { .. } => false,
        }
    }
}

/// Why a commit was not applied, though the store is well. In each case: evict the
/// resident instance, complete each activity on its own, release the commit id.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum CommitRefusal {
    /// The instance has moved on: its last commit or next event is another.
    #[error("the instance has moved on")]
    Conflict,
    /// The instance lease was taken over or released.
    #[error("the instance lease was lost")]
    LeaseLost,
    /// One of the completed activities is no longer held.
    #[error("the lease of an activity was lost")]
    ActivityLost {
        /// Which one.
        activity: crate::ActivityKey,
    },
    /// The instance ended, was deleted, or runs another execution.
    #[error("the instance or execution is gone")]
    Gone,
}

/// What became of an activity whose completion was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActivityFate {
    /// The completion is in the instance's inbox.
    Applied,
    /// The activity is no longer there: done before, cancelled, or its instance is gone.
    /// After a retry this is success.
    Gone,
    /// Another worker holds it now.
    LeaseLost,
}
