//! Many seeds: run in child processes over the cores, and put together. Not here: what
//! one seed is (`run`), or how it is asked for (`cli`).

use crate::fault::{Counts, Met};
use crate::run::Outcome;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A range of seeds this long must deliver every kind of fault.
const ENOUGH_SEEDS: u64 = 50;

/// Seeds to run: `first`, and so many from there.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// What many seeds came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Each seed's outcome.
    pub outcomes: BTreeMap<u64, Outcome>,
    /// Seeds whose process ended without an outcome.
    pub lost: Vec<u64>,
}

/// Run seeds in so many processes of this program, which is asked for `share FIRST COUNT
/// STRIDE` and prints one outcome a line.
pub fn run_in_children(program: &Path, seeds: Seeds, jobs: u64) -> io::Result<Summary> {
    let jobs = jobs.clamp(1, seeds.count.max(1));
    let mut children = Vec::new();
    for job in 0..jobs {
        let count = seeds.count.saturating_sub(job).div_ceil(jobs);
        let numbers = [seeds.first + job, count, jobs].map(|number| number.to_string());
        let child = Command::new(program).arg("share").args(numbers).stdout(Stdio::piped()).spawn();
        children.push((job, child?));
    }
    let mut summary = Summary::default();
    thread::scope(|scope| {
        let readers: Vec<_> = children
            .into_iter()
            .map(|(job, child)| (job, scope.spawn(move || read_outcomes(child))))
            .collect();
        for (job, reader) in readers {
            let outcomes = reader.join().map_err(|_| io::Error::other("a reader panicked"))??;
            let share = (seeds.first + job..seeds.first + seeds.count).step_by(jobs as usize);
            summary.lost.extend(share.skip(outcomes.len()).take(1));
            summary.outcomes.extend(outcomes.into_iter().map(|outcome| (outcome.seed, outcome)));
        }
        Ok(summary)
    })
}

fn read_outcomes(mut child: Child) -> io::Result<Vec<Outcome>> {
    let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
    let outcomes = BufReader::new(output)
        .lines()
        .map(|line| serde_json::from_str(&line?).map_err(io::Error::other))
        .collect();
    child.wait()?;
    outcomes
}

impl Summary {
    /// Of all seeds together.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.outcomes.values().for_each(|outcome| counts.merge(&outcome.counts));
        counts
    }

    /// One hash of every seed's.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (seed, outcome) in &self.outcomes {
            hash.update(seed.to_le_bytes());
            hash.update(outcome.hash.as_bytes());
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// What is wrong with the range as a whole, beside the seeds that failed.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<_> = self
            .lost
            .iter()
            .map(|seed| format!("seed {seed}: its process ended without an outcome"))
            .collect();
        let distinct: BTreeSet<_> = self.outcomes.values().map(|outcome| &outcome.hash).collect();
        if distinct.len() < self.outcomes.len() {
            problems.push(format!(
                "{} seeds gave only {} hashes",
                self.outcomes.len(),
                distinct.len()
            ));
        }
        let counts = self.counts();
        if self.outcomes.len() as u64 >= ENOUGH_SEEDS {
            problems.extend(
                Met::ALL.into_iter().filter(|met| counts.of(*met) == 0).map(|met| {
                    format!("no fault of this kind met work in flight: {}", met.label())
                }),
            );
        }
        problems
    }

    /// The seeds that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.values().filter(|outcome| outcome.failure.is_some())
    }

    fn sum(&self, of: impl Fn(&Outcome) -> u64) -> u64 {
        self.outcomes.values().map(of).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seeds: {}, failed: {}", self.outcomes.len(), self.failed().count())?;
        writeln!(f, "faults that met work in flight: {}", self.counts())?;
        writeln!(
            f,
            "events: {}, states compared with a cold replay: {}, effects: {} ({} repeated)",
            self.sum(|outcome| outcome.events),
            self.sum(|outcome| outcome.compared),
            self.sum(|outcome| outcome.effects),
            self.sum(|outcome| outcome.repeated),
        )?;
        let distinct: BTreeSet<_> = self.outcomes.values().map(|outcome| &outcome.hash).collect();
        writeln!(f, "trace hashes: {} distinct, all together {}", distinct.len(), self.hash())?;
        write!(
            f,
            "virtual time: {} h in {} steps",
            self.sum(|outcome| outcome.virtual_ms) / 3_600_000,
            self.sum(|outcome| outcome.steps),
        )
    }
}
