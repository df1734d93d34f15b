//! Management while things run: clients delete instances with everything below them, by
//! force or once they ended, start them anew under the same id, prune chains, stop and read
//! whatever there is, and talk to those that are not there.
//!
//! What went wrong elsewhere: a commit that came late and brought a deleted instance back,
//! rows left behind, a chain deleted between two executions, one message to nobody that
//! stopped a whole queue.

use super::parts::{INSTANCES, cancel, enqueue, instance, raise, same, terminate};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
    RegistryError,
};
use serde_json::{Value, json};
use std::time::Duration;

const OFFICE: &str = "Office";
const CLERK: &str = "Clerk";
const INTERN: &str = "Intern";
const TEMP: &str = "Temp";
const FILE: &str = "FileAway";
const CLOSE: &str = "close";

/// Instances that are managed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Management;

impl Workload for Management {
    fn name(&self) -> &'static str {
        "management"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES).map(|number| plan(format!("management-{number}"), dice)).collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        same("what it returned", &ended.output::<String>()?.as_str(), &"closed")
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder
        .register_orchestration(OFFICE, office)
        .register_orchestration(CLERK, clerk)
        .register_orchestration(INTERN, intern)
        .register_orchestration(TEMP, temp)
        .register_activity(FILE, |_: ActivityContext, number: u64| async move {
            Ok::<_, String>(number)
        })
}

/// An office, whose client also has to do with a clerk, who never ends by himself, and a
/// temp, who soon does.
fn plan(id: String, dice: &mut Dice) -> InstancePlan {
    let (clerk, temp) = (format!("{id}-clerk"), format!("{id}-temp"));
    let mut plan = instance(id.clone(), OFFICE, &0, dice);
    for _ in 0..dice.within(2..=6) {
        let action = match dice.within(1..=11) {
            1..=3 => start(&clerk, CLERK),
            4 => start(&temp, TEMP),
            5 => to(&clerk, Action::Delete { force: true }),
            6 => to(&temp, Action::Delete { force: false }),
            7 => Action::DeleteEnded { ids: vec![id.clone(), temp.clone(), clerk.clone()] },
            8 => Action::Prune { keep_last: dice.within(1..=2) },
            9 => to(&clerk, told(dice)),
            10 => to(&format!("{id}-nobody"), told(dice)),
            _ => Action::Look,
        };
        plan = plan.then(dice.pick(&[0, 0, 60, 900, 7_000]), action);
    }
    // A node that was cut off may come back with its turn long after.
    plan.then(dice.pick(&[0, 500]), to(&clerk, Action::Delete { force: true }))
        .then(dice.pick(&[1, 3_000, 70_000]), to(&clerk, Action::IsGone))
        .then(0, Action::DeleteEnded { ids: vec![id, temp] })
        .then(0, Action::Look)
        .then(0, raise(CLOSE, Value::Null))
}

fn start(id: &str, orchestration: &str) -> Action {
    Action::Start { id: id.to_owned(), orchestration: orchestration.to_owned(), input: json!(1) }
}

fn to(id: &str, action: Action) -> Action {
    Action::Other { id: id.to_owned(), action: Box::new(action) }
}

/// Something that anybody may be told.
fn told(dice: &mut Dice) -> Action {
    match dice.within(1..=5) {
        1 => raise("news", 1),
        2 => enqueue("news", 2),
        3 => cancel("not needed"),
        4 => terminate("not wanted"),
        _ => Action::Look,
    }
}

/// One execution after the other, until it is closed.
async fn office(ctx: OrchestrationContext, day: u64) -> Result<String, OrchestrationError> {
    let filed: u64 = ctx.activity(FILE, &day).await?;
    let night = ctx.timer(Duration::from_millis(900));
    match ctx.select((ctx.wait_event::<()>(CLOSE), night)).await {
        OneOf2::First(closed) => closed.map(|()| "closed".to_owned()),
        OneOf2::Second(over) => {
            over?;
            ctx.continue_as_new(&(filed + 1)).await
        }
    }
}

/// Has something of everything open.
async fn clerk(ctx: OrchestrationContext, number: u64) -> Result<(), OrchestrationError> {
    ctx.set_value("number", &number.to_string())?;
    let interns: Vec<_> = (1..=2).map(|intern| ctx.child::<()>(INTERN, &intern)).collect();
    let files: Vec<_> = (1..=2).map(|file| ctx.activity::<u64>(FILE, &file)).collect();
    let done = ctx
        .join((
            ctx.join(interns),
            ctx.join(files),
            ctx.wait_event::<()>("nothing"),
            ctx.timer(Duration::from_hours(20_000)),
        ))
        .await;
    // Whoever is stopped leaves things in order.
    ctx.activity::<u64>(FILE, &number).await?;
    done.2
}

/// One of them has somebody below him, too.
async fn intern(ctx: OrchestrationContext, number: u64) -> Result<(), OrchestrationError> {
    ctx.activity::<u64>(FILE, &number).await?;
    if number > 1 {
        return ctx.child(INTERN, &(number - 1)).await;
    }
    ctx.dequeue::<()>("nothing").await
}

async fn temp(ctx: OrchestrationContext, number: u64) -> Result<u64, OrchestrationError> {
    match number.checked_sub(1) {
        Some(less) => ctx.child(TEMP, &less).await,
        None => ctx.activity(FILE, &number).await,
    }
}
