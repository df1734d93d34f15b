//! What is wrong with a run, as a sentence for whoever must find out why. Nobody acts on
//! it but by reading: so it is text, and every error can become it.

use std::fmt;

/// A sentence that says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong(String);

/// A check's result.
pub(crate) type Verdict<T = ()> = Result<T, Wrong>;

impl Wrong {
    /// This is wrong.
    pub(crate) fn that(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// The same, with what it is about put before it.
    pub(crate) fn about(self, subject: impl fmt::Display) -> Self {
        Self(format!("{subject}: {}", self.0))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
