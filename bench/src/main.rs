//! `duroxide-bench`: measures what durable steps cost. `one` is one measurement in this
//! process, the same as `node bench/one.mjs` is in Node; `suite` starts one process for each,
//! looks at it from outside, and measures the machine's floor in between. Not here: what is
//! measured (`workload`), the page (`page`).

#![expect(clippy::cast_precision_loss, reason = "rates are told with three figures")]

mod floor;
mod loops;
mod one;
mod outside;
mod page;
mod result;
mod store;
mod suite;
mod workload;

use clap::{Parser, Subcommand};
use result::Failure;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "duroxide-bench", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    request: Request,
}

#[derive(Debug, Subcommand)]
enum Request {
    /// One workload on one store, in this process: prints `ready`, waits for a line, measures,
    /// prints one JSON value, and ends with its stdin.
    One(one::Options),
    /// Every workload on every store, in Rust and in Node, each in a process of its own: one
    /// JSON line each, and the page if it is asked for.
    Suite(suite::Options),
    /// Write the page anew from the lines of a suite.
    Page {
        /// The lines.
        lines: PathBuf,
        /// The page; its plots go beside it.
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("duroxide-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(request: Request) -> Result<(), Failure> {
    match request {
        Request::One(options) => one::run(&options),
        Request::Suite(options) => suite::run(&options),
        Request::Page { lines, out } => page::write(&suite::read(&lines)?, &out),
    }
}
