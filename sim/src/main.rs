//! `duroxide-sim`: the command. What it can do is in `duroxide_sim::cli`.

use duroxide_sim::cli::{self, CliError};
use std::process::ExitCode;
use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "the wall time of a command is no part of a run")]
fn main() -> ExitCode {
    let begun = Instant::now();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let done = cli::parse(&args, cores)
        .and_then(|request| cli::execute(&request, &mut std::io::stdout(), &|| begun.elapsed()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
