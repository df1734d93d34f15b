//! A parent that runs two children, one under an id of its own choice, and adds up.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// Both children complete.
pub fn scenario() -> Scenario {
    Scenario {
        name: "child",
        registry,
        orchestration: "Parent",
        version: None,
        input: json!(20),
        steps: vec![],
        expected: Outcome::Completed(json!(82)),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity("Double", activity(effects, |n: u32| Ok(2 * n)))
        .register_orchestration("Parent", parent)
        .register_orchestration("Child", child)
        .build()
}

async fn parent(ctx: OrchestrationContext, n: u32) -> Result<u32, OrchestrationError> {
    let named = format!("{}-second", ctx.instance_id());
    let first = ctx.child::<u32>("Child", &n);
    let second = ctx.child::<u32>("Child", &(n + 1)).with_id(named);
    let (first, second) = ctx.join((first, second)).await;
    Ok(first? + second?)
}

async fn child(ctx: OrchestrationContext, n: u32) -> Result<u32, OrchestrationError> {
    ctx.activity("Double", &n).await
}
