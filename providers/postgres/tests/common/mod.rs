//! Stores on a PostgreSQL for tests, each in a schema of its own, whose time can be set; and an
//! Env to go with it.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, reason = "shared by test binaries")]

pub(crate) mod hands;
pub(crate) mod work;

use duroxide_core::{EventId, Headers, NewActivity, Payload};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::cluster_url;
use hands::Hands;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From here on the store's wall clock is the server's plus what the row of `hands` says.
const SET_BY_HAND: &str = r#"
CREATE TABLE "{schema}".hands (ahead bigint NOT NULL);
INSERT INTO "{schema}".hands VALUES (0);
CREATE OR REPLACE FUNCTION "{schema}".wall_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + h.ahead FROM "{schema}".hands AS h
$$;
"#;

/// A schema of a test's own, and the clocks around it.
pub(crate) struct Place {
    pub(crate) schema: String,
    pub(crate) hands: Arc<Hands>,
    env: duroxide_provider::env::Env,
}

impl Place {
    /// A schema that nobody has used.
    pub(crate) fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let n = MADE.fetch_add(1, Ordering::SeqCst);
        let (env, hands) = hands::env();
        Self { schema: format!("Test {}'s {n}", std::process::id()), hands, env }
    }

    /// A new store here, with a clock that can be set.
    pub(crate) async fn create(&self) -> PostgresProvider {
        let store = self.handle().await;
        self.run(SET_BY_HAND).await;
        store
    }

    /// A handle on the store.
    pub(crate) async fn handle(&self) -> PostgresProvider {
        let options = PostgresOptions::new(cluster_url()).schema(&self.schema);
        PostgresProvider::connect(self.env.clone(), options).await.unwrap()
    }

    /// A connection beside those of the store.
    pub(crate) async fn sql(&self) -> PgConnection {
        PgConnection::connect(&cluster_url()).await.unwrap()
    }

    /// Text with the schema put in: for `{schema}`, within quotes; for `{name}`, within
    /// apostrophes; for `{ids}` its sequence.
    pub(crate) fn text(&self, sql: &str) -> AssertSqlSafe<String> {
        let name = self.schema.replace('\'', "''");
        let ids = format!("'\"{name}\".ids'");
        let sql = sql.replace("{schema}", &self.schema).replace("{name}", &name);
        AssertSqlSafe(sql.replace("{ids}", &ids))
    }

    /// Run a script.
    pub(crate) async fn run(&self, script: &str) {
        let mut sql = self.sql().await;
        sqlx::raw_sql(self.text(script)).execute(&mut sql).await.unwrap();
        sql.close().await.unwrap();
    }

    /// Let so much time pass at once, on the server and here.
    pub(crate) async fn advance(&self, by: Duration) {
        self.run(&format!(r#"UPDATE "{{schema}}".hands SET ahead = ahead + {}"#, by.as_millis()))
            .await;
        self.hands.advance(by);
    }

    /// Set the server's wall clock back. A store notices when its session next looks around,
    /// twice a second; here at once.
    pub(crate) async fn set_wall_clock_back(&self, by: Duration) {
        self.run(&format!(
            r#"UPDATE "{{schema}}".hands SET ahead = ahead - {}; SELECT "{{schema}}".peek_ms()"#,
            by.as_millis()
        ))
        .await;
    }
}

/// So many activities `Step` for a turn to schedule, of events from this one on.
pub(crate) fn steps(first: u64, count: u64) -> Vec<NewActivity> {
    let step = |event| NewActivity {
        event: EventId(event),
        name: "Step".to_owned(),
        input: Payload::null(),
        session: None,
        tag: None,
        headers: Headers::new(),
    };
    (first..first + count).map(step).collect()
}
