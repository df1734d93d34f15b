//! Activities one after another, each fed with the result of the one before.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// Counts to `steps`.
pub fn scenario(steps: u32) -> Scenario {
    Scenario {
        name: "sequence",
        registry,
        orchestration: "Sequence",
        version: None,
        input: json!(steps),
        steps: vec![],
        expected: Outcome::Completed(json!(steps)),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity("AddOne", activity(effects, |n: u32| Ok(n + 1)))
        .register_orchestration("Sequence", sequence)
        .build()
}

async fn sequence(ctx: OrchestrationContext, steps: u32) -> Result<u32, OrchestrationError> {
    let mut count = 0;
    for _ in 0..steps {
        count = ctx.activity("AddOne", &count).await?;
    }
    Ok(count)
}
