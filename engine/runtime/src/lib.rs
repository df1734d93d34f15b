//! The runtime of duroxide: takes work from a store, runs it at hosts, and makes it
//! durable; and the client that asks for it.
//!
//! How a step goes: the `dispatcher` leases an instance, a `driver` runs turn after turn
//! while it is in hand, each made durable by one commit, which brings the results of local
//! activities (`workers`) along and claims the next ones. Everything from the world comes through
//! [`Env`](duroxide_provider::env::Env), so that the same code runs in the simulation.
//! Not here: where user code runs ([`host`]), what a turn is (`duroxide-core`), how
//! anything is stored (`duroxide-provider`).

mod backoff;
mod builtin;
mod client;
mod dispatcher;
mod driver;
mod drivers;
mod env;
pub mod host;
mod keeper;
mod marks;
mod metrics;
mod node;
mod options;
mod registry;
mod residents;
mod running;
mod runtime;
mod sdk_host;
mod store_clock;
mod stranded;
mod tasks;
mod window;
mod workers;

pub use client::{Client, ClientError, StartRequest, Started, waiting_for};
pub use env::{system_env, system_env_on};
pub use metrics::MetricsSnapshot;
pub use options::{CommittedTurn, Determinism, RuntimeOptions, TurnObserver};
pub use runtime::Runtime;
pub use sdk_host::SdkHost;
