//! Orders, whose code asks for different things depending on what arrived first. The
//! standard workload. Not here: who starts them (`clients`).

use super::parts::{INSTANCES, instance, raise};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
    RegistryError, Retried, RetryPolicy,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const ORDER: &str = "order";
/// The event that every order waits for.
const APPROVAL: &str = "approval";
/// How long every order rests before it is shipped.
const REST: Duration = Duration::from_hours(1);
const LINES: u64 = 3;
const ACTIVITIES: [&str; 7] = ["reserve", "pick", "pack", "quote", "confirm", "bill", "ship"];

/// The standard workload: orders that are picked, quoted, approved, billed and shipped.
#[derive(Debug, Clone, Copy)]
pub struct Orders;

impl Workload for Orders {
    fn name(&self) -> &'static str {
        ORDER
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    /// Alike: a deployment that changes nothing.
    fn builds(&self) -> u32 {
        2
    }

    fn retries(&self) -> bool {
        true
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES).map(|number| plan(format!("order-{number}"), dice)).collect()
    }

    fn lasts(&self) -> Duration {
        REST * 2
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let receipt: Receipt = ended.output()?;
        if is_as_expected(&ended.plan.id, &receipt) {
            Ok(())
        } else {
            Err(format!("it returned {receipt:?}"))
        }
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    let builder = builder.register_orchestration(ORDER, order);
    ACTIVITIES.into_iter().fold(builder, |builder, name| {
        builder.register_activity(name, |_: ActivityContext, step: String| async move {
            Ok::<_, String>(result_of(&step))
        })
    })
}

fn plan(id: String, dice: &mut Dice) -> InstancePlan {
    let approve = raise(APPROVAL, approval_of(&id));
    let after_ms = dice.pick(&[0, 20, 700, 5_000, 60_000, 1_200_000]);
    let input = id.clone();
    instance(id, ORDER, &input, dice).then(after_ms, approve)
}

/// What an order comes to. All of it is known beforehand, but for who was asked first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    reserved: String,
    packed: Vec<String>,
    quoted: String,
    approved: String,
    shipped: String,
}

/// The code of an order.
async fn order(ctx: OrchestrationContext, id: String) -> Result<Receipt, OrchestrationError> {
    let reserved = step(&ctx, "reserve", &format!("{id}/reserve")).await?;
    let lines: Vec<_> = (1..=LINES).map(|line| pack(ctx.clone(), id.clone(), line)).collect();
    let packed = ctx.join(lines).await.into_iter().collect::<Result<Vec<String>, _>>()?;
    // Who answers first decides what is asked next.
    let left = step(&ctx, "quote", &format!("{id}/quote-left"));
    let right = step(&ctx, "quote", &format!("{id}/quote-right"));
    let side = match ctx.select((left, right)).await {
        OneOf2::First(_) => "left",
        OneOf2::Second(_) => "right",
    };
    let quoted = step(&ctx, "confirm", &format!("{id}/confirm-{side}")).await?;
    let approved: String = ctx.wait_event(APPROVAL).await?;
    ctx.set_custom_status("resting")?;
    ctx.timer(REST).await?;
    // A bill that takes too long is not waited for.
    let bill = step(&ctx, "bill", &format!("{id}/bill"));
    if let OneOf2::First(billed) = ctx.select((bill, ctx.timer(Duration::from_millis(150)))).await {
        ctx.set_value("bill", &billed?)?;
    }
    let shipped = step(&ctx, "ship", &format!("{id}/ship")).await?;
    Ok(Receipt { reserved, packed, quoted, approved, shipped })
}

/// One line of an order: three of these run side by side, in any order.
async fn pack(
    ctx: OrchestrationContext,
    id: String,
    line: u64,
) -> Result<String, OrchestrationError> {
    step(&ctx, "pick", &format!("{id}/pick-{line}")).await?;
    step(&ctx, "pack", &format!("{id}/pack-{line}")).await
}

/// An activity that is tried more often than any plan makes it fail.
fn step(ctx: &OrchestrationContext, name: &str, input: &str) -> Retried<String> {
    ctx.activity(name, input).with_retry(RetryPolicy::new(9))
}

/// What an order must come to.
fn is_as_expected(id: &str, receipt: &Receipt) -> bool {
    let result = |step: &str| result_of(&format!("{id}/{step}"));
    receipt.reserved == result("reserve")
        && receipt
            .packed
            .iter()
            .enumerate()
            .all(|(index, packed)| *packed == result(&format!("pack-{}", index + 1)))
        && receipt.packed.len() as u64 == LINES
        && ["left", "right"].iter().any(|side| receipt.quoted == result(&format!("confirm-{side}")))
        && receipt.approved == approval_of(id)
        && receipt.shipped == result("ship")
}

/// What the client sends with its approval.
fn approval_of(id: &str) -> String {
    format!("approved {id}")
}

/// What an activity gives back.
fn result_of(step: &str) -> String {
    format!("done {step}")
}
