//! Orchestrations with their inputs, what a client does to them, and how they must end.
//! The simulation, tests, benches and docs all run these.
//!
//! Not here: anything that runs them. A scenario is code for a registry and data.
//!
//! ```
//! let hello = duroxide_scenarios::hello::scenario();
//! let registry = (hello.registry)(&duroxide_scenarios::no_effects())?;
//! assert!(registry.latest(hello.orchestration).is_some());
//! # Ok::<(), duroxide_sdk::RegistryError>(())
//! ```

pub mod approval;
pub mod cancellation;
pub mod child;
pub mod clean_up;
pub mod continue_as_new;
pub mod fan_out;
pub mod hello;
pub mod nested;
pub mod queue;
pub mod race;
pub mod sequence;
pub mod twenty;

use duroxide_sdk::{ActivityContext, BoxFuture, Registry, RegistryError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// An orchestration with everything to run and judge it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name, unique among the scenarios.
    pub name: &'static str,
    /// Its code. Every attempt of every activity calls the given function first.
    pub registry: fn(&Effects) -> Result<Registry, RegistryError>,
    /// The orchestration to start.
    pub orchestration: &'static str,
    /// Its input.
    pub input: Value,
    /// What a client does after starting it, in this order.
    pub steps: Vec<Step>,
    /// How it must end.
    pub expected: Outcome,
    /// How long its timers take at least: who waits in real time may prefer another one.
    pub lasts: Duration,
}

/// What a client does.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Waits until the custom status is this.
    AwaitStatus(&'static str),
    /// Raises an event.
    Raise(&'static str, Value),
    /// Enqueues a message.
    Enqueue(&'static str, Value),
    /// Cancels, for this reason.
    Cancel(&'static str),
}

/// How an orchestration ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It returns this.
    Completed(Value),
    /// It fails with this message.
    Failed(&'static str),
}

/// What activities do to the world: called, and awaited, at the start of every attempt. A
/// test counts here; the simulation sleeps, dies and counts.
pub type Effects = Arc<dyn Fn(ActivityContext) -> BoxFuture<()> + Send + Sync>;

/// Activities that do nothing to the world.
pub fn no_effects() -> Effects {
    Arc::new(|_| Box::pin(std::future::ready(())))
}

/// Every scenario.
pub fn all() -> Vec<Scenario> {
    vec![
        hello::scenario(),
        sequence::scenario(10),
        fan_out::scenario(8),
        race::scenario(),
        race::timeout_scenario(),
        approval::scenario(),
        clean_up::scenario(),
        nested::scenario(),
        child::scenario(),
        continue_as_new::scenario(),
        queue::scenario(),
        cancellation::scenario(),
        twenty::scenario(1),
    ]
}

/// An activity that is its effects and then a plain function.
fn activity<In, Out>(
    effects: &Effects,
    body: fn(In) -> Result<Out, String>,
) -> impl Fn(ActivityContext, In) -> BoxFuture<Result<Out, String>> + Send + Sync + use<In, Out>
where
    In: DeserializeOwned + Send + 'static,
    Out: Serialize + 'static,
{
    let effects = Arc::clone(effects);
    move |ctx, input| {
        let happens = effects(ctx);
        Box::pin(async move {
            happens.await;
            body(input)
        })
    }
}
