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
/// So many seeds at a time, between two words of progress.
const AT_A_TIME: u64 = 50;
/// They take seconds; with a defect that makes the engine spin they would never end.
const SECONDS_AT_A_TIME: &str = "900";

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

/// The seed that shows a defect: it fails with it, and passes without.
struct Caught {
    seed: u64,
    oracle: String,
    workload: String,
}

/// All defects, or those whose names contain one of the words; `--seeds N` tries fewer.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    let (words, seeds) = options(args)?;
    let list = runner.root().join("sim/planted/planted.json");
    let text = fs::read_to_string(&list).map_err(|error| Failure::io(show(&list), error))?;
    let all: Vec<Planted> =
        serde_json::from_str(&text).map_err(|error| failed(format!("{}: {error}", show(&list))))?;
    let garden = Garden::prepare(runner)?;
    garden.build_sound(runner)?;
    let wanted = |planted: &&Planted| {
        words.is_empty() || words.iter().any(|word| planted.name.contains(word.as_str()))
    };
    let mut missed = Vec::new();
    let mut stdout = std::io::stdout();
    for planted in all.iter().filter(wanted) {
        let caught = garden.plant(runner, planted, seeds)?;
        if caught.is_none() {
            missed.push(planted.name.clone());
        }
        let row = row(planted, caught.as_ref(), seeds);
        writeln!(stdout, "{row}").map_err(|error| Failure::io("stdout", error))?;
    }
    if missed.is_empty() {
        return Ok(());
    }
    Err(failed(format!("not caught within {seeds} seeds: {}", missed.join(", "))))
}

/// A row of the table in `sim/planted/README.md`.
fn row(planted: &Planted, caught: Option<&Caught>, tried: u64) -> String {
    let Planted { name, author, sentence } = planted;
    let number = name.split('-').next().unwrap_or(name);
    match caught {
        Some(Caught { seed, oracle, workload }) => {
            format!("| {number} | {sentence} | {author} | {} | {oracle} | {workload} |", seed + 1)
        }
        None => format!("| {number} | {sentence} | {author} | not in {tried} | | |"),
    }
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
    /// The simulation without any of them.
    sound: PathBuf,
}

impl Garden {
    /// The sources as they are now. What was built for an earlier copy is used again.
    pub(crate) fn prepare(runner: &Runner) -> Result<Self, Failure> {
        let (root, ours) = (runner.root(), runner.root().join("target/planted"));
        let tree = ours.join("tree");
        let listed = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let files = Runner::output(STEP, runner.command("git", &listed))?;
        for file in files.lines().filter(|file| root.join(file).is_file()) {
            copy_if_changed(&root.join(file), &tree.join(file))?;
        }
        let (target, sound) = (ours.join("target"), ours.join("sound"));
        Ok(Self { tree, target, sound, patches: root.join("sim/planted") })
    }

    /// Build it as it is, to compare with.
    fn build_sound(&self, runner: &Runner) -> Result<(), Failure> {
        eprintln!("building the simulation without any defect");
        self.build(runner)?;
        fs::copy(self.built(), &self.sound)
            .map_err(|error| Failure::io(show(&self.sound), error))?;
        Ok(())
    }

    /// Plant a defect, see how many seeds it lives, and take it out again.
    fn plant(
        &self,
        runner: &Runner,
        planted: &Planted,
        seeds: u64,
    ) -> Result<Option<Caught>, Failure> {
        eprintln!("{}: building", planted.name);
        let patch = self.patches.join(format!("{}.patch", planted.name));
        self.patch(&patch, &["--forward"])?;
        let caught = self.build(runner).and_then(|()| self.hunt(&planted.name, seeds));
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
        let args = ["build", "--quiet", "--profile", "planted", "--package", "duroxide-sim"];
        let mut command = runner.command("cargo", &args);
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        Runner::output(STEP, command).map(drop)
    }

    fn built(&self) -> PathBuf {
        self.target.join("planted/duroxide-sim")
    }

    /// Seeds, from 0, until one fails that passes without the defect.
    fn hunt(&self, name: &str, seeds: u64) -> Result<Option<Caught>, Failure> {
        let mut next = 0;
        while next < seeds {
            eprintln!("{name}: {next} of {seeds} seeds");
            let count = AT_A_TIME.min(seeds - next);
            let failure = match self.first_failure(next, count) {
                Ok(failure) => failure,
                // The others are to be tried all the same; this one is told as missed.
                Err(error) => {
                    eprintln!("{name}: {error}");
                    return Ok(None);
                }
            };
            match failure {
                None => next += count,
                Some(caught) if self.is_sound(caught.seed)? => return Ok(Some(caught)),
                Some(caught) => {
                    eprintln!("{name}: seed {} fails without the defect, too", caught.seed);
                    next = caught.seed + 1;
                }
            }
        }
        Ok(None)
    }

    /// So many seeds of what was built, from this one on.
    pub(crate) fn seeds(&self, from: u64, seeds: u64, options: &[&str]) -> Result<Value, Failure> {
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", SECONDS_AT_A_TIME]).arg(self.built());
        let (from, seeds) = (from.to_string(), seeds.to_string());
        command.args(["run", "--scenario", "all", "--json", "--from", &from, "--seeds", &seeds]);
        // A defect that panics does so often: what it costs is not in the backtraces.
        command.args(options).env("RUST_BACKTRACE", "0");
        command.current_dir(&self.tree).stderr(Stdio::null());
        let shown = display(&command);
        let output = command.output().map_err(|error| Failure::io(shown.clone(), error))?;
        if output.stdout.is_empty() && !output.status.success() {
            return Err(failed(format!("{shown} came to no end ({})", output.status)));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(format!("{shown} printed no JSON: {error}")))
    }

    /// The first of these seeds that fails with what is planted.
    fn first_failure(&self, from: u64, count: u64) -> Result<Option<Caught>, Failure> {
        let summary = self.seeds(from, count, &["--until-failure", "--jobs", "1"])?;
        let first = summary["failed"].as_array().and_then(|failed| failed.first());
        Ok(first.and_then(|first| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Some(Caught {
                seed: first["seed"].as_u64()?,
                oracle: text(&first["failure"]["oracle"]),
                workload: text(&first["workload"]),
            })
        }))
    }

    /// Whether this seed passes without any defect.
    fn is_sound(&self, seed: u64) -> Result<bool, Failure> {
        let mut command = Command::new(&self.sound);
        command.args(["run", "--scenario", "all", "--seed", &seed.to_string()]);
        command.current_dir(&self.tree).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().map_err(|error| Failure::io(display(&command), error))?;
        Ok(status.success())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_is_listed_and_can_be_planted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = fs::read_to_string(root.join("sim/planted/planted.json")).unwrap();
        let listed: Vec<Planted> = serde_json::from_str(&text).unwrap();
        let mut listed: Vec<_> = listed.into_iter().map(|one| one.name + ".patch").collect();
        listed.sort();
        let mut found = Vec::new();
        for file in fs::read_dir(root.join("sim/planted")).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|kind| kind == "patch") {
                found.push(file.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
        found.sort();
        assert_eq!(found, listed);
        for name in found {
            let patch = Path::new("sim/planted").join(&name);
            let mut check = Command::new("git");
            check.args(["apply", "--check"]).arg(&patch).current_dir(&root);
            let output = check.output().unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
