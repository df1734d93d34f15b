//! The runtime.

pub mod host;
