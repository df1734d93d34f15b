//! Money from one account to another: debit, credit, and the debit taken back if the credit
//! is refused. All of it under one key, so that a bank that is asked twice books once.

use crate::{Effects, Outcome, Scenario, activity};
use duroxide_sdk::{
    Activity, Orchestration, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Debited and credited.
pub fn scenario() -> Scenario {
    transfer("transfer", ("Ada", "Bob"), Outcome::Completed(json!("Ada paid Bob 100")))
}

/// Nothing to take: nothing to take back.
pub fn refused_scenario() -> Scenario {
    let expected = Outcome::Failed("Eve has less than 100");
    transfer("transfer-refused", ("Eve", "Bob"), expected)
}

/// The other account is closed: the money goes back.
pub fn reverted_scenario() -> Scenario {
    let expected = Outcome::Failed("the account of Mallory is closed");
    transfer("transfer-reverted", ("Ada", "Mallory"), expected)
}

fn transfer(name: &'static str, (from, to): (&str, &str), expected: Outcome) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: TRANSFER.name(),
        version: None,
        input: json!({ "from": from, "to": to, "amount": 100 }),
        steps: vec![],
        expected,
        lasts: Duration::ZERO,
    }
}

const DEBIT: Activity<Booking, ()> = Activity::new("Debit");
const CREDIT: Activity<Booking, ()> = Activity::new("Credit");
const TRANSFER: Orchestration<Transfer, String> = Orchestration::new("Transfer");

#[derive(Serialize, Deserialize)]
struct Transfer {
    from: String,
    to: String,
    amount: u32,
}

/// What a bank is asked to book; the same key again is the same booking.
#[derive(Serialize, Deserialize)]
struct Booking {
    key: String,
    account: String,
    amount: u32,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let debit = activity(effects, |booking: Booking| match booking.account.as_str() {
        "Eve" => Err(format!("Eve has less than {}", booking.amount)),
        _ => Ok(()),
    });
    let credit = activity(effects, |booking: Booking| match booking.account.as_str() {
        "Mallory" => Err("the account of Mallory is closed".to_owned()),
        _ => Ok(()),
    });
    Registry::builder()
        .register_activity(DEBIT, debit)
        .register_activity(CREDIT, credit)
        .register_orchestration(TRANSFER, carry_out)
        .build()
}

async fn carry_out(
    ctx: OrchestrationContext,
    transfer: Transfer,
) -> Result<String, OrchestrationError> {
    let Transfer { from, to, amount } = transfer;
    let key = ctx.new_guid()?;
    let booking = |what: &str, account: &String| Booking {
        key: format!("{key}/{what}"),
        account: account.clone(),
        amount,
    };
    ctx.call(DEBIT, &booking("debit", &from)).await?;
    if let Err(refused) = ctx.call(CREDIT, &booking("credit", &to)).await {
        ctx.call(CREDIT, &booking("revert", &from)).await?;
        return Err(refused);
    }
    Ok(format!("{from} paid {to} {amount}"))
}
