//! The store that the processes share, and what can be done to it. Not here: the processes.

use super::Result;
use super::plan::{StoreKind, What};
use super::postgres::Postgres;
use super::sqlite_tables::SqliteTables;
use super::tables::Tables;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A store of its own for one run.
pub(crate) enum Stage {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<Postgres>),
}

impl Stage {
    /// Make one.
    pub(crate) fn new(store: StoreKind, places: usize, folder: &Path) -> Result<Self> {
        match store {
            StoreKind::Sqlite => Ok(Self::Sqlite(folder.join("store.db"))),
            StoreKind::Postgres => Ok(Self::Postgres(Box::new(Postgres::start(places)?))),
        }
    }

    /// What the process at a place is told of it; the clients are at the place after the last.
    pub(crate) fn config(&self, place: usize) -> Value {
        match self {
            Self::Sqlite(path) => json!({ "sqlite": path }),
            Self::Postgres(postgres) => postgres.config(place),
        }
    }

    /// An observer of it; some process must have opened it before.
    pub(crate) fn tables(&self) -> Result<Box<dyn Tables>> {
        match self {
            Self::Sqlite(path) => Ok(Box::new(SqliteTables::open(path)?)),
            Self::Postgres(postgres) => postgres.tables(),
        }
    }

    /// Let it happen; what it struck, and how many of it: none, if there was nothing.
    pub(crate) fn strike(&mut self, what: What) -> Result<Option<(&'static str, u64)>> {
        match self {
            Self::Sqlite(_) => Err(format!("{what}: a file has no connections").into()),
            Self::Postgres(postgres) => postgres.strike(what),
        }
    }
}
