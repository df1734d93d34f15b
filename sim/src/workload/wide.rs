//! Width: dozens of activities, timers and races side by side, awaited together or for the
//! first, so that turns have many completions at once, in any order. Some are terminated with
//! all of that under way or still queued.
//!
//! What went wrong elsewhere: completions applied in the order of the host language's
//! promises rather than of history, turns of a hundred completions that failed.

use super::parts::{INSTANCES, instance, moment, same, scheduled, terminate};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_core::{Event, EventKind};
use duroxide_provider::InstanceState;
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
    RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const WIDE: &str = "Wide";
const SQUARE: &str = "SquareOf";
const RUN: &str = "Run";

const TERMINATED: &str = "terminated";
const REASON: &str = "nobody waits";

/// Instances that do a lot at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide;

/// How wide.
#[derive(Debug, Serialize, Deserialize)]
struct Width {
    /// So many squares are added up.
    squares: u64,
    /// Of so many runners the first wins; then the next of as many.
    runners: usize,
    /// So many races side by side, of an activity and a timer each.
    races: u64,
}

/// What it comes to.
#[derive(Debug, Serialize, Deserialize)]
struct Came {
    sum: u64,
    winner: usize,
    /// Which races the activity won.
    answered: Vec<bool>,
}

impl Workload for Wide {
    fn name(&self) -> &'static str {
        "wide"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES)
            .map(|number| {
                let width = Width {
                    squares: if number <= 2 { 40 } else { dice.within(0..=8) },
                    runners: dice.within(1..=6) as usize,
                    races: if number == 3 { 20 } else { dice.within(0..=3) },
                };
                let plan = instance(format!("wide-{number}"), WIDE, &width, dice);
                if number == 3 || !dice.percent(20) {
                    return plan;
                }
                plan.part(TERMINATED).then(moment(dice), terminate(REASON))
            })
            .collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        // It may have been sooner than who terminates it.
        if let InstanceState::Terminated { reason } = ended.state
            && ended.plan.part == TERMINATED
        {
            return same("terminated for", &reason.as_str(), &REASON);
        }
        let width: Width =
            serde_json::from_value(ended.plan.input.clone()).map_err(|error| error.to_string())?;
        let came: Came = ended.output()?;
        same("sum", &came.sum, &(1..=width.squares).map(|number| number * number).sum())?;
        // Who is first by history wins; nobody else's completion is recorded.
        let runners: Vec<_> = scheduled(ended.history, RUN).collect();
        let (runners, racers) = runners.split_at(width.runners.min(runners.len()));
        let won = |runner: &&Event| completion_of(ended.history, runner).is_some();
        same("winners", &runners.iter().filter(|runner| won(runner)).count(), &1)?;
        same("winner", &Some(came.winner), &runners.iter().position(won))?;
        let answered: Vec<_> = racers.iter().map(won).collect();
        same("races won", &came.answered, &answered)
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder
        .register_orchestration(WIDE, wide)
        .register_activity(SQUARE, |_: ActivityContext, number: u64| async move {
            Ok::<_, String>(number * number)
        })
        .register_activity(
            RUN,
            |_: ActivityContext, number: u64| async move { Ok::<_, String>(number) },
        )
}

fn completion_of<'a>(history: &'a [Event], scheduled: &Event) -> Option<&'a Event> {
    history.iter().find(|event| {
        matches!(event.kind, EventKind::ActivityCompleted { source, .. } if source == scheduled.id)
    })
}

async fn wide(ctx: OrchestrationContext, width: Width) -> Result<Came, OrchestrationError> {
    let squares: Vec<_> =
        (1..=width.squares).map(|number| ctx.activity::<u64>(SQUARE, &number)).collect();
    let runners: Vec<_> =
        (0..width.runners).map(|number| ctx.activity::<usize>(RUN, &number)).collect();
    let races: Vec<_> = (0..width.races).map(|number| race(&ctx, number)).collect();
    let (squares, (winner, told), answered) =
        ctx.join((ctx.join(squares), ctx.select(runners), ctx.join(races))).await;
    if told? != winner {
        return Err(format!("another than runner {winner} told").into());
    }
    Ok(Came {
        sum: squares.into_iter().sum::<Result<u64, _>>()?,
        winner,
        answered: answered.into_iter().collect::<Result<_, _>>()?,
    })
}

async fn race(ctx: &OrchestrationContext, number: u64) -> Result<bool, OrchestrationError> {
    let answer = ctx.activity::<u64>(RUN, &number);
    match ctx.select((answer, ctx.timer(Duration::from_millis(40 * number)))).await {
        OneOf2::First(answer) => answer.map(|_| true),
        OneOf2::Second(fired) => fired.map(|()| false),
    }
}
