//! What the tests of the runtime share: a store in memory, a runtime over a registry, a
//! store that fails as told, and waiting for states.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod faulty;

use duroxide_core::Payload;
use duroxide_provider::env::Env;
use duroxide_provider::{InstanceInfo, InstanceState, Store};
use duroxide_runtime::{Client, Runtime, RuntimeOptions, SdkHost, system_env};
use duroxide_sdk::Registry;
use duroxide_sqlite::SqliteProvider;
use std::sync::Arc;
use std::time::Duration;

/// Longer than anything here takes; a test that gets here has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A new store in memory.
pub(crate) async fn store(env: &Env) -> Arc<SqliteProvider> {
    Arc::new(SqliteProvider::in_memory(env.clone()).await.unwrap())
}

/// A store in memory, and a client of it.
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) sqlite: Arc<SqliteProvider>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) client: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let env = system_env();
        let sqlite = store(&env).await;
        let store: Arc<dyn Store> = Arc::clone(&sqlite) as Arc<dyn Store>;
        let client = Client::new(env.clone(), Arc::clone(&store));
        Self { env, sqlite, store, client }
    }

    /// The same, with faults between the runtimes and the store.
    pub(crate) async fn faulty() -> (Self, Arc<faulty::Faulty>) {
        let world = Self::new().await;
        let faulty = Arc::new(faulty::Faulty::new(Arc::clone(&world.store)));
        let store: Arc<dyn Store> = Arc::clone(&faulty) as Arc<dyn Store>;
        (Self { store, ..world }, faulty)
    }

    /// A node that runs this code.
    pub(crate) fn node(&self, registry: Registry, options: RuntimeOptions) -> Runtime {
        let host = Arc::new(SdkHost::new(registry));
        self.node_with(host, options)
    }

    /// A node on this host.
    pub(crate) fn node_with(&self, host: Arc<SdkHost>, options: RuntimeOptions) -> Runtime {
        let env = self.env.clone();
        Runtime::start(env, Arc::clone(&self.store), Arc::clone(&host) as _, host, options).unwrap()
    }

    /// Start an instance.
    pub(crate) async fn start(&self, id: &str, name: &str, input: impl serde::Serialize) {
        self.client.start(id, name, json(input)).await.unwrap();
    }

    /// How an instance ended.
    pub(crate) async fn ended(&self, id: &str) -> InstanceInfo {
        self.client.wait(id, PATIENCE).await.unwrap_or_else(|error| panic!("{id}: {error}"))
    }

    /// What an instance returned, as JSON.
    pub(crate) async fn output(&self, id: &str) -> String {
        match self.ended(id).await.state {
            InstanceState::Completed { output } => output.as_json().unwrap().to_owned(),
            other => panic!("{id} did not complete: {other:?}"),
        }
    }

    /// Why an instance failed.
    pub(crate) async fn failure(&self, id: &str) -> duroxide_core::Failure {
        match self.ended(id).await.state {
            InstanceState::Failed { failure } => failure,
            other => panic!("{id} did not fail: {other:?}"),
        }
    }

    /// Wait until something holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let waiting = async {
            while !holds() {
                self.env.sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(self.env.timeout(PATIENCE, waiting).await.is_some(), "never: {what}");
    }
}

/// A value as a payload.
pub(crate) fn json(value: impl serde::Serialize) -> Payload {
    Payload::json(serde_json::to_string(&value).unwrap())
}
