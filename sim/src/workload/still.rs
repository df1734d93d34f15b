//! A store in which nearly nothing happens: a few instances, minutes apart, each of which needs
//! one thing to wake it. A time-out of work that never ends, timers as short as a commit, more
//! starts at once than nodes take, with nothing after them that would make up for it.
//!
//! What went wrong elsewhere: wake-ups that were forgotten, and made up for by the next one.

use super::parts::{instance, same};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_runtime::RuntimeOptions;
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const ALONE: &str = "Alone";
const LEAVES: &str = "Leaves";
const ENDLESS: &str = "Endless";
/// How far apart the groups of instances are: longer than leases, and than a node waits before
/// it looks by itself.
const APART_MS: u64 = 400_000;
const GROUPS: u64 = 4;

/// Instances that wait by themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Still;

/// What an instance does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Wait {
    /// For so long, beside so many activities that never end.
    Outlast(u64, u64),
    /// For these times, one after the other.
    Blink(Vec<u64>),
    /// Sees so many others off, all at once, and then for so long.
    Crowd(u64, u64),
}

impl Workload for Still {
    fn name(&self) -> &'static str {
        "still"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        Registry::builder()
            .register_orchestration(ALONE, alone)
            .register_orchestration(LEAVES, |_: OrchestrationContext, place: u64| async move {
                Ok::<_, OrchestrationError>(place)
            })
            .register_activity(ENDLESS, |ctx: ActivityContext, (): ()| async move {
                ctx.cancelled().await;
                Err::<(), _>("it was told to stop")
            })
            .build()
    }

    /// Little room: what one node cannot take is for the others.
    fn options(&self, _: u32) -> RuntimeOptions {
        RuntimeOptions {
            orchestration_concurrency: 2,
            worker_concurrency: 2,
            ..RuntimeOptions::default()
        }
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        let mut all = Vec::new();
        for group in 1..=GROUPS {
            let wait = wait(dice);
            // Those that blink do it in the same moment.
            let twins = if matches!(wait, Wait::Blink(_)) { dice.within(2..=3) } else { 1 };
            for twin in 1..=twins {
                let id = format!("still-{group}-{twin}");
                let starts_ms = group * APART_MS;
                all.push(InstancePlan { starts_ms, ..instance(id, ALONE, &wait, dice) });
            }
        }
        all
    }

    /// What other faults delay says nothing of a wake-up.
    fn gentle(&self) -> u64 {
        70
    }

    fn lasts(&self) -> Duration {
        Duration::from_millis(GROUPS * APART_MS) + Duration::from_mins(10)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        same("what it said", &ended.output()?, &"waited".to_owned())
    }
}

fn wait(dice: &mut Dice) -> Wait {
    match dice.within(1..=3) {
        1 => Wait::Outlast(dice.pick(&[300, 7_000, 20_000, 100_000]), dice.within(1..=4)),
        2 => Wait::Blink((0..dice.within(5..=20)).map(|_| dice.within(0..=9)).collect()),
        _ => Wait::Crowd(dice.within(3..=16), dice.pick(&[0, 40, 20_000])),
    }
}

async fn alone(ctx: OrchestrationContext, wait: Wait) -> Result<String, OrchestrationError> {
    let sleep = |ms| ctx.timer(Duration::from_millis(ms));
    match wait {
        Wait::Outlast(ms, beside) => {
            let endless: Vec<_> = (0..beside).map(|_| ctx.activity::<()>(ENDLESS, &())).collect();
            match ctx.select((ctx.select(endless), sleep(ms))).await {
                OneOf2::First((place, ended)) => {
                    return Err(format!("endless {place} has ended: {ended:?}").into());
                }
                OneOf2::Second(over) => over?,
            }
        }
        Wait::Blink(times) => {
            for ms in times {
                sleep(ms).await?;
            }
        }
        Wait::Crowd(count, ms) => {
            for place in 1..=count {
                let id = format!("{}-{place}", ctx.instance_id().as_str());
                ctx.start_detached(LEAVES, id, &place)?;
            }
            sleep(ms).await?;
        }
    }
    Ok("waited".to_owned())
}
