//! Retry policies: activities that fail a few times, always, fatally or by taking too long,
//! under limits of each attempt and of all of them. The faults make attempts throw, too.
//!
//! What went wrong elsewhere: time-outs that were never retried, a total time limit that
//! took the place of the attempt's, a redelivered failure that became nondeterminism.

use super::parts::{INSTANCES, instance, same, scheduled};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_core::{Event, EventKind, Failure};
use duroxide_sdk::{
    ActivityContext, Backoff, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
    RegistryError, RetryPolicy,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const TRY: &str = "Try";
const ATTEMPT: &str = "Attempt";
const HOPELESS: &str = "hopeless";
const FATAL: &str = "Fatal";
/// More attempts than a plan and an activity together make fail.
const ENOUGH: u32 = 9;
/// No wait before another attempt is longer.
const LONGEST_WAIT_MS: u64 = 30_000;

/// Instances that try again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retries;

/// What an activity does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Task {
    /// So many attempts fail.
    Flaky(u32),
    /// All fail.
    Hopeless,
    /// It fails in a way that is not tried again.
    Fatal,
    /// So many attempts never end by themselves.
    Sluggish(u32),
}

#[derive(Debug, Serialize, Deserialize)]
struct Trying {
    task: Task,
    policy: RetryPolicy,
    session: Option<String>,
}

impl Workload for Retries {
    fn name(&self) -> &'static str {
        "retries"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn retries(&self) -> bool {
        true
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES).map(|number| plan(format!("retries-{number}"), dice)).collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let trying: Trying =
            serde_json::from_value(ended.plan.input.clone()).map_err(|error| error.to_string())?;
        let came: Result<String, String> = ended.output()?;
        let attempts: Vec<_> = scheduled(ended.history, ATTEMPT).collect();
        let numbers: Vec<_> = attempts.iter().filter_map(|event| number_of(event)).collect();
        same("attempts", &numbers, &(1..=numbers.len() as u32).collect())?;
        let policy = &trying.policy;
        if policy.timeout_ms.is_none() && policy.total_timeout_ms.is_none() {
            same("waits", &waits_in(ended.history), &waits_of(policy, numbers.len() as u32))?;
        }
        within_total(&attempts, policy)?;
        let is_last = numbers.len() as u32 == policy.max_attempts
            || policy.total_timeout_ms.is_some_and(|total| spent(ended.history) >= total);
        let expected = match (&trying.task, came) {
            (Task::Flaky(_) | Task::Sluggish(_), Ok(told)) => told == "at last",
            (Task::Hopeless | Task::Sluggish(_), Err(_)) => is_last,
            (Task::Fatal, Err(told)) => told == FATAL,
            (Task::Flaky(_), Err(_)) => is_last && policy.max_attempts < ENOUGH,
            (Task::Hopeless | Task::Fatal, Ok(_)) => false,
        };
        if expected { Ok(()) } else { Err(format!("it must not end so: {:?}", ended.state)) }
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder.register_orchestration(TRY, try_it).register_activity(ATTEMPT, attempt)
}

fn plan(id: String, dice: &mut Dice) -> InstancePlan {
    let few = dice.within(0..=4) as u32;
    let (task, timeout_ms) = match dice.within(1..=5) {
        1 | 2 => (Task::Flaky(few), None),
        3 => (Task::Hopeless, None),
        4 => (Task::Fatal, None),
        _ => (Task::Sluggish(few), Some(dice.pick(&[700, 3_000, 60_000]))),
    };
    let total_timeout_ms = match task {
        Task::Hopeless | Task::Sluggish(_) if dice.percent(50) => {
            Some(dice.pick(&[900, 20_000, 120_000]))
        }
        _ => None,
    };
    // What is not to be tried for long is given up after few attempts; the rest succeeds.
    let max_attempts = match task {
        Task::Hopeless => dice.within(1..=5) as u32,
        Task::Flaky(_) | Task::Fatal | Task::Sluggish(_) => ENOUGH,
    };
    let policy = RetryPolicy {
        backoff: backoff(dice),
        timeout_ms,
        total_timeout_ms,
        non_retryable: vec![FATAL.to_owned()],
        ..RetryPolicy::new(max_attempts)
    };
    let session = dice.percent(25).then(|| id.clone());
    instance(id, TRY, &Trying { task, policy, session }, dice)
}

fn backoff(dice: &mut Dice) -> Backoff {
    match dice.within(1..=5) {
        1 => Backoff::None,
        2 => Backoff::Fixed,
        3 => Backoff::Linear,
        4 => Backoff::Custom { initial_ms: 20, max_ms: 5_000, factor: 3.0, jitter: 0.0 },
        _ => Backoff::Exponential,
    }
}

async fn attempt(ctx: ActivityContext, task: Task) -> Result<String, Failure> {
    let failed = Failure::application(HOPELESS);
    match task {
        Task::Flaky(times) if ctx.attempt() <= times => Err(failed),
        Task::Hopeless => Err(failed),
        Task::Fatal => Err(Failure { name: Some(FATAL.to_owned()), ..Failure::application(FATAL) }),
        Task::Sluggish(times) if ctx.attempt() <= times => {
            ctx.cancelled().await;
            Err(failed)
        }
        Task::Flaky(_) | Task::Sluggish(_) => Ok("at last".to_owned()),
    }
}

async fn try_it(
    ctx: OrchestrationContext,
    trying: Trying,
) -> Result<Result<String, String>, OrchestrationError> {
    let call = ctx.activity::<String>(ATTEMPT, &trying.task);
    let call = match trying.session {
        Some(session) => call.on_session(session),
        None => call,
    };
    Ok(call.with_retry(trying.policy).await.map_err(|error| error.message().to_owned()))
}

fn number_of(event: &Event) -> Option<u32> {
    match event.kind {
        EventKind::ActivityScheduled { attempt, .. } => Some(attempt),
        _ => None,
    }
}

/// The timers of a history.
fn waits_in(history: &[Event]) -> Vec<u64> {
    let wait = |event: &Event| match event.kind {
        EventKind::TimerCreated { delay_ms, .. } => Some(delay_ms),
        _ => None,
    };
    history.iter().filter_map(wait).collect()
}

/// The waits between so many attempts.
fn waits_of(policy: &RetryPolicy, attempts: u32) -> Vec<u64> {
    let wait = |failed: u32| match policy.backoff {
        Backoff::None => None,
        Backoff::Fixed => Some(1_000),
        Backoff::Linear => Some(100 * u64::from(failed)),
        Backoff::Custom { .. } => Some((20 * 3_u64.pow(failed - 1)).min(5_000)),
        Backoff::Exponential => Some((100 << (failed - 1)).min(LONGEST_WAIT_MS)),
    };
    (1..attempts).filter_map(wait).collect()
}

/// No attempt begins when the time for all of them is over, by the history's own time.
fn within_total(attempts: &[&Event], policy: &RetryPolicy) -> Result<(), String> {
    let (Some(total), Some(first)) = (policy.total_timeout_ms, attempts.first()) else {
        return Ok(());
    };
    match attempts.iter().find(|attempt| attempt.at.0 - first.at.0 >= total) {
        None => Ok(()),
        Some(late) => Err(format!(
            "the attempt of event {} began {} ms after the first, and {total} ms were given to all",
            late.id,
            late.at.0 - first.at.0
        )),
    }
}

/// How long it took, with the longest wait that it may have been too late for.
fn spent(history: &[Event]) -> u64 {
    match (history.first(), history.last()) {
        (Some(first), Some(last)) => last.at.0 - first.at.0 + LONGEST_WAIT_MS,
        _ => 0,
    }
}
