//! `cargo xtask`: the project's own commands. Each is a list of named, timed steps that
//! stops at the first failure. Not here: any logic of the engine, and no shell scripts.

mod counts;
mod demo;
mod lint;
mod node;
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
cargo xtask test          everything: lint, tidy, determinism, Rust tests, simulation, Node tests
cargo xtask lint          formatting, clippy, TypeScript
cargo xtask tidy          the arrows between crates, file sizes, forbidden words
cargo xtask sim [args]    the simulation: `cargo xtask sim help` lists its arguments
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
        "test" => no_args(command, rest).and_then(|()| test::run(&mut runner)),
        "lint" => no_args(command, rest).and_then(|()| lint::run(&mut runner)),
        "tidy" => no_args(command, rest).and_then(|()| tidy::run(&mut runner)),
        "sim" => sim::run(&runner, rest),
        "help" | "--help" | "-h" => std::io::stdout()
            .write_all(HELP.as_bytes())
            .map_err(|error| Failure::io("stdout", error)),
        other => Err(Failure::Usage(format!("no command `{other}`\n\n{HELP}"))),
    }
}

fn no_args(command: &str, rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(arg) => Err(Failure::Usage(format!("`{command}` takes no arguments, got `{arg}`"))),
    }
}
