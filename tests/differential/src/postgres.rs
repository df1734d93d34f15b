//! Real PostgreSQL, each store in a schema of its own. What the server takes for the time is the
//! test's: the one function that reads the server's clock is replaced by one that reads a row.
//! The provider's own environment is the system's, but for its clock, which the test pushes on
//! by as much as the server's.

use crate::clock::{EPOCH_MS, Pushed};
use crate::run::runtime;
use crate::stores::kind;
use crate::subject::Kind;
use async_trait::async_trait;
use duroxide_conformance::Factory;
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::cluster_url;
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_runtime::system_env;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// Of each handle, of which there are two: few, since each new one has all statements to learn.
const CONNECTIONS: u32 = 1;

/// PostgreSQL: that of `DATABASE_URL`, or a cluster of this process.
pub fn postgres() -> Kind {
    let patience = Duration::from_secs(20);
    Kind { patience, ..kind("Postgres", true, || Arc::new(Server::new())) }
}

/// One schema.
struct Server {
    schema: String,
    clock: Pushed,
    /// For the clock, and to clear up.
    hand: Mutex<Option<PgConnection>>,
}

impl Server {
    fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let n = MADE.fetch_add(1, Ordering::SeqCst);
        let schema = format!("differential_{}_{n}", std::process::id());
        Self { schema, clock: Pushed::new(), hand: Mutex::new(None) }
    }

    async fn handle(&self) -> Arc<dyn Store> {
        let options =
            PostgresOptions::new(cluster_url()).schema(&self.schema).max_connections(CONNECTIONS);
        let env = Env { clock: Arc::new(self.clock.clone()), ..system_env() };
        match PostgresProvider::connect(env, options).await {
            Ok(store) => Arc::new(store),
            Err(error) => panic!("{error}"),
        }
    }

    async fn execute(&self, sql: String) {
        let mut hand = self.hand.lock().await;
        let connection = match hand.take() {
            Some(connection) => Ok(connection),
            None => PgConnection::connect(&cluster_url()).await,
        };
        let done = match connection {
            Ok(mut connection) => {
                let done = connection.execute(AssertSqlSafe(sql)).await.map(drop);
                *hand = Some(connection);
                done
            }
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            panic!("{}: {error}", self.schema);
        }
    }

    /// The time is what a row says from here on.
    async fn take_the_clock(&self) {
        let schema = &self.schema;
        self.execute(format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}_clock;
             CREATE UNLOGGED TABLE {schema}_clock.hands (wall_ms bigint NOT NULL);
             INSERT INTO {schema}_clock.hands VALUES ({EPOCH_MS});
             CREATE OR REPLACE FUNCTION {schema}.wall_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
               'SELECT wall_ms FROM {schema}_clock.hands'"
        ))
        .await;
    }

    async fn move_by(&self, ms: i128) {
        let schema = &self.schema;
        self.execute(format!("UPDATE {schema}_clock.hands SET wall_ms = wall_ms + {ms}")).await;
    }
}

impl Drop for Server {
    /// The schema goes with it. By a thread: nothing can be awaited here.
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA IF EXISTS {0}, {0}_clock CASCADE", self.schema);
        let dropping = std::thread::spawn(move || {
            runtime().block_on(async move {
                let mut connection = PgConnection::connect(&cluster_url()).await?;
                connection.execute(AssertSqlSafe(sql)).await
            })
        });
        if !matches!(dropping.join(), Ok(Ok(_))) {
            eprintln!("schema {} is left over", self.schema);
        }
    }
}

#[async_trait]
impl Factory for Server {
    async fn open(&self) -> Arc<dyn Store> {
        let store = self.handle().await;
        self.take_the_clock().await;
        store
    }
    async fn advance(&self, by: Duration) {
        self.move_by(i128::try_from(by.as_millis()).unwrap_or(0)).await;
        self.clock.push(by);
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.move_by(-i128::try_from(by.as_millis()).unwrap_or(0)).await;
        true
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        Some(self.handle().await)
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(self.handle().await)
    }
}
