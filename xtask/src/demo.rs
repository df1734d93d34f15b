//! `cargo xtask demo`: what a new user does, from a fresh clone. Builds the package, packs
//! it as npm would publish it, this machine's native package too, installs both into apps
//! outside the package, runs the guide's minimal example there, then kills a workflow and
//! starts it again.

use crate::runner::{Failure, Runner};
use crate::{node, tools};
use std::fs;
use std::path::{Path, PathBuf};

/// The apps, in the order in which they run.
const APPS: [&str; 2] = ["minimal", "crash"];

/// The demonstration, step by step.
pub(crate) fn run(runner: &mut Runner) -> Result<(), Failure> {
    tools::require_rust(runner)?;
    tools::require_node(runner)?;
    node::build(runner, "build")?;
    let demo = new_folder(runner)?;
    let packages = pack(runner, &demo)?;
    for app in APPS {
        // Offline: the optional packages of other targets are in no registry.
        let flags = ["install", "--offline", "--no-audit", "--no-fund", "--no-package-lock"];
        let mut install = node::npm(&demo.join(app), &flags);
        install.args(&packages);
        runner.run(&format!("install the packages into {app}"), install)?;
    }
    for app in APPS {
        let start = node::npm(&demo.join(app), &["run", "--silent", "start"]);
        runner.run(&format!("run {app}"), start)?;
    }
    runner.print_times();
    Ok(())
}

/// A fresh folder with the examples; above it there is no package to find by accident.
fn new_folder(runner: &mut Runner) -> Result<PathBuf, Failure> {
    let examples = node::package_dir(runner).join("examples");
    let demo = runner.root().join("target/demo");
    runner.step("copy the examples", |_| {
        if demo.exists() {
            fs::remove_dir_all(&demo).map_err(|error| failed(&demo, error))?;
        }
        for app in APPS {
            copy(&examples.join(app), &demo.join(app))?;
        }
        Ok(())
    })?;
    Ok(demo)
}

/// The tarballs that npm would publish: the package, and this machine's native one.
fn pack(runner: &mut Runner, demo: &Path) -> Result<Vec<PathBuf>, Failure> {
    let into = demo.join("packages");
    node::pack(runner, &into)?;
    let entries = fs::read_dir(&into).map_err(|error| failed(&into, error))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let tarballs: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|name| name == "tgz")).collect();
    match tarballs.len() {
        2 => Ok(tarballs),
        found => Err(Failure::Missing(format!("{found} tarballs were packed instead of 2"))),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(|error| failed(to, error))?;
    for entry in fs::read_dir(from).map_err(|error| failed(from, error))? {
        let path = entry.map_err(|error| failed(from, error))?.path();
        if path.ends_with("node_modules") {
            continue;
        }
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(|error| failed(&path, error))?;
        }
    }
    Ok(())
}

fn failed(path: &Path, error: std::io::Error) -> Failure {
    Failure::io(path.display().to_string(), error)
}
