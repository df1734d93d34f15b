//! What the end-to-end tests share: a workflow of steps whose side effects are counted in
//! a file, nodes in this process and in processes of their own, and waiting for a state
//! with a bound that fails instead of hanging. The tests are in `tests/`. Not here: any
//! simulated time or fault; these tests use real files, processes and signals.

pub mod chaos;
mod node;
mod process;
mod scratch;
mod steps;
mod wait;

pub use node::{LEASE, Node, client, open};
pub use process::Process;
pub use scratch::Scratch;
pub use steps::{Effect, Phase, World, registry};
pub use wait::{PATIENCE, until};
