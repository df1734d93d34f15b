//! Rounds: executions that follow each other in versions that they ask for by turns, each with
//! guids of its own and a child at the same place, which some of them leave behind while it
//! still cleans up; and spins, which are stopped at any moment, between two executions too.
//! Not here: what must come along from one execution to the next (`chain`, which runs these).

use super::Finished;
use super::parts::{cancel, cancelled_for, instance, same, scheduled};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_core::EventKind;
use duroxide_provider::InstanceState;
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, RegistryBuilder,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

const ROUND: &str = "Round";
const LEG: &str = "Leg";
const SPIN: &str = "Spin";
const SWEEP: &str = "Sweep";
const REASON: &str = "dizzy";
/// The versions of a round, the latest last.
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "2.0.0"];
const LATEST: &str = VERSIONS[2];
/// So often a spin begins anew by itself.
const SPINS: u64 = 40;

/// The parts of the workload that are these.
pub(super) const PARTS: [&str; 2] = ["rounds", "spin"];

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    VERSIONS
        .into_iter()
        .fold(builder, |builder, version| {
            builder.register_orchestration_versioned(ROUND, version, round)
        })
        .register_orchestration(LEG, leg)
        .register_orchestration(SPIN, spin)
        .register_activity(
            SWEEP,
            |_: ActivityContext, what: u64| async move { Ok::<_, String>(what) },
        )
}

pub(super) fn plan(id: String, dice: &mut Dice) -> InstancePlan {
    if dice.percent(50) {
        let spin = Spin { number: 1, pause_ms: dice.pick(&[0, 0, 15, 400]) };
        let after = dice.pick(&[0, 20, 90, 350, 1_500]);
        return instance(id, SPIN, &spin, dice).part("spin").then(after, cancel(REASON));
    }
    let rounds: Vec<_> = (0..dice.within(2..=6)).map(|_| ahead(dice)).collect();
    let first = Round { number: 1, rounds, ran: Ran::default() };
    let mut plan = instance(id, ROUND, &first, dice).part("rounds");
    plan.version.clone_from(&first.rounds[0].version);
    plan
}

fn ahead(dice: &mut Dice) -> Ahead {
    let version = dice.pick(&[None, Some(VERSIONS[0]), Some(VERSIONS[1]), Some(LATEST)]);
    Ahead {
        version: version.map(str::to_owned),
        leaves_behind: dice.percent(40),
        pause_ms: dice.pick(&[0, 0, 40, 1_500]),
    }
}

pub(super) fn check(ended: &Finished<'_>) -> Result<(), String> {
    if ended.plan.part == "spin" { check_spin(ended) } else { check_rounds(ended) }
}

fn check_rounds(ended: &Finished<'_>) -> Result<(), String> {
    let ran: Ran = ended.output()?;
    let first: Round =
        serde_json::from_value(ended.plan.input.clone()).map_err(|error| error.to_string())?;
    let versions = |ahead: &Ahead| ahead.version.clone().unwrap_or_else(|| LATEST.to_owned());
    same("versions", &ran.versions, &first.rounds.iter().map(versions).collect())?;
    let brought = |(number, ahead): (u64, &Ahead)| if ahead.leaves_behind { 0 } else { number };
    same("legs", &ran.legs, &(1..).zip(&first.rounds).map(brought).collect())?;
    let distinct: BTreeSet<_> = ran.guids.iter().collect();
    same("distinct guids", &distinct.len(), &(2 * first.rounds.len()))
}

/// It ends because it was stopped, and has swept; unless it was stopped before it began.
fn check_spin(ended: &Finished<'_>) -> Result<(), String> {
    cancelled_for(ended, REASON)?;
    if matches!(ended.state, InstanceState::Terminated { .. }) {
        return Ok(());
    }
    let Some(EventKind::OrchestrationStarted { input, .. }) =
        ended.history.first().map(|event| &event.kind)
    else {
        return Err("its history has no beginning".to_owned());
    };
    let spin: Spin = serde_json::from_slice(input.bytes()).map_err(|error| error.to_string())?;
    let swept = scheduled(ended.history, SWEEP).count();
    if spin.number == 1 && ended.history.iter().any(|event| is_unstarted(&event.kind)) {
        return same("swept before it began", &swept, &0);
    }
    same("swept", &swept, &1)
}

fn is_unstarted(kind: &EventKind) -> bool {
    matches!(kind, EventKind::OrchestrationCancelRequested { unstarted: true, .. })
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Round {
    /// The one to run now, from 1.
    number: usize,
    rounds: Vec<Ahead>,
    ran: Ran,
}

/// What a round is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ahead {
    /// It is asked for in this version; `None`: in the latest.
    version: Option<String>,
    /// It gives its child up, which cleans up when the next round runs.
    leaves_behind: bool,
    pause_ms: u64,
}

/// What the rounds so far were, and brought.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Ran {
    versions: Vec<String>,
    guids: Vec<String>,
    legs: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Leg {
    number: u64,
    /// It waits until it is given up, and takes its time with what remains to be done.
    waits: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Spin {
    /// From 1.
    number: u64,
    pause_ms: u64,
}

async fn round(ctx: OrchestrationContext, mut round: Round) -> Result<Ran, OrchestrationError> {
    let Some(now) = round.rounds.get(round.number - 1).cloned() else {
        return Err(format!("there is no round {}", round.number).into());
    };
    let pause = Duration::from_millis(now.pause_ms);
    round.ran.versions.push(ctx.version());
    round.ran.guids.push(ctx.new_guid()?);
    // In each round the first thing of all, without an id: the same place in the history.
    let leg = Leg { number: round.number as u64, waits: now.leaves_behind };
    let leg = ctx.child::<u64>(LEG, &leg);
    let brought = if now.leaves_behind {
        match ctx.select((leg, ctx.timer(Duration::from_millis(30)))).await {
            OneOf2::First(leg) => leg?,
            OneOf2::Second(over) => over.map(|()| 0)?,
        }
    } else {
        leg.await?
    };
    round.ran.legs.push(brought);
    ctx.set_custom_status(format!("round {}", round.number))?;
    ctx.timer(pause).await?;
    ctx.reset_custom_status()?;
    round.ran.guids.push(ctx.new_guid()?);
    ctx.timer(pause).await?;
    round.number += 1;
    match round.rounds.get(round.number - 1).map(|next| next.version.clone()) {
        Some(Some(version)) => ctx.continue_as_new_versioned(version, &round).await,
        Some(None) => ctx.continue_as_new(&round).await,
        None => Ok(round.ran),
    }
}

async fn leg(ctx: OrchestrationContext, leg: Leg) -> Result<u64, OrchestrationError> {
    if !leg.waits {
        ctx.timer(Duration::from_millis(700)).await?;
        return ctx.activity(SWEEP, &leg.number).await;
    }
    let given_up = ctx.wait_event("nothing").await;
    ctx.timer(Duration::from_millis(200)).await?;
    ctx.activity::<u64>(SWEEP, &leg.number).await?;
    given_up
}

async fn spin(ctx: OrchestrationContext, mut spin: Spin) -> Result<(), OrchestrationError> {
    let number = spin.number;
    spin.number += 1;
    let stopped = match spun(&ctx, number, spin.pause_ms).await {
        Ok(()) => ctx.continue_as_new(&spin).await,
        Err(error) => Err(error),
    };
    ctx.activity::<u64>(SWEEP, &number).await?;
    stopped
}

async fn spun(
    ctx: &OrchestrationContext,
    number: u64,
    pause_ms: u64,
) -> Result<(), OrchestrationError> {
    if number == SPINS {
        return ctx.wait_event("nothing").await;
    }
    ctx.timer(Duration::from_millis(pause_ms)).await
}
