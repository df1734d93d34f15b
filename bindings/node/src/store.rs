//! Stores as JavaScript holds them. Not here: what they do.

use crate::errors::{internal, of_provider};
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_runtime::system_env;
use duroxide_sqlite::{Durability, SqliteOptions, SqliteProvider};
use napi_derive::napi;
use serde::Deserialize;
use std::sync::Arc;

/// An opened store.
#[napi]
pub struct NativeStore {
    pub(crate) env: Env,
    pub(crate) store: Arc<dyn Store>,
    /// The same store, for what only SQLite can do.
    sqlite: Arc<SqliteProvider>,
}

#[derive(Deserialize)]
struct Options {
    durability: String,
}

/// Open a SQLite file, or a store in memory.
#[napi]
pub async fn open_sqlite(path: String, options: String) -> napi::Result<NativeStore> {
    let options: Options = serde_json::from_str(&options).map_err(|e| internal("options", &e))?;
    let durability = match options.durability.as_str() {
        "process" => Durability::Process,
        _ => Durability::Full,
    };
    let env = system_env();
    let options = SqliteOptions { durability, ..SqliteOptions::new(path) };
    let provider = SqliteProvider::open(env.clone(), options).await;
    let sqlite = Arc::new(provider.map_err(|error| of_provider(&error))?);
    Ok(NativeStore { env, store: Arc::clone(&sqlite) as Arc<dyn Store>, sqlite })
}

#[napi]
impl NativeStore {
    /// Let go of files and connections.
    #[napi]
    pub async fn close(&self) -> napi::Result<()> {
        let store = Arc::clone(&self.store);
        store.close().await.map_err(|error| of_provider(&error))
    }

    /// Copy a SQLite store to a new file while it is in use.
    #[napi]
    pub async fn backup(&self, path: String) -> napi::Result<()> {
        let sqlite = Arc::clone(&self.sqlite);
        sqlite.backup(path).await.map_err(|error| of_provider(&error))
    }
}
