//! The tools a step needs: looked for, and installed where that needs no question asked
//! (rustup components; Debian packages, as root). Otherwise the failure says what to
//! install.

use crate::runner::{Failure, Runner};
use std::process::{Command, Stdio};

/// The oldest Node that the package supports.
const NODE_MAJOR: u32 = 20;

/// cargo's fmt and clippy, and a C compiler for SQLite.
pub(crate) fn require_rust(runner: &mut Runner) -> Result<(), Failure> {
    for (component, probe) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if first_line("cargo", &[probe, "--version"]).is_none() {
            let add = runner.command("rustup", &["component", "add", component]);
            runner.run(&format!("install {component}"), add)?;
        }
    }
    require_program(runner, "cc", "gcc libc6-dev")
}

/// Node and npm.
pub(crate) fn require_node(runner: &mut Runner) -> Result<(), Failure> {
    require_program(runner, "node", "nodejs")?;
    require_program(runner, "npm", "npm")?;
    let version = first_line("node", &["--version"]).unwrap_or_default();
    if node_major(&version).is_some_and(|major| major >= NODE_MAJOR) {
        return Ok(());
    }
    Err(Failure::Missing(format!("Node {NODE_MAJOR} or newer is needed, `node` is {version:?}")))
}

/// A program on the path; if it is absent, its Debian packages.
fn require_program(runner: &mut Runner, program: &str, packages: &str) -> Result<(), Failure> {
    if first_line(program, &["--version"]).is_some() {
        return Ok(());
    }
    if first_line("apt-get", &["--version"]).is_none() {
        return Err(Failure::Missing(format!("`{program}` is needed and was not found")));
    }
    let update = runner.command("apt-get", &["update", "--quiet"]);
    runner.run("apt-get update", update)?;
    let mut install = runner.command("apt-get", &["install", "--yes", "--no-install-recommends"]);
    install.args(packages.split(' ')).env("DEBIAN_FRONTEND", "noninteractive");
    runner.run(&format!("install {program}"), install)?;
    match first_line(program, &["--version"]) {
        Some(_) => Ok(()),
        None => Err(Failure::Missing(format!("`{program}` is needed; installing it did not help"))),
    }
}

/// The first line of what a program prints, or `None` if it cannot be run.
fn first_line(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("v8.0.0"), Some(8));
        assert_eq!(node_major("20"), None);
    }

    #[test]
    fn an_absent_program_has_no_first_line() {
        assert_eq!(first_line("a-program-that-does-not-exist", &[]), None);
    }
}
