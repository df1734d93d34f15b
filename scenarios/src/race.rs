//! An activity against a timer: it wins, or it is too slow and is cancelled.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The activity answers long before the hour is over.
pub fn scenario() -> Scenario {
    Scenario {
        name: "race",
        registry,
        orchestration: "Race",
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
        input: json!({ "limit_ms": 20, "service": "SlowService" }),
        steps: vec![],
        expected: Outcome::Completed(json!("timed out")),
        lasts: Duration::from_millis(20),
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let fast = activity(effects, |(): ()| Ok("answered"));
    let effects = Arc::clone(effects);
    let slow = move |ctx: ActivityContext, (): ()| {
        let effects = Arc::clone(&effects);
        async move {
            effects(ctx.clone()).await;
            ctx.cancelled().await;
            Err::<String, _>("stopped")
        }
    };
    Registry::builder()
        .register_activity("FastService", fast)
        .register_activity("SlowService", slow)
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
