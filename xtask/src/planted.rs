//! `cargo xtask sim planted`: plants one defect after the other into a scratch copy of the
//! sources, runs seeds on each until one fails, and prints how many it took. The defects are
//! the patches of `sim/planted`. Not here: what finds them; no oracle knows any by name.

use crate::runner::{Failure, Runner, display};
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const STEP: &str = "planted bugs";
/// A defect that takes more is not caught.
const MOST_SEEDS: u64 = 2_000;

/// A defect.
#[derive(Debug, Deserialize)]
struct Planted {
    /// The patch's name, without `.patch`.
    name: String,
    /// What a user would lose.
    sentence: String,
    /// `blind`: written by somebody who had not seen the oracles.
    author: String,
}

/// What became of it.
struct Caught {
    seeds: Option<u64>,
    oracle: String,
}

/// All defects, or those whose names contain one of the words; `--seeds N` tries fewer.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    let (words, seeds) = options(args)?;
    let garden = Garden::prepare(runner)?;
    let list = runner.root().join("sim/planted/planted.json");
    let text = fs::read_to_string(&list).map_err(|error| Failure::io(show(&list), error))?;
    let all: Vec<Planted> =
        serde_json::from_str(&text).map_err(|error| failed(format!("{}: {error}", show(&list))))?;
    let wanted = |planted: &&Planted| {
        words.is_empty() || words.iter().any(|word| planted.name.contains(word.as_str()))
    };
    let mut missed = Vec::new();
    let mut stdout = std::io::stdout();
    let mut say =
        |line: String| writeln!(stdout, "{line}").map_err(|error| Failure::io("stdout", error));
    for planted in all.iter().filter(wanted) {
        let caught = garden.plant(runner, planted, seeds)?;
        let Planted { name, author, sentence } = planted;
        match caught.seeds {
            Some(seeds) => {
                say(format!("| {name} | {author} | {seeds} | {} | {sentence} |", caught.oracle))?;
            }
            None => {
                missed.push(name.clone());
                say(format!("| {name} | {author} | not in {seeds} | | {sentence} |"))?;
            }
        }
    }
    if missed.is_empty() {
        return Ok(());
    }
    Err(failed(format!("not caught within {seeds} seeds: {}", missed.join(", "))))
}

fn options(args: &[String]) -> Result<(Vec<String>, u64), Failure> {
    let (mut words, mut seeds, mut rest) = (Vec::new(), MOST_SEEDS, args.iter());
    while let Some(arg) = rest.next() {
        if arg == "--seeds" {
            let number = rest.next().and_then(|number| number.parse().ok());
            seeds = number
                .ok_or_else(|| Failure::Usage("`sim planted`: --seeds takes a number".into()))?;
        } else {
            words.push(arg.clone());
        }
    }
    Ok((words, seeds))
}

/// A copy of the sources in which defects grow.
pub(crate) struct Garden {
    tree: PathBuf,
    target: PathBuf,
    patches: PathBuf,
}

impl Garden {
    /// The sources as they are now. What was built for an earlier copy is used again.
    pub(crate) fn prepare(runner: &Runner) -> Result<Self, Failure> {
        let root = runner.root();
        let tree = root.join("target/planted/tree");
        let listed = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let files = Runner::output(STEP, runner.command("git", &listed))?;
        for file in files.lines().filter(|file| root.join(file).is_file()) {
            copy_if_changed(&root.join(file), &tree.join(file))?;
        }
        let (target, patches) = (root.join("target/planted/target"), root.join("sim/planted"));
        Ok(Self { tree, target, patches })
    }

    /// Plant a defect, see how many seeds it lives, and take it out again.
    fn plant(&self, runner: &Runner, planted: &Planted, seeds: u64) -> Result<Caught, Failure> {
        let patch = self.patches.join(format!("{}.patch", planted.name));
        self.patch(&patch, &["--forward"])?;
        let caught = self.build(runner).and_then(|()| self.hunt(seeds));
        self.patch(&patch, &["--reverse"])?;
        caught
    }

    pub(crate) fn patch(&self, patch: &Path, way: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new("patch");
        command.args(["--strip=1", "--silent", "--no-backup-if-mismatch"]).args(way);
        command.arg("--input").arg(patch).current_dir(&self.tree);
        Runner::output(STEP, command).map(drop)
    }

    pub(crate) fn build(&self, runner: &Runner) -> Result<(), Failure> {
        let args = ["build", "--quiet", "--release", "--package", "duroxide-sim"];
        let mut command = runner.command("cargo", &args);
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        Runner::output(STEP, command).map(drop)
    }

    /// So many seeds of what was built.
    pub(crate) fn seeds(&self, seeds: u64, options: &[&str]) -> Result<Value, Failure> {
        let mut command = Command::new(self.target.join("release/duroxide-sim"));
        let seeds = seeds.to_string();
        command.args(["run", "--scenario", "all", "--json", "--seeds", &seeds]).args(options);
        // A defect that panics does so often: what it costs is not in the backtraces.
        command.env("RUST_BACKTRACE", "0").current_dir(&self.tree).stderr(Stdio::null());
        let shown = display(&command);
        let output = command.output().map_err(|error| Failure::io(shown.clone(), error))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(format!("{shown} printed no JSON: {error}")))
    }

    /// Seeds until one fails.
    fn hunt(&self, seeds: u64) -> Result<Caught, Failure> {
        let summary = self.seeds(seeds, &["--until-failure"])?;
        let first = summary["failed"].as_array().and_then(|failed| failed.first());
        Ok(Caught {
            seeds: first.and_then(|first| first["seed"].as_u64()).map(|seed| seed + 1),
            oracle: first
                .and_then(|first| first["failure"]["oracle"].as_str())
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

/// Copied only if it differs, so that what was built of the rest stays valid.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), Failure> {
    let read = |path: &Path| fs::read(path).map_err(|error| Failure::io(show(path), error));
    let wanted = read(from)?;
    if fs::read(to).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::io(show(folder), error))?;
    }
    fs::write(to, wanted).map_err(|error| Failure::io(show(to), error))
}

fn failed(what: String) -> Failure {
    Failure::Check { step: STEP.into(), what }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
