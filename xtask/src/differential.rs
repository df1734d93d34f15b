//! `cargo xtask differential`: the same random calls to the model, SQLite and PostgreSQL, for
//! long, in an optimised build. Its arguments are the environment of that test. Not here: what is
//! drawn and compared (`tests/differential`).

use crate::postgres;
use crate::runner::{Failure, Runner};

/// The test that runs.
const TEST: [&str; 11] = [
    "test",
    "--release",
    "--package",
    "duroxide-differential",
    "--test",
    "lock_step",
    "--",
    "--exact",
    "--nocapture",
    "postgres_agrees_with_the_model_and_sqlite",
    "--test-threads=1",
];

/// What is run unless arguments say otherwise: enough for a real server, in about half an hour.
const LONG: [(&str, &str); 4] = [
    ("DUROXIDE_OPERATIONS", "100000"),
    ("DUROXIDE_STEPS", "400"),
    ("DUROXIDE_WHOLE", "20"),
    ("DUROXIDE_AT_ONCE", "4"),
];

/// Run it.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    let given = variables(args)?;
    let _postgres = postgres::start(runner)?;
    let mut command = runner.command("cargo", &TEST);
    command.envs(LONG).envs(given);
    runner.run("differential", command)
}

/// `--operations N` as `DUROXIDE_OPERATIONS=N`, and so on.
fn variables(args: &[String]) -> Result<Vec<(String, String)>, Failure> {
    const KNOWN: [&str; 6] = ["operations", "seed", "sequences", "steps", "whole", "at-once"];
    let usage = |what: String| Failure::Usage(format!("`differential`: {what}"));
    args.chunks(2)
        .map(|pair| {
            let name = pair[0].strip_prefix("--").filter(|name| KNOWN.contains(name));
            let name = name.ok_or_else(|| {
                usage(format!("`{}` is none of --{}", pair[0], KNOWN.join(" --")))
            })?;
            let number = pair.get(1).filter(|number| number.parse::<u64>().is_ok());
            let number = number.ok_or_else(|| usage(format!("--{name} takes a number")))?;
            Ok((format!("DUROXIDE_{}", name.to_uppercase().replace('-', "_")), number.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_the_environment_of_the_test() {
        let of =
            |args: &[&str]| variables(&args.iter().map(ToString::to_string).collect::<Vec<_>>());
        let given = of(&["--at-once", "2", "--seed", "7"]).unwrap_or_default();
        let all: Vec<_> = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["DUROXIDE_AT_ONCE=2", "DUROXIDE_SEED=7"]);
        for wrong in [&["--seed"][..], &["--seed", "x"], &["--speed", "7"], &["7"]] {
            assert!(matches!(of(wrong), Err(Failure::Usage(_))), "{wrong:?}");
        }
    }
}
