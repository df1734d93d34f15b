//! The scenarios that tests, docs and snapshots share, as workloads: each is one, twenty
//! instances of it at a time. Not here: what the scenarios do (`duroxide-scenarios`).
//!
//! They were written for a world in which clients are sure of what they sent and clocks run
//! evenly. Where trouble legitimately changes how one ends, `check` says so: see there.

use super::parts::{self, INSTANCES, first_of_each, instance};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_core::EventKind;
use duroxide_provider::InstanceState;
use duroxide_scenarios::{Outcome, Scenario, Step, no_effects};
use duroxide_sdk::{Registry, RegistryError};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Timers of this length are deadlines in the scenarios, for what takes a moment.
const DEADLINE_MS: u64 = 3_600_000;

/// One of the shared scenarios.
#[derive(Debug)]
pub struct Scenarios {
    scenario: Scenario,
    /// Its code, one for all nodes of a run: some of its activities count their calls, as
    /// something in the outside world that all nodes share.
    registry: OnceLock<Registry>,
}

impl Scenarios {
    /// Each scenario as a workload.
    pub fn each() -> impl Iterator<Item = Self> {
        duroxide_scenarios::all().into_iter().map(Self::of)
    }

    fn of(scenario: Scenario) -> Self {
        Self { scenario, registry: OnceLock::new() }
    }

    fn plan(&self, number: u64, dice: &mut Dice) -> InstancePlan {
        let Scenario { name, orchestration, version, input, steps, .. } = &self.scenario;
        let plan = instance(format!("{name}-{number}"), orchestration, input, dice);
        let plan = InstancePlan { version: version.map(str::to_owned), ..plan };
        steps
            .iter()
            .fold(plan, |plan, step| plan.then(dice.pick(&[0, 0, 20, 700, 5_000]), action(step)))
    }
}

fn action(step: &Step) -> Action {
    match step {
        Step::AwaitStatus(status) => parts::await_status(status),
        Step::Raise(name, data) => parts::raise(name, data),
        Step::Enqueue(queue, data) => parts::enqueue(queue, data),
        Step::Cancel(reason) => parts::cancel(reason),
    }
}

impl Workload for Scenarios {
    fn name(&self) -> &str {
        match self.scenario.name {
            // The standard workload has this name.
            "order" => "order-placed",
            name => name,
        }
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        if let Some(registry) = self.registry.get() {
            return Ok(registry.clone());
        }
        let registry = (self.scenario.registry)(&no_effects())?;
        Ok(self.registry.get_or_init(|| registry).clone())
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES).map(|number| self.plan(number, dice)).collect()
    }

    fn lasts(&self) -> Duration {
        self.scenario.lasts * 2 + Duration::from_mins(10)
    }

    fn fresh(&self) -> Option<Arc<dyn Workload>> {
        Some(Arc::new(Self::of(self.scenario.clone())))
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let expected = &self.scenario.expected;
        match (expected, ended.state) {
            (Outcome::Completed(expected), InstanceState::Completed { .. })
                if self.is_alike(&ended.output()?, expected, ended) =>
            {
                Ok(())
            }
            (Outcome::Failed(expected), InstanceState::Failed { failure })
                if failure.message == *expected =>
            {
                Ok(())
            }
            // A second cancel, of a client that does not know whether it sent the first.
            (Outcome::Failed(_), InstanceState::Terminated { .. }) if ended.was_stopped_twice() => {
                Ok(())
            }
            (_, found) if deadline_passed(ended) && self.is_too_late(found) => Ok(()),
            (expected, found) => Err(format!("it ended with {found:?}, not {expected:?}")),
        }
    }
}

impl Scenarios {
    /// Whether it returned what it should, or that with messages that its client sent twice.
    fn is_alike(&self, found: &Value, expected: &Value, ended: &Finished<'_>) -> bool {
        let sent = ended.times(|action| matches!(action, Action::Enqueue { .. }));
        match self.scenario.name {
            "queue" => {
                let found: Vec<_> =
                    found.as_array().into_iter().flatten().map(Value::as_u64).collect();
                json!(first_of_each(&found)) == *expected && found.len() as u64 <= sent
            }
            "chat" => (3..=sent).any(|messages| *found == json!(format!("{messages} messages"))),
            _ => found == expected,
        }
    }

    /// Whether this is how it ends when its deadline passes first.
    fn is_too_late(&self, found: &InstanceState) -> bool {
        match (self.scenario.name, found) {
            ("race", InstanceState::Completed { output }) => output.bytes() == br#""timed out""#,
            ("nested", InstanceState::Failed { failure }) => failure.message == "no answer",
            ("provisioning" | "provisioning-cancelled", InstanceState::Failed { failure }) => {
                failure.message == "vm-7 was not ready in time"
            }
            _ => false,
        }
    }
}

/// Whether history says that a deadline of an hour passed: the store's clock is the one that
/// counts, and may have been set forward.
fn deadline_passed(ended: &Finished<'_>) -> bool {
    let deadlines: Vec<_> = ended
        .history
        .iter()
        .filter(|event| {
            matches!(event.kind, EventKind::TimerCreated { delay_ms, .. } if delay_ms >= DEADLINE_MS)
        })
        .map(|event| event.id)
        .collect();
    ended.history.iter().any(|event| {
        matches!(event.kind, EventKind::TimerFired { source, .. } if deadlines.contains(&source))
    })
}
