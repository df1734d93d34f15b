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
//! or run all of them at once with [`run_all`] and print the [`Report`]. A check names the
//! clause it stands for in its own name, and says what was expected and what came.
//!
//! Not here: the engine. Turns are made by hand, so that a fault found here is the
//! store's alone. A new check is a function in `groups` and a line in `list.rs`.

mod builders;
mod expect;
mod factory;
mod fixture;
mod groups;
mod list;
mod report;
mod run;

pub use expect::{CheckResult, Stop};
pub use factory::{Damage, Factory};
pub use fixture::Fixture;
pub use list::checks;
pub use report::{Line, Outcome, Report};
pub use run::{Check, assert_check, run_all, run_check};
