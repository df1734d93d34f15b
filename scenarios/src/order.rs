//! An order: reserve, charge, ship; and when something goes wrong on the way, or the customer
//! changes their mind, everything that was done is undone, the newest first.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{
    Activity, Orchestration, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Paid, packed and shipped.
pub fn scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("packing"), Step::Raise("packed", json!("box 7"))];
    let shipped = json!("box 7 is on its way to Lisbon");
    order("order", ("4242", "Lisbon"), steps, Outcome::Completed(shipped))
}

/// The card is declined: the goods go back to the shelf.
pub fn declined_scenario() -> Scenario {
    order("order-declined", ("0000", "Lisbon"), vec![], Outcome::Failed("card 0000 is declined"))
}

/// Nobody drives there: the money goes back, then the goods.
pub fn no_courier_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("packing"), Step::Raise("packed", json!("box 7"))];
    order("order-no-courier", ("4242", "Atlantis"), steps, Outcome::Failed("no road to Atlantis"))
}

/// The customer cancels while it is being packed: likewise.
pub fn cancelled_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("packing"), Step::Cancel("changed my mind")];
    let expected = Outcome::Failed("canceled: changed my mind");
    order("order-cancelled", ("4242", "Lisbon"), steps, expected)
}

fn order(
    name: &'static str,
    (card, city): (&str, &str),
    steps: Vec<Step>,
    expected: Outcome,
) -> Scenario {
    let input: Value = json!({ "item": "cup", "card": card, "city": city });
    Scenario {
        name,
        registry,
        orchestration: PLACE_ORDER.name(),
        version: None,
        input,
        steps,
        expected,
        lasts: Duration::ZERO,
    }
}

const RESERVE: Activity<String, String> = Activity::new("Reserve");
const RELEASE: Activity<String, ()> = Activity::new("Release");
const CHARGE: Activity<String, String> = Activity::new("Charge");
const REFUND: Activity<String, ()> = Activity::new("Refund");
const SHIP: Activity<(String, String), String> = Activity::new("Ship");
const PLACE_ORDER: Orchestration<Order, String> = Orchestration::new("PlaceOrder");

#[derive(Serialize, Deserialize)]
struct Order {
    item: String,
    card: String,
    city: String,
}

/// What was done, and how it is undone.
enum Done {
    Reserved(String),
    Charged(String),
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let charge = activity(effects, |card: String| match card.as_str() {
        "0000" => Err(format!("card {card} is declined")),
        _ => Ok(format!("receipt of {card}")),
    });
    let ship = activity(effects, |(parcel, city): (String, String)| match city.as_str() {
        "Atlantis" => Err(format!("no road to {city}")),
        _ => Ok(format!("{parcel} is on its way to {city}")),
    });
    Registry::builder()
        .register_activity(RESERVE, activity(effects, |item| Ok(format!("one {item}"))))
        .register_activity(RELEASE, activity(effects, |_| Ok(())))
        .register_activity(CHARGE, charge)
        .register_activity(REFUND, activity(effects, |_| Ok(())))
        .register_activity(SHIP, ship)
        .register_orchestration(PLACE_ORDER, place_order)
        .build()
}

async fn place_order(
    ctx: OrchestrationContext,
    order: Order,
) -> Result<String, OrchestrationError> {
    let mut done = Vec::new();
    let shipped = fulfil(&ctx, order, &mut done).await;
    if shipped.is_err() {
        while let Some(step) = done.pop() {
            match step {
                Done::Charged(receipt) => ctx.call(REFUND, &receipt).await?,
                Done::Reserved(goods) => ctx.call(RELEASE, &goods).await?,
            }
        }
    }
    shipped
}

async fn fulfil(
    ctx: &OrchestrationContext,
    order: Order,
    done: &mut Vec<Done>,
) -> Result<String, OrchestrationError> {
    done.push(Done::Reserved(ctx.call(RESERVE, &order.item).await?));
    done.push(Done::Charged(ctx.call(CHARGE, &order.card).await?));
    ctx.set_custom_status("packing")?;
    let parcel = ctx.wait_event("packed").await?;
    ctx.call(SHIP, &(parcel, order.city)).await
}
