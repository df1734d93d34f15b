//! A subscription: one execution a month, the charge retried by policy, reminders to whoever
//! does not pay, and an end that the customer can ask for at any time.

use crate::{Effects, Outcome, Scenario, Step, activity, failing_first};
use duroxide_sdk::{
    Activity, Backoff, OneOf2, Orchestration, OrchestrationContext, OrchestrationError, Registry,
    RegistryError, RetryPolicy,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Two months of thirty days. The first charge goes through at the third attempt.
pub fn scenario() -> Scenario {
    let expected = Outcome::Completed(json!("Ada has paid for 2 of 2 months"));
    Scenario {
        lasts: Duration::from_millis(MONTH_MS),
        ..billing("billing", ("Ada", MONTH_MS), vec![], expected)
    }
}

/// A reminder and still no money: suspended.
pub fn dunning_scenario() -> Scenario {
    let expected = Outcome::Failed("Eve does not pay: there is no money");
    billing("billing-dunning", ("Eve", 20), vec![], expected)
}

/// Cancelled by the customer in the first month: it ends at once, and well.
pub fn cancelled_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("paid for 1 of 2"), Step::Raise("cancel", json!(null))];
    let expected = Outcome::Completed(json!("Bob has paid for 1 of 2 months"));
    billing("billing-cancelled", ("Bob", MONTH_MS), steps, expected)
}

const MONTH_MS: u64 = 30 * 86_400_000;

fn billing(
    name: &'static str,
    (customer, month_ms): (&str, u64),
    steps: Vec<Step>,
    expected: Outcome,
) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: BILLING.name(),
        version: None,
        input: json!({ "customer": customer, "month_ms": month_ms, "months": 2, "paid": 0 }),
        steps,
        expected,
        lasts: Duration::from_millis(610),
    }
}

const CHARGE: Activity<String, ()> = Activity::new("ChargeMonth");
const REMIND: Activity<(String, u32), ()> = Activity::new("Remind");
const BILLING: Orchestration<Subscription, String> = Orchestration::new("Billing");

#[derive(Serialize, Deserialize)]
struct Subscription {
    customer: String,
    month_ms: u64,
    months: u32,
    paid: u32,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let failures = |customer: &String| match customer.as_str() {
        "Ada" => 2,
        "Eve" => u32::MAX,
        _ => 0,
    };
    Registry::builder()
        .register_activity(CHARGE, failing_first(effects, failures, "there is no money"))
        .register_activity(REMIND, activity(effects, |_| Ok(())))
        .register_orchestration(BILLING, bill_a_month)
        .build()
}

async fn bill_a_month(
    ctx: OrchestrationContext,
    mut state: Subscription,
) -> Result<String, OrchestrationError> {
    collect(&ctx, &state).await?;
    state.paid += 1;
    let Subscription { customer, months, paid, .. } = &state;
    ctx.set_custom_status(format!("paid for {paid} of {months}"))?;
    let so_far = format!("{customer} has paid for {paid} of {months} months");
    if paid == months {
        return Ok(so_far);
    }
    let month = ctx.timer(Duration::from_millis(state.month_ms));
    match ctx.select((ctx.wait_event::<()>("cancel"), month)).await {
        OneOf2::First(cancelled) => cancelled.map(|()| so_far),
        OneOf2::Second(month) => {
            month?;
            ctx.continue_as(BILLING, &state).await
        }
    }
}

/// Gets the month's money: by charging, and by reminding and charging again.
async fn collect(
    ctx: &OrchestrationContext,
    state: &Subscription,
) -> Result<(), OrchestrationError> {
    let Subscription { customer, month_ms, .. } = state;
    let policy = RetryPolicy { backoff: Backoff::Linear, ..RetryPolicy::new(3) };
    let mut reminders = 0;
    loop {
        let error = match ctx.call(CHARGE, customer).with_retry(policy.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => error,
        };
        reminders += 1;
        if reminders == 2 {
            return Err(format!("{customer} does not pay: {error}").into());
        }
        ctx.call(REMIND, &(customer.clone(), reminders)).await?;
        ctx.timer(Duration::from_millis(month_ms / 4)).await?;
    }
}
