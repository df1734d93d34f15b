//! What the first simulation runs twenty of: activities, a timer of an hour, and an event.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// The hour in which an order can be taken back.
pub const COOLING_OFF: Duration = Duration::from_hours(1);

/// One order; different numbers give different results.
pub fn scenario(number: u32) -> Scenario {
    Scenario {
        name: "twenty",
        registry,
        orchestration: "Order",
        version: None,
        input: json!(number),
        steps: vec![Step::Raise("confirm", json!(format!("client {number}")))],
        expected: Outcome::Completed(json!(format!(
            "order {number} reserved, confirmed by client {number}, charged, shipped"
        ))),
        lasts: COOLING_OFF,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let reserve = activity(effects, |number: u32| Ok(format!("order {number} reserved")));
    let charge = activity(effects, |order: String| Ok(format!("{order}, charged")));
    let ship = activity(effects, |order: String| Ok(format!("{order}, shipped")));
    Registry::builder()
        .register_activity("Reserve", reserve)
        .register_activity("Charge", charge)
        .register_activity("Ship", ship)
        .register_orchestration("Order", order)
        .build()
}

async fn order(ctx: OrchestrationContext, number: u32) -> Result<String, OrchestrationError> {
    let reserved: String = ctx.activity("Reserve", &number).await?;
    let confirmed = ctx.wait_event::<String>("confirm");
    let (over, by) = ctx.join((ctx.timer(COOLING_OFF), confirmed)).await;
    over?;
    let confirmed = format!("{reserved}, confirmed by {}", by?);
    let charged: String = ctx.activity("Charge", &confirmed).await?;
    ctx.activity("Ship", &charged).await
}
