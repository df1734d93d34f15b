//! `cargo xtask test`: everything that must hold before a change is taken. Determinism is
//! the first test: while the same seed gives different runs, no other result means much.

use crate::runner::{Failure, Runner};
use crate::{chaos, docs, lint, node, postgres, sim, tidy, tools};
use std::io::Write;
use std::process::Command;

/// Seeds that two processes must agree on.
const DETERMINISM_SEEDS: &str = "100";
/// Seeds of the simulation on every change; more are run by hand.
const SEEDS: &str = "200";

/// Every step; the summary is printed also when one fails.
pub(crate) fn run(runner: &mut Runner, cases: Option<u32>) -> Result<(), Failure> {
    let result = steps(runner, cases);
    runner.print_times();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", runner.counts()).map_err(|error| Failure::io("stdout", error))?;
    result
}

fn steps(runner: &mut Runner, cases: Option<u32>) -> Result<(), Failure> {
    tools::require_rust(runner)?;
    tools::require_node(runner)?;
    tidy::run(runner)?;
    lint::run(runner)?;
    sim::build(runner)?;
    determinism(runner)?;
    // One server for every test that follows.
    let _postgres = postgres::start(runner)?;
    // The simulation's report is looked at in it.
    tools::require_chromium(runner)?;
    rust_tests(runner, cases)?;
    // Once more for what it prints: how deep, which operators, how many turns and cancels.
    run_properties(runner, &["the_generator"], cases)?;
    // Fails, too, if some kind of fault or `sometimes` point never came up.
    let simulation = sim::command(runner, &["run", "--scenario", "all", "--seeds", SEEDS]);
    runner.run("simulation", simulation)?;
    sim::regressions(runner)?;
    // The unoptimised addon: the workspace's tests have built it already.
    node::build(runner, "build:debug")?;
    node::test(runner)?;
    docs::check(runner)?;
    node::test_package(runner)?;
    node::examples(runner)?;
    chaos::short(runner)
}

/// Two processes, the same seeds, the same trace hashes.
fn determinism(runner: &mut Runner) -> Result<(), Failure> {
    const STEP: &str = "determinism of the simulation";
    runner.step(STEP, |runner| {
        let args = ["run", "--scenario", "all", "--seeds", DETERMINISM_SEEDS, "--each"];
        let output = || Runner::output(STEP, sim::command(runner, &args));
        let (first, second) = (hashes(&output()?), hashes(&output()?));
        let failed = |what: String| Err(Failure::Check { step: STEP.into(), what });
        if first.is_empty() {
            return failed("the simulation printed no trace hash".into());
        }
        match first.iter().zip(&second).find(|(a, b)| a != b) {
            Some((a, b)) => failed(format!("two processes differ:\n  {a}\n  {b}")),
            None if first.len() != second.len() => failed("one process printed more hashes".into()),
            None => Ok(()),
        }
    })
}

/// The lines that carry a trace hash.
fn hashes(output: &str) -> Vec<String> {
    output.lines().filter(|line| line.split_whitespace().any(is_hash)).map(str::to_owned).collect()
}

fn is_hash(word: &str) -> bool {
    let digits = word.rsplit('=').next().unwrap_or(word);
    digits.len() >= 16 && digits.chars().all(|c| c.is_ascii_hexdigit())
}

/// All crates, with their doc tests; snapshots are compared, never rewritten.
fn rust_tests(runner: &mut Runner, cases: Option<u32>) -> Result<(), Failure> {
    let mut command = runner.command("cargo", &["test", "--workspace", "--no-fail-fast"]);
    command.env("INSTA_UPDATE", "no").env_remove("INSTA_FORCE_PASS");
    set_cases(&mut command, cases);
    runner.run_tests("Rust tests", command)
}

/// The properties of the core and of the decoders that read what strangers send, and the
/// distribution of what was generated.
pub(crate) fn properties(runner: &mut Runner, cases: Option<u32>) -> Result<(), Failure> {
    run_properties(runner, &[], cases)?;
    let tests = ["test", "--package", "duroxide-remote", "--lib", "fuzz", "--", "--nocapture"];
    let mut command = runner.command("cargo", &tests);
    set_cases(&mut command, cases);
    runner.run_tests("properties of the remote decoders", command)
}

fn run_properties(runner: &mut Runner, only: &[&str], cases: Option<u32>) -> Result<(), Failure> {
    let tests = ["test", "--package", "duroxide-core", "--test", "properties"];
    let mut command = runner.command("cargo", &tests);
    command.args(only).args(["--", "--nocapture"]);
    set_cases(&mut command, cases);
    runner.run_tests("properties of the core", command)
}

/// How many random programs each property of the core runs.
fn set_cases(command: &mut Command, cases: Option<u32>) {
    if let Some(cases) = cases {
        command.env("DUROXIDE_CASES", cases.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_trace_hash_are_found() {
        let output =
            "seed 7 hash=0123456789abcdef took 3 ms\n200 seeds in 4 s\nrun 00ff00ff00ff00ff00\n";
        assert_eq!(hashes(output).len(), 2);
    }
}
