//! What is wrong with a run: which oracle says so, about which instance, in a sentence for
//! whoever must find out why. Two runs fail alike when the first two agree.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// Which check found it.
    pub oracle: String,
    /// The instance that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What is wrong.
    pub sentence: String,
}

/// A check's result.
pub(crate) type Verdict<T = ()> = Result<T, Wrong>;

impl Wrong {
    /// An oracle says that this is wrong.
    pub fn of(oracle: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { oracle: oracle.into(), instance: None, sentence: sentence.into() }
    }

    /// The same, about an instance.
    #[must_use]
    pub fn with(mut self, instance: impl Into<String>) -> Self {
        self.instance.get_or_insert(instance.into());
        self
    }

    /// The same, with what it is about put before it.
    #[must_use]
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.sentence = format!("{subject}: {}", self.sentence);
        self
    }

    /// Whether another run failed in the same way.
    pub fn is_like(&self, other: &Self) -> bool {
        self.oracle == other.oracle
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.oracle)?;
        if let Some(instance) = &self.instance {
            write!(f, "`{instance}`: ")?;
        }
        f.write_str(&self.sentence)
    }
}

impl<E: std::error::Error> From<E> for Wrong {
    /// An error that a run should never meet.
    fn from(error: E) -> Self {
        Self::of("error", error.to_string())
    }
}
