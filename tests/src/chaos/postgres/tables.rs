//! The tables of a schema in Postgres: the same as those of a SQLite file. Not here: what is
//! wrong with what stands in them (`oracle`).

use crate::chaos::Result;
use crate::chaos::tables::{Commit, Instance, LEFT_OVER, RUNNING, Snapshot, Tables};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};
use std::str::FromStr;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// By this name the observer is known, and spared.
const OBSERVER: &str = "chaos-observer";
const ANSWER: Duration = Duration::from_secs(10);

/// SQL that ends them and tells how many.
pub(super) fn end_every_second_connection() -> String {
    format!(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM (
           SELECT pid, row_number() OVER (ORDER BY pid) AS n FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()
             AND application_name <> '{OBSERVER}') AS c WHERE n % 2 = 0"
    )
}

/// A connection that only reads; made again when it breaks.
pub(super) struct PostgresTables {
    runtime: Runtime,
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl PostgresTables {
    /// Of this schema.
    pub(super) fn open(url: &str, schema: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)?
            .application_name(OBSERVER)
            .options([("search_path", schema)])
            .disable_statement_logging();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, options, connection: None })
    }

    fn rows(&mut self, sql: &str) -> Result<Vec<PgRow>> {
        let Self { runtime, options, connection } = self;
        runtime.block_on(async {
            let mut open = match connection.take() {
                Some(open) => open,
                None => options.connect().await?,
            };
            let query = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut open);
            let rows = tokio::time::timeout(ANSWER, query).await??;
            *connection = Some(open);
            Ok(rows)
        })
    }

    fn number(&mut self, sql: &str) -> Result<i64> {
        let rows = self.rows(sql)?;
        let row = rows.first().ok_or("no row")?;
        Ok(row.try_get(0)?)
    }
}

impl Tables for PostgresTables {
    fn progress(&mut self) -> Result<i64> {
        self.number(
            "SELECT coalesce(sum(execution * 1000000 + next_event), 0)::bigint FROM instances",
        )
    }

    fn counts(&mut self) -> Result<(u64, u64)> {
        let all = self.number("SELECT count(*) FROM instances")?;
        let running = self.number("SELECT count(*) FROM instances WHERE state = 0")?;
        Ok((all as u64, running as u64))
    }

    fn most_attempts(&mut self) -> Result<u64> {
        Ok(self.number("SELECT coalesce(max(attempt), 0)::bigint FROM instances")? as u64)
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        // Two statements: what is committed between them would be events of nobody, so the
        // events come first.
        let events =
            self.rows("SELECT incarnation, execution, first_event, last_event, bytes FROM events")?;
        for row in events {
            let number = |n| row.try_get::<i64, _>(n).map(|number| number as u64);
            let commit = Commit { last_event: number(3)?, bytes: row.try_get(4)? };
            snapshot.commits.insert((number(0)?, number(1)?, number(2)?), commit);
        }
        let instances = self.rows(
            "SELECT incarnation, execution, next_event, status_version, id, state = 0
             FROM instances",
        )?;
        for row in instances {
            let number = |n| row.try_get::<i64, _>(n).map(|number| number as u64);
            let instance = Instance {
                id: row.try_get(4)?,
                running: row.try_get(5)?,
                execution: number(1)?,
                next_event: number(2)?,
                status_version: number(3)?,
            };
            snapshot.instances.insert(number(0)?, instance);
        }
        Ok(snapshot)
    }

    fn running(&mut self) -> Result<Vec<String>> {
        let lines = self.rows(RUNNING)?;
        Ok(lines.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?)
    }

    fn left_over(&mut self) -> Result<Vec<String>> {
        let sessions = (
            "sessions that somebody owns",
            "SELECT count(*) FROM sessions WHERE idle_until > peek_ms()",
        );
        let mut left = Vec::new();
        for (what, query) in LEFT_OVER.into_iter().chain([sessions]) {
            let count = self.number(query)?;
            if count > 0 {
                left.push(format!("{count} {what}"));
            }
        }
        Ok(left)
    }

    fn handles(&mut self) -> Result<u64> {
        Ok(self.number("SELECT count(*) FROM nodes")? as u64)
    }

    /// What its own checker finds in the indexes, and in the tables by them.
    fn unsound(&mut self) -> Result<Vec<String>> {
        self.rows("CREATE EXTENSION IF NOT EXISTS amcheck")?;
        let indexes = self.rows(
            "SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c
             ON c.oid = i.indexrelid WHERE c.relnamespace = current_schema()::regnamespace",
        )?;
        let mut unsound = Vec::new();
        for row in indexes {
            let index: String = row.try_get(0)?;
            if let Err(error) = self.rows(&format!("SELECT bt_index_check('{index}', true)")) {
                unsound.push(format!("{index}: {error}"));
            }
        }
        Ok(unsound)
    }
}
