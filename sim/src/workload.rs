//! What the nodes run: orders, whose code asks for different things depending on what
//! arrived first, and activities that leave a mark on the outside world. Not here: who
//! starts them (`clients`), and what must hold in the end (`oracle`).

use crate::dice::Dice;
use crate::fault::Boundary;
use crate::host::Host;
use crate::stage::Stage;
use crate::sync::lock;
use duroxide_provider::env::Env;
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The orchestration's registered name.
pub(crate) const ORDER: &str = "order";
/// The event that every order waits for.
pub(crate) const APPROVAL: &str = "approval";
/// How long every order rests before it is shipped.
pub(crate) const REST: Duration = Duration::from_hours(1);

const LINES: u64 = 3;
const ACTIVITIES: [&str; 7] = ["reserve", "pick", "pack", "quote", "confirm", "bill", "ship"];

/// What an order comes to. All of it is known beforehand, but for who was asked first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    reserved: String,
    packed: Vec<String>,
    quoted: String,
    approved: String,
    shipped: String,
}

/// The code of an order.
async fn order(ctx: OrchestrationContext, id: String) -> Result<Receipt, OrchestrationError> {
    let reserved: String = ctx.activity("reserve", &format!("{id}/reserve")).await?;
    let lines: Vec<_> = (1..=LINES).map(|line| pack(ctx.clone(), id.clone(), line)).collect();
    let packed = ctx.join(lines).await.into_iter().collect::<Result<Vec<String>, _>>()?;
    // Who answers first decides what is asked next.
    let left = ctx.activity::<String>("quote", &format!("{id}/quote-left"));
    let right = ctx.activity::<String>("quote", &format!("{id}/quote-right"));
    let quoted = match ctx.select((left, right)).await {
        OneOf2::First(_) => confirm(&ctx, &id, "left").await?,
        OneOf2::Second(_) => confirm(&ctx, &id, "right").await?,
    };
    let approved: String = ctx.wait_event(APPROVAL).await?;
    ctx.set_custom_status("resting")?;
    ctx.timer(REST).await?;
    // A bill that takes too long is not waited for.
    let bill = ctx.activity::<String>("bill", &format!("{id}/bill"));
    if let OneOf2::First(billed) = ctx.select((bill, ctx.timer(Duration::from_millis(150)))).await {
        ctx.set_value("bill", &billed?)?;
    }
    let shipped: String = ctx.activity("ship", &format!("{id}/ship")).await?;
    Ok(Receipt { reserved, packed, quoted, approved, shipped })
}

/// One line of an order: three of these run side by side, in any order.
async fn pack(
    ctx: OrchestrationContext,
    id: String,
    line: u64,
) -> Result<String, OrchestrationError> {
    let _: String = ctx.activity("pick", &format!("{id}/pick-{line}")).await?;
    ctx.activity("pack", &format!("{id}/pack-{line}")).await
}

async fn confirm(
    ctx: &OrchestrationContext,
    id: &str,
    side: &str,
) -> Result<String, OrchestrationError> {
    ctx.activity("confirm", &format!("{id}/confirm-{side}")).await
}

/// What an order must come to.
pub(crate) fn is_as_expected(id: &str, receipt: &Receipt) -> bool {
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
pub(crate) fn approval_of(id: &str) -> String {
    format!("approved {id}")
}

/// What an activity gives back.
pub(crate) fn result_of(step: &str) -> String {
    format!("done {step}")
}

/// What activities did to the outside world.
#[derive(Debug, Default)]
pub(crate) struct Outside(Mutex<BTreeMap<String, Vec<Duration>>>);

impl Outside {
    fn effect(&self, step: &str, at: Duration) {
        lock(&self.0).entry(step.to_owned()).or_default().push(at);
    }

    /// When a step had its effect, each time.
    pub(crate) fn times(&self, step: &str) -> Vec<Duration> {
        lock(&self.0).get(step).cloned().unwrap_or_default()
    }

    /// How many effects there were, and how many of them were repetitions.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let effects = lock(&self.0);
        let all: usize = effects.values().map(Vec::len).sum();
        (all as u64, (all - effects.len()) as u64)
    }
}

/// Where an activity runs.
#[derive(Clone)]
struct Bench {
    host: Arc<Host>,
    env: Env,
    outside: Arc<Outside>,
    dice: Arc<Mutex<Dice>>,
}

impl Bench {
    /// One attempt: some work, the effect, some more work. A dead host has no effects.
    async fn work(self, _: ActivityContext, step: String) -> Result<String, String> {
        self.spend_time().await;
        self.host.pass().await;
        let stage = self.host.stage();
        stage.record(self.host.name(), "effect", step.as_bytes());
        self.outside.effect(&step, stage.timeline.now());
        self.host.strike(Boundary::Effect);
        self.host.pass().await;
        self.spend_time().await;
        Ok(result_under(stage, &step))
    }

    /// Mostly a moment; sometimes longer than a lease, so that leases are prolonged.
    async fn spend_time(&self) {
        let ms = {
            let mut dice = lock(&self.dice);
            if dice.percent(2) { 45_000 } else { dice.pick(&[0, 0, 3, 40, 250]) }
        };
        if ms > 0 {
            self.env.sleep(Duration::from_millis(ms)).await;
        }
    }
}

fn result_under(stage: &Stage, step: &str) -> String {
    let mut result = result_of(step).into_bytes();
    if stage.plan.flip.as_deref() == Some(step)
        && let Some(last) = result.last_mut()
    {
        *last ^= 1;
    }
    String::from_utf8_lossy(&result).into_owned()
}

/// The code that a node runs.
pub(crate) fn registry(
    host: &Arc<Host>,
    env: &Env,
    outside: &Arc<Outside>,
) -> Result<Registry, RegistryError> {
    let dice = Dice::new(host.stage().plan.seed, &format!("activities of {host:?}"));
    let bench = Bench {
        host: Arc::clone(host),
        env: env.clone(),
        outside: Arc::clone(outside),
        dice: Arc::new(Mutex::new(dice)),
    };
    let mut builder = Registry::builder().register_orchestration(ORDER, order);
    for name in ACTIVITIES {
        let bench = bench.clone();
        builder = builder.register_activity(name, move |ctx, step| bench.clone().work(ctx, step));
    }
    builder.build()
}

/// The code that replays need: no activities.
pub(crate) fn orchestrations() -> Result<Registry, RegistryError> {
    Registry::builder().register_orchestration(ORDER, order).build()
}
