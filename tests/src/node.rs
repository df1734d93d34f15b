//! Nodes and clients in this process, each with a handle of its own on the file, as
//! separate processes have.

use crate::scratch::Scratch;
use crate::steps::registry;
use duroxide_provider::Store;
use duroxide_runtime::host::{ActivityHost, OrchestrationHost};
use duroxide_runtime::{Client, Runtime, RuntimeOptions, SdkHost, system_env};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The default lease: longer than any test is patient.
pub const LEASE: Duration = Duration::from_secs(30);

/// A running node.
pub struct Node {
    runtime: Runtime,
    store: Arc<dyn Store>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

impl Node {
    /// Start one on the database of a test.
    pub async fn start(scratch: &Scratch, lease: Duration) -> Self {
        Self::start_on(&scratch.database(), scratch.path(), lease).await
    }

    /// Start one on a database, with a world, with leases this long.
    ///
    /// # Panics
    /// If the database cannot be opened or worked on.
    pub async fn start_on(database: &str, world: &Path, lease: Duration) -> Self {
        let store = open(database).await;
        let host = Arc::new(SdkHost::new(registry(world)));
        let orchestrations: Arc<dyn OrchestrationHost> = host.clone();
        let activities: Arc<dyn ActivityHost> = host;
        let options =
            RuntimeOptions { worker_lease: lease, turn_lease: lease, ..RuntimeOptions::default() };
        let env = system_env();
        match Runtime::start(env, Arc::clone(&store), orchestrations, activities, options) {
            Ok(runtime) => Self { runtime, store },
            Err(error) => panic!("start: {error}"),
        }
    }

    /// Stop it in order, as an application does on its way out.
    ///
    /// # Panics
    /// If its store cannot be closed.
    pub async fn shutdown(self) {
        self.runtime.shutdown(Duration::from_millis(100)).await;
        if let Err(error) = self.store.close().await {
            panic!("close: {error}");
        }
    }
}

/// A handle of its own on a database.
///
/// # Panics
/// If it cannot be opened.
pub async fn open(database: &str) -> Arc<dyn Store> {
    match SqliteProvider::open(system_env(), SqliteOptions::new(database)).await {
        Ok(provider) => Arc::new(provider),
        Err(error) => panic!("{database}: {error}"),
    }
}

/// A client on a handle of its own.
pub async fn client(database: &str) -> Client {
    Client::new(system_env(), open(database).await)
}
