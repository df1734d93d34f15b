//! An activity against a timer: it wins, or it is too slow and is cancelled.

use crate::{Effects, Outcome, Scenario, activity, until_cancelled};
use duroxide_sdk::{OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// The activity answers long before the hour is over.
pub fn scenario() -> Scenario {
    Scenario {
        name: "race",
        registry,
        orchestration: "Race",
        version: None,
        input: json!({ "limit_ms": 3_600_000, "service": "FastService" }),
        steps: vec![],
        expected: Outcome::Completed(json!("answered")),
        lasts: Duration::ZERO,
    }
}

/// The activity answers only when it is told that nobody wants to know any more.
pub fn timeout_scenario() -> Scenario {
    Scenario {
        name: "timeout",
        registry,
        orchestration: "Race",
        version: None,
        input: json!({ "limit_ms": 20, "service": "SlowService" }),
        steps: vec![],
        expected: Outcome::Completed(json!("timed out")),
        lasts: Duration::from_millis(20),
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let fast = activity(effects, |(): ()| Ok("answered"));
    Registry::builder()
        .register_activity("FastService", fast)
        .register_activity("SlowService", until_cancelled::<(), String>(effects))
        .register_orchestration("Race", race)
        .build()
}

#[derive(serde::Deserialize)]
struct Input {
    service: String,
    limit_ms: u64,
}

async fn race(ctx: OrchestrationContext, input: Input) -> Result<String, OrchestrationError> {
    let answer = ctx.activity(&input.service, &());
    let limit = ctx.timer(Duration::from_millis(input.limit_ms));
    match ctx.select((answer, limit)).await {
        OneOf2::First(answer) => answer,
        OneOf2::Second(fired) => fired.map(|()| "timed out".to_owned()),
    }
}
