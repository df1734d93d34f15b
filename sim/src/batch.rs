//! Many seeds: run in child processes over the cores, and put together. Not here: what
//! one seed is (`run`), or how it is asked for (`cli`).

use crate::counts::Counts;
use crate::run::Outcome;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// A range of seeds this long must deliver every kind of fault.
const ENOUGH_SEEDS: u64 = 50;
/// How long nobody hears anything while seeds are slow.
const MOMENT: Duration = Duration::from_millis(200);

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
    /// It was not stopped before its end.
    pub is_whole: bool,
}

/// How a range of seeds is run.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// This program, which is asked for `share FIRST COUNT STRIDE` and what seeds are drawn
    /// from, and prints one outcome a line.
    pub program: &'a Path,
    /// Which seeds.
    pub seeds: Seeds,
    /// In so many processes.
    pub jobs: u64,
    /// What they are drawn from, as arguments.
    pub drawn: &'a [String],
    /// Stop at the first failure.
    pub until_failure: bool,
}

/// What a child says.
enum Said {
    Outcome(Box<Outcome>),
    /// It has ended; so many seeds of its share were told.
    Ended {
        job: u64,
        told: u64,
    },
}

impl Batch<'_> {
    /// Run them. `told` hears of each outcome as it comes, and of none now and then; when it
    /// says false, or with the first failure if that is asked for, the rest is left: what is
    /// known so far is given.
    pub fn run(&self, told: &mut dyn FnMut(Option<&Outcome>) -> bool) -> io::Result<Summary> {
        let jobs = self.jobs.clamp(1, self.seeds.count.max(1));
        let mut children = Vec::new();
        for job in 0..jobs {
            children.push(self.child(job, jobs)?);
        }
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let mut readers = Vec::new();
            for (job, child) in (0..).zip(&mut children) {
                let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
                let sender = sender.clone();
                readers.push(scope.spawn(move || listen(job, output, &sender)));
            }
            drop(sender);
            let summary = self.gather(jobs, &receiver, &mut children, told);
            children.iter_mut().try_for_each(|child| child.wait().map(drop))?;
            for reader in readers {
                reader.join().map_err(|_| io::Error::other("a reader panicked"))??;
            }
            Ok(summary)
        })
    }

    /// What the children say, until all have ended or been stopped.
    fn gather(
        &self,
        jobs: u64,
        said: &Receiver<Said>,
        children: &mut [Child],
        told: &mut dyn FnMut(Option<&Outcome>) -> bool,
    ) -> Summary {
        let mut summary = Summary { is_whole: true, ..Summary::default() };
        loop {
            let goes_on = match said.recv_timeout(MOMENT) {
                Ok(Said::Outcome(outcome)) => {
                    let failed = outcome.failure.is_some();
                    let goes_on = told(Some(&outcome)) && !(failed && self.until_failure);
                    summary.outcomes.insert(outcome.seed, *outcome);
                    goes_on
                }
                Ok(Said::Ended { job, told }) => {
                    if summary.is_whole {
                        let end = self.seeds.first + self.seeds.count;
                        let share = (self.seeds.first + job..end).step_by(jobs as usize);
                        summary.lost.extend(share.skip(told as usize).take(1));
                    }
                    true
                }
                Err(RecvTimeoutError::Timeout) => told(None),
                Err(RecvTimeoutError::Disconnected) => return summary,
            };
            if !goes_on && summary.is_whole {
                summary.is_whole = false;
                // One that has just ended cannot be stopped, and need not be.
                for child in children.iter_mut() {
                    let _ = child.kill();
                }
            }
        }
    }

    /// The process of one job.
    fn child(&self, job: u64, jobs: u64) -> io::Result<Child> {
        let count = self.seeds.count.saturating_sub(job).div_ceil(jobs);
        let numbers = [self.seeds.first + job, count, jobs].map(|number| number.to_string());
        let mut command = Command::new(self.program);
        command.arg("share").args(numbers).args(self.drawn);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }
}

fn listen(job: u64, output: ChildStdout, to: &Sender<Said>) -> io::Result<()> {
    let mut told = 0;
    for line in BufReader::new(output).lines() {
        // The last line of a child that was stopped may be cut off.
        let Ok(outcome) = serde_json::from_str(&line?) else { break };
        told += 1;
        if to.send(Said::Outcome(outcome)).is_err() {
            break;
        }
    }
    // Nobody listens any more: nothing is missed.
    let _ = to.send(Said::Ended { job, told });
    Ok(())
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
        problems
    }

    /// What seeds of everything would have come to, and these did not. A few seeds cannot come
    /// to everything, and say nothing about it.
    pub fn never_reached(&self) -> Vec<&'static str> {
        let are_enough = self.is_whole && self.outcomes.len() as u64 >= ENOUGH_SEEDS;
        if are_enough { self.counts().missing() } else { Vec::new() }
    }

    /// The same as one JSON value, for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "seeds": self.outcomes.len(),
            "whole": self.is_whole,
            "failed": self.failed().collect::<Vec<_>>(),
            "counted": self.counts(),
            "problems": self.problems(),
            "never_reached": self.never_reached(),
            "events": self.sum(|outcome| outcome.events),
            "compared": self.sum(|outcome| outcome.compared),
            "effects": self.sum(|outcome| outcome.effects),
            "virtual_ms": self.sum(|outcome| outcome.virtual_ms),
            "hash": self.hash(),
        })
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
        writeln!(f, "counted: {}", self.counts())?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::sometimes;
    use crate::swarm::Swarm;
    use crate::workload::Orders;
    use crate::{Plan, Workload, run};
    use std::sync::Arc;

    /// So many seeds that came to everything but this.
    fn all_but(missing: &str, seeds: u64) -> Summary {
        let orders: Arc<dyn Workload> = Arc::new(Orders);
        let mut outcome = run(&Plan::draw(1, &Orders, &Swarm::calm()), &orders);
        outcome.counts = Counts::default();
        let all = Swarm::kinds().chain(sometimes::ALL.iter().copied());
        all.filter(|what| *what != missing).for_each(|what| outcome.counts.add(what));
        let outcomes = (0..seeds).map(|seed| {
            let hash = format!("{seed:x}");
            (seed, Outcome { seed, hash, failure: None, ..outcome.clone() })
        });
        Summary { outcomes: outcomes.collect(), lost: Vec::new(), is_whole: true }
    }

    #[test]
    fn a_range_that_never_came_to_a_fault_or_point_names_it() {
        let reached_all = all_but("nothing", ENOUGH_SEEDS);
        assert_eq!(reached_all.never_reached(), Vec::<&str>::new());
        assert_eq!(reached_all.problems(), Vec::<String>::new());
        for what in ["kill", "lose_notification", sometimes::TURN_REFUSED, sometimes::RESTART] {
            assert_eq!(all_but(what, ENOUGH_SEEDS).never_reached(), [what]);
        }
        assert_eq!(all_but("kill", ENOUGH_SEEDS - 1).never_reached(), Vec::<&str>::new());
    }

    #[test]
    fn seeds_without_an_outcome_or_with_one_hash_are_problems() {
        let mut summary = all_but("nothing", 3);
        summary.lost.push(7);
        let same = summary.outcomes[&0].hash.clone();
        summary.outcomes.entry(1).and_modify(|outcome| outcome.hash = same);
        let problems = summary.problems().join("; ");
        assert!(problems.contains("seed 7: its process ended"), "{problems}");
        assert!(problems.contains("3 seeds gave only 2 hashes"), "{problems}");
    }
}
