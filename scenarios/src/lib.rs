//! Orchestrations with their inputs, what a client does to them, and how they must end.
//! Tests run these by hand, on the runtime and against reviewed histories.
//!
//! A scenario is code for a registry and data. Not here: anything that runs them on a
//! runtime. [`by_hand`] plays them without one.
//!
//! Small ones show one thing each (`hello`, `race`, `queue` …). Ten are what real systems have:
//! [`order`], [`escalation`], [`chat`], [`watch`], [`import`], [`provisioning`], [`billing`],
//! [`transfer`], [`batch`], [`rollout`]; each with what goes wrong as scenarios of their own.
//!
//! ```
//! let hello = duroxide_scenarios::hello::scenario();
//! let registry = (hello.registry)(&duroxide_scenarios::no_effects())?;
//! assert!(registry.latest(hello.orchestration).is_some());
//! # Ok::<(), duroxide_sdk::RegistryError>(())
//! ```

pub mod approval;
pub mod batch;
pub mod billing;
pub mod by_hand;
pub mod cancellation;
pub mod chat;
pub mod child;
pub mod clean_up;
pub mod continue_as_new;
pub mod escalation;
pub mod fan_out;
pub mod hello;
pub mod import;
pub mod nested;
pub mod order;
pub mod provisioning;
pub mod queue;
pub mod race;
pub mod rollout;
pub mod sequence;
pub mod transfer;
pub mod twenty;
pub mod watch;

use duroxide_sdk::{ActivityContext, BoxFuture, Registry, RegistryError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Its version, if not the latest.
    pub version: Option<&'static str>,
    /// Its input.
    pub input: Value,
    /// What a client does after starting it, in this order.
    pub steps: Vec<Step>,
    /// How it must end.
    pub expected: Outcome,
    /// How long its timers take, roughly: who waits in real time may prefer another one.
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
        order::scenario(),
        order::declined_scenario(),
        order::no_courier_scenario(),
        order::cancelled_scenario(),
        escalation::scenario(),
        escalation::rejected_scenario(),
        escalation::exhausted_scenario(),
        chat::scenario(),
        chat::cancelled_scenario(),
        watch::scenario(),
        watch::stopped_scenario(),
        import::scenario(),
        import::partial_scenario(),
        import::cancelled_scenario(),
        provisioning::scenario(),
        provisioning::deadline_scenario(),
        provisioning::cancelled_scenario(),
        billing::scenario(),
        billing::dunning_scenario(),
        billing::cancelled_scenario(),
        transfer::scenario(),
        transfer::refused_scenario(),
        transfer::reverted_scenario(),
        batch::scenario(),
        batch::cancelled_scenario(),
        rollout::scenario(),
        rollout::rolled_back_scenario(),
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

/// An activity that goes on until nobody wants its outcome any more.
fn until_cancelled<In, Out>(
    effects: &Effects,
) -> impl Fn(ActivityContext, In) -> BoxFuture<Result<Out, String>> + Send + Sync + use<In, Out>
where
    In: DeserializeOwned + Send + 'static,
    Out: Serialize + 'static,
{
    let effects = Arc::clone(effects);
    move |ctx, _| {
        let happens = effects(ctx.clone());
        Box::pin(async move {
            happens.await;
            ctx.cancelled().await;
            Err("stopped".to_owned())
        })
    }
}

/// An activity whose first calls for an instance fail with `message`, as many as `failures`
/// says of its input, and whose later ones succeed.
fn failing_first<In>(
    effects: &Effects,
    failures: fn(&In) -> u32,
    message: &'static str,
) -> impl Fn(ActivityContext, In) -> BoxFuture<Result<(), String>> + Send + Sync + use<In>
where
    In: DeserializeOwned + Send + 'static,
{
    let effects = Arc::clone(effects);
    let calls = Mutex::new(BTreeMap::<String, u32>::new());
    move |ctx, input| {
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(ctx.instance_id().to_owned()).or_default();
        *count += 1;
        let outcome = if *count > failures(&input) { Ok(()) } else { Err(message.to_owned()) };
        let happens = effects(ctx);
        Box::pin(async move {
            happens.await;
            outcome
        })
    }
}
