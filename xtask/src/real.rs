//! `cargo xtask sim real`: whether what the simulation runs is the engine that ships. A copy
//! of the sources gets a runtime whose turn function panics; then no seed may pass, of any
//! workload. The other half of it is a rule of `tidy`: the simulation has no engine of its
//! own. Not here: defects that only an oracle sees (`planted`).

use crate::planted::Garden;
use crate::runner::{Failure, Runner};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;

const STEP: &str = "the simulated engine is the shipped one";
const PATCH: &str = "sim/planted/real/turns-panic.patch";
/// Enough to draw most workloads and both stores.
const SEEDS: u64 = 20;

/// Break the runtime, and see every seed fail.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    if let Some(arg) = args.first() {
        return Err(Failure::Usage(format!("`sim real` takes no arguments, got `{arg}`")));
    }
    runner.step(STEP, |runner| {
        let garden = Garden::prepare(runner)?;
        let patch = runner.root().join(PATCH);
        garden.patch(&patch, &["--forward"])?;
        let summary = garden.build(runner).and_then(|()| garden.seeds(0, SEEDS, &[]));
        garden.patch(&patch, &["--reverse"])?;
        let told = judge(&summary?).map_err(|what| Failure::Check { step: STEP.into(), what })?;
        writeln!(std::io::stdout(), "{told}").map_err(|error| Failure::io("stdout", error))
    })
}

/// Who noticed; an error if some seed passed.
fn judge(summary: &Value) -> Result<String, String> {
    let failed = summary["failed"].as_array().map_or(&[][..], Vec::as_slice);
    let mut noticed = BTreeMap::<&str, u64>::new();
    for outcome in failed {
        *noticed.entry(outcome["failure"]["oracle"].as_str().unwrap_or("?")).or_default() += 1;
    }
    if summary["seeds"].as_u64() != Some(SEEDS) || failed.len() as u64 != SEEDS {
        return Err(format!(
            "a runtime without turns: {} of {SEEDS} seeds fail, where all must",
            failed.len()
        ));
    }
    let noticed: Vec<_> = noticed.iter().map(|(who, count)| format!("{who}: {count}")).collect();
    Ok(format!("a runtime without turns: all of {SEEDS} seeds fail ({})", noticed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn summary(failed: u64, seeds: u64) -> Value {
        let failure = json!({ "failure": { "oracle": "quiescence" } });
        json!({ "seeds": seeds, "failed": vec![failure; failed as usize] })
    }

    #[test]
    fn one_seed_that_passes_or_is_missing_is_a_failure() {
        assert!(judge(&summary(SEEDS, SEEDS)).expect("all fail").contains("quiescence: 20"));
        for (failed, seeds) in [(SEEDS - 1, SEEDS), (0, SEEDS), (SEEDS - 1, SEEDS - 1), (0, 0)] {
            assert!(judge(&summary(failed, seeds)).is_err(), "{failed} of {seeds}");
        }
    }
}
