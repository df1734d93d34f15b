//! The differential, at a size for every change. `DUROXIDE_OPERATIONS=N` runs at least N calls
//! per test; `DUROXIDE_SEED=N` begins with another sequence, `DUROXIDE_SEQUENCES=N` runs so many.
//! For long runs, which `cargo xtask differential` makes: `DUROXIDE_STEPS=N` makes sequences
//! longer, and with `DUROXIDE_WHOLE=N` a store is read whole after every so manyth step, between
//! those where the reference has changed; `DUROXIDE_AT_ONCE=N` runs so many sequences side by side.

use duroxide_differential::{Kind, Plan, model, postgres, run, sqlite_in_memory, sqlite_on_a_file};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn plan(operations: u64) -> Plan {
    let mut plan = Plan::of(number("DUROXIDE_OPERATIONS").unwrap_or(operations));
    plan.at_once = number("DUROXIDE_AT_ONCE").unwrap_or(plan.at_once);
    plan.seed = number("DUROXIDE_SEED").unwrap_or(plan.seed);
    let size =
        |name, default| number(name).and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    plan.steps = size("DUROXIDE_STEPS", plan.steps);
    plan.whole = size("DUROXIDE_WHOLE", plan.whole).max(1);
    if let Some(sequences) = number("DUROXIDE_SEQUENCES") {
        plan = Plan { sequences, until_covered: false, ..plan };
    }
    plan
}

fn agree(kinds: &[Kind], operations: u64) {
    match run(kinds, &plan(operations)) {
        Ok(coverage) => {
            eprintln!("{kinds:?}: {coverage}");
            let missing = coverage.missing();
            let complete = number("DUROXIDE_SEQUENCES").is_some() || missing.is_empty();
            assert!(complete, "never happened: {missing:#?}");
        }
        Err(difference) => panic!("{difference}"),
    }
}

#[test]
fn the_model_agrees_with_itself() {
    agree(&[model(), model()], 5_000);
}

#[test]
fn sqlite_in_memory_and_on_a_file_agree_with_the_model() {
    agree(&[model(), sqlite_in_memory(), sqlite_on_a_file()], 5_000);
}

#[test]
fn sqlite_on_a_file_agrees_with_the_model_through_several_handles_and_reopening() {
    agree(&[model(), sqlite_on_a_file()], 5_000);
}

#[test]
fn postgres_agrees_with_the_model_and_sqlite() {
    agree(&[model(), sqlite_on_a_file(), postgres()], 2_000);
}
