//! A step fails; what was done before is undone; the run fails with what went wrong.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde_json::json;
use std::time::Duration;

/// The card is declined after the seat was reserved.
pub fn scenario() -> Scenario {
    Scenario {
        name: "clean-up",
        registry,
        orchestration: "BookSeat",
        version: None,
        input: json!("12A"),
        steps: vec![],
        expected: Outcome::Failed("card declined"),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let charge = activity(effects, |_: String| Err::<(), _>("card declined".to_owned()));
    Registry::builder()
        .register_activity("Reserve", activity(effects, |seat: String| Ok(seat)))
        .register_activity("Charge", charge)
        .register_activity("Release", activity(effects, |_: String| Ok(())))
        .register_orchestration("BookSeat", book_seat)
        .build()
}

async fn book_seat(ctx: OrchestrationContext, seat: String) -> Result<String, OrchestrationError> {
    let reserved: String = ctx.activity("Reserve", &seat).await?;
    match ctx.activity::<()>("Charge", &reserved).await {
        Ok(()) => Ok(reserved),
        Err(error) => {
            ctx.activity::<()>("Release", &reserved).await?;
            Err(error)
        }
    }
}
