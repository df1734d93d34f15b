//! A batch: every item is an orchestration of its own, under an id that says which; items
//! that fail are collected. Cancelling the batch cancels its items.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{
    Activity, Orchestration, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Two pages of three are printed.
pub fn scenario() -> Scenario {
    let expected = json!({
        "printed": ["page 1", "page 3"],
        "failed": ["page 2: there is a stain on page 2"],
    });
    batch("batch", json!([1, 2, 3]), vec![], Outcome::Completed(expected))
}

/// One page waits for ink that never comes, until somebody cancels all of it.
pub fn cancelled_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("printing 2 pages"), Step::Cancel("no ink")];
    batch("batch-cancelled", json!([1, 99]), steps, Outcome::Failed("canceled: no ink"))
}

fn batch(name: &'static str, pages: Value, steps: Vec<Step>, expected: Outcome) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: BATCH.name(),
        version: None,
        input: pages,
        steps,
        expected,
        lasts: Duration::ZERO,
    }
}

const PRINT: Activity<u32, String> = Activity::new("Print");
const PAGE: Orchestration<u32, String> = Orchestration::new("Page");
const BATCH: Orchestration<Vec<u32>, Report> = Orchestration::new("Batch");

#[derive(Serialize, Deserialize)]
struct Report {
    printed: Vec<String>,
    failed: Vec<String>,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let print = activity(effects, |page: u32| match page {
        2 => Err("there is a stain on page 2".to_owned()),
        _ => Ok(format!("page {page}")),
    });
    Registry::builder()
        .register_activity(PRINT, print)
        .register_orchestration(PAGE, print_page)
        .register_orchestration(BATCH, print_all)
        .build()
}

async fn print_page(ctx: OrchestrationContext, page: u32) -> Result<String, OrchestrationError> {
    if page == 99 {
        ctx.wait_event::<()>("ink").await?;
    }
    ctx.call(PRINT, &page).await
}

async fn print_all(
    ctx: OrchestrationContext,
    pages: Vec<u32>,
) -> Result<Report, OrchestrationError> {
    ctx.set_custom_status(format!("printing {} pages", pages.len()))?;
    let id = |page| format!("{}-page-{page}", ctx.instance_id());
    let each: Vec<_> = pages.iter().map(|page| ctx.call(PAGE, page).with_id(id(page))).collect();
    let outcomes = ctx.join(each).await;
    let mut report = Report { printed: Vec::new(), failed: Vec::new() };
    for (page, outcome) in pages.into_iter().zip(outcomes) {
        match outcome {
            Ok(printed) => report.printed.push(printed),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => report.failed.push(format!("page {page}: {error}")),
        }
    }
    Ok(report)
}
