//! Work that is ready and that no node holds: what an instance waits for when nobody takes
//! it, and under which names the store has such work. Not here: who could take it, which no
//! store knows.

use duroxide_core::TimeMs;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The oldest work of an instance that is ready and that no node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unclaimed {
    /// What it is.
    pub work: Work,
    /// Since when it is ready and held by nobody, on the store's clock.
    pub since: TimeMs,
    /// How long that was at the time of this read, on the store's clock.
    pub age: Duration,
}

/// What a node can take of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// A turn of its orchestration.
    Turn {
        /// It has had none before.
        first: bool,
    },
    /// An activity.
    Activity {
        /// Registered name.
        name: String,
        /// Tag, if it is routed.
        tag: Option<String>,
        /// Session, if it is pinned.
        session: Option<String>,
    },
}

/// The names of the work of a store that is ready and that no node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnclaimedNames {
    /// Of orchestrations with a turn to take, with the version recorded or asked for.
    pub orchestrations: Vec<UnclaimedName>,
    /// Of activities that no attempt holds, or that one has lost. Left out are those that may merely
    /// wait for their turn: names of which one is held; what is younger than everything that
    /// some node holds, for it takes the oldest first; and what has a session that nobody owns,
    /// while some node owns as many as it may.
    pub activities: Vec<UnclaimedName>,
    /// The store's clock.
    pub store_now: TimeMs,
}

/// A name, and since when the oldest work under it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnclaimedName {
    /// The name.
    pub name: String,
    /// The version, of an orchestration that has one.
    pub version: Option<String>,
    /// Since when the oldest is ready and held by nobody, on the store's clock.
    pub since: TimeMs,
}
