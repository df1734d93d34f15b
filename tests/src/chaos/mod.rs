//! Chaos with real processes: Node processes share a store and are killed, one a second,
//! while clients start workflows and send them messages; when all is over the histories,
//! the tables and the outside world are compared with what must be.
//!
//! `plan` draws what happens when, `run` lets it happen (`worker`, `stage`, `watch`),
//! `evidence` holds what was found, `oracle` says what is wrong with it. What the processes
//! run is JavaScript, in `bindings/node/test/chaos`. Not here: simulated time or faults; a
//! seed repeats the schedule, not the run.

#[cfg(test)]
mod doctored;
mod evidence;
mod history;
pub mod oracle;
mod plan;
mod postgres;
mod run;
mod sqlite_tables;
mod stage;
mod summary;
mod tables;
mod watch;
mod worker;

pub use evidence::{Counted, Cut, Effect, End, Evidence, Message, Order, Told};
pub use history::{Execution, Histories};
pub use plan::{Kill, Plan, StoreKind, Strike, What};
pub use run::{Options, run};
pub use summary::{Strikes, Summary};
pub use tables::{Commit, CommitKey, Instance, Snapshot, Tables};

/// Why a run could not be carried out; what a run found is no error.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// What may fail for a reason that is not what is looked for.
pub type Result<T> = std::result::Result<T, Error>;
