//! An approval that escalates: whoever does not decide in time is passed over, and the next
//! one is asked.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{
    Activity, OneOf2, Orchestration, OrchestrationContext, OrchestrationError, Registry,
    RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// The first one is silent, the second approves.
pub fn scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("waiting for Bob"), Step::Raise("decision", json!(true))];
    escalation("escalation", [10, DAY_MS], steps, Outcome::Completed(json!("approved by Bob")))
}

/// The first one says no, and nobody else is asked.
pub fn rejected_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("waiting for Ada"), Step::Raise("decision", json!(false))];
    let expected = Outcome::Completed(json!("rejected by Ada"));
    escalation("escalation-rejected", [DAY_MS, DAY_MS], steps, expected)
}

/// Nobody decides.
pub fn exhausted_scenario() -> Scenario {
    let expected = Outcome::Failed("nobody decided");
    escalation("escalation-exhausted", [10, 10], vec![], expected)
}

const DAY_MS: u64 = 86_400_000;

/// Ada is asked first, then Bob; each has so much patience, in ms.
fn escalation(
    name: &'static str,
    [ada, bob]: [u64; 2],
    steps: Vec<Step>,
    expected: Outcome,
) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: APPROVE.name(),
        version: None,
        input: json!({ "what": "a new bicycle", "approvers": [
            { "name": "Ada", "patience_ms": ada },
            { "name": "Bob", "patience_ms": bob },
        ] }),
        steps,
        expected,
        lasts: Duration::from_millis(20),
    }
}

const ASK: Activity<(String, String), ()> = Activity::new("Ask");
const APPROVE: Orchestration<Request, String> = Orchestration::new("Approve");

#[derive(Serialize, Deserialize)]
struct Request {
    what: String,
    approvers: Vec<Approver>,
}

#[derive(Serialize, Deserialize)]
struct Approver {
    name: String,
    patience_ms: u64,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity(ASK, activity(effects, |_| Ok(())))
        .register_orchestration(APPROVE, approve)
        .build()
}

async fn approve(
    ctx: OrchestrationContext,
    request: Request,
) -> Result<String, OrchestrationError> {
    for Approver { name, patience_ms } in request.approvers {
        ctx.call(ASK, &(name.clone(), request.what.clone())).await?;
        ctx.set_custom_status(format!("waiting for {name}"))?;
        let decision = ctx.wait_event::<bool>("decision");
        match ctx.select((decision, ctx.timer(Duration::from_millis(patience_ms)))).await {
            OneOf2::First(Ok(true)) => return Ok(format!("approved by {name}")),
            OneOf2::First(Ok(false)) => return Ok(format!("rejected by {name}")),
            OneOf2::First(Err(error)) => return Err(error),
            OneOf2::Second(patience) => patience?,
        }
    }
    Err("nobody decided".into())
}
