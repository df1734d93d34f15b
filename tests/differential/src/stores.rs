//! The stores that are compared, each in a world whose clock only the test moves.

use crate::call::{Answer, Call};
use crate::clock::{Hands, env, env_with_threads};
use crate::subject::{Kind, Made, Meddling};
use async_trait::async_trait;
use duroxide_conformance::Factory;
use duroxide_model::{ModelProvider, State};
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_sqlite::{Durability, SqliteOptions, SqliteProvider};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nothing but the test's clock is waited for here: what must come back does so at once.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The reference model.
pub fn model() -> Kind {
    kind("model", true, || Arc::new(Model::new()))
}

/// The model with a defect: after each call something is changed behind its back.
pub fn spoilt_model(name: &'static str, spoil: fn(&mut State, &Call, &Answer)) -> Kind {
    let make = move || {
        let model = Model::new();
        let store = Arc::clone(&model.store);
        let defect: Meddling =
            Box::new(move |call, answer| store.edit(|state| spoil(state, call, answer)));
        Made { factory: Arc::new(model), defect: Some(defect) }
    };
    Kind { name, shared: true, patience: AT_ONCE, make: Box::new(make) }
}

/// SQLite in memory.
pub fn sqlite_in_memory() -> Kind {
    kind("SQLite in memory", false, || Arc::new(InMemory::new()))
}

/// SQLite on a file.
pub fn sqlite_on_a_file() -> Kind {
    // The disk may be slow.
    let patience = Duration::from_secs(10);
    Kind { patience, ..kind("SQLite on a file", true, || Arc::new(OnFile::new())) }
}

pub(crate) fn kind(
    name: &'static str,
    shared: bool,
    make: impl Fn() -> Arc<dyn Factory> + 'static,
) -> Kind {
    let make = Box::new(move || Made { factory: make(), defect: None });
    Kind { name, shared, patience: AT_ONCE, make }
}

struct World {
    env: Env,
    hands: Arc<Hands>,
}

impl World {
    fn new() -> Self {
        let (env, hands) = env();
        Self { env, hands }
    }

    fn with_threads() -> Self {
        let (env, hands) = env_with_threads();
        Self { env, hands }
    }
}

/// The model, and the handle by which others are made.
struct Model {
    world: World,
    store: Arc<ModelProvider>,
}

impl Model {
    fn new() -> Self {
        let world = World::new();
        let store = Arc::new(ModelProvider::new(world.env.clone()));
        Self { world, store }
    }
}

#[async_trait]
impl Factory for Model {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }
    async fn advance(&self, by: Duration) {
        self.world.hands.advance(by);
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.world.hands.set_back(by);
        true
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(self.store.another()))
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(self.store.another()))
    }
}

struct InMemory(World);

impl InMemory {
    fn new() -> Self {
        Self(World::new())
    }
}

#[async_trait]
impl Factory for InMemory {
    async fn open(&self) -> Arc<dyn Store> {
        match SqliteProvider::in_memory(self.0.env.clone()).await {
            Ok(store) => Arc::new(store),
            Err(error) => panic!("{error}"),
        }
    }
    async fn advance(&self, by: Duration) {
        self.0.hands.advance(by);
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.0.hands.set_back(by);
        true
    }
}

/// A folder of its own, removed with it. Handles write from threads, and meet at the file.
struct OnFile {
    world: World,
    folder: PathBuf,
}

impl OnFile {
    fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let n = MADE.fetch_add(1, Ordering::SeqCst);
        let name = format!("duroxide-differential-{}-{n}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        if let Err(error) = std::fs::create_dir_all(&folder) {
            panic!("{}: {error}", folder.display());
        }
        Self { world: World::with_threads(), folder }
    }

    async fn handle(&self) -> Arc<dyn Store> {
        let path = self.folder.join("store.db");
        let mut options = SqliteOptions::new(path.display().to_string());
        // No power will be cut here.
        options.durability = Durability::Process;
        match SqliteProvider::open(self.world.env.clone(), options).await {
            Ok(store) => Arc::new(store),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Drop for OnFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[async_trait]
impl Factory for OnFile {
    async fn open(&self) -> Arc<dyn Store> {
        self.handle().await
    }
    async fn advance(&self, by: Duration) {
        self.world.hands.advance(by);
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.world.hands.set_back(by);
        true
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        Some(self.handle().await)
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(self.handle().await)
    }
}
