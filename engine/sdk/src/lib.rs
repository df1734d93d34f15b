//! Writing orchestrations and activities in Rust, as async functions.
//!
//! An **orchestration** is a deterministic `async fn(OrchestrationContext, In) -> Result<Out, E>`.
//! It awaits only what its context gives: activities, timers, messages, children, and
//! [`join`](OrchestrationContext::join) and [`select`](OrchestrationContext::select) over
//! them. An **activity** is an `async fn(ActivityContext, In) -> Result<Out, E>` that may
//! do anything. A [`Registry`] names both.
//!
//! ```
//! use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
//!
//! async fn say_hello(_: ActivityContext, name: String) -> Result<String, String> {
//!     Ok(format!("Hello, {name}!"))
//! }
//!
//! async fn hello(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
//!     ctx.activity("SayHello", &name).await
//! }
//!
//! let registry = Registry::builder()
//!     .register_activity("SayHello", say_hello)
//!     .register_orchestration("HelloWorkflow", hello)
//!     .build()?;
//! assert_eq!(registry.activities().collect::<Vec<_>>(), ["SayHello"]);
//! # Ok::<(), duroxide_sdk::RegistryError>(())
//! ```
//!
//! Where names are known beforehand, declare them once with their types ([`Activity`],
//! [`Orchestration`]): a wrong input or output is then a compile error.
//!
//! Not here: where any of it runs (`duroxide-runtime`), and the rules of replay
//! (`duroxide-core`), which this crate only drives: see [`Coroutine`]. To try an
//! orchestration without a runtime, or to check that a new build still replays what an old
//! one recorded, see [`testing`].

mod activity;
mod calls;
mod codec;
mod context;
mod coroutine;
mod declare;
mod error;
mod group;
mod leaf;
mod registry;
mod retry;
mod shared;
pub mod testing;
mod trace;

pub use activity::{ActivityContext, ActivityFacts};
pub use calls::{ActivityCall, ChildCall};
pub use context::OrchestrationContext;
pub use coroutine::Coroutine;
pub use declare::{Activity, ActivityName, Callable, Orchestration, OrchestrationName, Startable};
pub use error::{OrchestrationError, panic_failure};
pub use group::{
    Branches, IntoBranches, Join, OneOf2, OneOf3, OneOf4, OneOf5, OneOf6, Select, Slot, Slots,
};
pub use leaf::Durable;
pub use registry::{ActivityFn, OrchestrationFn, Registry, RegistryBuilder, RegistryError};
pub use retry::Retried;

pub use duroxide_core::{Backoff, RetryPolicy};

/// A boxed future of user code.
pub type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
