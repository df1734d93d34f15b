//! A fan-out import: every row by an activity of its own, all at once; rows that fail are
//! collected and do not spoil the others.

use crate::{Effects, Outcome, Scenario, Step, activity, until_cancelled};
use duroxide_sdk::{
    Activity, Orchestration, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Every row is good.
pub fn scenario() -> Scenario {
    let expected = json!({ "imported": 3, "failed": [] });
    import("import", json!(["a=1", "b=2", "c=3"]), vec![], Outcome::Completed(expected))
}

/// Two rows of four cannot be read.
pub fn partial_scenario() -> Scenario {
    let failed = json!([["b", "`b` is no row"], ["=4", "`=4` is no row"]]);
    let expected = json!({ "imported": 2, "failed": failed });
    import("import-partial", json!(["a=1", "b", "c=3", "=4"]), vec![], Outcome::Completed(expected))
}

/// One row takes for ever, and somebody notices that it is the wrong file: what was imported
/// is discarded.
pub fn cancelled_scenario() -> Scenario {
    let steps = vec![Step::AwaitStatus("importing 2 rows"), Step::Cancel("wrong file")];
    let expected = Outcome::Failed("canceled: wrong file");
    import("import-cancelled", json!(["a=1", SLOW]), steps, expected)
}

fn import(name: &'static str, rows: Value, steps: Vec<Step>, expected: Outcome) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: IMPORT.name(),
        version: None,
        input: rows,
        steps,
        expected,
        lasts: Duration::ZERO,
    }
}

/// The row that takes for ever.
const SLOW: &str = "slow=0";

const IMPORT_ROW: Activity<String, ()> = Activity::new("ImportRow");
const IMPORT_SLOW_ROW: Activity<String, ()> = Activity::new("ImportSlowRow");
const DISCARD: Activity<(), ()> = Activity::new("Discard");
const IMPORT: Orchestration<Vec<String>, Report> = Orchestration::new("Import");

#[derive(Serialize, Deserialize)]
struct Report {
    imported: usize,
    failed: Vec<(String, String)>,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    let import_row = activity(effects, |row: String| match row.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(()),
        _ => Err(format!("`{row}` is no row")),
    });
    Registry::builder()
        .register_activity(IMPORT_ROW, import_row)
        .register_activity(IMPORT_SLOW_ROW, until_cancelled(effects))
        .register_activity(DISCARD, activity(effects, |()| Ok(())))
        .register_orchestration(IMPORT, import_all)
        .build()
}

async fn import_all(
    ctx: OrchestrationContext,
    rows: Vec<String>,
) -> Result<Report, OrchestrationError> {
    ctx.set_custom_status(format!("importing {} rows", rows.len()))?;
    let of = |row: &String| if row == SLOW { IMPORT_SLOW_ROW } else { IMPORT_ROW };
    let each: Vec<_> = rows.iter().map(|row| ctx.call(of(row), row)).collect();
    let outcomes = ctx.join(each).await;
    let mut report = Report { imported: 0, failed: Vec::new() };
    for (row, outcome) in rows.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => report.imported += 1,
            Err(error) if error.is_cancelled() => {
                ctx.call(DISCARD, &()).await?;
                return Err(error);
            }
            Err(error) => report.failed.push((row, error.message().to_owned())),
        }
    }
    Ok(report)
}
