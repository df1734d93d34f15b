//! The native addon of the npm package `duroxide`: stores, runtimes and clients for the
//! TypeScript in `ts/`, which alone uses it. Values cross as JSON text, so that each is
//! encoded once; errors cross as JSON too (`errors`).
//!
//! One turn: the engine asks [`host`] for it, the JavaScript thread is woken once for all
//! that is ready, drains the jobs, steps each generator against its [`execution`], and
//! answers by plain synchronous calls. Nothing here blocks a worker of tokio, and no
//! store is ever touched on the JavaScript thread.

mod client;
mod details;
mod errors;
mod execution;
mod history;
mod host;
mod jobs;
pub mod log;
mod recorded;
pub mod replay;
mod runtime;
pub mod store;
mod views;
