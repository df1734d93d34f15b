//! The workloads: what runs, and how many durable steps one workflow of it has. Those in
//! JavaScript (`bindings/node/bench/one.mjs`) have the same names and do the same.

use clap::ValueEnum;
use duroxide::prelude::*;
use std::time::Duration;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Workload {
    /// One activity.
    Hello,
    /// 20 activities, one after the other.
    Seq,
    /// 100 activities at once.
    Fanout,
    /// 100 activities at once that end at different times.
    Stagger,
    /// One workflow of many activities, one after the other.
    Longhist,
    /// From raising an event to the end of who waits for it.
    Event,
    /// A timer of 1 ms.
    Timer,
    /// 10 children at once.
    Subs,
    /// 50 executions.
    Can,
    /// Everything is started before the runtime is.
    Backlog,
    /// Workflows wait for events; nothing happens.
    Idle,
    /// Workflows with a history of 200 events go on after a restart.
    Cold,
}

/// Where a step's activity goes.
pub(crate) const STEP: &str = "Step";
/// What a waiting workflow waits for.
pub(crate) const GO: &str = "Go";
/// Activities before a cold workflow waits: each is two events.
pub(crate) const COLD_STEPS: u64 = 100;

impl Workload {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Seq => "seq",
            Self::Fanout => "fanout",
            Self::Stagger => "stagger",
            Self::Longhist => "longhist",
            Self::Event => "event",
            Self::Timer => "timer",
            Self::Subs => "subs",
            Self::Can => "can",
            Self::Backlog => "backlog",
            Self::Idle => "idle",
            Self::Cold => "cold",
        }
    }

    /// The orchestration, and its input.
    pub(crate) fn what(self) -> (&'static str, u64) {
        match self {
            Self::Hello | Self::Backlog => ("Seq", 1),
            Self::Seq => ("Seq", 20),
            Self::Fanout => ("Fanout", 100),
            Self::Stagger => ("Stagger", 100),
            Self::Longhist => ("Seq", 0),
            Self::Event | Self::Idle => ("Wait", 0),
            Self::Cold => ("Wait", COLD_STEPS),
            Self::Timer => ("Timer", 1),
            Self::Subs => ("Subs", 10),
            Self::Can => ("Can", 50),
        }
    }

    /// Durable steps of one workflow.
    pub(crate) fn steps(self) -> u64 {
        match self {
            Self::Event | Self::Idle | Self::Cold => 1,
            Self::Hello
            | Self::Seq
            | Self::Fanout
            | Self::Stagger
            | Self::Longhist
            | Self::Timer
            | Self::Subs
            | Self::Can
            | Self::Backlog => self.what().1,
        }
    }
}

/// Everything that runs. `began` is told when a step's activity begins.
pub(crate) fn registry(
    began: impl Fn() + Clone + Send + Sync + 'static,
) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity(STEP, move |_: ActivityContext, n: u64| {
            began();
            async move { Ok::<_, String>(n) }
        })
        .register_activity("Late", |_: ActivityContext, n: u64| async move {
            tokio::time::sleep(Duration::from_millis(1 + n % 20)).await;
            Ok::<_, String>(n)
        })
        .register_orchestration("Seq", seq)
        .register_orchestration("Fanout", |ctx, count| at_once(ctx, STEP, count))
        .register_orchestration("Stagger", |ctx, count| at_once(ctx, "Late", count))
        .register_orchestration("Wait", wait)
        .register_orchestration("Timer", timer)
        .register_orchestration("Subs", subs)
        .register_orchestration("Child", child)
        .register_orchestration("Can", can)
        .build()
}

async fn seq(ctx: OrchestrationContext, count: u64) -> Result<u64, OrchestrationError> {
    for n in 0..count {
        ctx.activity::<u64>(STEP, &n).await?;
    }
    Ok(count)
}

async fn at_once(
    ctx: OrchestrationContext,
    name: &'static str,
    count: u64,
) -> Result<u64, OrchestrationError> {
    let each: Vec<_> = (0..count).map(|n| ctx.activity::<u64>(name, &n)).collect();
    ctx.join(each).await.into_iter().sum()
}

async fn wait(ctx: OrchestrationContext, before: u64) -> Result<u64, OrchestrationError> {
    seq(ctx.clone(), before).await?;
    ctx.set_custom_status("waiting")?;
    ctx.wait_event(GO).await
}

async fn timer(ctx: OrchestrationContext, delay_ms: u64) -> Result<u64, OrchestrationError> {
    ctx.timer(Duration::from_millis(delay_ms)).await?;
    Ok(delay_ms)
}

async fn subs(ctx: OrchestrationContext, count: u64) -> Result<u64, OrchestrationError> {
    let each: Vec<_> = (0..count).map(|n| ctx.child::<u64>("Child", &n)).collect();
    ctx.join(each).await.into_iter().sum()
}

async fn child(_: OrchestrationContext, n: u64) -> Result<u64, OrchestrationError> {
    Ok(n)
}

async fn can(ctx: OrchestrationContext, left: u64) -> Result<u64, OrchestrationError> {
    if left == 0 { Ok(0) } else { ctx.continue_as_new(&(left - 1)).await }
}
