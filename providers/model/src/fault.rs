//! What can go wrong in a model: the data of a caller, or a name that is not there, or what
//! a test has damaged. Nothing is ever busy, full or unknown.

use duroxide_provider::ProviderError;

/// A failure, before the name of the operation is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The caller's data breaks a rule.
    Invalid(String),
    /// There is no such thing.
    NotFound(String),
    /// What is stored cannot be decoded.
    Corrupt { what: String, message: String },
}

/// Results of the model.
pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// The contract's error, with the operation's name.
    pub(crate) fn named(self, operation: &str) -> ProviderError {
        let operation = operation.to_owned();
        match self {
            Self::Invalid(message) => ProviderError::Invalid { operation, message },
            Self::NotFound(what) => ProviderError::NotFound { operation, what },
            Self::Corrupt { what, message } => ProviderError::Corrupt { operation, what, message },
        }
    }
}
