//! The calls that change something: each binds a request of the contract to its function in the
//! store's schema, and reads the answer. One statement each; what they do is in `sql`. Not here:
//! reading and management.

mod activities;
mod answer;
mod commit;
mod leases;
mod parts;
mod quarantine;
mod submit;
mod turns;

pub(crate) use activities::{complete_activity, lease_activities};
pub(crate) use commit::commit_turn;
pub(crate) use leases::{release, renew};
pub(crate) use quarantine::quarantine;
pub(crate) use submit::submit;
pub(crate) use turns::lease_orchestrations;

use crate::error::{Result, StoreError};
use duroxide_core::ArrivalBody;
use std::time::Duration;
use uuid::Uuid;

/// Later than any time that matters, and with room for sums. The functions have it too.
const FAR: i64 = 1 << 60;
/// Leased by one call at most, whatever the caller asks for.
const MOST: i32 = 10_000;

/// The stored form of a lease, commit or request id.
fn id(value: u128) -> Uuid {
    Uuid::from_u128(value)
}

/// A duration in ms, small enough for any arithmetic with times.
fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(FAR).min(FAR)
}

/// A number of things wanted.
fn wanted(max: usize) -> i32 {
    i32::try_from(max).unwrap_or(MOST).min(MOST)
}

/// The kind of a message, as the inbox has it. Routing only; the body says everything.
fn kind(body: &ArrivalBody) -> i32 {
    match body {
        ArrivalBody::Start { .. } => 0,
        ArrivalBody::ActivityDone { .. } => 1,
        ArrivalBody::TimerDue { .. } => 2,
        ArrivalBody::ChildDone { .. } => 3,
        ArrivalBody::Mail { .. } => 4,
        ArrivalBody::Cancel { .. } => 5,
        ArrivalBody::Terminate { .. } => 6,
    }
}

/// Something as the bytes of its JSON.
fn json(value: &impl serde::Serialize, what: &str) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| StoreError::Invalid(format!("{what} cannot be encoded: {error}")))
}

/// A message as it is stored.
fn message(body: &ArrivalBody) -> Result<Vec<u8>> {
    json(body, "a message")
}

/// What parents send to children that are to stop: in their own way, and without their code.
fn stops() -> Result<Vec<Vec<u8>>> {
    let cancel = ArrivalBody::Cancel { reason: "parent canceled".to_owned(), from_parent: true };
    let terminate = ArrivalBody::Terminate { reason: "parent terminated".to_owned() };
    Ok(vec![message(&cancel)?, message(&terminate)?])
}
