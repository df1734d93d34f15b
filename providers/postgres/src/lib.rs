//! The PostgreSQL provider: [`PostgresProvider`], a store of runs that any number of
//! processes on any number of machines share.
//!
//! What a call does is done by functions in the store's schema (`sql`), each in one statement:
//! one round trip, one transaction. `calls` binds the requests of the contract to them and reads
//! their answers; `reads` and `manage` do the same for reading and management. Around them:
//! `shell`, the one way to the server, with its retries; `pool` and `target`, connections;
//! `migrate`; `session`, by which handles know of one another; `wake` and `waiting`, who
//! waits for what. Time and randomness come from [`Env`](duroxide_provider::env::Env), decisions
//! about time from the server's clock alone.
//!
//! Not here: what turns mean (`duroxide-core`), who asks for them (`duroxide-runtime`).

mod calls;
mod clock;
mod columns;
mod error;
mod inspect;
mod manage;
mod migrate;
mod notice;
mod options;
mod pool;
mod provider;
mod reads;
mod schema;
mod session;
mod shell;
mod stats;
mod target;
mod text;
mod unclaimed;
mod waiting;
mod wake;

pub use options::{PostgresOptions, RootCertificate, Ssl, SslMode};
pub use provider::PostgresProvider;
pub use stats::Counters;
