//! A small project as its owner would write it: a money transfer that takes back what it
//! took when it cannot give. `tests/simulated.rs` shows how it is simulated.

use duroxide::sdk::{
    ActivityContext, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};

/// Who pays whom how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The account to take from.
    pub from: String,
    /// The account to give to; `closed` cannot be given to.
    pub to: String,
    /// Cents.
    pub amount: u64,
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Taken and given.
    Done,
    /// Taken, and given back.
    Undone,
}

/// The orchestration: take, give, and give back if that fails.
///
/// # Errors
/// What taking or giving back failed with.
pub async fn transfer(
    ctx: OrchestrationContext,
    transfer: Transfer,
) -> Result<Outcome, OrchestrationError> {
    let Transfer { from, to, amount } = transfer;
    ctx.activity::<()>("Take", &(&from, amount)).await?;
    if ctx.activity::<()>("Give", &(&to, amount)).await.is_ok() {
        return Ok(Outcome::Done);
    }
    ctx.activity::<()>("Give", &(&from, amount)).await?;
    Ok(Outcome::Undone)
}

/// What a node of this project runs.
///
/// # Errors
/// If a name is registered twice.
pub fn registry() -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_orchestration("Transfer", transfer)
        .register_activity("Take", |_: ActivityContext, _: (String, u64)| async move {
            Ok::<_, String>(())
        })
        .register_activity("Give", |_: ActivityContext, (to, _): (String, u64)| async move {
            if to == "closed" { Err("the account is closed") } else { Ok(()) }
        })
        .build()
}
