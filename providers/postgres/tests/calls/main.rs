//! What calls cost and how they get on with one another, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod commits;
mod contention;
mod dispatch;
mod races;
