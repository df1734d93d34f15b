//! A rolling upgrade of nodes, and of the orchestration itself: version 1 upgrades one node
//! and goes on as version 2, which takes the others one by one, looks after each whether it
//! is well, and takes everything back if one is not.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{
    Activity, Orchestration, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Begun by version 1, finished by version 2.
pub fn scenario() -> Scenario {
    Scenario {
        name: "rollout",
        registry,
        orchestration: ROLLOUT_1.name(),
        version: Some("1.0.0"),
        input: json!(["n1", "n2", "n3"]),
        steps: vec![],
        expected: Outcome::Completed(json!(["n1", "n2", "n3"])),
        lasts: 2 * SETTLE,
    }
}

/// Begun by version 2; the second node is not well, and both go back.
pub fn rolled_back_scenario() -> Scenario {
    Scenario {
        name: "rollout-rolled-back",
        registry,
        orchestration: ROLLOUT_2.name(),
        version: None,
        input: json!({ "upgraded": [], "left": ["n1", "sick", "n3"] }),
        steps: vec![],
        expected: Outcome::Failed("sick is not well"),
        lasts: 2 * SETTLE,
    }
}

/// How long a node is given before it is looked at.
const SETTLE: Duration = Duration::from_millis(10);

const UPGRADE: Activity<String, ()> = Activity::new("Upgrade");
const IS_WELL: Activity<String, bool> = Activity::new("IsWell");
const DOWNGRADE: Activity<String, ()> = Activity::new("Downgrade");
const ROLLOUT_1: Orchestration<Vec<String>, Vec<String>> = Orchestration::new("Rollout");
const ROLLOUT_2: Orchestration<Fleet, Vec<String>> = Orchestration::new("Rollout").version("2.0.0");

#[derive(Serialize, Deserialize)]
struct Fleet {
    upgraded: Vec<String>,
    left: Vec<String>,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity(UPGRADE, activity(effects, |_| Ok(())))
        .register_activity(IS_WELL, activity(effects, |node| Ok(node != "sick")))
        .register_activity(DOWNGRADE, activity(effects, |_| Ok(())))
        .register_orchestration(ROLLOUT_1, upgrade_one)
        .register_orchestration(ROLLOUT_2, upgrade_all)
        .build()
}

/// Version 1 knew no health checks. Its input is another one than version 2's, so it says
/// which version it goes on as.
async fn upgrade_one(
    ctx: OrchestrationContext,
    nodes: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let Some((first, left)) = nodes.split_first() else { return Ok(nodes) };
    ctx.call(UPGRADE, first).await?;
    let fleet = Fleet { upgraded: vec![first.clone()], left: left.to_vec() };
    ctx.continue_as(ROLLOUT_2.pinned(), &fleet).await
}

async fn upgrade_all(
    ctx: OrchestrationContext,
    fleet: Fleet,
) -> Result<Vec<String>, OrchestrationError> {
    let Fleet { mut upgraded, left } = fleet;
    for node in left {
        ctx.set_custom_status(format!("upgrading {node}"))?;
        ctx.call(UPGRADE, &node).await?;
        upgraded.push(node.clone());
        ctx.timer(SETTLE).await?;
        if !ctx.call(IS_WELL, &node).await? {
            ctx.set_custom_status("rolling back")?;
            for node in upgraded.iter().rev() {
                ctx.call(DOWNGRADE, node).await?;
            }
            return Err(format!("{node} is not well").into());
        }
    }
    Ok(upgraded)
}
