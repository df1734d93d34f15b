//! `cargo xtask bench`: builds the benchmarks and the Node package as they ship, and runs the
//! suite; its arguments are those of `duroxide-bench suite`. Not here: what is measured (the
//! crate `duroxide-bench`).

use crate::node;
use crate::runner::{Failure, Runner, display};
use crate::tools;

const PROGRAM: &str = "duroxide-bench";

/// All of it, or what the arguments pick.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    tools::require_rust(runner)?;
    tools::require_node(runner)?;
    tools::require_postgres(runner)?;
    node::build(runner, "build")?;
    let build = runner.command("cargo", &["build", "--release", "--package", PROGRAM]);
    runner.run("build the benchmarks", build)?;
    let run = ["run", "--quiet", "--release", "--package", PROGRAM, "--", "suite"];
    let mut command = runner.command("cargo", &run);
    command.arg("--folder").arg(runner.root().join("target/bench"));
    command.arg("--package").arg(node::package_dir(runner)).args(args);
    let status = command.status().map_err(|error| Failure::io(display(&command), error))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure::Exit { command: display(&command), code })
}
