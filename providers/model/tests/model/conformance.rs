//! The contract, checked on the model: every check, with every ability a factory can have.

use crate::world::{Hands, env};
use async_trait::async_trait;
use duroxide_conformance::{Damage, Factory, Outcome, run_all};
use duroxide_model::{ModelProvider, Stored, Trouble};
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Stores of one Env; the present one is kept so that it outlives its handles.
struct Models {
    env: Env,
    hands: Arc<Hands>,
    present: Mutex<Arc<ModelProvider>>,
}

impl Models {
    fn new() -> Self {
        let (env, hands) = env();
        let present = Mutex::new(Arc::new(ModelProvider::new(env.clone())));
        Self { env, hands, present }
    }

    fn present(&self) -> Arc<ModelProvider> {
        Arc::clone(&self.present.lock().unwrap())
    }
}

#[async_trait]
impl Factory for Models {
    async fn open(&self) -> Arc<dyn Store> {
        let store = Arc::new(ModelProvider::new(self.env.clone()));
        *self.present.lock().unwrap() = Arc::clone(&store);
        store
    }
    async fn advance(&self, by: Duration) {
        self.hands.advance(by);
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        // What was written down is all that is left.
        let store = Arc::new(ModelProvider::with_state(self.env.clone(), self.present().state()));
        *self.present.lock().unwrap() = Arc::clone(&store);
        Some(store)
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(self.present().another()))
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.hands.set_wall_clock_back(by);
        true
    }
    async fn trouble(&self, next: duroxide_conformance::Trouble) -> bool {
        self.present().trouble(match next {
            duroxide_conformance::Trouble::Busy => Trouble::Busy,
            duroxide_conformance::Trouble::Full => Trouble::Full,
            duroxide_conformance::Trouble::LostAnswer => Trouble::LostAnswer,
        });
        true
    }
    async fn damage(&self, what: Damage) -> bool {
        match what {
            Damage::History(key) => self.present().damage(&key, Stored::History),
            Damage::Mail(key) => self.present().damage(&key, Stored::Mail),
            Damage::Activities(key) => self.present().damage(&key, Stored::Activities),
        }
        true
    }
}

duroxide_conformance::conformance_suite!(Models::new());

/// In the macro's tests a check that lacks an ability passes; here it does not.
#[tokio::test]
async fn no_check_is_skipped() {
    let report = run_all(Models::new()).await;
    let not_passed: Vec<_> =
        report.lines.iter().filter(|line| line.outcome != Outcome::Passed).collect();
    assert!(not_passed.is_empty(), "{not_passed:?}");
}
