//! A consumer that takes one message an execution: the queue survives continue-as-new.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Three tasks, sent at once; the last one says so.
pub fn scenario() -> Scenario {
    let task = |id: u32, last: bool| Step::Enqueue("tasks", json!({ "id": id, "last": last }));
    Scenario {
        name: "queue",
        registry,
        orchestration: "WorkProcessor",
        version: None,
        input: json!([]),
        steps: vec![task(1, false), task(2, false), task(3, true)],
        expected: Outcome::Completed(json!([10, 20, 30])),
        lasts: Duration::ZERO,
    }
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity("ProcessTask", activity(effects, |id: u32| Ok(10 * id)))
        .register_orchestration("WorkProcessor", work)
        .build()
}

#[derive(Deserialize)]
struct Task {
    id: u32,
    last: bool,
}

async fn work(
    ctx: OrchestrationContext,
    mut done: Vec<u32>,
) -> Result<Vec<u32>, OrchestrationError> {
    let task: Task = ctx.dequeue("tasks").await?;
    done.push(ctx.activity("ProcessTask", &task.id).await?);
    if task.last {
        return Ok(done);
    }
    ctx.continue_as_new(&done).await
}
