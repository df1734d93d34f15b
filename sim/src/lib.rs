//! The seeded simulation: the production engine, its remote and SQLite providers and
//! SQLite itself, on simulated hosts, network and time.
//!
//! A seed expands to a [`Plan`]: which fault strikes whom at which point of its work. The
//! run of a plan ([`run`]) is a function of it: the same plan gives the same trace, to the
//! byte, in any process. What must hold is checked while it runs and when it has ended.
//!
//! Real: runtime, SDK, core, client, remote provider and server, SQLite provider, SQLite.
//! Simulated: hosts and network (turmoil), time, randomness, the outside world of the
//! activities. No dispatch, lease or replay is done here; the observers only compare.
//!
//! Where to read next: `run` puts a world together, `world` drives it, `tap` is where
//! faults meet calls, `ledger` and `oracle` say what must hold.

mod batch;
pub mod cli;
mod clients;
mod cold;
mod dice;
mod env;
mod fault;
mod host;
mod ledger;
mod network;
mod oracle;
mod plan;
mod run;
mod stage;
mod sync;
mod tap;
mod timeline;
mod trace;
mod workload;
mod world;
mod wrong;

pub use batch::{Seeds, Summary, run_in_children};
pub use fault::{Boundary, Counts, Fault, Met, Op};
pub use plan::{CLIENT, NODES, Plan, Planned, STORE};
pub use run::{Outcome, run, run_traced};
