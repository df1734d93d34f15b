//! Durable execution, embedded: orchestrations whose progress survives crashes, restarts
//! and deployments, in your own process, on your own database.
//!
//! An **orchestration** is a deterministic async function. What it awaits — activities,
//! timers, events, child orchestrations — is recorded in a history, and replayed from
//! there when the process comes back. An **activity** is where the side effects are: it
//! runs at least once, and its result is recorded exactly once.
//!
//! ```
//! use duroxide::prelude::*;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! async fn say_hello(_: ActivityContext, name: String) -> Result<String, String> {
//!     Ok(format!("Hello, {name}!"))
//! }
//!
//! async fn hello(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
//!     ctx.activity("SayHello", &name).await
//! }
//!
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::builder()
//!     .register_activity("SayHello", say_hello)
//!     .register_orchestration("HelloWorkflow", hello)
//!     .build()?;
//!
//! let env = system_env();
//! let store = Arc::new(SqliteProvider::in_memory(env.clone()).await?);
//! let runtime = Runtime::start_registry(env, store, registry, RuntimeOptions::default())?;
//!
//! let client = runtime.client();
//! client.start_typed("hello-1", "HelloWorkflow", "World").await?;
//! let greeting: String = client.wait_typed("hello-1", Duration::from_secs(30)).await?;
//! assert_eq!(greeting, "Hello, World!");
//!
//! runtime.shutdown(Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! ```
//!
//! Activities and orchestrations can be declared once with their types ([`sdk::Activity`],
//! [`sdk::Orchestration`]): a wrong input or output is then a compile error, wherever they are
//! registered, called, started or awaited.
//!
//! Stores are features: `sqlite` (on by default), one file or memory for one machine, and
//! `postgres`, one database for any number of machines.
//!
//! This crate is a door: the rooms are [`core`] (what a history is), [`provider`] (what a
//! store must guarantee), [`sdk`] (writing orchestrations) and [`runtime`] (running them).

mod typed;

pub use duroxide_core as core;
#[cfg(feature = "postgres")]
pub use duroxide_postgres as postgres;
pub use duroxide_provider as provider;
pub use duroxide_runtime as runtime;
pub use duroxide_sdk as sdk;
#[cfg(feature = "sqlite")]
pub use duroxide_sqlite as sqlite;

pub use typed::ClientExt;

/// What most programs need.
pub mod prelude {
    pub use crate::typed::ClientExt;
    #[cfg(feature = "postgres")]
    pub use duroxide_postgres::{PostgresOptions, PostgresProvider};
    pub use duroxide_runtime::{
        Client, ClientError, Runtime, RuntimeOptions, StartRequest, Started, system_env,
    };
    pub use duroxide_sdk::{
        Activity, ActivityContext, Backoff, OneOf2, OneOf3, OneOf4, OneOf5, OneOf6, Orchestration,
        OrchestrationContext, OrchestrationError, Registry, RegistryError, RetryPolicy,
    };
    #[cfg(feature = "sqlite")]
    pub use duroxide_sqlite::{SqliteOptions, SqliteProvider};
}
