//! How a check ends other than well: a sentence for the author of the provider.

use duroxide_provider::ProviderError;
use std::fmt;

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The provider broke the clause: what was expected and what came.
    Failed(String),
    /// The factory cannot do what the check needs: which ability.
    Skipped(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(message) => f.write_str(message),
            Self::Skipped(ability) => write!(f, "skipped: {ability}"),
        }
    }
}

impl std::error::Error for Stop {}

impl From<ProviderError> for Stop {
    fn from(error: ProviderError) -> Self {
        Self::Failed(format!("a call failed that must succeed: {error}"))
    }
}

/// The result of a check, and of the steps it is made of.
pub type CheckResult<T = ()> = Result<T, Stop>;

/// Fail the check with a sentence unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Stop::Failed(format!($($message)+)));
        }
    };
}

/// Fail the check unless both are equal, saying what was compared.
macro_rules! expect_eq {
    ($what:expr, $got:expr, $want:expr $(,)?) => {{
        // A match keeps what is borrowed alive until it was compared.
        match (&$got, &$want) {
            (got, want) => {
                if got != want {
                    return Err($crate::Stop::Failed(format!(
                        "{}: expected {want:?}, got {got:?}",
                        $what
                    )));
                }
            }
        }
    }};
}

/// Fail the check unless the value matches the pattern, saying what was compared.
macro_rules! expect_matches {
    ($what:expr, $got:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {{
        match &$got {
            $pattern $(if $guard)? => {}
            got => {
                return Err($crate::Stop::Failed(format!(
                    "{}: expected {}, got {got:?}",
                    $what,
                    stringify!($pattern $(if $guard)?)
                )));
            }
        }
    }};
}

pub(crate) use {ensure, expect_eq, expect_matches};
