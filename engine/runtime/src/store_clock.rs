//! What time it probably is on the store's clock. Only for the time of a completion that
//! is fused with a commit; leases, due times and visibility are the store's alone.

use duroxide_core::TimeMs;
use duroxide_provider::env::Env;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The last time the store told, and how long ago.
#[derive(Debug)]
pub(crate) struct StoreClock {
    env: Env,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    told: TimeMs,
    told_at: Duration,
    given: TimeMs,
}

impl StoreClock {
    pub(crate) fn new(env: &Env) -> Self {
        Self { env: env.clone(), state: Mutex::default() }
    }

    /// The store told its time.
    pub(crate) fn observe(&self, now: TimeMs) {
        let told_at = self.env.clock.monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= state.told {
            state.told = now;
            state.told_at = told_at;
        }
    }

    /// The estimate. Never before what the store told, and never going back.
    pub(crate) fn now(&self) -> TimeMs {
        let monotonic = self.env.clock.monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = monotonic.saturating_sub(state.told_at).as_millis() as u64;
        state.given = state.given.max(state.told.plus(elapsed));
        state.given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_estimate_is_never_before_what_the_store_told_and_never_goes_back() {
        let clock = StoreClock::new(&crate::system_env());
        clock.observe(TimeMs(5_000));
        let first = clock.now();
        assert!(first >= TimeMs(5_000));
        clock.observe(TimeMs(4_000));
        assert!(clock.now() >= first);
        clock.observe(TimeMs(9_000));
        assert!(clock.now() >= TimeMs(9_000));
    }
}
