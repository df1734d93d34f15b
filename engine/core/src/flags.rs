//! Compat flags: numbered switches for behaviour that would change how old
//! histories replay. A number is never reused; the set an execution runs under is
//! recorded in its first event.

use serde::{Deserialize, Serialize};

/// A set of compat flags, one bit each.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CompatFlags(pub u64);

impl CompatFlags {
    /// No flag: the rules of the first release.
    pub const NONE: Self = Self(0);
    /// Every flag that this build knows. The first release defines none.
    pub const KNOWN: Self = Self(0);

    /// Whether every flag of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
