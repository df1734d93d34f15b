//! Chains: executions that go on as new ones, with values, a status and unread mail that
//! must come along, while clients start the instance again in the gaps. Some are `rounds`.
//!
//! What went wrong elsewhere: inputs lost between two executions, a duplicate start that
//! took the place of the real one, values replayed as they were written later.

use super::parts::{INSTANCES, came_in_order, first_of_each, instance, raise, same};
use super::{Finished, Workload, rounds};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_sdk::{
    ActivityContext, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
    RegistryError,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const CHAIN: &str = "Chain";
const FORGE: &str = "Forge";
const NOTE: &str = "note";
/// The value that every execution reads, adds to and writes.
const COUNT: &str = "count";
/// So many of the instances hand values on; the others are rounds.
const CHAINS: u64 = 14;

/// Instances of many executions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain;

impl Workload for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES)
            .map(|number| {
                let id = format!("chain-{number}");
                if number > CHAINS { rounds::plan(id, dice) } else { plan(id, dice) }
            })
            .collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_mins(30)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        if rounds::PARTS.contains(&ended.plan.part.as_str()) {
            return rounds::check(ended);
        }
        let made: Made = ended.output()?;
        let input = |name: &str| ended.plan.input[name].as_u64().unwrap_or_default();
        let links = input("links");
        same("weight", &made.weight, &(1..=links).map(weight_of).sum())?;
        same("values", &made.values, &values_after(links))?;
        came_in_order(
            ended,
            &made.notes,
            (1..=input("notes")).collect(),
            |action, note| matches!(action, Action::Raise { data, .. } if data.as_u64() == Some(note)),
        )
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    rounds::register(builder)
        .register_orchestration(CHAIN, chain)
        .register_activity(FORGE, |_: ActivityContext, link: u64| async move {
            Ok::<_, String>(weight_of(link))
        })
}

#[derive(Debug, Serialize, Deserialize)]
struct Link {
    /// The one to make now, from 1.
    number: u64,
    /// How many there will be.
    links: u64,
    /// How many notes are expected by the end.
    notes: u64,
    pause_ms: u64,
    weight: u64,
}

/// What a chain comes to.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    weight: u64,
    notes: Vec<u64>,
    values: BTreeMap<String, String>,
}

fn plan(id: String, dice: &mut Dice) -> InstancePlan {
    let links = dice.pick(&[1, 2, 3, 5, 12]);
    let notes = dice.within(0..=4);
    let pause_ms = dice.pick(&[0, 0, 30, 2_000]);
    let first = Link { number: 1, links, notes, pause_ms, weight: 0 };
    let mut plan = instance(id, CHAIN, &first, dice);
    for note in 1..=notes {
        let after = dice.pick(&[0, 10, 200, 3_000]);
        plan = plan.then(after, raise(NOTE, note));
        if dice.percent(50) {
            plan = plan.then(dice.pick(&[0, 7, 150]), Action::StartAgain);
        }
        if dice.percent(20) {
            plan = plan.then(0, Action::Look);
        }
    }
    plan
}

async fn chain(ctx: OrchestrationContext, mut link: Link) -> Result<Made, OrchestrationError> {
    let number = link.number;
    let (status, values) = (status_of(number - 1), values_after(number - 1));
    expect("the status", &ctx.custom_status(), &status)?;
    expect("the values", &ctx.all_values()?, &values)?;
    // Read, add, write: the same on every replay, whatever was written since.
    let count = ctx.get_value(COUNT)?.map_or(0, |count| count.parse().unwrap_or(u64::MAX / 2));
    ctx.set_value(COUNT, &(count + 1).to_string())?;
    link.weight += ctx.activity::<u64>(FORGE, &number).await?;
    ctx.set_value(&format!("link-{number}"), "made")?;
    if number.is_multiple_of(3) {
        ctx.clear_value(&format!("link-{}", number - 1))?;
    }
    expect("the count", &ctx.get_value(COUNT)?, &Some(number.to_string()))?;
    ctx.set_custom_status(status_of(number).unwrap_or_default())?;
    if link.pause_ms > 0 {
        ctx.timer(Duration::from_millis(link.pause_ms)).await?;
    }
    if number < link.links {
        link.number += 1;
        return ctx.continue_as_new(&link).await;
    }
    let mut notes: Vec<u64> = Vec::new();
    while first_of_each(&notes).len() as u64 != link.notes {
        notes.push(ctx.wait_event(NOTE).await?);
    }
    Ok(Made { weight: link.weight, notes, values: ctx.all_values()? })
}

fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), OrchestrationError> {
    same(what, found, expected).map_err(Into::into)
}

fn weight_of(link: u64) -> u64 {
    7 * link + 1
}

fn status_of(number: u64) -> Option<String> {
    (number > 0).then(|| format!("{number} made"))
}

/// The values as so many links leave them.
fn values_after(links: u64) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for number in 1..=links {
        values.insert(COUNT.to_owned(), number.to_string());
        values.insert(format!("link-{number}"), "made".to_owned());
        if number.is_multiple_of(3) {
            values.remove(&format!("link-{}", number - 1));
        }
    }
    values
}
