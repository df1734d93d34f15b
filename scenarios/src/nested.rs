//! Combinators within combinators: all of (the faster of two replicas, and an activity),
//! against a deadline of an hour.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// The near replica answers; the far one asks again after an hour and loses.
pub fn scenario() -> Scenario {
    Scenario {
        name: "nested",
        registry,
        orchestration: "Nested",
        version: None,
        input: json!("price"),
        steps: vec![],
        expected: Outcome::Completed(json!("price=42 EUR")),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity("Read", activity(effects, |key: String| Ok(format!("{key}=42"))))
        .register_activity("Unit", activity(effects, |(): ()| Ok("EUR")))
        .register_orchestration("Nested", nested)
        .build()
}

async fn nested(ctx: OrchestrationContext, key: String) -> Result<String, OrchestrationError> {
    let near = ctx.activity::<String>("Read", &key);
    let far = async {
        ctx.timer(Duration::from_hours(1)).await?;
        ctx.activity::<String>("Read", &key).await
    };
    let replicas = ctx.select((near, far));
    let both = ctx.join((replicas, ctx.activity::<String>("Unit", &())));
    match ctx.select((both, ctx.timer(Duration::from_hours(1)))).await {
        OneOf2::First((OneOf2::First(value) | OneOf2::Second(value), unit)) => {
            Ok(format!("{} {}", value?, unit?))
        }
        OneOf2::Second(fired) => fired.and(Err("no answer".into())),
    }
}
