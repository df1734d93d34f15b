//! The npm package: its dependencies, build, lint and tests, through the scripts of its
//! `package.json`. Not here: the demonstration that installs it.

use crate::runner::{Failure, Runner};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the package is.
pub(crate) fn package_dir(runner: &Runner) -> PathBuf {
    runner.root().join("bindings/node")
}

/// An npm command in a folder.
pub(crate) fn npm(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(args).current_dir(dir).env("npm_config_update_notifier", "false");
    command
}

/// Install exactly what the lock file says, unless it is installed already.
pub(crate) fn install(runner: &mut Runner) -> Result<(), Failure> {
    let dir = package_dir(runner);
    if is_installed(&dir) {
        return Ok(());
    }
    runner.run("npm packages", npm(&dir, &["ci", "--no-audit", "--no-fund"]))
}

/// The native addon and the TypeScript; `script` is `build` or `build:debug`.
pub(crate) fn build(runner: &mut Runner, script: &str) -> Result<(), Failure> {
    install(runner)?;
    let dir = package_dir(runner);
    runner.run("build the Node package", npm(&dir, &["run", script]))
}

/// The package's linter, or the TypeScript compiler if it has none.
pub(crate) fn lint(runner: &mut Runner) -> Result<(), Failure> {
    install(runner)?;
    let dir = package_dir(runner);
    let args: &[&str] = if has_script(&dir, "lint")? {
        &["run", "lint"]
    } else {
        &["exec", "--no", "--", "tsc", "--noEmit"]
    };
    runner.run("TypeScript", npm(&dir, args))
}

/// The package's tests.
pub(crate) fn test(runner: &mut Runner) -> Result<(), Failure> {
    let dir = package_dir(runner);
    runner.run_tests("Node tests", npm(&dir, &["test"]))
}

/// npm writes a lock file of its own when an installation is complete.
fn is_installed(dir: &Path) -> bool {
    let modified = |path: &str| fs::metadata(dir.join(path)).and_then(|file| file.modified()).ok();
    match (modified("package-lock.json"), modified("node_modules/.package-lock.json")) {
        (Some(wanted), Some(installed)) => installed >= wanted,
        _ => false,
    }
}

fn has_script(dir: &Path, name: &str) -> Result<bool, Failure> {
    let path = dir.join("package.json");
    let io = |error| Failure::io(path.display().to_string(), error);
    let text = fs::read_to_string(&path).map_err(io)?;
    let package: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| io(error.into()))?;
    Ok(package["scripts"][name].is_string())
}
