//! The host of the server: virtual time, which passes by itself when nobody has anything to
//! do, and a wall clock that can be set.

use duroxide_provider::env::{BoxFuture, Clock, Env};
use duroxide_runtime::system_env;
use duroxide_sim_postgres::{Kind, ModelledPostgres, Options, Statement, Verdict};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const EPOCH_MS: i64 = 1_700_000_000_000;

pub(crate) struct Watch {
    origin: Instant,
    /// How far the wall clock is off, in ms.
    pub(crate) skew: AtomicI64,
}

impl Clock for Watch {
    fn wall_ms(&self) -> u64 {
        let passed = i64::try_from(self.monotonic().as_millis()).unwrap();
        u64::try_from(EPOCH_MS + passed + self.skew.load(Ordering::SeqCst)).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "tokio's time is paused: this is an Env")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// An Env of virtual time, and its clock.
#[expect(clippy::disallowed_methods, reason = "tokio's time is paused: this is an Env")]
pub(crate) fn env() -> (Env, Arc<Watch>) {
    let watch = Arc::new(Watch { origin: Instant::now(), skew: AtomicI64::new(0) });
    let clock: Arc<dyn Clock> = Arc::clone(&watch) as _;
    (Env { clock, ..system_env() }, watch)
}

/// A server with an empty store; statements take up to 2 ms each.
pub(crate) fn server(seed: u64) -> (Arc<ModelledPostgres>, Env) {
    let env = env().0;
    (ModelledPostgres::open(env.clone(), Options::seeded(seed)), env)
}

/// What happens to the `nth` statement of a kind in calls of a method.
pub(crate) fn at(
    store: &ModelledPostgres,
    call: &'static str,
    kind: Kind,
    nth: u64,
    verdict: Verdict,
) {
    at_each(store, vec![(call, kind, nth, verdict)]);
}

/// The same, for several.
pub(crate) fn at_each(store: &ModelledPostgres, verdicts: Vec<(&'static str, Kind, u64, Verdict)>) {
    store.on_statement(Box::new(move |statement: &Statement| {
        let is_meant = |(call, kind, nth, _): &&(&'static str, Kind, u64, Verdict)| {
            (*call, *kind, *nth) == (statement.call, statement.kind, statement.nth)
        };
        verdicts.iter().find(is_meant).map_or(Verdict::Go, |(_, _, _, verdict)| *verdict)
    }));
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
