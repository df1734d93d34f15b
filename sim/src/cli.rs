//! The command: what it is asked, what it prints. Not here: what is simulated.

use crate::batch::{Batch, Seeds, Summary};
use crate::plan::{FORMAT, Plan};
use crate::progress::Progress;
use crate::report;
use crate::run::{Outcome, run_traced};
use crate::shrink::{Size, shrink};
use crate::swarm::Swarm;
use crate::trace::Entry;
use crate::workload::{Choice, Workload, all, find};
use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Where plans of failed seeds are kept.
const FAILED: &str = "target/sim";
/// The name that stands for every workload.
const EVERYTHING: &str = "all";
/// Of so many failed seeds of a range it is told what happened to the instance concerned.
const EXPLAINED: usize = 3;

/// Runs the engine under simulated faults, seed by seed.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "duroxide-sim", disable_version_flag = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub request: Request,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Request {
    /// Run seeds, over the cores; or one.
    Run {
        /// Run this one, here.
        #[arg(long, conflicts_with_all = ["seeds", "from", "jobs", "each", "until_failure", "json"])]
        seed: Option<u64>,
        /// How many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// The first.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// In so many processes; as many as there are cores unless said.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        jobs: Option<u64>,
        /// Print each seed's trace hash.
        #[arg(long)]
        each: bool,
        /// Stop at the first seed that fails.
        #[arg(long)]
        until_failure: bool,
        /// Print one JSON value instead of text.
        #[arg(long)]
        json: bool,
        /// Write the trace of the one seed to this file.
        #[arg(long, requires = "seed")]
        trace: Option<PathBuf>,
        /// What they are drawn from.
        #[command(flatten)]
        drawn: Drawn,
    },
    /// Run a plan that was saved, or edited.
    Replay {
        /// The plan.
        plan: PathBuf,
        /// Write the trace to this file.
        #[arg(long)]
        trace: Option<PathBuf>,
    },
    /// Make a plan that fails as small as it goes while it fails in the same way.
    Shrink {
        /// The plan.
        plan: PathBuf,
        /// Where to write the small one; beside the plan unless said.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Try at most so many plans.
        #[arg(long, default_value_t = 400)]
        runs: u64,
    },
    /// Run a plan, and write what happened as one page for a browser.
    Report {
        /// The plan.
        plan: PathBuf,
        /// Where to write it; beside the plan unless said.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Print the plan of a seed.
    Plan {
        /// The seed.
        #[arg(long)]
        seed: u64,
        /// What they are drawn from.
        #[command(flatten)]
        drawn: Drawn,
    },
    /// Print what can be run, and what can go wrong.
    List,
    /// A child's share of a range: so many seeds from the first, so far apart.
    #[command(hide = true)]
    Share {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
        /// How far apart.
        stride: u64,
        /// What they are drawn from.
        #[command(flatten)]
        drawn: Drawn,
    },
}

/// What seeds are drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Drawn {
    /// The workload of this name; `all`: each seed draws one.
    #[arg(long, default_value = "order")]
    pub scenario: String,
    /// Only faults of this kind.
    #[arg(long)]
    pub only: Option<String>,
    /// A fault of this kind in every seed where it can happen, even if nothing can survive it.
    #[arg(long)]
    pub always: Option<String>,
}

impl Drawn {
    /// The plan of a seed, and what it runs.
    pub fn plan(&self, seed: u64) -> Result<(Plan, Arc<dyn Workload>), CliError> {
        let choice = match self.scenario.as_str() {
            EVERYTHING => Choice::All,
            name => Choice::Named(name.to_owned()),
        };
        let workload = choice.of(seed).ok_or_else(|| unknown("workload", &self.scenario))?;
        Ok((Plan::draw(seed, &*workload, &self.swarm()?), workload))
    }

    fn swarm(&self) -> Result<Swarm, CliError> {
        let named = |name: &String| {
            let found = Swarm::kinds().any(|kind| kind == name);
            if found { Ok(()) } else { Err(unknown("kind of fault", name)) }
        };
        let mut swarm = Swarm::all();
        if let Some(kind) = &self.only {
            named(kind)?;
            if !Swarm::all().draws(kind) && self.always.as_ref() != Some(kind) {
                return Err(CliError::NeverDrawn(kind.clone()));
            }
            swarm = swarm.only(kind);
        }
        if let Some(kind) = &self.always {
            named(kind)?;
            swarm = swarm.always(kind);
        }
        Ok(swarm)
    }

    /// Whether a long range must come to every fault and point.
    fn is_everything(&self) -> bool {
        self.scenario == EVERYTHING && self.only.is_none()
    }

    /// As arguments of a child.
    fn args(&self) -> Vec<String> {
        let mut args = vec!["--scenario".to_owned(), self.scenario.clone()];
        for (option, value) in [("--only", &self.only), ("--always", &self.always)] {
            if let Some(value) = value {
                args.extend([option.to_owned(), value.clone()]);
            }
        }
        args
    }
}

/// Why a command did not pass.
#[derive(Debug, Error)]
pub enum CliError {
    /// What was asked for does not exist.
    #[error("there is no {what} `{name}`; `duroxide-sim list` prints what there is")]
    Unknown {
        /// Of what.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// No seed has such a fault by itself.
    #[error(
        "nothing survives `{0}`, so no seed draws it by itself: ask for it with `--always {0}`"
    )]
    NeverDrawn(String),
    /// There are not so many seeds.
    #[error("from {first} there are no {count} seeds: a seed is a number of 64 bits")]
    Beyond {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
    },
    /// A file or process cannot be used.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file is not a plan.
    #[error("{file} is not a plan: {error}")]
    NotAPlan {
        /// The file.
        file: String,
        /// Why.
        error: serde_json::Error,
    },
    /// A plan is of another simulation than the one that is to run it.
    #[error(
        "{file} is a plan of the simulation `{of}`, and this one is `{here}`: run the test of `{of}` alone"
    )]
    OfAnother {
        /// The file.
        file: String,
        /// Its simulation.
        of: String,
        /// The one that was given it.
        here: String,
    },
    /// A plan cannot be run.
    #[error("{file} cannot be run: {problem}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong in it, and what was expected.
        problem: String,
    },
    /// A plan was written by another build.
    #[error("{file} is a plan of format {found}; this build runs format {FORMAT}")]
    Format {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
    },
    /// What was run failed; all has been said.
    #[error("failed")]
    Failed,
}

fn unknown(what: &'static str, name: &str) -> CliError {
    CliError::Unknown { what, name: name.to_owned() }
}

/// Do what is asked, and print what came of it. `stopwatch` gives the wall time since the
/// command began: the one thing here that no seed decides. `cores`: how many there are.
pub fn execute(
    request: &Request,
    out: &mut dyn Write,
    cores: u64,
    stopwatch: &dyn Fn() -> Duration,
) -> Result<(), CliError> {
    match request {
        Request::List => list(out)?,
        Request::Plan { seed, drawn } => writeln!(out, "{}", spell(&drawn.plan(*seed)?.0)?)?,
        Request::Share { first, count, stride, drawn } => {
            share(*first, *count, *stride, drawn, out)?;
        }
        Request::Run { seed: Some(seed), trace, drawn, .. } => {
            one(&drawn.plan(*seed)?, None, trace.as_ref(), out)?;
        }
        Request::Replay { plan, trace } => {
            one(&load(plan)?, Some(plan), trace.as_ref(), out)?;
        }
        Request::Report { plan, out: to } => write_page(plan, to.as_ref(), out)?,
        Request::Shrink { plan, out: to, runs } => make_small(plan, to.as_ref(), *runs, out)?,
        Request::Run {
            seed: None, seeds, from, jobs, each, until_failure, json, drawn, ..
        } => {
            drawn.plan(*from)?;
            from.checked_add(*seeds).ok_or(CliError::Beyond { first: *from, count: *seeds })?;
            let (program, jobs) = (std::env::current_exe()?, jobs.unwrap_or(cores));
            let batch = Batch {
                program: &program,
                seeds: Seeds { first: *from, count: *seeds },
                jobs,
                drawn: &drawn.args(),
                until_failure: *until_failure,
            };
            let mut progress = Progress::new(*seeds, stopwatch)?;
            let summary = batch.run(&mut |outcome| progress.told(outcome))?;
            progress.end();
            if *json {
                let mut value = summary.to_json();
                value["plans"] = saved(&summary, drawn)?.into();
                writeln!(
                    out,
                    "{}",
                    serde_json::to_string_pretty(&value).map_err(io::Error::other)?
                )?;
            } else {
                report(&summary, *each, drawn, out)?;
                let wall = stopwatch();
                let speed = summary.outcomes.len() as u128 * 10_000 / wall.as_millis().max(1);
                let (whole, tenth) = (speed / 10, speed % 10);
                writeln!(
                    out,
                    "wall time: {wall:.1?}, {whole}.{tenth} seeds/s in {jobs} processes"
                )?;
            }
            let came_to_all = !drawn.is_everything() || summary.never_reached().is_empty();
            let passed = summary.failed().next().is_none() && summary.problems().is_empty();
            if !passed || !came_to_all || !summary.is_whole {
                return Err(CliError::Failed);
            }
        }
    }
    Ok(())
}

fn make_small(
    path: &PathBuf,
    to: Option<&PathBuf>,
    runs: u64,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let (plan, workload) = load(path)?;
    let size = |plan: &Plan| {
        let Size { faults, instances, steps, nodes } = Size::of(plan);
        format!("{faults} faults, {instances} instances with {steps} steps, {nodes} nodes")
    };
    writeln!(out, "before: {}", size(&plan))?;
    let to = to.cloned().unwrap_or_else(|| path.with_extension("small.json"));
    let mut kept = Ok(());
    let shrunk = shrink(&plan, &workload, runs, &mut |smaller, runs| {
        // Progress is for whoever watches: that nobody does is no reason to stop.
        let _ = writeln!(out, "  after {runs} runs: {}", size(smaller));
        // Each at once: whoever has seen enough stops it, and has the smallest so far.
        if kept.is_ok() {
            kept = spell(smaller).and_then(|text| write_to(&to, text));
        }
    });
    kept?;
    let Some(shrunk) = shrunk else {
        writeln!(out, "{} does not fail: there is nothing to shrink", path.display())?;
        return Err(CliError::Failed);
    };
    write_to(&to, spell(&shrunk.plan)?)?;
    writeln!(out, "after {} runs: {}", shrunk.runs, size(&shrunk.plan))?;
    writeln!(out, "it still fails: {}", shrunk.failure)?;
    writeln!(out, "again: cargo xtask sim replay {}", to.display())?;
    Ok(())
}

fn write_page(path: &PathBuf, to: Option<&PathBuf>, out: &mut dyn Write) -> Result<(), CliError> {
    let (plan, workload) = load(path)?;
    let to = to.cloned().unwrap_or_else(|| path.with_extension("html"));
    // What cannot be written is known before anything is run.
    write_to(&to, "")?;
    let (outcome, entries) = run_traced(&plan, &workload, true);
    let again = format!("cargo xtask sim replay {}", path.display());
    let page = report::page(&plan, &outcome, &entries, &again);
    write_to(&to, page.map_err(io::Error::other)?)?;
    match &outcome.failure {
        Some(failure) => writeln!(out, "seed {} fails: {failure}", plan.seed)?,
        None => writeln!(out, "seed {} passes", plan.seed)?,
    }
    writeln!(out, "what happened, as a page: {}", to.display())?;
    Ok(())
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "workloads (all: each seed draws one):")?;
    for workload in all() {
        writeln!(out, "  {}", workload.name())?;
    }
    writeln!(out, "kinds of fault:")?;
    for kind in Swarm::kinds() {
        writeln!(out, "  {kind}")?;
    }
    Ok(())
}

fn one(
    (plan, workload): &(Plan, Arc<dyn Workload>),
    from: Option<&PathBuf>,
    trace: Option<&PathBuf>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if let Some(file) = trace {
        write_to(file, "")?;
    }
    let (outcome, entries) = run_traced(plan, workload, true);
    if let Some(file) = trace {
        let lines: Vec<_> = entries.iter().map(ToString::to_string).collect();
        write_to(file, lines.join("\n"))?;
    }
    // A plan that was read from a file stays where it is.
    let told = if from.is_some() { tell_of(&outcome) } else { tell(&outcome, plan)? };
    write!(out, "{told}")?;
    if let Some(file) = from.filter(|_| outcome.failure.is_some()) {
        writeln!(out, "  again: cargo xtask sim replay {}", file.display())?;
    }
    write!(out, "{}", explanation(&outcome, &entries))?;
    if outcome.failure.is_some() { Err(CliError::Failed) } else { Ok(()) }
}

/// What happened to the instance that a failure is about; empty if it is about none.
pub(crate) fn explanation(outcome: &Outcome, entries: &[Entry]) -> String {
    let about = outcome.failure.as_ref().and_then(|failure| failure.instance.as_ref());
    about.map_or(String::new(), |instance| {
        format!("what happened to `{instance}`:\n{}\n", report::timeline(entries, instance))
    })
}

fn share(
    first: u64,
    count: u64,
    stride: u64,
    drawn: &Drawn,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    // Ctrl-C is for the parent, which says what is known so far and then ends this process.
    ctrlc::set_handler(|| ()).map_err(io::Error::other)?;
    for index in 0..count {
        let (plan, workload) = drawn.plan(first + index * stride)?;
        let (outcome, _) = run_traced(&plan, &workload, false);
        writeln!(out, "{}", serde_json::to_string(&outcome).map_err(io::Error::other)?)?;
        out.flush()?;
    }
    Ok(())
}

fn report(
    summary: &Summary,
    each: bool,
    drawn: &Drawn,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if each {
        for (seed, outcome) in &summary.outcomes {
            writeln!(out, "seed {seed}: {}", outcome.hash)?;
        }
    }
    for (index, outcome) in summary.failed().enumerate() {
        let (plan, workload) = drawn.plan(outcome.seed)?;
        write!(out, "{}", tell(outcome, &plan)?)?;
        if index < EXPLAINED && outcome.failure.as_ref().is_some_and(|it| it.instance.is_some()) {
            // Seeds of a range leave no trace: once more, with one.
            let (outcome, entries) = run_traced(&plan, &workload, true);
            write!(out, "{}", explanation(&outcome, &entries))?;
        }
    }
    if !summary.is_whole {
        writeln!(out, "stopped before its end; what is known so far:")?;
    }
    writeln!(out, "{summary}")?;
    for problem in summary.problems() {
        writeln!(out, "{problem}")?;
    }
    if drawn.only.is_none() {
        for what in summary.never_reached() {
            writeln!(out, "never reached: {what}")?;
        }
    }
    Ok(())
}

/// The plans of the seeds that failed, kept: their files.
fn saved(summary: &Summary, drawn: &Drawn) -> Result<Vec<String>, CliError> {
    let keep = |outcome: &Outcome| Ok(save(outcome, &drawn.plan(outcome.seed)?.0)?);
    summary.failed().map(keep).collect()
}

/// A plan that was saved, and what it runs.
pub fn load(path: &PathBuf) -> Result<(Plan, Arc<dyn Workload>), CliError> {
    let plan = read(path)?;
    let workload = find(&plan.workload).ok_or_else(|| unknown("workload", &plan.workload))?;
    checked(path, &plan, &*workload)?;
    Ok((plan, workload))
}

/// A plan of this workload that was saved.
pub fn load_for(path: &PathBuf, workload: &dyn Workload) -> Result<Plan, CliError> {
    let plan = read(path)?;
    if plan.workload != workload.name() {
        let (file, of) = (path.display().to_string(), plan.workload);
        return Err(CliError::OfAnother { file, of, here: workload.name().to_owned() });
    }
    checked(path, &plan, workload)?;
    Ok(plan)
}

fn checked(path: &Path, plan: &Plan, workload: &dyn Workload) -> Result<(), CliError> {
    let file = path.display().to_string();
    plan.problem(workload).map_err(|problem| CliError::Invalid { file, problem })
}

/// What is the same in plans of every format.
#[derive(Deserialize)]
struct Tagged {
    format: u32,
}

fn read(path: &PathBuf) -> Result<Plan, CliError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
    // The format comes first: what another one means is not for this build to read.
    let Tagged { format } = serde_json::from_str(&text)
        .map_err(|error| CliError::NotAPlan { file: file.clone(), error })?;
    if format != FORMAT {
        return Err(CliError::Format { file, found: format });
    }
    serde_json::from_str(&text).map_err(|error| CliError::NotAPlan { file, error })
}

/// What there is to say of one run; of a failed one also where its plan is kept, and how to
/// see it again.
pub fn tell(outcome: &Outcome, plan: &Plan) -> io::Result<String> {
    let mut text = tell_of(outcome);
    if outcome.failure.is_some() {
        let file = save(outcome, plan)?;
        let _ = writeln!(text, "  its plan, and again: cargo xtask sim replay {file}");
    }
    Ok(text)
}

/// Keep the plan of a run; gives the file.
fn save(outcome: &Outcome, plan: &Plan) -> io::Result<String> {
    keep(outcome, plan, "").map(|file| file.display().to_string())
}

/// The same from wherever one stands.
pub(crate) fn keep_beside(outcome: &Outcome, plan: &Plan, suffix: &str) -> io::Result<PathBuf> {
    std::path::absolute(keep(outcome, plan, suffix)?)
}

fn keep(outcome: &Outcome, plan: &Plan, suffix: &str) -> io::Result<PathBuf> {
    let file =
        PathBuf::from(format!("{FAILED}/{}-{}{suffix}.json", outcome.workload, outcome.seed));
    std::fs::create_dir_all(FAILED)?;
    write_to(&file, spell(plan)?)?;
    Ok(file)
}

fn write_to(file: &Path, what: impl AsRef<[u8]>) -> io::Result<()> {
    std::fs::write(file, what)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

/// What there is to say of one run.
pub(crate) fn tell_of(outcome: &Outcome) -> String {
    let mut text = String::new();
    let seed = outcome.seed;
    let _ = writeln!(text, "seed {seed} ({}): trace hash {}", outcome.workload, outcome.hash);
    let _ = writeln!(text, "  counted: {}", outcome.counts);
    let _ = writeln!(
        text,
        "  trace entries: {}, events: {}, compared: {}, effects: {} ({} repeated), \
         virtual time: {} s in {} steps",
        outcome.entries,
        outcome.events,
        outcome.compared,
        outcome.effects,
        outcome.repeated,
        outcome.virtual_ms / 1_000,
        outcome.steps,
    );
    if let Some(failure) = &outcome.failure {
        let _ = writeln!(text, "seed {seed} FAILED: {failure}");
    }
    text
}

fn spell(plan: &Plan) -> io::Result<String> {
    serde_json::to_string_pretty(plan).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
