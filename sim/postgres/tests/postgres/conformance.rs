//! The whole contract, by sessions that take drawn times.

use async_trait::async_trait;
use duroxide_conformance::{Damage, Factory, MovedClock, Outcome, run_all};
use duroxide_model::{Stored, Trouble};
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_runtime::system_env;
use duroxide_sim_postgres::{ModelledPostgres, Options};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Servers on real time that can be moved on; each has a seed of its own.
#[derive(Default)]
struct Servers {
    seeds: AtomicU64,
    present: Mutex<Option<(Arc<ModelledPostgres>, MovedClock, Env)>>,
}

impl Servers {
    fn present(&self) -> (Arc<ModelledPostgres>, MovedClock, Env) {
        self.present.lock().unwrap().clone().unwrap()
    }

    fn clock(&self) -> MovedClock {
        self.present().1
    }
}

#[async_trait]
impl Factory for Servers {
    async fn open(&self) -> Arc<dyn Store> {
        let env = system_env();
        let clock = MovedClock::new(Arc::clone(&env.clock));
        let env = Env { clock: Arc::new(clock.clone()), ..env };
        let seed = self.seeds.fetch_add(1, Ordering::SeqCst);
        let options = Options { latency: Duration::from_micros(300), ..Options::seeded(seed) };
        let store = ModelledPostgres::open(env.clone(), options);
        *self.present.lock().unwrap() = Some((Arc::clone(&store), clock, env));
        store
    }
    async fn advance(&self, by: Duration) {
        self.clock().advance(by);
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        let (store, clock, env) = self.present();
        let store = store.reopened(env.clone());
        *self.present.lock().unwrap() = Some((Arc::clone(&store), clock, env));
        Some(store)
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(self.present().0.another())
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.clock().set_wall_back(by);
        true
    }
    async fn trouble(&self, next: duroxide_conformance::Trouble) -> bool {
        self.present().0.model().trouble(match next {
            duroxide_conformance::Trouble::Busy => Trouble::Busy,
            duroxide_conformance::Trouble::Full => Trouble::Full,
            duroxide_conformance::Trouble::LostAnswer => Trouble::LostAnswer,
        });
        true
    }
    async fn damage(&self, what: Damage) -> bool {
        let (key, stored) = match what {
            Damage::History(key) => (key, Stored::History),
            Damage::Mail(key) => (key, Stored::Mail),
            Damage::Activities(key) => (key, Stored::Activities),
        };
        self.present().0.model().damage(&key, stored);
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_of_the_contract_passes() {
    let report = run_all(Servers::default()).await;
    let not_passed: Vec<_> =
        report.lines.iter().filter(|line| line.outcome != Outcome::Passed).collect();
    assert!(not_passed.is_empty() && report.lines.len() > 200, "{not_passed:?}");
}
