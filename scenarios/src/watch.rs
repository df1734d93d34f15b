//! A monitor that runs for ever: a probe, an alert when it fails, a pause, and on as a new
//! execution, so that history does not grow. It ends after a number of rounds, or when it is
//! told to stop.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{
    Activity, OneOf2, Orchestration, OrchestrationContext, OrchestrationError, Registry,
    RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Three rounds, all well.
pub fn scenario() -> Scenario {
    let expected = Outcome::Completed(json!("watched the gate for 3 rounds"));
    watch("watch", "the gate", 3, vec![], expected)
}

/// The mill breaks down in the second round; whoever is alerted stops the watch.
pub fn stopped_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("the mill is down"), Step::Raise("stop", json!("Ada"))];
    watch("watch-stopped", "the mill", u32::MAX, steps, Outcome::Completed(json!("stopped by Ada")))
}

fn watch(
    name: &'static str,
    what: &str,
    rounds: u32,
    steps: Vec<Step>,
    expected: Outcome,
) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: WATCH.name(),
        version: None,
        input: json!({ "what": what, "round": 1, "rounds": rounds, "alerted": false }),
        steps,
        expected,
        lasts: 2 * PAUSE,
    }
}

const PAUSE: Duration = Duration::from_millis(10);
const PROBE: Activity<(String, u32), bool> = Activity::new("Probe");
const ALERT: Activity<String, ()> = Activity::new("Alert");
const WATCH: Orchestration<Watching, String> = Orchestration::new("Watch");

#[derive(Clone, Serialize, Deserialize)]
struct Watching {
    what: String,
    round: u32,
    rounds: u32,
    alerted: bool,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let probe =
        activity(effects, |(what, round): (String, u32)| Ok(what != "the mill" || round < 2));
    Registry::builder()
        .register_activity(PROBE, probe)
        .register_activity(ALERT, activity(effects, |_| Ok(())))
        .register_orchestration(WATCH, watch_round)
        .build()
}

async fn watch_round(
    ctx: OrchestrationContext,
    mut state: Watching,
) -> Result<String, OrchestrationError> {
    let well = ctx.call(PROBE, &(state.what.clone(), state.round)).await?;
    if !well && !state.alerted {
        ctx.call(ALERT, &state.what).await?;
        ctx.set_custom_status(format!("{} is down", state.what))?;
        state.alerted = true;
    }
    if state.round == state.rounds {
        return Ok(format!("watched {} for {} rounds", state.what, state.rounds));
    }
    match ctx.select((ctx.wait_event::<String>("stop"), ctx.timer(PAUSE))).await {
        OneOf2::First(by) => Ok(format!("stopped by {}", by?)),
        OneOf2::Second(pause) => {
            pause?;
            state.round += 1;
            ctx.continue_as(WATCH, &state).await
        }
    }
}
