//! `cargo xtask sim`: the simulation in an optimised build; arguments and exit code are
//! those of `duroxide-sim` itself, but for `planted` and `real`, which build it of changed
//! sources.

use crate::runner::{Failure, Runner, display};
use crate::{planted, real};
use std::process::Command;

/// Hand over to `duroxide-sim`.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    match args.split_first().map(|(command, rest)| (command.as_str(), rest)) {
        Some(("planted", rest)) => return planted::run(runner, rest),
        Some(("real", rest)) => return real::run(runner, rest),
        _ => {}
    }
    let mut command = command(runner, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let status = command.status().map_err(|error| Failure::io(display(&command), error))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure::Exit { command: display(&command), code })
}

/// Build it, as a step of its own: the time of a build is not the time of a run.
pub(crate) fn build(runner: &mut Runner) -> Result<(), Failure> {
    let build = runner.command("cargo", &["build", "--release", "--package", "duroxide-sim"]);
    runner.run("build the simulation", build)
}

/// A command of the simulation.
pub(crate) fn command(runner: &Runner, args: &[&str]) -> Command {
    let cargo = ["run", "--quiet", "--release", "--package", "duroxide-sim", "--"];
    let mut command = runner.command("cargo", &cargo);
    command.args(args);
    command
}
