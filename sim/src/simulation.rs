//! The simulation as a library: a Rust project's own orchestrations under every fault, in
//! its `cargo test`. Not here: what a run is (`run`), which faults there are (`fault`).

use crate::cli::{explanation, keep_beside, load_for, tell_of};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan, Plan, StepPlan};
use crate::report;
use crate::run::{Outcome, run, run_traced};
use crate::shrink::shrink;
use crate::swarm::Swarm;
use crate::workload::{Finished, Workload};
use duroxide_runtime::RuntimeOptions;
use duroxide_sdk::{Registry, RegistryError};
use serde::Serialize;
use serde_json::Value;
use std::env::VarError;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Replays one seed instead of a range.
const SEED: &str = "DUROXIDE_SIM_SEED";
/// Replays a plan instead of seeds.
const PLAN: &str = "DUROXIDE_SIM_PLAN";
/// Makes the plan of a failure small first, in at most so many runs.
const SHRINK: &str = "DUROXIDE_SIM_SHRINK";
/// What a simulation is called that was given no name outside a test.
const UNNAMED: &str = "custom";
/// How many instances of each start a world has, unless said.
const INSTANCES: u64 = 10;

/// Simulate the code of a registry.
///
/// What [`check`](Simulation::check) does with each seed: it draws a world (one to four
/// nodes, the production SQLite provider on a disk that can lose power or a modelled
/// PostgreSQL, clocks that are off) and a swarm of faults; runs the production engine in
/// it; and checks every oracle: that histories are well formed and replay to the same
/// commands, that nothing is lost, done twice or left over, and what you ask for yourself.
///
/// ```
/// use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
/// use duroxide_sim::{Swarm, simulate};
///
/// async fn greet(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
///     ctx.activity("Greet", &name).await
/// }
///
/// simulate(|| {
///     Registry::builder()
///         .register_orchestration("Hello", greet)
///         .register_activity("Greet", |_: ActivityContext, name: String| async move {
///             Ok::<_, String>(format!("Hello, {name}!"))
///         })
///         .build()
/// })
/// .start("Hello", "World")
/// .completes_with("Hello, World!")
/// .faults(Swarm::all())
/// .seeds(1..4)
/// .check();
/// ```
pub fn simulate<F>(code: F) -> Simulation
where
    F: Fn() -> Result<Registry, RegistryError> + Send + Sync + 'static,
{
    Simulation {
        workload: Custom {
            name: as_a_file(&path_of_the_test()),
            code: Box::new(code),
            starts: Vec::new(),
            instances: INSTANCES,
            lasts: Duration::from_hours(1),
            retries: false,
            options: RuntimeOptions::default(),
            checks: Vec::new(),
        },
        swarm: Swarm::all(),
        seeds: 0..100,
        test: path_of_the_test(),
    }
}

/// What is to be simulated. See [`simulate`].
#[must_use = "call check()"]
#[derive(Debug)]
pub struct Simulation {
    workload: Custom,
    swarm: Swarm,
    seeds: Range<u64>,
    /// Where it was called.
    test: String,
}

type Check = Box<dyn Fn(&Finished<'_>) -> Result<(), String> + Send + Sync>;

/// The caller's code and what its clients do.
struct Custom {
    name: String,
    code: Box<dyn Fn() -> Result<Registry, RegistryError> + Send + Sync>,
    starts: Vec<Start>,
    instances: u64,
    lasts: Duration,
    retries: bool,
    options: RuntimeOptions,
    checks: Vec<Check>,
}

struct Start {
    orchestration: String,
    input: Value,
    steps: Vec<Action>,
    completes_with: Option<Value>,
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Custom({})", self.name)
    }
}

impl Simulation {
    /// What failures and plans call it; the test's own name unless said. Two in one test need
    /// two names.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.workload.name = as_a_file(&name.into());
        self
    }

    /// Clients start this orchestration with this input; several starts take turns.
    ///
    /// # Panics
    /// If the input cannot be written as JSON.
    pub fn start(mut self, orchestration: impl Into<String>, input: impl Serialize) -> Self {
        let input = serde_json::to_value(input).expect("an input is JSON");
        let orchestration = orchestration.into();
        let (steps, completes_with) = (Vec::new(), None);
        self.workload.starts.push(Start { orchestration, input, steps, completes_with });
        self
    }

    /// Clients then do this to each instance of the last start; several in this order.
    pub fn then(mut self, action: Action) -> Self {
        if let Some(start) = self.workload.starts.last_mut() {
            start.steps.push(action);
        }
        self
    }

    /// Each instance of the last start must complete with this.
    ///
    /// # Panics
    /// If the output cannot be written as JSON.
    pub fn completes_with(mut self, output: impl Serialize) -> Self {
        let output = serde_json::to_value(output).expect("an output is JSON");
        if let Some(start) = self.workload.starts.last_mut() {
            start.completes_with = Some(output);
        }
        self
    }

    /// An oracle of your own: what must hold of each instance that has ended, whatever went
    /// wrong on the way. Give a sentence that says what does not.
    pub fn oracle<C>(mut self, check: C) -> Self
    where
        C: Fn(&Finished<'_>) -> Result<(), String> + Send + Sync + 'static,
    {
        self.workload.checks.push(Box::new(check));
        self
    }

    /// So many instances in each world.
    pub fn instances(mut self, count: u64) -> Self {
        self.workload.instances = count;
        self
    }

    /// How long an instance takes at most when nothing goes wrong, its timers included; an
    /// hour unless said. What takes much longer, hangs.
    pub fn lasts(mut self, duration: Duration) -> Self {
        self.workload.lasts = duration;
        self
    }

    /// Every activity is tried again when it fails, so attempts may be made to fail.
    pub fn retries(mut self) -> Self {
        self.workload.retries = true;
        self
    }

    /// How the nodes are set up.
    pub fn options(mut self, options: RuntimeOptions) -> Self {
        self.workload.options = options;
        self
    }

    /// Which faults there may be; all unless said.
    pub fn faults(mut self, swarm: Swarm) -> Self {
        self.swarm = swarm;
        self
    }

    /// Which seeds; the first hundred unless said.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Run all seeds, over the cores. `DUROXIDE_SIM_SEED` runs one of them alone,
    /// `DUROXIDE_SIM_PLAN` a plan that was saved; `DUROXIDE_SIM_SHRINK` (a number of runs)
    /// beside one of them makes the plan of the failure as small as it goes.
    ///
    /// # Panics
    /// If a seed fails: with what went wrong and what happened to the instance concerned,
    /// where its plan and a page of the run were saved, and how to run it again.
    pub fn check(self) {
        if let Err(told) = self.outcomes() {
            panic!("{told}");
        }
    }

    /// The same, for those who want to look at what each seed came to. An error is the text
    /// that [`check`](Self::check) panics with.
    ///
    /// # Errors
    /// If a seed fails.
    pub fn outcomes(self) -> Result<Vec<Outcome>, String> {
        let Self { workload, swarm, seeds, test } = self;
        if workload.starts.is_empty() || workload.instances == 0 {
            return Err("nothing is started: there is nothing to check; call start()".to_owned());
        }
        if seeds.is_empty() {
            return Err(format!("{seeds:?} is no seed: a range goes from its first to its end"));
        }
        let workload: Arc<dyn Workload> = Arc::new(workload);
        let draw = |seed| Plan::draw(seed, &*workload, &swarm);
        let (file, seed, runs) = (said(PLAN)?.map(PathBuf::from), number(SEED)?, number(SHRINK)?);
        if file.is_some() && seed.is_some() {
            return Err(format!("{PLAN} and {SEED} are both set: a plan has its seed"));
        }
        if runs.is_some() && file.is_none() && seed.is_none() {
            return Err(format!("{SHRINK} is set alone: name a {PLAN} or a {SEED} that fails"));
        }
        let again = Again { test: &test, file: file.as_deref(), runs };
        if let Some(file) = &file {
            let plan = load_for(file, &*workload).map_err(|error| error.to_string())?;
            return one(plan, &workload, again).map(|outcome| vec![outcome]);
        }
        if let Some(seed) = seed {
            return one(draw(seed), &workload, again).map(|outcome| vec![outcome]);
        }
        let next = AtomicU64::new(seeds.start);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shares = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores)
                .map(|_| scope.spawn(|| work((&next, seeds.end), &draw, &workload, again)))
                .collect();
            threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        let mut outcomes = Vec::new();
        for share in shares {
            outcomes.extend(share.map_err(|_| "a thread of the simulation panicked")??);
        }
        outcomes.sort_by_key(|outcome| outcome.seed);
        Ok(outcomes)
    }
}

/// Seeds, one after the other, until none is left or one fails.
fn work(
    (next, end): (&AtomicU64, u64),
    plan: &(dyn Fn(u64) -> Plan + Sync),
    workload: &Arc<dyn Workload>,
    again: Again<'_>,
) -> Result<Vec<Outcome>, String> {
    let mut outcomes = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return Ok(outcomes);
        }
        match one(plan(seed), workload, again) {
            Ok(outcome) => outcomes.push(outcome),
            Err(told) => {
                next.store(end, Ordering::Relaxed);
                return Err(told);
            }
        }
    }
}

/// What is said of how to see a failure again.
#[derive(Clone, Copy)]
struct Again<'a> {
    /// The test that shows it.
    test: &'a str,
    /// Where its plan was read from; that stays as it is.
    file: Option<&'a Path>,
    /// It is made small in at most so many runs.
    runs: Option<u64>,
}

/// Run a plan. Of one that fails: the text to panic with.
fn one(plan: Plan, workload: &Arc<dyn Workload>, again: Again<'_>) -> Result<Outcome, String> {
    let outcome = run(&plan, workload);
    if outcome.failure.is_none() {
        return Ok(outcome);
    }
    let small = again.runs.and_then(|runs| shrink(&plan, workload, runs, &mut |_, _| ()));
    let is_small = small.is_some();
    let plan = small.map_or(plan, |small| small.plan);
    Err(failed(&plan, workload, again, is_small).unwrap_or_else(|error| error.to_string()))
}

/// What there is to say of a plan that fails. It is kept, and so is a page of its run.
fn failed(
    plan: &Plan,
    workload: &Arc<dyn Workload>,
    again: Again<'_>,
    is_small: bool,
) -> io::Result<String> {
    let (outcome, entries) = run_traced(plan, workload, true);
    let file = match again.file {
        Some(file) if !is_small => std::path::absolute(file)?,
        Some(_) | None => keep_beside(&outcome, plan, if is_small { ".small" } else { "" })?,
    };
    let again = format!("{PLAN}={} cargo test {}", file.display(), again.test);
    let page = report::page(plan, &outcome, &entries, &again).map_err(io::Error::other)?;
    let shown = file.with_extension("html");
    std::fs::write(&shown, page)?;
    let (told, explained) = (tell_of(&outcome), explanation(&outcome, &entries));
    let shown = shown.display();
    Ok(format!(
        "{told}{explained}  again: {again}\n  make it small: {SHRINK}=400 before that\n  as a page for a browser: {shown}"
    ))
}

/// What a variable of the environment says.
fn said(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(value)) => Err(format!("{name}={} is no text", value.display())),
    }
}

fn number(name: &str) -> Result<Option<u64>, String> {
    let parse =
        |value: String| value.parse().map_err(|_| format!("{name}={value} is not a number"));
    said(name)?.map(parse).transpose()
}

/// The harness gives the thread of a test its path: so failures of two tests have two names.
fn path_of_the_test() -> String {
    let thread = std::thread::current();
    let path = thread.name().filter(|name| *name != "main");
    path.unwrap_or(UNNAMED).to_owned()
}

/// A name that files can have.
fn as_a_file(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    name.replace("::", "-").chars().map(plain).collect()
}

impl Workload for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        (self.code)()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        let starts = self.starts.iter().enumerate().cycle();
        let numbered = (1..=self.instances).zip(starts);
        numbered.map(|(number, (place, start))| start.plan(number, place, dice)).collect()
    }

    fn retries(&self) -> bool {
        self.retries
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    fn options(&self, _: u32) -> RuntimeOptions {
        self.options.clone()
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let place: usize = ended.plan.part.parse().map_err(|_| "it is of no start".to_owned())?;
        if let Some(wanted) = self.starts.get(place).and_then(|start| start.completes_with.as_ref())
        {
            let output: Value = ended.output()?;
            if output != *wanted {
                return Err(format!("it returned {output}, not {wanted}"));
            }
        }
        self.checks.iter().try_for_each(|check| check(ended))
    }
}

impl Start {
    fn plan(&self, number: u64, place: usize, dice: &mut Dice) -> InstancePlan {
        let steps = self.steps.iter().map(|action| StepPlan {
            after_ms: dice.pick(&[0, 0, 20, 700, 5_000]),
            action: action.clone(),
        });
        InstancePlan {
            id: format!("{}-{number}", self.orchestration.to_lowercase()),
            orchestration: self.orchestration.clone(),
            version: None,
            input: self.input.clone(),
            steps: steps.collect(),
            starts_ms: dice.within(0..=4_000),
            part: place.to_string(),
        }
    }
}
