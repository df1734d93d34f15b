//! One sequence: each step is done to every store, and after each the answers, and what
//! everybody sees of the store, must be the same. Not here: where sequences come from and what
//! becomes of one that fails (`run`), calls at once (`together`).

use crate::call::{Answer, Call, Outcome};
use crate::coverage::Coverage;
use crate::diff;
use crate::step::{Step, What};
use crate::subject::{Kind, Subject};
use crate::world::World;
use duroxide_core::{ExecutionId, TimeMs};
use duroxide_provider::{Selection, WaitForWork, WakeSeq};
use std::time::Duration;

/// How far a wall clock is set back: so far that it does not catch up, for what a store makes of
/// that is its own.
const BACK: Duration = Duration::from_hours(30 * 24);
/// So many messages of a flood come at one moment.
const SAME_MOMENT: usize = 4;
/// After so long, a store surely writes down what its clock shows.
const WRITTEN: Duration = Duration::from_secs(2);

/// A difference.
#[derive(Debug, Clone)]
pub struct Failed {
    /// At which step, from 0.
    pub step: usize,
    /// What differs.
    pub what: String,
}

/// What came of a sequence.
#[derive(Debug, Default)]
pub struct Report {
    /// What happened.
    pub coverage: Coverage,
    /// The calls made, a line each.
    pub log: Vec<String>,
}

/// Run a sequence on stores of these kinds, the first of which the others are compared with.
/// After every step they are read whole, or after every so manyth: between those only what has
/// changed in the first.
pub(crate) async fn run(
    kinds: &[Kind],
    (steps, whole): (&[Step], usize),
    report: &mut Report,
) -> Result<(), Failed> {
    let at = |step: usize| move |what: String| Failed { step, what };
    let shared = kinds.iter().all(|kind| kind.shared);
    let mut subjects = Vec::new();
    for kind in kinds {
        subjects.push(Subject::open(kind, shared).await.map_err(at(0))?);
    }
    let (world, seen) = (World::new(), Vec::new());
    let mut run = Lockstep { subjects, world, shared, whole: true, seen, report };
    for (number, step) in steps.iter().enumerate() {
        run.whole = number % whole == 0 || number + 1 == steps.len();
        Box::pin(run.step(step)).await.map_err(at(number))?;
    }
    run.report.coverage.sequences += 1;
    Box::pin(run.farewell()).await.map_err(at(steps.len().saturating_sub(1)))
}

/// A view without what the passing of time alone changes.
fn timeless(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    match &mut outcome {
        Ok(Answer::Unclaimed(names)) => names.store_now = TimeMs(0),
        Ok(Answer::Instance(Some(info))) => {
            info.unclaimed.iter_mut().for_each(|work| work.age = Duration::ZERO);
        }
        _ => {}
    }
    outcome
}

/// A sequence under way.
pub(crate) struct Lockstep<'a, 'r> {
    /// The reference first.
    pub(crate) subjects: Vec<Subject<'a>>,
    pub(crate) world: World,
    shared: bool,
    /// This step everything is compared, not only what has changed in the reference.
    whole: bool,
    /// What the reference showed after the last step.
    seen: Vec<(Call, Outcome)>,
    pub(crate) report: &'r mut Report,
}

impl Lockstep<'_, '_> {
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.what {
            What::Advance(choice) => {
                let by = crate::tables::advance(*choice);
                self.report.log.push(format!("{by:?} pass"));
                self.advance(by).await;
            }
            What::SetBack => self.set_back().await?,
            What::Reopen if self.shared => {
                self.report.log.push("every handle is closed, and the store opened again".into());
                self.advance(WRITTEN).await;
                for subject in &mut self.subjects {
                    subject.reopen().await?;
                }
            }
            What::Leave if self.shared => {
                self.report.log.push("the second handle goes, and another comes".into());
                for subject in &mut self.subjects {
                    subject.leave().await?;
                }
            }
            What::Reopen | What::Leave => return Ok(()),
            What::Together(all) => {
                let calls: Vec<Call> =
                    all.iter().filter_map(|what| self.world.resolve(what)).collect();
                Box::pin(self.at_once(step.handle, calls)).await?;
            }
            What::Finale(all) => {
                let calls = all.iter().filter_map(|what| self.world.resolve(what)).collect();
                Box::pin(self.finale(step.handle, calls)).await?;
            }
            What::Flood { id, many } => {
                let id = self.world.existing(*id);
                for (nth, mail) in crate::tables::flood(id, *many).enumerate() {
                    let Some(call) = self.world.resolve(&mail) else { continue };
                    // What one caller sends at one moment stays in its order.
                    if nth % SAME_MOMENT == 0 {
                        self.tick().await;
                    }
                    self.same_moment(step, &call).await?;
                }
            }
            what => {
                let Some(call) = self.world.resolve(what) else { return Ok(()) };
                self.one(step, &call).await?;
            }
        }
        self.compare_views(step.handle).await
    }

    /// One call to every store.
    async fn one(&mut self, step: &Step, call: &Call) -> Result<(), String> {
        self.tick().await;
        self.same_moment(step, call).await
    }

    /// One call to every store, at the moment of the one before.
    async fn same_moment(&mut self, step: &Step, call: &Call) -> Result<(), String> {
        let outcome = self.each(step.handle, call).await?;
        let lost = if step.lost { " (the answer is lost)" } else { "" };
        self.note(call, &outcome, lost);
        if !step.lost {
            self.world.learn(call, &outcome);
        }
        Ok(())
    }

    /// One call to every store, the reference first.
    pub(crate) async fn each(&mut self, handle: u8, call: &Call) -> Result<Outcome, String> {
        let expected = self.subjects[0].call(handle, call).await?;
        for other in 1..self.subjects.len() {
            if diff::gives_work(&expected) {
                let told = self.subjects[other].is_told(handle, call).await?;
                if let Some((wait, outcome)) = told {
                    self.report.coverage.count(&wait, &outcome);
                    self.report.coverage.told += 1;
                }
            }
            let found = self.subjects[other].call(handle, call).await?;
            self.same(other, call, (&expected, &found))?;
        }
        Ok(expected)
    }

    /// That another store's answer is the reference's.
    fn same(
        &self,
        other: usize,
        call: &Call,
        (expected, found): (&Outcome, &Outcome),
    ) -> Result<(), String> {
        if expected == found {
            return Ok(());
        }
        let names = (self.subjects[0].kind.name, self.subjects[other].kind.name);
        Err(diff::describe(names, call, (expected, found)))
    }

    /// What everybody sees, of every store.
    async fn compare_views(&mut self, handle: u8) -> Result<(), String> {
        let views = self.world.views();
        let expected = self.subjects[0].views(handle, &views).await?;
        let seen: Vec<(Call, Outcome)> = views.into_iter().zip(expected).collect();
        let changed = |(call, outcome): &&(Call, Outcome)| {
            let before = self.seen.iter().find(|(seen, _)| seen == call);
            self.whole || before.is_none_or(|(_, seen)| timeless(seen) != timeless(outcome))
        };
        let (calls, expected): (Vec<Call>, Vec<Outcome>) =
            seen.iter().filter(changed).cloned().unzip();
        for other in 1..self.subjects.len() {
            let found = self.subjects[other].views(handle, &calls).await?;
            for (call, (expected, found)) in calls.iter().zip(expected.iter().zip(&found)) {
                self.same(other, call, (expected, found))?;
            }
        }
        for (call, outcome) in &seen {
            self.world.learn(call, outcome);
        }
        for (call, outcome) in calls.iter().zip(&expected) {
            self.report.coverage.count(call, outcome);
            self.report.coverage.reads += 1;
        }
        self.seen = seen;
        Ok(())
    }

    /// Keep what a call came to.
    pub(crate) fn note(&mut self, call: &Call, outcome: &Outcome, remark: &str) {
        self.report.coverage.count(call, outcome);
        self.report.coverage.operations += 1;
        let line = format!("{}{remark}\n      → {}", diff::call(call), diff::outcome(outcome));
        self.report.log.push(line);
    }

    async fn advance(&mut self, by: Duration) {
        self.world.pass(by);
        for subject in &mut self.subjects {
            subject.advance(by).await;
        }
    }

    /// No two calls come at the same time, or stores might order what they did differently
    /// without either being wrong.
    pub(crate) async fn tick(&mut self) {
        self.advance(Duration::from_millis(1)).await;
    }

    /// A store may write down what its clock shows only now and then, when something is written
    /// anyway, and notice only then that the wall clock went back: so something is written before
    /// and afterwards.
    async fn set_back(&mut self) -> Result<(), String> {
        self.report.log.push(format!("the wall clock is set back by {BACK:?}"));
        self.advance(WRITTEN).await;
        self.write_something().await?;
        for subject in &mut self.subjects {
            subject.set_back(BACK).await?;
        }
        self.write_something().await
    }

    async fn write_something(&mut self) -> Result<(), String> {
        for call in self.world.passing() {
            let outcome = self.each(0, &call).await?;
            self.world.learn(&call, &outcome);
        }
        Ok(())
    }

    /// Every call fails on a store that was closed.
    async fn farewell(&mut self) -> Result<(), String> {
        for subject in &self.subjects {
            subject.close().await?;
        }
        for call in self.every_call() {
            let outcome = self.each(0, &call).await?;
            self.report.coverage.count(&call, &outcome);
        }
        Ok(())
    }

    fn every_call(&mut self) -> Vec<Call> {
        let key = crate::tables::key(0);
        let (node, max) = (crate::tables::node(0), Duration::ZERO);
        let watch = duroxide_provider::WatchRequest { key: key.clone(), seen: None, max };
        let mut calls: Vec<Call> = crate::tables::plain_steps()
            .iter()
            .filter_map(|what| self.world.resolve(what))
            .collect();
        calls.extend([
            Call::WaitForWork(WaitForWork { node, after: WakeSeq(0), max }),
            Call::Instance(key.clone()),
            Call::Watch(watch),
            Call::Executions(key.clone()),
            Call::History(key.clone(), ExecutionId::FIRST),
            Call::Kv(key.clone()),
            Call::Tree(key.clone()),
            Call::Stats(key),
            Call::Metrics,
            Call::Depths,
            Call::Unclaimed,
            Call::DeleteMany(Selection::default()),
            Call::Close,
        ]);
        calls
    }
}
