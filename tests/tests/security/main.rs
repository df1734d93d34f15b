//! What must never happen, on every store: a secret in an error, a log line or a `Debug`
//! output; anything written of a call that breaks a limit; a text that is taken for SQL.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod limits;
mod log;
mod secrets;
mod stores;
mod texts;
