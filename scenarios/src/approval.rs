//! An activity, a person's decision, and what follows from it: the guide's approval workflow.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// The request is approved.
pub fn scenario() -> Scenario {
    Scenario {
        name: "approval",
        registry,
        orchestration: "ApprovalWorkflow",
        version: None,
        input: json!("a new bicycle"),
        steps: vec![
            Step::AwaitStatus("waiting for approval"),
            Step::Raise("approval", json!({ "approved": true })),
        ],
        expected: Outcome::Completed(json!("approved: a new bicycle bought")),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let request = activity(effects, |what: String| Ok(format!("may we buy {what}?")));
    let execute = activity(effects, |what: String| Ok(format!("{what} bought")));
    Registry::builder()
        .register_activity("RequestApproval", request)
        .register_activity("Execute", execute)
        .register_orchestration("ApprovalWorkflow", approval)
        .build()
}

#[derive(Deserialize)]
struct Decision {
    approved: bool,
}

async fn approval(ctx: OrchestrationContext, what: String) -> Result<String, OrchestrationError> {
    ctx.activity::<String>("RequestApproval", &what).await?;
    ctx.set_custom_status("waiting for approval")?;
    let decision: Decision = ctx.wait_event("approval").await?;
    if !decision.approved {
        return Ok("rejected".to_owned());
    }
    let done: String = ctx.activity("Execute", &what).await?;
    Ok(format!("approved: {done}"))
}
