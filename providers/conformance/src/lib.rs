//! Checks that a provider keeps its contract, for every provider: ours and anyone's.
//!
//! Implement [`Factory`] for the store, then let [`conformance_suite!`] write one test per
//! check:
//!
//! ```
//! use duroxide_conformance::{Factory, conformance_suite};
//! use duroxide_provider::Store;
//! use std::sync::Arc;
//! # async fn open_my_store() -> Arc<dyn Store> { unreachable!() }
//!
//! struct MyStores;
//!
//! #[async_trait::async_trait]
//! impl Factory for MyStores {
//!     async fn open(&self) -> Arc<dyn Store> {
//!         open_my_store().await
//!     }
//! }
//!
//! conformance_suite!(MyStores);
//! # fn main() {}
//! ```
//!
//! or run all of them at once with [`run_all`] and print the [`Report`]: a line per check
//! ([`Report::table`]), a line per group ([`Report::summary`]), Markdown for a README
//! ([`Report::markdown`]), or JSON. The example `own_store` does that for a store in
//! memory, as a crate of yours would. A check names the clause it stands for in its own
//! name, and says what was expected and what came.
//!
//! What a factory cannot do (open a store again, move its clock, spoil its data) it says so
//! by its answer; the checks that need it are told as skipped, never as passed. A store
//! whose time comes from an `Env` gets a [`MovedClock`], and no check waits.
//!
//! Not here: the engine. Turns are made by hand, so that a fault found here is the
//! store's alone. A new check is a function in `groups` and a line in `list`. That the
//! checks catch what they are there for is tested too: `tests/faulty` has stores with
//! one fault each, and says for every fault which checks fail, and for every check which faults.

mod builders;
mod clock;
mod expect;
mod factory;
mod fixture;
mod groups;
mod list;
mod report;
mod run;

pub use clock::MovedClock;
pub use expect::{CheckResult, Stop};
pub use factory::{Damage, Factory, Trouble};
pub use fixture::Fixture;
pub use list::{Group, checks, groups};
pub use report::{Line, Outcome, Report, Tally};
pub use run::{Check, assert_check, run_all, run_check};
