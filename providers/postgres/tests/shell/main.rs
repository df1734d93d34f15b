//! The shell of the provider: opening and its errors, secrets, encryption, faults of server and
//! network, sessions and wake-ups. What a store does with a turn is checked by `conformance`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod encryption;
mod faults;
mod idle;
mod opening;
mod proxy;
mod secrets;
mod sessions;
mod support;
#[path = "../../../sqlite/tests/common/work.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod work;
