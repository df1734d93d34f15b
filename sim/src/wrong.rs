//! What is wrong with a run: which oracle says so, about which instance, in a sentence for
//! whoever must find out why. Two runs fail alike when the same check says the same, but for
//! names and numbers.

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
        self.oracle == other.oracle && self.claim().eq(other.claim())
    }

    /// The plain words of what is wrong, up to where the details begin: what differs from one
    /// run to another (ids, numbers, values) is none of it.
    fn claim(&self) -> impl Iterator<Item = &str> {
        let claim = self.sentence.split([':', '\n']).next().unwrap_or_default();
        claim.split_whitespace().filter(|word| {
            word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | ',' | ';' | '.'))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_fail_alike_when_the_same_check_says_the_same_of_others() {
        let wrong = |oracle: &str, sentence: &str| Wrong::of(oracle, sentence).with("order-1");
        let turn = wrong("model", "turn 7ce9 is impossible: event #3: `a::sub::5.2` never ended");
        let other = Wrong::of("model", "turn 12 is impossible: event #9: `b` ended").with("b");
        assert!(turn.is_like(&other));
        assert!(!turn.is_like(&wrong("model", "turn 7ce9 came twice: event #3")));
        assert!(!turn.is_like(&wrong("mail", "turn 7ce9 is impossible: event #3")));
        let error = wrong("error", "the store is full: 5 pages");
        assert!(error.is_like(&wrong("error", "the store is full: 9 pages")));
        assert!(!error.is_like(&wrong("error", "the store is gone: 5 pages")));
    }
}
