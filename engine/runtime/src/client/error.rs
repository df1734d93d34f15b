//! What a client's call can fail with.

use duroxide_core::{Failure, FailureKind, InstanceId};
use duroxide_provider::ProviderError;
use thiserror::Error;

/// Why a call of a [`Client`](crate::Client) failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// There is no such instance.
    #[error("instance `{id}` does not exist")]
    NotFound {
        /// The id asked for.
        id: InstanceId,
    },
    /// The instance exists already, and the caller wanted to know.
    #[error("instance `{id}` exists already")]
    Exists {
        /// The id asked for.
        id: InstanceId,
    },
    /// The call itself is wrong: a bad id, an empty name, or a deletion that the instance's
    /// state forbids.
    #[error("{message}")]
    Invalid {
        /// What is wrong, with the value.
        message: String,
    },
    /// An id, name or value is larger than the limit for it.
    #[error("{message}")]
    Limit {
        /// What is too large, how large it is, and the limit.
        message: String,
    },
    /// What was waited for did not happen in time.
    #[error("Operation timed out")]
    Timeout,
    /// The orchestration whose output was asked for has failed or was terminated.
    #[error("{failure}")]
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The store failed, or did not answer through all retries.
    #[error(transparent)]
    Store {
        /// Its error.
        error: ProviderError,
    },
}

impl ClientError {
    /// The client's view of a store's error about an instance.
    pub(crate) fn of(id: &InstanceId, error: ProviderError) -> Self {
        if matches!(error, ProviderError::NotFound { .. }) {
            return Self::NotFound { id: id.clone() };
        }
        if matches!(error, ProviderError::Exists { .. }) {
            return Self::Exists { id: id.clone() };
        }
        Self::from(error)
    }
}

impl From<ProviderError> for ClientError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Invalid { message, .. } => Self::Invalid { message },
            ProviderError::Busy { .. }
            | ProviderError::Full { .. }
            | ProviderError::Unknown { .. }
            | ProviderError::Corrupt { .. }
            | ProviderError::NotFound { .. }
            | ProviderError::Exists { .. }
            | ProviderError::NewerSchema { .. }
            | ProviderError::Unusable { .. } => Self::Store { error },
        }
    }
}

impl From<Failure> for ClientError {
    /// A failed check of an argument.
    fn from(failure: Failure) -> Self {
        let message = failure.message;
        match failure.kind {
            FailureKind::Limit => Self::Limit { message },
            FailureKind::Application
            | FailureKind::Cancelled
            | FailureKind::Timeout
            | FailureKind::Nondeterminism
            | FailureKind::Invalid
            | FailureKind::Poison
            | FailureKind::Unregistered
            | FailureKind::Terminated
            | FailureKind::Corrupt => Self::Invalid { message },
        }
    }
}
