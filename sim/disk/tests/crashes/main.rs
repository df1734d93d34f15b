//! The real SQLite on a disk that fails: what is lost, what is torn, what is noticed. Then
//! the production store on it.

mod durability;
mod faults;
mod ledger;
mod machine;
mod store;
#[path = "../../../../providers/sqlite/tests/common/work.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the requests of the store's own tests")]
mod work;
