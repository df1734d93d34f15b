//! Why something failed, in a form that survives history: what the user's `catch`
//! gets and what a client reads. Not here: errors of the store, which never become
//! state of a run.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of failure it is; decides the class of error that user code sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FailureKind {
    /// User code threw or returned an error.
    Application,
    /// The orchestration, or the thing awaited, was cancelled.
    Cancelled,
    /// A time limit set by the user passed.
    Timeout,
    /// Code and history disagree.
    Nondeterminism,
    /// A limit of the engine was broken by the call.
    Limit,
    /// The call itself was wrong (bad argument, id already in use, reserved name).
    Invalid,
    /// Failed too often without an outcome to be tried again.
    Poison,
    /// No live node has registered the name.
    Unregistered,
    /// Stopped without running its code.
    Terminated,
    /// What was stored cannot be decoded.
    Corrupt,
}

/// Causes of causes that are kept.
const MAX_CAUSES: usize = 32;

impl FailureKind {
    /// The stable name used in history and errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Nondeterminism => "nondeterminism",
            Self::Limit => "limit",
            Self::Invalid => "invalid",
            Self::Poison => "poison",
            Self::Unregistered => "unregistered",
            Self::Terminated => "terminated",
            Self::Corrupt => "corrupt",
        }
    }
}

/// A failure as history records it.
///
/// `details` (stack, worker) is for the management API and the log only: it never
/// reaches orchestration code, so that a path or a stack is never a replayed value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The original message.
    pub message: String,
    /// Name of the error class that user code threw, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of the activity or child orchestration that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Id of the child that failed, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Box<str>>,
    /// Which attempt failed, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<Failure>>,
    /// Stack and worker, for people; never given to orchestration code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<FailureDetails>>,
}

/// What helps a person to find the fault; see [`Failure`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct FailureDetails {
    /// The stack, as the language prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The worker that ran the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
}

impl Failure {
    /// A failure of this kind with a message and nothing else.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            name: None,
            source: None,
            instance: None,
            attempt: None,
            cause: None,
            details: None,
        }
    }

    /// The user's code failed with this message.
    pub fn application(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Application, message)
    }

    /// The cancellation error that a pending await throws.
    pub fn cancelled(reason: &str) -> Self {
        Self::new(FailureKind::Cancelled, cancelled_message(reason))
    }

    /// The bytes of its texts, causes and details included.
    pub(crate) fn text_bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let own = |failure: &Self| {
            let details = failure.details.as_ref();
            let details = details.map_or(0, |more| text(&more.stack) + text(&more.worker));
            failure.message.len() + text(&failure.name) + details
        };
        std::iter::successors(Some(self), |failure| failure.cause.as_deref()).map(own).sum()
    }

    /// This failure without what orchestration code must not see.
    #[must_use]
    pub fn without_details(mut self) -> Self {
        self.details = None;
        if let Some(cause) = self.cause.take() {
            self.cause = Some(Box::new(cause.without_details()));
        }
        self
    }
}

impl Failure {
    /// This failure with a chain of causes that can be stored: deeper ones are left out.
    #[must_use]
    pub(crate) fn with_few_causes(mut self) -> Self {
        let mut last = &mut self;
        for _ in 0..MAX_CAUSES {
            match last.cause {
                Some(ref mut cause) => last = cause,
                None => break,
            }
        }
        last.cause = None;
        self
    }
}

/// The one form of a cancellation's message.
pub fn cancelled_message(reason: &str) -> String {
    format!("canceled: {reason}")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
