//! `cargo xtask lint`: formatting, clippy with the Env bans, the TypeScript compiler, and what
//! publint and attw say of the package. Not here: the type tests, which are among the Node tests.

use crate::node;
use crate::runner::{Failure, Runner};
use crate::tools;

/// Every linter; any warning fails.
pub(crate) fn run(runner: &mut Runner) -> Result<(), Failure> {
    tools::require_rust(runner)?;
    rust(runner)?;
    tools::require_node(runner)?;
    node::lint(runner)
}

/// The Rust half.
pub(crate) fn rust(runner: &mut Runner) -> Result<(), Failure> {
    let fmt = runner.command("cargo", &["fmt", "--all", "--check"]);
    runner.run("formatting", fmt)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    let clippy = runner.command("cargo", &clippy);
    runner.run("clippy", clippy)
}
