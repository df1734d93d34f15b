//! The contract, checked on a file and in memory, with threads and, as the simulation runs
//! it, without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use async_trait::async_trait;
use common::{Folder, Hands, env, inline_env};
use duroxide_conformance::{Damage, Factory};
use duroxide_provider::env::Env;
use duroxide_provider::{InstanceKey, Store};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Needs a runtime to make an Env: made when the first store is opened.
struct World {
    make: fn() -> (Env, Arc<Hands>),
    made: OnceLock<(Env, Arc<Hands>)>,
}

impl World {
    fn new(make: fn() -> (Env, Arc<Hands>)) -> Self {
        Self { make, made: OnceLock::new() }
    }
    fn env(&self) -> Env {
        self.made.get_or_init(self.make).0.clone()
    }
    fn hands(&self) -> &Hands {
        &self.made.get_or_init(self.make).1
    }
}

struct InMemory(World);

#[async_trait]
impl Factory for InMemory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteProvider::in_memory(self.0.env()).await.unwrap())
    }
    async fn advance(&self, by: Duration) {
        self.0.hands().advance(by);
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.0.hands().set_wall_clock_back(by);
        true
    }
}

struct InFile {
    world: World,
    folder: Folder,
    opened: Mutex<u32>,
}

impl InFile {
    fn new() -> Self {
        Self { world: World::new(env), folder: Folder::new(), opened: Mutex::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.file(&format!("store-{}.db", self.opened.lock().unwrap()))
    }

    async fn handle(&self) -> Arc<dyn Store> {
        let options = SqliteOptions::new(self.path().to_str().unwrap());
        Arc::new(SqliteProvider::open(self.world.env(), options).await.unwrap())
    }

    fn spoil(&self, statement: &str, key: &InstanceKey) {
        let sql = rusqlite::Connection::open(self.path()).unwrap();
        sql.execute(
            &format!(
                "{statement} WHERE incarnation = (SELECT incarnation FROM instances WHERE id = ?1)"
            ),
            [key.id.as_str()],
        )
        .unwrap();
    }
}

#[async_trait]
impl Factory for InFile {
    async fn open(&self) -> Arc<dyn Store> {
        *self.opened.lock().unwrap() += 1;
        self.handle().await
    }
    async fn advance(&self, by: Duration) {
        self.world.hands().advance(by);
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        Some(self.handle().await)
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(self.handle().await)
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.world.hands().set_wall_clock_back(by);
        true
    }
    async fn damage(&self, what: Damage) -> bool {
        match what {
            Damage::History(key) => self.spoil("UPDATE events SET bytes = x'ff'", &key),
            Damage::Mail(key) => self.spoil("UPDATE inbox SET body = x'ff'", &key),
            Damage::Activities(key) => self.spoil("UPDATE activities SET headers = x'ff'", &key),
        }
        true
    }
}

mod in_memory {
    use crate::{InMemory, World, env};
    duroxide_conformance::conformance_suite!(InMemory(World::new(env)));
}

mod in_memory_without_threads {
    use crate::{InMemory, World, inline_env};
    duroxide_conformance::conformance_suite!(InMemory(World::new(inline_env)));
}

mod in_a_file {
    use crate::InFile;
    duroxide_conformance::conformance_suite!(InFile::new());
}
