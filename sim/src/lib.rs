//! The seeded simulation: the production engine, its remote and SQLite providers and
//! SQLite itself, on simulated hosts, network, disk and time; or a modelled PostgreSQL in
//! the place of SQLite.
//!
//! A seed expands to a [`Plan`]: which fault strikes whom at which point of its work. The
//! run of a plan ([`run`]) is a function of it: the same plan gives the same trace, to the
//! byte, in any process. What must hold is checked while it runs and when it has ended.
//!
//! Real: runtime, SDK, core, client, remote provider and server, SQLite provider, SQLite.
//! Simulated: hosts and network (turmoil), time, randomness (`sim/dice`), the disk under
//! SQLite (`sim/disk`), the outside world of the activities; and, in two plans of five,
//! PostgreSQL as a whole (`sim/postgres`). No dispatch, lease or replay is done here; the
//! observers only compare.
//!
//! Where to read next: `run` puts a world together, `world` drives it, `store` is the
//! store's host, `tap` is where faults meet calls, `fault` says what they are, `oracle` says
//! what must hold. Around a run: `swarm` draws plans, `batch` runs many, `shrink` makes one
//! small, `report` shows it. [`simulate`] is for projects that bring their own code.

mod batch;
pub mod cli;
mod clients;
mod clock;
mod counts;
mod env;
mod fault;
mod host;
mod network;
mod node;
mod oracle;
mod outside;
mod plan;
mod point;
mod progress;
mod report;
mod run;
mod shrink;
mod simulation;
mod stage;
mod store;
mod swarm;
mod sync;
mod tap;
mod timeline;
mod trace;
mod valid;
mod workload;
mod world;
mod wrong;

use duroxide_sim_dice as dice;

pub use batch::{Batch, Seeds, Summary};
pub use counts::{Counts, sometimes};
pub use dice::Dice;
pub use fault::*;
pub use plan::{
    Action, ClockPlan, FORMAT, HostPlan, InstancePlan, OUTSIDE, Plan, Planned, STORE, StepPlan,
    StoreKind, StorePlan, Sync,
};
pub use point::{Boundary, DiskCall, Op};
pub use run::{Outcome, run, run_traced};
pub use shrink::{Shrunk, Size, shrink};
pub use simulation::{Simulation, simulate};
pub use swarm::Swarm;
pub use trace::Entry;
pub use workload::{Choice, Finished, Orders, Scenarios, Workload, all, find};
pub use wrong::Wrong;
