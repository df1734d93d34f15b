//! The stores that are measured, by their names.

use crate::result::Failure;
use clap::ValueEnum;
use duroxide::postgres::{PostgresOptions, PostgresProvider};
use duroxide::provider::Store;
use duroxide::provider::env::Env;
use duroxide::sqlite::{Durability, SqliteOptions, SqliteProvider};
use std::path::Path;
use std::sync::Arc;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// A SQLite file; a commit is on the disk when it is answered.
    SqliteFull,
    /// A SQLite file; a commit survives the process, not a power cut.
    SqliteProcess,
    /// SQLite in memory.
    Memory,
    /// A PostgreSQL with `fsync`, beside us on the machine.
    Postgres,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SqliteFull => "sqlite-full",
            Self::SqliteProcess => "sqlite-process",
            Self::Memory => "memory",
            Self::Postgres => "postgres",
        }
    }
}

/// An open store, and how many group commits it has made if it counts them.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    sqlite: Option<Arc<SqliteProvider>>,
}

impl Opened {
    pub(crate) fn commits(&self) -> Option<u64> {
        self.sqlite.as_ref().map(|sqlite| sqlite.counters().commits)
    }
}

/// Open it: a file in the folder, or a schema behind the URL.
pub(crate) async fn open(
    kind: Kind,
    env: &Env,
    folder: &Path,
    url: Option<&str>,
) -> Result<Opened, Failure> {
    let sqlite = |durability| async move {
        let path = folder.join("bench.db");
        let path = path.to_str().ok_or_else(|| Failure::said("the folder's name is no text"))?;
        let options = SqliteOptions { durability, ..SqliteOptions::new(path) };
        Ok::<_, Failure>(SqliteProvider::open(env.clone(), options).await?)
    };
    let sqlite = match kind {
        Kind::SqliteFull => Arc::new(sqlite(Durability::Full).await?),
        Kind::SqliteProcess => Arc::new(sqlite(Durability::Process).await?),
        Kind::Memory => Arc::new(SqliteProvider::in_memory(env.clone()).await?),
        Kind::Postgres => {
            let url = url.ok_or_else(|| Failure::said("postgres: --url is missing"))?;
            let store = PostgresProvider::connect(env.clone(), PostgresOptions::new(url)).await?;
            return Ok(Opened { store: Arc::new(store), sqlite: None });
        }
    };
    Ok(Opened { store: Arc::clone(&sqlite) as Arc<dyn Store>, sqlite: Some(sqlite) })
}
