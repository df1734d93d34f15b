//! The npm package: its dependencies, build, lint, tests and examples, through the scripts of
//! its `package.json`. Not here: the demonstration that installs it, its documentation.

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

/// The TypeScript compiler, then what can be checked without the addon.
pub(crate) fn lint(runner: &mut Runner) -> Result<(), Failure> {
    install(runner)?;
    let dir = package_dir(runner);
    runner.run("TypeScript", npm(&dir, &["run", "build:ts"]))?;
    runner.run("publint and attw", npm(&dir, &["run", "check:package"]))
}

/// The package's tests, those of the types, the guide and the documentation among them.
pub(crate) fn test(runner: &mut Runner) -> Result<(), Failure> {
    let dir = package_dir(runner);
    runner.run_tests("Node tests", npm(&dir, &["test"]))
}

/// What npm would publish, on every supported Node.
pub(crate) fn test_package(runner: &mut Runner) -> Result<(), Failure> {
    let dir = package_dir(runner);
    runner.run_tests("package tests on each Node", npm(&dir, &["run", "test:package"]))
}

/// The examples, one after the other, with what they print.
pub(crate) fn examples(runner: &mut Runner) -> Result<(), Failure> {
    let dir = package_dir(runner);
    runner.run("JavaScript examples", npm(&dir, &["run", "--silent", "examples"]))
}

/// What npm would publish, packed into a folder.
pub(crate) fn pack(runner: &mut Runner, into: &Path) -> Result<(), Failure> {
    let into = into.display().to_string();
    let args = ["run", "--silent", "packages", "--", into.as_str()];
    let command = npm(&package_dir(runner), &args);
    runner.run("pack the packages", command)
}

/// npm writes a lock file of its own when an installation is complete.
fn is_installed(dir: &Path) -> bool {
    let modified = |path: &str| fs::metadata(dir.join(path)).and_then(|file| file.modified()).ok();
    match (modified("package-lock.json"), modified("node_modules/.package-lock.json")) {
        (Some(wanted), Some(installed)) => installed >= wanted,
        _ => false,
    }
}
