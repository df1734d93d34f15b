//! `duroxide-sim`: the command. What it can do is in `duroxide_sim::cli`.

use clap::Parser;
use duroxide_sim::cli::{self, Cli, CliError};
use std::process::ExitCode;
use std::time::Instant;

/// A run makes and drops millions of small things on one thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::disallowed_methods, reason = "the wall time of a command is no part of a run")]
fn main() -> ExitCode {
    let begun = Instant::now();
    let asked = Cli::parse();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    match cli::execute(&asked.request, &mut std::io::stdout(), cores, &|| begun.elapsed()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
