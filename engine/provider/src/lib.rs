//! The provider's contract: everything durable goes through [`Provider`]; reads and
//! management go through [`Inspect`]. Also here: the [`Env`](env::Env) traits that the
//! engine and its providers are written against. No IO, no implementation of any of it.
//!
//! What a provider must guarantee stands at each method; what recovery may assume
//! follows from it. `duroxide-conformance` checks it.

pub mod env;
mod error;
mod ids;
mod inspect;
mod limits;
mod provider;
mod requests;
mod unclaimed;

pub use error::{ActivityFate, CommitRefusal, ProviderError};
pub use ids::{
    ActivityKey, CommitId, Incarnation, InstanceKey, LeaseId, Namespace, NodeId, RequestId, WakeSeq,
};
pub use inspect::{
    Deleted, ExecutionInfo, Inspect, InstanceInfo, InstanceState, InstanceStats, InstanceTree,
    ListFilter, Page, PruneRule, Pruned, QueueDepths, Selection, SystemMetrics, WatchRequest,
};
pub use provider::{Provider, Store};
pub use requests::*;
pub use unclaimed::{Unclaimed, UnclaimedName, UnclaimedNames, Work};
