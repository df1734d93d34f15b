//! The core's rules, one test (or more) named after each of them.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests: a panic is a failure, and only some kinds matter"
)]

mod awaits;
mod bench;
mod histories;
mod limits;
mod mail_and_state;
mod replay;
mod retries;
mod stopping;
mod turns;
mod waiting;
