//! Lock-step differential: the same random calls to the reference model and to real stores, and
//! after each the same answers and the same view of the store. Where they differ, one of them
//! breaks the contract, or the contract has a gap.
//!
//! Not here: single rules one by one with names for each (`duroxide-conformance`), the engine on
//! top of a store under faults (`duroxide-sim`).
//!
//! Read next: `step`, what is drawn; `world`, how a choice becomes a call; `lockstep`, what is
//! compared; `names`, what may differ; `together`, calls at once; `drain`, the end; `run`, the loop.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of all calls and answers most places are about one; where a new one matters, all are named"
)]

mod call;
mod clock;
mod coverage;
mod diff;
mod drain;
mod lockstep;
mod names;
mod postgres;
mod run;
mod step;
mod stores;
mod subject;
mod tables;
mod together;
mod turn;
mod world;

pub use call::{Answer, Call, Message, Outcome, Refused};
pub use clock::{EPOCH_MS, Hands, env};
pub use coverage::{Coverage, REQUIRED};
pub use lockstep::{Failed, Report};
pub use postgres::postgres;
pub use run::{Difference, Plan, run, runtime};
pub use step::{Ask, Select, Start, Step, Turn, What, step};
pub use stores::{model, spoilt_model, sqlite_in_memory, sqlite_on_a_file};
pub use subject::{Kind, Made, Meddling};
pub use world::World;
