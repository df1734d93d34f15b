//! The clients: each starts an order, approves it some time later, and waits for its end,
//! through the production client. Not here: whether the end is right (`oracle`).

use crate::dice::Dice;
use crate::plan::Plan;
use crate::workload::{APPROVAL, ORDER, approval_of};
use crate::wrong::{Verdict, Wrong};
use duroxide_core::Payload;
use duroxide_provider::env::Env;
use duroxide_runtime::{Client, ClientError};
use futures_util::future::join_all;
use std::future::Future;
use std::time::Duration;

/// A client's wait gives up after so long; the driver's bound is well below.
const PATIENCE: Duration = Duration::from_hours(24);

/// An instance, and how often its approval was sent: a client that got no answer for too
/// long cannot know, and sends another.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) approvals: u64,
}

/// Every order from its start to its end.
pub(crate) async fn place_orders(env: &Env, client: &Client, plan: &Plan) -> Verdict<Vec<Order>> {
    let orders = (1..=plan.instances).map(|number| {
        let dice = Dice::new(plan.seed, &format!("order {number}"));
        see_through(env, client, format!("order-{number}"), dice)
    });
    join_all(orders).await.into_iter().collect()
}

async fn see_through(env: &Env, client: &Client, id: String, mut dice: Dice) -> Verdict<Order> {
    env.sleep(Duration::from_millis(dice.within(0..=4_000))).await;
    let input = json(&id)?;
    until_known(env, || client.start(id.as_str(), ORDER, input.clone())).await?;
    let delay = dice.pick(&[0, 20, 700, 5_000, 60_000, 1_200_000]);
    env.sleep(Duration::from_millis(delay)).await;
    let data = json(&approval_of(&id))?;
    let (approvals, ()) =
        until_known(env, || client.raise_event(id.as_str(), APPROVAL, data.clone())).await?;
    until_known(env, || client.wait(id.as_str(), PATIENCE)).await?;
    Ok(Order { id, approvals })
}

/// Ask again while the store cannot be reached. Gives how often it was asked.
async fn until_known<T, F>(env: &Env, ask: impl Fn() -> F) -> Verdict<(u64, T)>
where
    F: Future<Output = Result<T, ClientError>>,
{
    for tries in 1.. {
        match ask().await {
            Ok(answer) => return Ok((tries, answer)),
            Err(ClientError::Store { error }) if error.is_transient() => {
                env.sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Wrong::that("a client asked for ever"))
}

fn json(text: &str) -> Verdict<Payload> {
    Ok(serde_json::to_string(text).map(Payload::json)?)
}
