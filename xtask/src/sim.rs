//! `cargo xtask sim`: the simulation in an optimised build; arguments and exit code are
//! those of `duroxide-sim` itself, but for `planted` and `real`, which build it of changed
//! sources.

use crate::runner::{Failure, Runner, display};
use crate::{planted, real};
use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};

/// The build for a range of seeds that somebody asks for: slow to make, and fast.
const MANY: &str = "sim";
/// The build for everything else.
const FEW: &str = "release";

/// Hand over to `duroxide-sim`.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    match args.split_first().map(|(command, rest)| (command.as_str(), rest)) {
        Some(("planted", rest)) => return planted::run(runner, rest),
        Some(("real", rest)) => return real::run(runner, rest),
        _ => {}
    }
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let many = args.first() == Some(&"run") && args.iter().any(|arg| arg.starts_with("--seeds"));
    let mut command = built(runner, if many { MANY } else { FEW }, &args);
    // Ctrl-C is for the simulation, which says what is known so far: its code is waited for.
    ctrlc::set_handler(|| ()).map_err(|error| Failure::io("Ctrl-C", io::Error::other(error)))?;
    let status = command.status().map_err(|error| Failure::io(display(&command), error))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure::Exit { command: display(&command), code })
}

/// Build it, as a step of its own: the time of a build is not the time of a run.
pub(crate) fn build(runner: &mut Runner) -> Result<(), Failure> {
    let build = runner.command("cargo", &["build", "--profile", FEW, "--package", "duroxide-sim"]);
    runner.run("build the simulation", build)
}

/// Every plan that once showed a bug passes now.
pub(crate) fn regressions(runner: &mut Runner) -> Result<(), Failure> {
    const STEP: &str = "regressions of the simulation";
    let folder = runner.root().join("sim/regressions");
    let io = |error| Failure::io(folder.display().to_string(), error);
    let mut plans = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io)? {
        plans.push(entry.map_err(io)?.path());
    }
    plans.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    plans.sort();
    runner.step(STEP, |runner| {
        let replay = |plan: &PathBuf| {
            let plan = plan.display().to_string();
            Runner::output(STEP, command(runner, &["replay", &plan])).map(drop)
        };
        // All of them, so that one failure does not hide another.
        let failed: Vec<_> = plans.iter().filter_map(|plan| replay(plan).err()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let what: Vec<_> = failed.iter().map(ToString::to_string).collect();
        Err(Failure::Check { step: STEP.into(), what: what.join("\n") })
    })
}

/// A command of the simulation.
pub(crate) fn command(runner: &Runner, args: &[&str]) -> Command {
    built(runner, FEW, args)
}

/// The same, in a build with this profile.
fn built(runner: &Runner, profile: &str, args: &[&str]) -> Command {
    let cargo = ["run", "--quiet", "--profile", profile, "--package", "duroxide-sim", "--"];
    let mut command = runner.command("cargo", &cargo);
    command.args(args);
    command
}
