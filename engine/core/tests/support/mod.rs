//! Shared by the core's tests: random programs and the world they run in.
pub(crate) mod program;
pub(crate) mod world;
