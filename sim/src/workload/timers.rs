//! Timers from a millisecond to four hundred days: in a row, side by side, racing and
//! cancelled. Time passes by leaps; few seconds of it are worth computing.
//!
//! What went wrong elsewhere: timers fired early or by the clock of a skewed node, two that
//! were due together decided otherwise on replay.

use super::parts::{INSTANCES, instance, same};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_sdk::{
    OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder, RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const SLEEP: &str = "Sleep";
const DAY_MS: u64 = 86_400_000;
/// Nobody sleeps for longer than this at once.
const LONGEST_MS: u64 = 400 * DAY_MS;
/// How long a nap is at most.
const NAP_MS: u64 = 3 * DAY_MS;

/// Instances that sleep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timers;

/// One way to spend time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Spell {
    /// For so long.
    Sleep(u64),
    /// All of these side by side.
    Together(Vec<u64>),
    /// The shortest of these; they are of different lengths.
    Shortest(Vec<u64>),
    /// The shorter of two, within a race against a third.
    Nested([u64; 3]),
}

impl Workload for Timers {
    fn name(&self) -> &'static str {
        "timers"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        // Seldom: even when nothing happens in them, so many days take a minute.
        let long = dice.within(1..=500) == 1;
        (1..=INSTANCES)
            .map(|number| {
                let mut spells: Vec<_> = (0..dice.within(2..=6)).map(|_| spell(dice)).collect();
                if long && number == 1 {
                    spells.push(Spell::Sleep(LONGEST_MS));
                }
                let lasts = spells.iter().map(Spell::lasts).sum();
                // Whoever knows how long it takes does not ask before.
                instance(format!("timers-{number}"), SLEEP, &spells, dice).then(lasts, Action::Look)
            })
            .collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_millis(LONGEST_MS + 6 * NAP_MS)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let spells: Vec<Spell> =
            serde_json::from_value(ended.plan.input.clone()).map_err(|error| error.to_string())?;
        let expected: Vec<_> = spells.iter().map(Spell::winner).collect();
        same("who was first", &ended.output()?, &expected)
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder.register_orchestration(SLEEP, sleep)
}

fn spell(dice: &mut Dice) -> Spell {
    match dice.within(1..=4) {
        1 => Spell::Sleep(length(dice)),
        2 => Spell::Together((0..dice.within(2..=5)).map(|_| length(dice)).collect()),
        3 => Spell::Shortest((0..dice.within(2..=5)).map(|place| apart(dice, place)).collect()),
        _ => Spell::Nested([0, 1, 2].map(|place| apart(dice, place))),
    }
}

/// Very short and long ones alike.
fn length(dice: &mut Dice) -> u64 {
    let most = dice.pick(&[3, 50, 2_000, 60_000, 3_600_000, DAY_MS, NAP_MS]);
    dice.within(0..=most)
}

/// One that differs from those of other places; often only by a millisecond, and in a race
/// often so long that it never comes to its end.
fn apart(dice: &mut Dice, place: u64) -> u64 {
    let most = dice.pick(&[1, 1, 40, 10_000, DAY_MS / 8, LONGEST_MS / 8]);
    let length = 8 * dice.within(0..=most) + place;
    if place == 0 { length.min(NAP_MS / 8 * 8) } else { length }
}

impl Spell {
    /// How long it takes.
    fn lasts(&self) -> u64 {
        match self {
            Self::Sleep(ms) => *ms,
            Self::Together(all) => all.iter().copied().max().unwrap_or_default(),
            Self::Shortest(all) => all.iter().copied().min().unwrap_or_default(),
            Self::Nested(all) => all.iter().copied().min().unwrap_or_default(),
        }
    }

    /// Which timer is the first, if that matters.
    fn winner(&self) -> usize {
        let shortest = |all: &[u64]| {
            all.iter().enumerate().min_by_key(|(_, ms)| **ms).map_or(0, |(place, _)| place)
        };
        match self {
            Self::Sleep(_) | Self::Together(_) => 0,
            Self::Shortest(all) => shortest(all),
            Self::Nested(all) => shortest(all),
        }
    }
}

async fn sleep(
    ctx: OrchestrationContext,
    spells: Vec<Spell>,
) -> Result<Vec<usize>, OrchestrationError> {
    let mut first = Vec::new();
    for spell in spells {
        let begun = ctx.utc_now()?;
        first.push(spend(&ctx, &spell).await?);
        let slept = ctx.utc_now()?.0.saturating_sub(begun.0);
        if slept < spell.lasts() {
            return Err(format!("{spell:?} was over after {slept} ms").into());
        }
    }
    Ok(first)
}

async fn spend(ctx: &OrchestrationContext, spell: &Spell) -> Result<usize, OrchestrationError> {
    let timer = |ms: &u64| ctx.timer(Duration::from_millis(*ms));
    match spell {
        Spell::Sleep(ms) => timer(ms).await.map(|()| 0),
        Spell::Together(all) => {
            let all: Vec<_> = all.iter().map(timer).collect();
            ctx.join(all).await.into_iter().collect::<Result<Vec<()>, _>>().map(|_| 0)
        }
        Spell::Shortest(all) => {
            let all: Vec<_> = all.iter().map(timer).collect();
            let (place, fired) = ctx.select(all).await;
            fired.map(|()| place)
        }
        Spell::Nested([one, two, three]) => {
            let inner = ctx.select((timer(one), timer(two)));
            match ctx.select((inner, timer(three))).await {
                OneOf2::First(OneOf2::First(fired)) => fired.map(|()| 0),
                OneOf2::First(OneOf2::Second(fired)) => fired.map(|()| 1),
                OneOf2::Second(fired) => fired.map(|()| 2),
            }
        }
    }
}
