//! The provider contract over an injectable network: [`serve`] puts any store behind a
//! listener, [`RemoteProvider`] is that store as seen from another node.
//!
//! What it adds to the contract is only distance. Frames are length-delimited JSON, one
//! connection carries any number of calls at once, and an answer that was lost is asked for
//! again with the same request: every method is safe to send twice by its ids.
//!
//! Not here: a store, encryption (a [`Network`](duroxide_provider::env::Network) that speaks
//! TLS gives it), or heartbeats: an idle client owns no timer, a dead connection is noticed
//! by the deadline of the next call.
//!
//! Where to read next: [`Call`](call::Call) is what crosses the wire, `server::connection`
//! answers it, `client::driver` asks it.

mod alarm;
mod call;
mod client;
mod frames;
#[cfg(test)]
mod fuzz;
mod server;
mod token;
mod wire;

pub use client::{Backoff, ClientOptions, RemoteProvider};
pub use server::{ServerOptions, serve};
pub use token::Token;
pub use wire::PROTOCOL;
