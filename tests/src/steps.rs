//! A workflow of sequential steps whose side effects land in a file outside the engine,
//! where they can be counted, and which a test can hold at any attempt of any step.

use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The outside world of a test: the file of effects and the files that hold steps.
#[derive(Debug, Clone)]
pub struct World {
    dir: PathBuf,
}

/// What an attempt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It began.
    Began,
    /// It is about to return.
    Ended,
}

/// One line of the file of effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What happened.
    pub phase: Phase,
    /// To which instance.
    pub instance: String,
    /// In which step, from 0.
    pub step: u32,
    /// In which attempt, from 1.
    pub attempt: u32,
    /// In which process.
    pub pid: u32,
}

impl World {
    /// The world in this folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Hold an attempt of a step until [`let_go`](Self::let_go).
    pub fn hold(&self, step: u32, attempt: u32) -> io::Result<()> {
        fs::write(self.hold_file(step, attempt), "")
    }

    /// Let it go on.
    pub fn let_go(&self, step: u32, attempt: u32) -> io::Result<()> {
        fs::remove_file(self.hold_file(step, attempt))
    }

    /// This process is at work.
    pub fn say_ready(&self) -> io::Result<()> {
        fs::write(self.ready_file(std::process::id()), "")
    }

    /// Whether that process is at work.
    #[must_use]
    pub fn is_ready(&self, pid: u32) -> bool {
        self.ready_file(pid).exists()
    }

    /// Everything that happened, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        let text = fs::read_to_string(self.effects_file()).unwrap_or_default();
        text.split_inclusive('\n').filter_map(parse).collect()
    }

    /// The first effect of this kind, if it has happened.
    #[must_use]
    pub fn find(&self, phase: Phase, step: u32, attempt: u32) -> Option<Effect> {
        let is_it = |e: &Effect| e.phase == phase && e.step == step && e.attempt == attempt;
        self.effects().into_iter().find(is_it)
    }

    /// How often each of an instance's steps began.
    #[must_use]
    pub fn runs(&self, instance: &str, steps: u32) -> Vec<u32> {
        let effects = self.effects();
        let began = |step| {
            let is_it =
                |e: &&Effect| e.phase == Phase::Began && e.instance == instance && e.step == step;
            effects.iter().filter(is_it).count() as u32
        };
        (0..steps).map(began).collect()
    }

    fn record(&self, phase: Phase, ctx: &ActivityContext, step: u32) -> io::Result<()> {
        let (instance, attempt, pid) = (ctx.instance_id(), ctx.attempt(), std::process::id());
        let mut file = OpenOptions::new().create(true).append(true).open(self.effects_file())?;
        // One write of one line: appended whole, whatever other processes append.
        file.write_all(format!("{phase:?} {instance} {step} {attempt} {pid}\n").as_bytes())
    }

    async fn run(&self, ctx: &ActivityContext, step: u32) -> io::Result<u32> {
        self.record(Phase::Began, ctx, step)?;
        while self.hold_file(step, ctx.attempt()).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.record(Phase::Ended, ctx, step)?;
        Ok(ctx.attempt())
    }

    fn hold_file(&self, step: u32, attempt: u32) -> PathBuf {
        self.dir.join(format!("hold-{step}-{attempt}"))
    }

    fn ready_file(&self, pid: u32) -> PathBuf {
        self.dir.join(format!("ready-{pid}"))
    }

    fn effects_file(&self) -> PathBuf {
        self.dir.join("effects")
    }
}

/// A line that is complete.
fn parse(line: &str) -> Option<Effect> {
    let mut words = line.strip_suffix('\n')?.split(' ');
    let phase = if words.next()? == "Began" { Phase::Began } else { Phase::Ended };
    Some(Effect {
        phase,
        instance: words.next()?.to_owned(),
        step: words.next()?.parse().ok()?,
        attempt: words.next()?.parse().ok()?,
        pid: words.next()?.parse().ok()?,
    })
}

/// `Steps` runs so many steps and gives, for each, the attempt whose result was recorded;
/// `Approval` waits for the event `go` between two steps; `Nap` sleeps for so many ms, and
/// then runs a step.
///
/// # Panics
/// Never: the names are right.
#[must_use]
pub fn registry(dir: &Path) -> Registry {
    let world = World::new(dir);
    let step = move |ctx: ActivityContext, step: u32| {
        let world = world.clone();
        async move { world.run(&ctx, step).await }
    };
    let registry = Registry::builder()
        .register_activity("Step", step)
        .register_orchestration("Steps", steps)
        .register_orchestration("Approval", approval)
        .register_orchestration("Nap", nap)
        .build();
    match registry {
        Ok(registry) => registry,
        Err(error) => panic!("{error}"),
    }
}

async fn steps(ctx: OrchestrationContext, count: u32) -> Result<Vec<u32>, OrchestrationError> {
    let mut attempts = Vec::new();
    for step in 0..count {
        attempts.push(ctx.activity("Step", &step).await?);
    }
    Ok(attempts)
}

async fn approval(ctx: OrchestrationContext, (): ()) -> Result<String, OrchestrationError> {
    ctx.activity::<u32>("Step", &0).await?;
    let answer = ctx.wait_event::<String>("go").await?;
    ctx.activity::<u32>("Step", &1).await?;
    Ok(answer)
}

async fn nap(ctx: OrchestrationContext, ms: u64) -> Result<u32, OrchestrationError> {
    ctx.timer(Duration::from_millis(ms)).await?;
    ctx.activity::<u32>("Step", &0).await
}
