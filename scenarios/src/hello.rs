//! The guide's minimal example: one activity.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Greets the World.
pub fn scenario() -> Scenario {
    Scenario {
        name: "hello",
        registry,
        orchestration: "HelloWorkflow",
        version: None,
        input: json!({ "name": "World" }),
        steps: vec![],
        expected: Outcome::Completed(json!("Hello, World!")),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity(
            "SayHello",
            activity(effects, |name: String| Ok(format!("Hello, {name}!"))),
        )
        .register_orchestration("HelloWorkflow", hello)
        .build()
}

/// Whom to greet.
#[derive(Deserialize)]
struct Input {
    name: String,
}

async fn hello(ctx: OrchestrationContext, input: Input) -> Result<String, OrchestrationError> {
    ctx.activity("SayHello", &input.name).await
}
