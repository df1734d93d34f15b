//! `cargo xtask chaos`: processes on one store, killed while they work. The arguments are those
//! of `duroxide-chaos`, which prints what it did and found. Not here: the run itself (the
//! package `tests`), and what the processes run (`bindings/node/test/chaos`).

use crate::runner::{Failure, Runner, display};
use crate::{node, tools};
use std::process::Command;

/// A run that is short enough for every change.
const SHORT: [&str; 4] = ["--seconds", "10", "--workflows", "60"];

/// Build what it needs, and hand over.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    tools::require_rust(runner)?;
    tools::require_node(runner)?;
    if args.iter().any(|arg| arg == "postgres") {
        tools::require_postgres(runner)?;
    }
    node::build(runner, "build:debug")?;
    build(runner)?;
    let mut command = command(runner, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let status = command.status().map_err(|error| Failure::io(display(&command), error))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Ok(()),
        code => Err(Failure::Exit { command: display(&command), code: code.unwrap_or(1) }),
    }
}

/// A short run on each store; the package must be built.
pub(crate) fn short(runner: &mut Runner) -> Result<(), Failure> {
    build(runner)?;
    for store in ["sqlite", "postgres"] {
        let mut command = command(runner, &["--store", store]);
        command.args(SHORT);
        runner.run(&format!("chaos on {store}"), command)?;
    }
    Ok(())
}

fn build(runner: &mut Runner) -> Result<(), Failure> {
    let build = ["build", "--package", "duroxide-tests", "--bin", "duroxide-chaos"];
    let build = runner.command("cargo", &build);
    runner.run("build the chaos", build)
}

fn command(runner: &Runner, args: &[&str]) -> Command {
    let cargo = ["run", "--quiet", "--package", "duroxide-tests", "--bin", "duroxide-chaos", "--"];
    let mut command = runner.command("cargo", &cargo);
    command.args(args);
    command
}
