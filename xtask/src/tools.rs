//! The tools a step needs: looked for, and installed where that needs no question asked
//! (rustup components; Debian packages, as root). Otherwise the failure says what to
//! install.

use crate::runner::{Failure, Runner};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The oldest Node that the package supports.
const NODE_MAJOR: u32 = 20;
/// Browsers without a window, as they are called: any of them shows the report.
const CHROMIUM: [&str; 3] = ["chromium-headless-shell", "chromium", "google-chrome"];
/// Where Debian's packages of PostgreSQL put it.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

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

/// A server of PostgreSQL. Debian has it off the path, in a folder for each version.
pub(crate) fn require_postgres(runner: &mut Runner) -> Result<(), Failure> {
    let installed = || has_program("postgres") || has_debian_postgres(Path::new(DEBIAN_POSTGRES));
    require(runner, "postgres", "postgresql", installed)
}

/// A browser that shows a page without a window.
pub(crate) fn require_chromium(runner: &mut Runner) -> Result<(), Failure> {
    let installed = || CHROMIUM.iter().any(|program| has_program(program));
    require(runner, "chromium", "chromium-headless-shell", installed)
}

fn has_debian_postgres(folder: &Path) -> bool {
    let versions = fs::read_dir(folder).into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin/postgres").is_file())
}

fn has_program(program: &str) -> bool {
    first_line(program, &["--version"]).is_some()
}

/// A program on the path; if it is absent, its Debian packages.
fn require_program(runner: &mut Runner, program: &str, packages: &str) -> Result<(), Failure> {
    require(runner, program, packages, || has_program(program))
}

fn require(
    runner: &mut Runner,
    program: &str,
    packages: &str,
    installed: impl Fn() -> bool,
) -> Result<(), Failure> {
    if installed() {
        return Ok(());
    }
    if first_line("apt-get", &["--version"]).is_none() {
        return Err(Failure::Missing(format!(
            "`{program}` is needed and was not found (Debian's packages: {packages})"
        )));
    }
    let update = runner.command("apt-get", &["update", "--quiet"]);
    runner.run("apt-get update", update)?;
    let mut install = runner.command("apt-get", &["install", "--yes", "--no-install-recommends"]);
    install.args(packages.split(' ')).env("DEBIAN_FRONTEND", "noninteractive");
    runner.run(&format!("install {program}"), install)?;
    if installed() {
        return Ok(());
    }
    Err(Failure::Missing(format!("`{program}` is needed; installing it did not help")))
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
    fn a_server_in_debians_folder_is_found_and_an_empty_one_is_none() {
        let root = std::env::temp_dir().join(format!("xtask-postgres-{}", std::process::id()));
        let programs = root.join("15/bin");
        fs::create_dir_all(&programs).expect("writable");
        assert!(!has_debian_postgres(&root));
        fs::write(programs.join("postgres"), "").expect("writable");
        assert!(has_debian_postgres(&root));
        fs::remove_dir_all(&root).expect("ours");
        assert!(!has_debian_postgres(&root));
    }

    #[test]
    fn an_absent_program_has_no_first_line() {
        assert_eq!(first_line("a-program-that-does-not-exist", &[]), None);
    }
}
