//! `cargo xtask`: the project's own commands. Each is a list of named, timed steps that
//! stops at the first failure. Not here: any logic of the engine, and no shell scripts.

mod bench;
mod chaos;
mod conformance;
mod counts;
mod demo;
mod differential;
mod docs;
mod lint;
mod node;
mod planted;
mod postgres;
mod real;
mod runner;
mod sim;
mod test;
mod tidy;
mod tools;

use runner::{Failure, Runner};
use std::io::Write;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask demo          build the package, run the guide's minimal example, then kill -9 it
cargo xtask test [--cases N]
                          everything: tidy, lint, determinism, Rust tests, simulation, Node tests
                          and type tests, the API reference, package tests on each Node, examples,
                          and a short chaos on each store;
                          N random programs for each property of the core (2000)
cargo xtask properties [--cases N]
                          the properties of the core and of the remote decoders alone, with what
                          was generated
cargo xtask lint          formatting, clippy, TypeScript, publint, attw
cargo xtask examples      the JavaScript examples, with what they print
cargo xtask docs          writes the API reference anew, from the types
cargo xtask tidy          the arrows between crates, file sizes, forbidden words
cargo xtask sim [args]    the simulation: `cargo xtask sim help` lists its arguments
cargo xtask sim planted [WORD]... [--seeds 2000]
                          plants each defect of sim/planted into a copy of the sources, and says
                          how many seeds it took to find it
cargo xtask sim real      gives a copy of the sources a runtime whose turns panic: no seed may pass
cargo xtask bench [--workload W] [--store S] [--host rust|node] [--at-once N] [--quick]
                  [--lines FILE] [--page docs/performance.md]
                          what a durable step costs here, beside what the machine could do: one
                          JSON line for each measurement, and the page if it is asked for
cargo xtask chaos [--store sqlite|postgres] [--seconds 60] [--workflows 500] [--seed 1]
                          Node processes on one store, killed once a second while they work
cargo xtask differential [--operations 100000] [--seed 1] [--sequences N] [--steps 400]
                         [--whole 20] [--at-once 4]
                          the same random calls to the model, SQLite and PostgreSQL in lock-step
cargo xtask conformance [--json FILE] [--provider NAME]... | --faulty [--json FILE]
                          every check of the contract on every provider, as a table; or what
                          catches what: each check on every store that is faulty on purpose
cargo xtask help          this text
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Err(failure) = dispatch(&args) else { return ExitCode::SUCCESS };
    eprintln!("\nxtask: {failure}");
    ExitCode::from(failure.exit_code())
}

fn dispatch(args: &[String]) -> Result<(), Failure> {
    let Some((command, rest)) = args.split_first() else {
        return Err(Failure::Usage(format!("a command is missing\n\n{HELP}")));
    };
    let mut runner = Runner::new();
    match command.as_str() {
        "demo" => no_args(command, rest).and_then(|()| demo::run(&mut runner)),
        "test" => cases(command, rest).and_then(|cases| test::run(&mut runner, cases)),
        "properties" => cases(command, rest).and_then(|cases| test::properties(&mut runner, cases)),
        "lint" => no_args(command, rest).and_then(|()| lint::run(&mut runner)),
        "examples" => no_args(command, rest).and_then(|()| examples(&mut runner)),
        "docs" => no_args(command, rest).and_then(|()| docs::run(&mut runner)),
        "tidy" => no_args(command, rest).and_then(|()| tidy::run(&mut runner)),
        "sim" => sim::run(&mut runner, rest),
        "bench" => bench::run(&mut runner, rest),
        "chaos" => chaos::run(&mut runner, rest),
        "differential" => differential::run(&mut runner, rest),
        "conformance" => conformance::run(&mut runner, rest),
        "help" | "--help" | "-h" => std::io::stdout()
            .write_all(HELP.as_bytes())
            .map_err(|error| Failure::io("stdout", error)),
        other => Err(Failure::Usage(format!("no command `{other}`\n\n{HELP}"))),
    }
}

/// The examples run on the package as it is built here.
fn examples(runner: &mut Runner) -> Result<(), Failure> {
    tools::require_rust(runner)?;
    tools::require_node(runner)?;
    node::build(runner, "build:debug")?;
    node::examples(runner)
}

fn no_args(command: &str, rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(arg) => Err(Failure::Usage(format!("`{command}` takes no arguments, got `{arg}`"))),
    }
}

/// `--cases N`, if it is there.
fn cases(command: &str, rest: &[String]) -> Result<Option<u32>, Failure> {
    let usage = |what: &str| Err(Failure::Usage(format!("`{command}`: {what}")));
    match rest {
        [] => Ok(None),
        [flag, number] if flag == "--cases" => match number.parse() {
            Ok(cases) if cases > 0 => Ok(Some(cases)),
            Ok(_) | Err(_) => usage(&format!("--cases takes a positive number, got `{number}`")),
        },
        [other, ..] => usage(&format!("only `--cases N` is known, got `{other}`")),
    }
}
