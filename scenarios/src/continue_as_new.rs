//! A loop without a growing history: each round is an execution of its own.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Three rounds.
pub fn scenario() -> Scenario {
    Scenario {
        name: "continue-as-new",
        registry,
        orchestration: "Monitor",
        version: None,
        input: json!({ "healthy": 0, "round": 1 }),
        steps: vec![],
        expected: Outcome::Completed(json!("healthy in 2 of 3 rounds")),
        lasts: Duration::from_millis(20),
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity("CheckHealth", activity(effects, |round: u32| Ok(round != 2)))
        .register_orchestration("Monitor", monitor)
        .build()
}

#[derive(Serialize, Deserialize)]
struct State {
    healthy: u32,
    round: u32,
}

async fn monitor(ctx: OrchestrationContext, state: State) -> Result<String, OrchestrationError> {
    let healthy: bool = ctx.activity("CheckHealth", &state.round).await?;
    let healthy = state.healthy + u32::from(healthy);
    if state.round == 3 {
        return Ok(format!("healthy in {healthy} of {} rounds", state.round));
    }
    ctx.set_custom_status(format!("round {} done", state.round))?;
    ctx.timer(Duration::from_millis(10)).await?;
    ctx.continue_as_new(&State { round: state.round + 1, healthy }).await
}
