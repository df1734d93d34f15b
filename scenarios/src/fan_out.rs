//! Many activities at once, and their results together.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// Sums the squares of the numbers below `width`.
pub fn scenario(width: u64) -> Scenario {
    Scenario {
        name: "fan-out",
        registry,
        orchestration: "FanOut",
        version: None,
        input: json!((0..width).collect::<Vec<_>>()),
        steps: vec![],
        expected: Outcome::Completed(json!((0..width).map(|n| n * n).sum::<u64>())),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity("Square", activity(effects, |n: u64| Ok(n * n)))
        .register_orchestration("FanOut", fan_out)
        .build()
}

async fn fan_out(ctx: OrchestrationContext, numbers: Vec<u64>) -> Result<u64, OrchestrationError> {
    let squares: Vec<_> = numbers.iter().map(|n| ctx.activity::<u64>("Square", n)).collect();
    ctx.join(squares).await.into_iter().sum()
}
