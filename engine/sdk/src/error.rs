//! What a failed await gives to orchestration code, and how any error of user code
//! becomes a [`Failure`]. Not here: errors of registration ([`crate::RegistryError`]).

use duroxide_core::{Failure, FailureKind};
use std::any::Any;
use std::fmt;

/// Why an await, a call or a whole orchestration failed.
///
/// ```
/// use duroxide_sdk::OrchestrationError;
/// let error = OrchestrationError::from("out of stock");
/// assert_eq!(error.to_string(), "out of stock");
/// assert!(!error.is_cancelled());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrchestrationError(Box<Failure>);

impl OrchestrationError {
    /// What kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// The original message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The activity or child orchestration that failed, if one did.
    pub fn failed_name(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// Whether the orchestration, or what it awaited, was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == FailureKind::Cancelled
    }

    /// Whether a time limit passed.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == FailureKind::Timeout
    }

    /// Whether a limit of the engine was broken by the call.
    pub fn is_limit(&self) -> bool {
        self.0.kind == FailureKind::Limit
    }

    /// The failure as history records it.
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Display for OrchestrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for OrchestrationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<Failure> for OrchestrationError {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

impl From<OrchestrationError> for Failure {
    fn from(error: OrchestrationError) -> Self {
        *error.0
    }
}

impl From<&str> for OrchestrationError {
    fn from(message: &str) -> Self {
        Failure::application(message).into()
    }
}

impl From<String> for OrchestrationError {
    fn from(message: String) -> Self {
        Failure::application(message).into()
    }
}

/// An error of user code as history records it. Our own errors keep their kind and
/// cause; every other error is known by its message.
pub(crate) fn failure_of<E: fmt::Display + 'static>(error: &E) -> Failure {
    let any: &dyn Any = error;
    if let Some(ours) = any.downcast_ref::<OrchestrationError>() {
        ours.failure().clone()
    } else if let Some(failure) = any.downcast_ref::<Failure>() {
        failure.clone()
    } else {
        Failure::application(error.to_string())
    }
}

/// What a panic of user code becomes, for those who run it.
pub fn panic_failure(payload: &(dyn Any + Send)) -> Failure {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let mut failure = Failure::application(format!("panicked: {message}"));
    failure.name = Some("Panic".to_owned());
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_ours_keeps_its_kind_and_any_other_its_message() {
        let ours = OrchestrationError::from(Failure::cancelled("stop"));
        assert_eq!(failure_of(&ours), Failure::cancelled("stop"));
        assert_eq!(failure_of(&Failure::cancelled("stop")), Failure::cancelled("stop"));
        assert_eq!(failure_of(&std::fmt::Error), Failure::application(std::fmt::Error.to_string()));
        assert_eq!(failure_of(&"text"), Failure::application("text"));
    }
}
