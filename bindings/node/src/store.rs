//! Stores as JavaScript holds them. Not here: what they do.

use crate::errors::{internal, of_provider, told};
use duroxide_postgres::{PostgresOptions, PostgresProvider, RootCertificate, Ssl, SslMode};
use duroxide_provider::env::Env;
use duroxide_provider::{ProviderError, Store};
use duroxide_runtime::system_env;
use duroxide_sqlite::{Durability, SqliteOptions, SqliteProvider};
use napi_derive::napi;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// An opened store.
#[napi]
pub struct NativeStore {
    pub(crate) env: Env,
    pub(crate) store: Arc<dyn Store>,
    /// The same store, for what only SQLite can do.
    sqlite: Option<Arc<SqliteProvider>>,
}

#[derive(Deserialize)]
struct SqliteSettings {
    durability: String,
}

/// Open a SQLite file, or a store in memory.
#[napi]
pub async fn open_sqlite(path: String, options: String) -> napi::Result<NativeStore> {
    let settings: SqliteSettings =
        serde_json::from_str(&options).map_err(|e| internal("options", &e))?;
    let durability = match settings.durability.as_str() {
        "process" => Durability::Process,
        _ => Durability::Full,
    };
    let env = system_env();
    let options = SqliteOptions { durability, ..SqliteOptions::new(path) };
    let provider = SqliteProvider::open(env.clone(), options).await;
    let sqlite = Arc::new(provider.map_err(|error| of_provider(&error))?);
    Ok(NativeStore { env, store: Arc::clone(&sqlite) as Arc<dyn Store>, sqlite: Some(sqlite) })
}

/// What JavaScript says beyond the URL; what is absent is left to the provider's defaults.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostgresSettings {
    schema: Option<String>,
    max_connections: Option<u32>,
    acquire_timeout_ms: Option<u64>,
    ssl: Option<SslSettings>,
}

#[derive(Deserialize)]
struct SslSettings {
    mode: Mode,
    /// PEM.
    ca: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Connect to a store on PostgreSQL.
#[napi]
pub async fn connect_postgres(url: String, options: String) -> napi::Result<NativeStore> {
    let settings: PostgresSettings =
        serde_json::from_str(&options).map_err(|e| internal("options", &e))?;
    let env = system_env();
    let provider = PostgresProvider::connect(env.clone(), settings.options(url)).await;
    let store = Arc::new(provider.map_err(|error| of_connecting(&error))?);
    Ok(NativeStore { env, store, sqlite: None })
}

/// The name of the call is put before it in TypeScript.
fn of_connecting(error: &ProviderError) -> napi::Error {
    match error {
        ProviderError::Unusable { message, .. } => told("STORE_UNUSABLE", message),
        ProviderError::Busy { .. }
        | ProviderError::Full { .. }
        | ProviderError::Unknown { .. }
        | ProviderError::Invalid { .. }
        | ProviderError::Corrupt { .. }
        | ProviderError::NotFound { .. }
        | ProviderError::Exists { .. }
        | ProviderError::NewerSchema { .. } => of_provider(error),
    }
}

impl PostgresSettings {
    fn options(self, url: String) -> PostgresOptions {
        let mut options = PostgresOptions::new(url);
        if let Some(schema) = self.schema {
            options = options.schema(schema);
        }
        if let Some(connections) = self.max_connections {
            options = options.max_connections(connections);
        }
        if let Some(ms) = self.acquire_timeout_ms {
            options = options.acquire_timeout(Duration::from_millis(ms));
        }
        if let Some(ssl) = self.ssl {
            let root_certificate = ssl.ca.map(RootCertificate::Pem);
            options = options.ssl(Ssl { mode: ssl.mode.into(), root_certificate });
        }
        options
    }
}

impl From<Mode> for SslMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Disable => Self::Disable,
            Mode::Allow => Self::Allow,
            Mode::Prefer => Self::Prefer,
            Mode::Require => Self::Require,
            Mode::VerifyCa => Self::VerifyCa,
            Mode::VerifyFull => Self::VerifyFull,
        }
    }
}

#[napi]
impl NativeStore {
    /// Let go of files and connections.
    #[napi]
    pub async fn close(&self) -> napi::Result<()> {
        let store = Arc::clone(&self.store);
        store.close().await.map_err(|error| of_provider(&error))
    }

    /// Group commits of this handle so far, for the benchmarks; none of a store that does not
    /// count them.
    #[napi]
    pub fn commits(&self) -> Option<i64> {
        self.sqlite.as_ref().and_then(|sqlite| i64::try_from(sqlite.counters().commits).ok())
    }

    /// Copy a SQLite store to a new file while it is in use.
    #[napi]
    pub async fn backup(&self, path: String) -> napi::Result<()> {
        let Some(sqlite) = self.sqlite.clone() else {
            return Err(told("INTERNAL", "only a SQLite store is copied to a file"));
        };
        sqlite.backup(path).await.map_err(|error| of_provider(&error))
    }
}
