//! The model: the contract's own checks, and what only a store that shows all of its state
//! can be asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod dealings;
mod requests;
mod snapshots;
mod world;
