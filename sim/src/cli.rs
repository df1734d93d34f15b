//! The command: what it is asked, what it prints. Not here: what is simulated.

use crate::batch::{Seeds, Summary, run_in_children};
use crate::plan::Plan;
use crate::run::{Outcome, run_traced};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Where plans of failed seeds are kept.
const FAILED: &str = "target/sim";

/// How to ask.
pub const USAGE: &str = "\
duroxide-sim run --seeds N [--from S] [--jobs J] [--each]   N seeds, over the cores
duroxide-sim run --seed S [--trace FILE]                    one seed
duroxide-sim replay PLAN.json [--trace FILE]                a plan that was saved or edited
duroxide-sim plan --seed S                                  what a seed stands for
duroxide-sim help                                           this";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A range of seeds.
    Seeds {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
        /// In so many processes.
        jobs: u64,
        /// Print each seed's hash.
        each: bool,
    },
    /// One plan.
    One {
        /// Which.
        source: Source,
        /// Where to write the trace.
        trace: Option<PathBuf>,
    },
    /// Print the plan of a seed.
    Plan {
        /// The seed.
        seed: u64,
    },
    /// Print how to ask.
    Help,
    /// A child's share of a range.
    Share {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
        /// How far apart.
        stride: u64,
    },
}

/// Where a plan comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Drawn from a seed.
    Seed(u64),
    /// Read from a file.
    File(PathBuf),
}

/// Why a command did not pass.
#[derive(Debug, Error)]
pub enum CliError {
    /// The command line is wrong.
    #[error("{0}\n{USAGE}")]
    Usage(String),
    /// A file or process cannot be used.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file is not a plan.
    #[error("{file}: {error}")]
    NotAPlan {
        /// The file.
        file: String,
        /// Why.
        error: serde_json::Error,
    },
    /// What was run failed; all has been said.
    #[error("failed")]
    Failed,
}

/// What a command line asks.
pub fn parse(args: &[String], cores: u64) -> Result<Request, CliError> {
    let mut options = Options { rest: args, cores };
    let command = options.word()?;
    let request = match command.as_str() {
        "run" => options.run()?,
        "replay" => {
            let file = PathBuf::from(options.word()?);
            Request::One { source: Source::File(file), trace: options.trace()? }
        }
        "help" | "--help" => Request::Help,
        "plan" => {
            options.expect("--seed")?;
            Request::Plan { seed: options.number()? }
        }
        "share" => Request::Share {
            first: options.number()?,
            count: options.number()?,
            stride: options.number()?,
        },
        other => return Err(CliError::Usage(format!("unknown command `{other}`"))),
    };
    options.end()?;
    Ok(request)
}

struct Options<'a> {
    rest: &'a [String],
    cores: u64,
}

impl Options<'_> {
    fn next(&mut self) -> Option<String> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first.clone())
    }

    fn word(&mut self) -> Result<String, CliError> {
        self.next().ok_or_else(|| CliError::Usage("something is missing".to_owned()))
    }

    fn number(&mut self) -> Result<u64, CliError> {
        let word = self.word()?;
        word.parse().map_err(|_| CliError::Usage(format!("`{word}` is not a number")))
    }

    fn expect(&mut self, option: &str) -> Result<(), CliError> {
        match self.word()? {
            found if found == option => Ok(()),
            found => Err(CliError::Usage(format!("`{found}` instead of `{option}`"))),
        }
    }

    fn trace(&mut self) -> Result<Option<PathBuf>, CliError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.expect("--trace")?;
        self.word().map(|file| Some(PathBuf::from(file)))
    }

    fn end(&self) -> Result<(), CliError> {
        match self.rest.first() {
            None => Ok(()),
            Some(extra) => Err(CliError::Usage(format!("`{extra}` is not understood"))),
        }
    }

    fn run(&mut self) -> Result<Request, CliError> {
        match self.word()?.as_str() {
            "--seed" => {
                let source = Source::Seed(self.number()?);
                Ok(Request::One { source, trace: self.trace()? })
            }
            "--seeds" => {
                let (mut first, count, mut jobs, mut each) = (0, self.number()?, self.cores, false);
                while let Some(option) = self.next() {
                    match option.as_str() {
                        "--from" => first = self.number()?,
                        "--jobs" => jobs = self.number()?,
                        "--each" => each = true,
                        other => {
                            return Err(CliError::Usage(format!("unknown option `{other}`")));
                        }
                    }
                }
                Ok(Request::Seeds { first, count, jobs, each })
            }
            other => Err(CliError::Usage(format!("unknown option `{other}`"))),
        }
    }
}

/// Do what is asked, and print what came of it. `stopwatch` gives the wall time since the
/// command began: the one thing here that no seed decides.
pub fn execute(
    request: &Request,
    out: &mut dyn Write,
    stopwatch: &dyn Fn() -> Duration,
) -> Result<(), CliError> {
    match request {
        Request::Help => writeln!(out, "{USAGE}")?,
        Request::Plan { seed } => writeln!(out, "{}", spell(&Plan::draw(*seed)))?,
        Request::Share { first, count, stride } => share(*first, *count, *stride, out)?,
        Request::One { source, trace } => {
            let plan = load(source)?;
            let (outcome, lines) = run_traced(&plan, trace.is_some());
            if let Some(file) = trace {
                std::fs::write(file, lines.join("\n"))?;
            }
            write!(out, "{}", tell(&outcome, &plan)?)?;
            if outcome.failure.is_some() {
                return Err(CliError::Failed);
            }
        }
        Request::Seeds { first, count, jobs, each } => {
            let program = std::env::current_exe()?;
            let seeds = Seeds { first: *first, count: *count };
            let summary = run_in_children(&program, seeds, *jobs)?;
            report(&summary, *each, out)?;
            let wall = stopwatch();
            let speed = summary.outcomes.len() as u128 * 10_000 / wall.as_millis().max(1);
            let (whole, tenth) = (speed / 10, speed % 10);
            writeln!(out, "wall time: {wall:.1?}, {whole}.{tenth} seeds/s in {jobs} processes")?;
            if summary.failed().next().is_some() || !summary.problems().is_empty() {
                return Err(CliError::Failed);
            }
        }
    }
    Ok(())
}

fn share(first: u64, count: u64, stride: u64, out: &mut dyn Write) -> Result<(), CliError> {
    for index in 0..count {
        let (outcome, _) = run_traced(&Plan::draw(first + index * stride), false);
        writeln!(out, "{}", serde_json::to_string(&outcome).map_err(io::Error::other)?)?;
        out.flush()?;
    }
    Ok(())
}

fn report(summary: &Summary, each: bool, out: &mut dyn Write) -> Result<(), CliError> {
    if each {
        for (seed, outcome) in &summary.outcomes {
            writeln!(out, "seed {seed}: {}", outcome.hash)?;
        }
    }
    for outcome in summary.failed() {
        write!(out, "{}", tell(outcome, &Plan::draw(outcome.seed))?)?;
    }
    writeln!(out, "{summary}")?;
    for problem in summary.problems() {
        writeln!(out, "{problem}")?;
    }
    Ok(())
}

fn load(source: &Source) -> Result<Plan, CliError> {
    match source {
        Source::Seed(seed) => Ok(Plan::draw(*seed)),
        Source::File(path) => {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
            serde_json::from_str(&text).map_err(|error| CliError::NotAPlan { file, error })
        }
    }
}

/// What there is to say of one run; of a failed one also what it was, and how to see it again.
pub fn tell(outcome: &Outcome, plan: &Plan) -> io::Result<String> {
    let mut text = String::new();
    let seed = outcome.seed;
    let _ = writeln!(text, "seed {seed}: trace hash {}", outcome.hash);
    let _ = writeln!(text, "  faults that met work in flight: {}", outcome.counts);
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
        std::fs::create_dir_all(FAILED)?;
        let file = format!("{FAILED}/seed-{seed}.json");
        std::fs::write(&file, spell(plan))?;
        let _ = writeln!(text, "seed {seed} FAILED: {failure}");
        let _ = writeln!(text, "  the plan: {}", spell(plan));
        let _ = writeln!(text, "  again: cargo xtask sim run --seed {seed}");
        let _ = writeln!(text, "  or, edited: cargo xtask sim replay {file}");
    }
    Ok(text)
}

fn spell(plan: &Plan) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{{");
    let value = serde_json::to_value(plan).unwrap_or_default();
    let fields = value.as_object().cloned().unwrap_or_default();
    let last = fields.len().saturating_sub(1);
    for (index, (name, value)) in fields.iter().enumerate() {
        let comma = if index == last { "" } else { "," };
        match value.as_array().filter(|_| name == "faults") {
            None => {
                let _ = writeln!(text, "  \"{name}\": {value}{comma}");
            }
            Some(faults) => {
                let each: Vec<_> = faults.iter().map(|fault| format!("\n    {fault}")).collect();
                let _ = writeln!(text, "  \"{name}\": [{}\n  ]{comma}", each.join(","));
            }
        }
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::{Request, Source, parse, spell};
    use crate::plan::Plan;

    fn ask(line: &str) -> Result<Request, String> {
        let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
        parse(&args, 4).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_asked_is_understood() {
        let range = |first, count, jobs, each| Ok(Request::Seeds { first, count, jobs, each });
        assert_eq!(ask("run --seeds 500"), range(0, 500, 4, false));
        assert_eq!(ask("run --seeds 9 --from 3 --jobs 1 --each"), range(3, 9, 1, true));
        let one = Request::One { source: Source::Seed(7), trace: None };
        assert_eq!(ask("run --seed 7"), Ok(one));
        assert_eq!(ask("plan --seed 7"), Ok(Request::Plan { seed: 7 }));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, named) in [
            ("fly", "`fly`"),
            ("run --seeds many", "`many`"),
            ("run --seeds 3 --fast", "`--fast`"),
            ("run --seed 3 4", "`4`"),
            ("run", "missing"),
        ] {
            let error = ask(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn a_plan_spelled_out_can_be_read_back() {
        for seed in 0..20 {
            let plan = Plan::draw(seed);
            assert_eq!(serde_json::from_str::<Plan>(&spell(&plan)).unwrap(), plan);
        }
    }
}
