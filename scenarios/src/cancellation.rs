//! A client cancels; the pending await fails, clean-up runs, and the run says why it ended.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// Cancelled while it waits for an event that never comes.
pub fn scenario() -> Scenario {
    Scenario {
        name: "cancellation",
        registry,
        orchestration: "Lease",
        version: None,
        input: json!("machine-7"),
        steps: vec![Step::AwaitStatus("leased machine-7"), Step::Cancel("no longer needed")],
        expected: Outcome::Failed("canceled: no longer needed"),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity("Acquire", activity(effects, |what: String| Ok(what)))
        .register_activity("GiveBack", activity(effects, |_: String| Ok(())))
        .register_orchestration("Lease", lease)
        .build()
}

async fn lease(ctx: OrchestrationContext, what: String) -> Result<(), OrchestrationError> {
    let machine: String = ctx.activity("Acquire", &what).await?;
    ctx.set_custom_status(format!("leased {machine}"))?;
    let returned = ctx.wait_event::<()>("returned").await;
    ctx.activity::<()>("GiveBack", &machine).await?;
    returned
}
