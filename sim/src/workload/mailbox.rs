//! Mail: many messages and events per instance, before its first turn, in heaps, around
//! continue-as-new, against timers and after a cancel. Each must be taken, in its order.
//!
//! What went wrong elsewhere: early messages dropped, waits that lost a race taking one,
//! more unread mail than a limit lost, a hundred messages in one turn failing it.

use super::parts::{
    INSTANCES, await_status, came_in_order, cancel, cancelled_for, enqueue, first_of_each,
    instance, is_enqueued, moment, raise,
};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_core::{Event, EventKind};
use duroxide_provider::InstanceState;
use duroxide_sdk::{
    OneOf3, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder, RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const COLLECT: &str = "Collect";
const JUGGLE: &str = "Juggle";
const CLOSE: &str = "Close";
/// The name of an event and of a queue: they never mix.
const POST: &str = "post";
const OTHER: &str = "other";
/// Messages of different mailboxes have different numbers.
const APART: u64 = 1_000;

/// Instances that live on mail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mailbox;

impl Workload for Mailbox {
    fn name(&self) -> &'static str {
        "mailbox"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES)
            .map(|number| {
                let id = format!("mailbox-{number}");
                match number {
                    // More than any window of unread mail has.
                    1 => collector(id, 80, dice),
                    2..=12 => {
                        let each = dice.within(1..=8);
                        collector(id, each, dice)
                    }
                    13..=17 => juggler(id, dice),
                    _ => closer(id, dice),
                }
            })
            .collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_mins(30)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        match ended.plan.orchestration.as_str() {
            COLLECT => check_collected(ended),
            JUGGLE => check_juggled(ended),
            _ => check_closed(ended),
        }
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder
        .register_orchestration(COLLECT, collect)
        .register_orchestration(JUGGLE, juggle)
        .register_orchestration(CLOSE, close)
}

/// Three mailboxes, and what came to each so far.
#[derive(Debug, Serialize, Deserialize)]
struct Collecting {
    /// So long nobody looks, and mail heaps up.
    rest_ms: u64,
    /// So many are expected in each.
    each: u64,
    /// So many are taken in each execution.
    per_execution: u64,
    got: [Vec<u64>; 3],
}

fn collector(id: String, each: u64, dice: &mut Dice) -> InstancePlan {
    let input = Collecting {
        rest_ms: dice.pick(&[0, 0, 500, 20_000]),
        each,
        per_execution: dice.pick(&[1, 2, 7, 70, 1_000]).max(each / 10),
        got: Default::default(),
    };
    let mut plan = instance(id, COLLECT, &input, dice);
    let in_a_heap = each > 20 || dice.percent(50);
    for number in 1..=each {
        let mut actions = [
            raise(POST, number),
            enqueue(POST, APART + number),
            enqueue(OTHER, 2 * APART + number),
        ];
        actions.rotate_left(dice.within(0..=2) as usize);
        for action in actions {
            plan = plan.then(if in_a_heap { 0 } else { moment(dice) }, action);
        }
    }
    plan
}

async fn collect(
    ctx: OrchestrationContext,
    mut all: Collecting,
) -> Result<[Vec<u64>; 3], OrchestrationError> {
    if all.rest_ms > 0 {
        ctx.timer(Duration::from_millis(all.rest_ms)).await?;
        all.rest_ms = 0;
    }
    for _ in 0..all.per_execution {
        // The last of its mailbox has the highest number.
        if all.got.iter().all(|got| got.iter().any(|got| got % APART == all.each)) {
            return Ok(all.got);
        }
        let event = ctx.wait_event::<u64>(POST);
        match ctx.select((event, ctx.dequeue::<u64>(POST), ctx.dequeue::<u64>(OTHER))).await {
            OneOf3::First(message) => all.got[0].push(message?),
            OneOf3::Second(message) => all.got[1].push(message?),
            OneOf3::Third(message) => all.got[2].push(message?),
        }
    }
    ctx.continue_as_new(&all).await
}

fn check_collected(ended: &Finished<'_>) -> Result<(), String> {
    let each = ended.plan.input["each"].as_u64().unwrap_or_default();
    let got: [Vec<u64>; 3] = ended.output()?;
    let raised = |action: &Action, message| matches!(action, Action::Raise { data, .. } if data.as_u64() == Some(message));
    came_in_order(ended, &got[0], (1..=each).collect(), raised)?;
    for (place, queue) in [(1, POST), (2, OTHER)] {
        let from = place as u64 * APART;
        let expected = (from + 1..=from + each).collect();
        came_in_order(ended, &got[place], expected, |action, message| {
            is_enqueued(action, queue, message)
        })?;
    }
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
struct Juggling {
    messages: u64,
    pause_ms: u64,
}

/// Messages about as far apart as the timer that races them.
fn juggler(id: String, dice: &mut Dice) -> InstancePlan {
    let input =
        Juggling { messages: dice.within(3..=10), pause_ms: dice.pick(&[1, 20, 300, 4_000]) };
    let mut plan = instance(id, JUGGLE, &input, dice);
    for message in 1..=input.messages {
        let after = dice.pick(&[0, input.pause_ms, input.pause_ms + 2, 3 * input.pause_ms]);
        plan = plan.then(after, enqueue(POST, message));
    }
    plan
}

/// Two waits for one queue, and a timer: what was first, each time; 0 is the timer.
async fn juggle(ctx: OrchestrationContext, all: Juggling) -> Result<Vec<u64>, OrchestrationError> {
    let mut got = Vec::new();
    // Each takes longer than the last: a client may be cut off for long.
    let mut pause = Duration::from_millis(all.pause_ms);
    while first_of_each(&got).iter().filter(|got| **got > 0).count() < all.messages as usize {
        let waits = (ctx.dequeue::<u64>(POST), ctx.dequeue::<u64>(POST), ctx.timer(pause));
        match ctx.select(waits).await {
            OneOf3::First(message) => got.push(message?),
            OneOf3::Second(message) => {
                return Err(format!("{:?} jumped the queue", message?).into());
            }
            OneOf3::Third(fired) => {
                fired?;
                got.push(0);
                pause = pause.mul_f64(1.5).max(Duration::from_millis(1));
            }
        }
    }
    Ok(got)
}

/// What was first is what history has first.
fn check_juggled(ended: &Finished<'_>) -> Result<(), String> {
    let got: Vec<u64> = ended.output()?;
    let recorded: Vec<u64> = ended.history.iter().filter_map(what_came).collect();
    super::parts::same("what came first", &got, &recorded)?;
    let messages = ended.plan.input["messages"].as_u64().unwrap_or_default();
    let got: Vec<_> = got.into_iter().filter(|got| *got > 0).collect();
    came_in_order(ended, &got, (1..=messages).collect(), in_post)
}

fn what_came(event: &Event) -> Option<u64> {
    match &event.kind {
        EventKind::MailDelivered { data, .. } => serde_json::from_slice(data.bytes()).ok(),
        EventKind::TimerFired { .. } => Some(0),
        _ => None,
    }
}

/// Cancelled between its messages: those that come later are taken by its clean-up.
fn closer(id: String, dice: &mut Dice) -> InstancePlan {
    let (before, after) = (dice.within(0..=4), dice.within(1..=4));
    let mut plan = instance(id, CLOSE, &(before + after), dice).then(0, await_status("open"));
    for message in 1..=before + after {
        if message == before + 1 {
            plan = plan.then(moment(dice), cancel("closing"));
        }
        plan = plan.then(moment(dice), enqueue(POST, message));
    }
    plan
}

async fn close(ctx: OrchestrationContext, expected: u64) -> Result<Vec<u64>, OrchestrationError> {
    ctx.set_custom_status("open")?;
    let mut got: Vec<u64> = Vec::new();
    let told = loop {
        match ctx.dequeue(POST).await {
            Ok(message) => got.push(message),
            Err(error) => break error,
        }
    };
    if !told.is_cancelled() {
        return Err(told);
    }
    while first_of_each(&got).len() as u64 != expected {
        got.push(ctx.dequeue(POST).await?);
    }
    Ok(got)
}

fn check_closed(ended: &Finished<'_>) -> Result<(), String> {
    if matches!(ended.state, InstanceState::Terminated { .. }) {
        return cancelled_for(ended, "closing");
    }
    let expected = (1..=ended.plan.input.as_u64().unwrap_or_default()).collect();
    came_in_order(ended, &ended.output::<Vec<u64>>()?, expected, in_post)
}

fn in_post(action: &Action, message: u64) -> bool {
    is_enqueued(action, POST, message)
}
