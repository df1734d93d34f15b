//! Limits: large payloads, turns of more events than one commit takes, and calls beyond
//! what is allowed, which must fail by themselves and harm nothing else.
//!
//! What went wrong elsewhere: a limit violation recorded as both success and failure, a
//! parent that waited for ever for the child that broke one, output that cannot be stored.

use super::parts::{INSTANCES, instance, raise, same};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_core::FailureKind;
use duroxide_provider::InstanceState;
use duroxide_sdk::{
    ActivityContext, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
    RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const HAUL: &str = "Haul";
const COUNT_UP: &str = "CountUp";
const OVERDO: &str = "Overdo";
const BURST: &str = "Burst";
const TRUST: &str = "Trust";
const CARRY: &str = "Carry";
const LOAD: &str = "load";
const KIB: usize = 1 << 10;
/// More than any one payload may have.
const TOO_LARGE: usize = 17 << 20;
/// What `overdo` does too much of, in its order.
const OVERDONE: [&str; 6] = ["name", "tag", "id", "status", "key", "value"];

/// Instances at the limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtLimits;

/// Loads that are carried side by side, of so many bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Hauling {
    loads: Vec<usize>,
    /// And one that a client brings.
    brought: usize,
}

impl Workload for AtLimits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES).map(|number| plan(number, format!("limits-{number}"), dice)).collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let number = ended.plan.input.as_u64();
        match ended.plan.orchestration.as_str() {
            HAUL => {
                let hauling: Hauling = serde_json::from_value(ended.plan.input.clone())
                    .map_err(|error| error.to_string())?;
                let expected = hauling.loads.iter().sum::<usize>() + hauling.brought;
                same("carried", &ended.output()?, &expected)
            }
            COUNT_UP => same("counted", &ended.output()?, &number.unwrap_or_default()),
            OVERDO => {
                let refused: Vec<String> = ended.output()?;
                same("refused", &refused, &OVERDONE.map(str::to_owned).to_vec())
            }
            TRUST => same("heard", &ended.output::<String>()?.as_str(), &"limit"),
            _ => match ended.state {
                InstanceState::Failed { failure } => {
                    same("failure", &failure.kind, &FailureKind::Limit)
                }
                other => Err(format!("it ended with {other:?}")),
            },
        }
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder
        .register_orchestration(HAUL, haul)
        .register_orchestration(COUNT_UP, count_up)
        .register_orchestration(OVERDO, overdo)
        .register_orchestration(BURST, burst)
        .register_orchestration(TRUST, trust)
        .register_activity(CARRY, |_: ActivityContext, bytes: usize| async move {
            Ok::<_, String>("x".repeat(bytes))
        })
}

fn plan(number: u64, id: String, dice: &mut Dice) -> InstancePlan {
    match number {
        // More events in one turn than a commit takes.
        1 => instance(id, COUNT_UP, &dice.within(990..=1_100), dice),
        2..=3 => instance(id, COUNT_UP, &dice.within(1..=200), dice),
        4..=7 => instance(id, OVERDO, &(), dice),
        8..=10 => instance(id, TRUST, &false, dice),
        11..=12 => instance(id, BURST, &false, dice),
        // A result, or an output, that no store takes.
        13 if dice.percent(10) => {
            instance(id, if dice.percent(50) { TRUST } else { BURST }, &true, dice)
        }
        _ => {
            let size = |dice: &mut Dice| dice.pick(&[1, 100, 4 * KIB, 20 * KIB, 90 * KIB]);
            let loads = (0..dice.within(0..=4)).map(|_| size(dice)).collect();
            let brought = size(dice);
            let hauling = Hauling { loads, brought };
            instance(id, HAUL, &hauling, dice)
                .then(dice.pick(&[0, 30, 2_000]), raise(LOAD, "x".repeat(brought)))
        }
    }
}

async fn haul(ctx: OrchestrationContext, hauling: Hauling) -> Result<usize, OrchestrationError> {
    let each: Vec<_> =
        hauling.loads.iter().map(|bytes| ctx.activity::<String>(CARRY, bytes)).collect();
    let (carried, brought) = ctx.join((ctx.join(each), ctx.wait_event::<String>(LOAD))).await;
    let carried: Vec<_> = carried.into_iter().collect::<Result<_, _>>()?;
    // As values they fit only in part.
    for (place, load) in carried.iter().enumerate().filter(|(_, load)| load.len() <= 64 * KIB) {
        ctx.set_value(&place.to_string(), load)?;
    }
    Ok(carried.iter().map(String::len).sum::<usize>() + brought?.len())
}

/// Each number is an event.
async fn count_up(ctx: OrchestrationContext, to: u64) -> Result<u64, OrchestrationError> {
    for number in 1..=to {
        ctx.set_value("number", &number.to_string())?;
    }
    let counted: String = ctx.activity(CARRY, &(to as usize)).await?;
    Ok(counted.len() as u64)
}

/// What of all this was refused, and nothing of it done.
async fn overdo(ctx: OrchestrationContext, (): ()) -> Result<Vec<String>, OrchestrationError> {
    let long = |bytes: usize| "x".repeat(bytes + 1);
    let all = [
        ctx.activity::<String>(&long(256), &1).await.err(),
        ctx.activity::<String>(CARRY, &1).with_tag(long(256)).await.err(),
        ctx.child::<String>(BURST, &false).with_id(long(KIB)).await.err(),
        ctx.set_custom_status(long(256 * KIB)).err(),
        ctx.set_value(&long(KIB), "value").err(),
        ctx.set_value("key", &long(64 * KIB)).err(),
    ];
    if ctx.custom_status().is_some() || !ctx.all_values()?.is_empty() {
        return Err("what was refused was done".into());
    }
    // Afterwards it goes on as if nothing had been.
    ctx.activity::<String>(CARRY, &1).await?;
    let is_limit = |error: &Option<OrchestrationError>| {
        error.as_ref().is_some_and(OrchestrationError::is_limit)
    };
    let refused = OVERDONE.iter().zip(&all).filter(|(_, error)| is_limit(error));
    Ok(refused.map(|(name, _)| (*name).to_owned()).collect())
}

/// Breaks a limit and does not care: with what it returns, or with a call.
async fn burst(ctx: OrchestrationContext, returns: bool) -> Result<String, OrchestrationError> {
    ctx.activity::<String>(CARRY, &1).await?;
    if returns {
        return Ok("x".repeat(TOO_LARGE));
    }
    ctx.set_value("key", &"x".repeat(65 * KIB))?;
    Ok("it was accepted".to_owned())
}

/// Hears of a child, or an activity, that broke one.
async fn trust(ctx: OrchestrationContext, carries: bool) -> Result<String, OrchestrationError> {
    let heard = if carries {
        ctx.activity::<String>(CARRY, &TOO_LARGE).await
    } else {
        ctx.child::<String>(BURST, &false).await
    };
    match heard {
        Err(error) if error.is_limit() => Ok("limit".to_owned()),
        other => Err(format!("{:?}", other.map(|heard| heard.len())).into()),
    }
}
