//! The reference model of a provider: the contract in plain Rust, to be read and to be
//! compared with. One mutex around a [`State`] of ordered maps; every method is a function
//! on it that checks first and then changes, so all or nothing needs no undoing.
//!
//! It knows no cost: it loops over whole tables where a store has an index. It knows no
//! disk: what it holds goes with its last handle. Nothing in it is random, not even an
//! order; time comes from [`Env`](duroxide_provider::env::Env).
//!
//! Read next: `state`, the tables; `commit`, the heart of it; `turns` and `activities`, which
//! hand out work; `calls`, whom it wakes.

mod activities;
mod calls;
mod clock;
mod commit;
mod ends;
mod fault;
mod inbox;
mod inspect;
mod leases;
mod manage;
mod provider;
mod quarantine;
mod reads;
mod release;
mod rows;
mod sessions;
mod state;
mod submit;
mod turns;
mod unclaimed;

pub use calls::Call;
pub use provider::{ModelProvider, Stored, Trouble};
pub use state::{Activity, Execution, Instance, Lease, Message, ParentLink, Session, State};
