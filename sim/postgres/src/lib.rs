//! A store as PostgreSQL serves it, modelled, for the simulation: [`ModelledPostgres`].
//!
//! What is stored, and what each call does to it, is the reference model's
//! (`duroxide-model`), whose calls are atomic. Here is what a real server adds and an atomic
//! model hides. A call is a transaction of several statements in a session of its own; each
//! statement takes a drawn time; rows are locked one by one in the order of the real
//! provider, and waited for; what was found before a wait is looked for again after it (READ
//! COMMITTED); leasing passes over rows that are locked (SKIP LOCKED); who waits in a circle
//! is found, and one of them rolled back; the others are told after the commit, each on its
//! own, or are not; an answer comes, or is lost. A session outlives the client that began it.
//!
//! It knows no SQL, no snapshots of more than one row, no pool of connections. All that a
//! transaction changes it changes at its commit, under its locks; so nobody ever sees half of
//! it, and to roll it back is to let go of the locks. A lease counts from the commit, not from
//! the statement that took the row.
//!
//! Read next: `session`, one transaction; `rows`, what a call locks and in which order;
//! `locks`; `wake`, how nodes hear of work; `client`, the provider's retries.

mod client;
mod inspect;
mod locks;
mod options;
mod pace;
mod provider;
mod rows;
mod server;
mod session;
mod statement;
mod take;
mod unflushed;
mod wake;

pub use locks::Row;
pub use options::Options;
pub use provider::ModelledPostgres;
pub use server::Counters;
pub use statement::{Kind, SqlState, Statement, Verdict};
