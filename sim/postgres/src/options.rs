//! How the server is set up.

use duroxide_core::Limits;
use std::time::Duration;

/// How a [`ModelledPostgres`](crate::ModelledPostgres) is to behave.
#[derive(Debug, Clone)]
pub struct Options {
    /// What every draw derives from: latencies, yields, pauses. The same seed on the same
    /// Env, asked the same, gives the same interleaving.
    pub seed: u64,
    /// The limits that the store holds.
    pub limits: Limits,
    /// The longest that a statement, or a notification, is on its way. Half of them take no
    /// time at all.
    pub latency: Duration,
    /// How often a session goes to the back of the executor's queue before a statement, at
    /// most.
    pub yields: u64,
    /// How long a session waits for a lock before it looks whether it waits in a circle.
    pub deadlock_timeout: Duration,
    /// How long a call goes on trying.
    pub patience: Duration,
}

impl Default for Options {
    /// PostgreSQL's second for deadlocks, the provider's ten of patience, and statements of
    /// up to 2 ms.
    fn default() -> Self {
        Self {
            seed: 0,
            limits: Limits::default(),
            latency: Duration::from_millis(2),
            yields: 3,
            deadlock_timeout: Duration::from_secs(1),
            patience: Duration::from_secs(10),
        }
    }
}

impl Options {
    /// The defaults, for this seed.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }
}
