//! A machine is created and asked again and again whether it is ready, until a deadline; one
//! that is not ready in time, or not wanted any more, is torn down.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{
    Activity, OneOf2, Orchestration, OrchestrationContext, OrchestrationError, Registry,
    RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Ready when asked for the third time; a monitor of its own takes over.
pub fn scenario() -> Scenario {
    let expected = Outcome::Completed(json!("vm-7 is ready after 3 polls"));
    provisioning("provisioning", (3, HOUR_MS), vec![], expected)
}

/// Never ready: the deadline passes.
pub fn deadline_scenario() -> Scenario {
    let expected = Outcome::Failed("vm-7 was not ready in time");
    provisioning("provisioning-deadline", (u32::MAX, 25), vec![], expected)
}

/// Not wanted any more.
pub fn cancelled_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("waiting for vm-7"), Step::Cancel("too expensive")];
    let expected = Outcome::Failed("canceled: too expensive");
    provisioning("provisioning-cancelled", (u32::MAX, HOUR_MS), steps, expected)
}

const HOUR_MS: u64 = 3_600_000;

fn provisioning(
    name: &'static str,
    (ready_after, deadline_ms): (u32, u64),
    steps: Vec<Step>,
    expected: Outcome,
) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: PROVISION.name(),
        version: None,
        input: json!({ "machine": "vm-7", "ready_after": ready_after, "deadline_ms": deadline_ms }),
        steps,
        expected,
        lasts: Duration::from_millis(25),
    }
}

const CREATE: Activity<String, ()> = Activity::new("Create");
const IS_READY: Activity<(u32, u32), bool> = Activity::new("IsReady");
const TEAR_DOWN: Activity<String, ()> = Activity::new("TearDown");
const PROVISION: Orchestration<Wish, String> = Orchestration::new("Provision");
const MONITOR: Orchestration<String, ()> = Orchestration::new("MonitorMachine");

#[derive(Serialize, Deserialize)]
struct Wish {
    machine: String,
    ready_after: u32,
    deadline_ms: u64,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let is_ready = activity(effects, |(poll, ready_after)| Ok(poll >= ready_after));
    let monitor = |_: OrchestrationContext, _| async { Ok::<_, OrchestrationError>(()) };
    Registry::builder()
        .register_activity(CREATE, activity(effects, |_| Ok(())))
        .register_activity(IS_READY, is_ready)
        .register_activity(TEAR_DOWN, activity(effects, |_| Ok(())))
        .register_orchestration(PROVISION, provision)
        .register_orchestration(MONITOR, monitor)
        .build()
}

async fn provision(ctx: OrchestrationContext, wish: Wish) -> Result<String, OrchestrationError> {
    let machine = &wish.machine;
    ctx.call(CREATE, machine).await?;
    ctx.set_value("machine", machine)?;
    ctx.set_custom_status(format!("waiting for {machine}"))?;
    let deadline = ctx.timer(Duration::from_millis(wish.deadline_ms));
    let polls = match ctx.select((until_ready(&ctx, &wish), deadline)).await {
        OneOf2::First(polls) => polls,
        OneOf2::Second(passed) => {
            passed.and(Err(format!("{machine} was not ready in time").into()))
        }
    };
    match polls {
        Ok(polls) => {
            ctx.start_detached(MONITOR, format!("monitor-{machine}"), machine)?;
            Ok(format!("{machine} is ready after {polls} polls"))
        }
        Err(error) => {
            ctx.call(TEAR_DOWN, machine).await?;
            ctx.clear_value("machine")?;
            Err(error)
        }
    }
}

/// How often it was asked until it was ready.
async fn until_ready(ctx: &OrchestrationContext, wish: &Wish) -> Result<u32, OrchestrationError> {
    let mut poll = 1;
    while !ctx.call(IS_READY, &(poll, wish.ready_after)).await? {
        ctx.timer(Duration::from_millis(10)).await?;
        poll += 1;
    }
    Ok(poll)
}
