//! Sequence after sequence, each from a seed of its own, until there were enough calls and
//! everything that can happen has happened. One that fails is made small and printed.
//!
//! Steps are drawn with proptest's strategies. Its own state machine is not used: it draws each
//! step for the state that the reference is in, and so can take out of a failing sequence only
//! what no later step was drawn for. Here a step is read against whatever is there
//! (`step`), every part of a sequence is one, and shrinking goes by halves: cut behind the
//! failure, then ever smaller pieces out of the middle, then each step by its own proptest tree.

use crate::coverage::Coverage;
use crate::lockstep::{self, Failed, Report};
use crate::step::{Step, first_step, last_step, step};
use crate::subject::Kind;
use futures_util::future::join_all;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Steps that only create something.
const FIRST: usize = 4;
/// Sequences tried in making a failing one small.
const SHRINKING: usize = 600;
/// For so long at most: one that fails by hanging takes its time.
const SHRINKING_FOR: Duration = Duration::from_mins(3);

/// After so many calls each it is told how far it is.
const PROGRESS: u64 = 10_000;
/// After so many times the calls that were asked for, what has not happened never will.
const PATIENCE: u64 = 10;

/// How much is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed of the first sequence; the next has the next.
    pub seed: u64,
    /// At least so many calls.
    pub operations: u64,
    /// At most so many sequences.
    pub sequences: u64,
    /// Steps of a sequence.
    pub steps: usize,
    /// After every so manyth step stores are read whole, between those where the reference has
    /// changed. A sequence that fails is made small with all read after every step, where that
    /// makes it fail too.
    pub whole: usize,
    /// So many sequences run at once, each on stores of its own: a server has more to do than wait.
    pub at_once: u64,
    /// Until everything that can happen has happened.
    pub until_covered: bool,
}

impl Plan {
    /// So many calls, and then until everything has happened.
    pub fn of(operations: u64) -> Self {
        Self {
            seed: 1,
            operations,
            sequences: u64::MAX,
            steps: 100,
            whole: 1,
            at_once: 1,
            until_covered: true,
        }
    }
}

/// A sequence on which stores differ, made small.
pub struct Difference {
    /// What was run up to it.
    pub coverage: Coverage,
    /// The seed of the sequence.
    pub seed: u64,
    /// How many steps it had, and how many are left.
    pub steps: (usize, Vec<Step>),
    /// The calls of what is left.
    pub log: Vec<String>,
    /// What differs.
    pub what: String,
    whole: usize,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, steps) = &self.steps;
        writeln!(f, "stores differ, sequence {}: {}", self.seed, self.what)?;
        writeln!(f, "\n{before} steps, {} after shrinking:", steps.len())?;
        for (number, line) in self.log.iter().enumerate() {
            writeln!(f, "{:>4}. {line}", number + 1)?;
        }
        writeln!(f, "\nas steps:")?;
        for step in steps {
            writeln!(f, "  {step:?}")?;
        }
        writeln!(
            f,
            "run the same test again: DUROXIDE_SEED={} DUROXIDE_SEQUENCES=1 DUROXIDE_STEPS={before} \
             DUROXIDE_WHOLE={}",
            self.seed, self.whole
        )
    }
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Run sequences on stores of these kinds; the first is the reference, and the last is the one
/// that gets calls at once.
pub fn run(kinds: &[Kind], plan: &Plan) -> Result<Coverage, Box<Difference>> {
    let runtime = runtime();
    let mut coverage = Coverage::default();
    let end = plan.seed.saturating_add(plan.sequences);
    let (mut seed, mut told) = (plan.seed, 0);
    while seed < end {
        let next = seed.saturating_add(plan.at_once.max(1)).min(end);
        let batch: Vec<Sequence> = (seed..next).map(|seed| Sequence::draw(seed, plan)).collect();
        let runs = batch.iter().map(|sequence| sequence.run(kinds, plan.whole));
        for (sequence, (result, report)) in batch.iter().zip(runtime.block_on(join_all(runs))) {
            coverage.add(&report.coverage);
            if let Err(failed) = result {
                eprintln!("sequence {}: {}\nmaking it small …", sequence.seed, failed.what);
                return Err(Box::new(made_small(
                    &runtime,
                    kinds,
                    plan,
                    (sequence.seed, failed, coverage),
                )));
            }
        }
        if coverage.operations / PROGRESS > told {
            told = coverage.operations / PROGRESS;
            eprintln!("… {} operations in {} sequences", coverage.operations, coverage.sequences);
        }
        let covered = !plan.until_covered || coverage.missing().is_empty();
        let enough = coverage.operations >= plan.operations;
        if enough && (covered || coverage.operations >= plan.operations.saturating_mul(PATIENCE)) {
            break;
        }
        seed = next;
    }
    Ok(coverage)
}

/// The steps of a seed.
struct Sequence {
    seed: u64,
    steps: Vec<Step>,
}

impl Sequence {
    fn draw(seed: u64, plan: &Plan) -> Self {
        let steps = draw(seed, plan.steps).iter().map(ValueTree::current).collect();
        Self { seed, steps }
    }

    async fn run(&self, kinds: &[Kind], whole: usize) -> (Result<(), Failed>, Report) {
        let mut report = Report::default();
        let result = Box::pin(lockstep::run(kinds, (&self.steps, whole), &mut report)).await;
        (result, report)
    }
}

fn made_small(
    runtime: &Runtime,
    kinds: &[Kind],
    plan: &Plan,
    (seed, failed, coverage): (u64, Failed, Coverage),
) -> Difference {
    let mut drawn = draw(seed, plan.steps);
    let (steps, failed, report) = shrink(runtime, kinds, &mut drawn, failed);
    let (log, what, whole) = (report.log, failed.what, plan.whole);
    Difference { coverage, seed, steps: (plan.steps, steps), log, what, whole }
}

/// A runtime whose tasks all run where they are waited for.
pub fn runtime() -> Runtime {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    }
}

type Tree = Box<dyn ValueTree<Value = Step>>;

fn draw(seed: u64, count: usize) -> Vec<Tree> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (first, steps, last) = (first_step().boxed(), step().boxed(), last_step().boxed());
    (0..count)
        .map(|nth| {
            let drawn = match nth {
                nth if nth + 1 == count => &last,
                nth if nth < FIRST => &first,
                _ => &steps,
            };
            match drawn.new_tree(&mut runner) {
                Ok(tree) => Box::new(tree) as Tree,
                Err(reason) => panic!("a step cannot be drawn: {reason}"),
            }
        })
        .collect()
}

/// Runs a candidate, and knows when to stop.
struct Shrinking<'a> {
    runtime: &'a Runtime,
    kinds: &'a [Kind],
    left: usize,
    until: Instant,
}

impl Shrinking<'_> {
    /// How these steps fail, if they do.
    fn try_out(&mut self, steps: &[Step]) -> Option<(Failed, Report)> {
        if Instant::now() > self.until {
            self.left = 0;
        }
        self.left = self.left.checked_sub(1)?;
        let mut report = Report::default();
        let result = self.runtime.block_on(lockstep::run(self.kinds, (steps, 1), &mut report));
        result.err().map(|failed| (failed, report))
    }
}

fn shrink(
    runtime: &Runtime,
    kinds: &[Kind],
    drawn: &mut Vec<Tree>,
    failed: Failed,
) -> (Vec<Step>, Failed, Report) {
    let until = Instant::now() + SHRINKING_FOR;
    let mut shrinking = Shrinking { runtime, kinds, left: SHRINKING, until };
    drawn.truncate(failed.step + 1);
    let mut best = (failed, Report::default());
    take_out(&mut shrinking, drawn, &mut best);
    simplify(&mut shrinking, drawn, &mut best);
    take_out(&mut shrinking, drawn, &mut best);
    let steps: Vec<Step> = drawn.iter().map(ValueTree::current).collect();
    (shrinking.left, shrinking.until) = (1, Instant::now() + SHRINKING_FOR);
    if let Some((failed, report)) = shrinking.try_out(&steps) {
        return (steps, failed, report);
    }
    let what = best.0.what + "\n(not every time: this is what it was once)";
    (steps, Failed { step: 0, what }, best.1)
}

/// Pieces of half the length, of a quarter …, of one step.
fn take_out(shrinking: &mut Shrinking<'_>, drawn: &mut Vec<Tree>, best: &mut (Failed, Report)) {
    let mut length = (drawn.len() / 2).max(1);
    loop {
        let mut at = 0;
        while at < drawn.len() {
            let end = (at + length).min(drawn.len());
            let rest = drawn[..at].iter().chain(&drawn[end..]);
            let steps: Vec<Step> = rest.map(ValueTree::current).collect();
            match shrinking.try_out(&steps) {
                Some(found) => {
                    drawn.drain(at..end);
                    *best = found;
                }
                None => at += length,
            }
        }
        if length == 1 {
            return;
        }
        length /= 2;
    }
}

/// Each step by itself, as proptest makes values simpler.
fn simplify(shrinking: &mut Shrinking<'_>, drawn: &mut [Tree], best: &mut (Failed, Report)) {
    for at in 0..drawn.len() {
        let mut tries = 0;
        let mut simpler = drawn[at].simplify();
        while simpler && tries < 24 {
            tries += 1;
            let steps: Vec<Step> = drawn.iter().map(ValueTree::current).collect();
            simpler = match shrinking.try_out(&steps) {
                Some(found) => {
                    *best = found;
                    drawn[at].simplify()
                }
                None => drawn[at].complicate(),
            };
        }
        // What is left standing must be one that fails.
        loop {
            let steps: Vec<Step> = drawn.iter().map(ValueTree::current).collect();
            match shrinking.try_out(&steps) {
                Some(found) => {
                    *best = found;
                    break;
                }
                None if drawn[at].complicate() => {}
                None => break,
            }
        }
    }
}
