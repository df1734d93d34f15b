//! The SQLite provider: [`SqliteProvider`], a store of runs in a file or in memory.
//!
//! Two layers. `store` is synchronous: plain functions on a transaction, one file per
//! responsibility, no thread and no clock. Around it a thin asynchronous shell: `batcher`
//! gathers writes, `batch` runs them in one transaction with a savepoint each, `shell` reads,
//! `wake` and `waiting` announce, `backup` copies, `writer` and `liveness` share the file
//! with other processes, `log` sees to it that what is synced is on the disk; that is a
//! `storage`. Threads, time and randomness come from [`Env`](duroxide_provider::env::Env).
//!
//! Not here: what turns mean (`duroxide-core`), who asks for them (`duroxide-runtime`).

mod backup;
mod batch;
mod batcher;
mod clock;
mod connection;
mod error;
mod inspect;
mod liveness;
mod log;
mod options;
mod provider;
mod shell;
mod stats;
mod storage;
mod store;
#[cfg(test)]
mod tests;
mod waiting;
mod wake;
mod writer;

pub use options::{BeforeCommit, Durability, SqliteOptions};
pub use provider::SqliteProvider;
pub use stats::Stats;
pub use storage::{LockFile, OpenLock, Storage, SystemStorage};
