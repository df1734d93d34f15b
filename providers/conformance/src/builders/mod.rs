//! The words checks are written in: a [`Node`] leases, a [`Tenure`] is an instance it
//! holds, a [`Task`] an activity it holds, a turn is built step by step.

mod inbox;
mod node;
mod task;
mod tenure;
mod turn;

pub(crate) use inbox::describe;
pub(crate) use node::Node;
pub(crate) use task::Task;
pub(crate) use tenure::{Tenure, letters};
pub(crate) use turn::{TurnBuilder, trace};
