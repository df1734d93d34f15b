//! Workloads: the code that nodes run, what clients do with it, and what must come of it.
//! Not here: the hosts that run it, the faults that befall them, and what must hold of any
//! workload (`oracle`).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a workload expects is one of many things that come"
)]

mod chain;
mod family;
mod limits;
mod mailbox;
mod management;
mod mixed;
mod order;
mod parts;
mod retries;
mod rounds;
mod scenario;
mod sessions;
mod still;
mod tells;
#[cfg(test)]
mod tests;
mod timers;
mod upgrade;
mod wide;

use chain::Chain;
use family::Family;
use limits::AtLimits;
use mailbox::Mailbox;
use management::Management;
use mixed::Mixed;
pub use order::Orders;
use retries::Retries;
pub use scenario::Scenarios;
use sessions::Sessions;
use still::Still;
use tells::Tells;
use timers::Timers;
use upgrade::Upgrades;
use wide::Wide;

use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_core::{Event, EventKind};
use duroxide_provider::{InstanceState, LeasedActivity};
use duroxide_runtime::RuntimeOptions;
use duroxide_sdk::{Registry, RegistryError};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What runs in a world.
pub trait Workload: Send + Sync + 'static {
    /// Its name, by which plans find it again.
    fn name(&self) -> &str;

    /// The code of a build, from 0. Nodes of one world may run several builds at once. The
    /// last build has every orchestration of those before it: histories are replayed with it.
    fn registry(&self, build: u32) -> Result<Registry, RegistryError>;

    /// How many builds of it there are.
    fn builds(&self) -> u32 {
        1
    }

    /// What its clients do.
    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan>;

    /// Whether every activity is tried again when it fails.
    fn retries(&self) -> bool {
        false
    }

    /// What an attempt of this activity sends to its own instance before it returns: the name
    /// and the data of an event.
    fn sends(&self, activity: &LeasedActivity) -> Option<(String, Value)> {
        let _ = activity;
        None
    }

    /// Of a hundred seeds so many are gentle: what is late there is late for no reason.
    fn gentle(&self) -> u64 {
        15
    }

    /// How long it takes at most when nothing goes wrong, timers included.
    fn lasts(&self) -> Duration;

    /// How nodes of a build are set up.
    fn options(&self, build: u32) -> RuntimeOptions {
        let _ = build;
        RuntimeOptions::default()
    }

    /// One for a single run, if its code remembers anything outside of instances: each run
    /// must begin anew.
    fn fresh(&self) -> Option<Arc<dyn Workload>> {
        None
    }

    /// What must hold of an instance that has ended, beyond what must hold of any.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    fn check(&self, ended: &Finished<'_>) -> Result<(), String>;
}

/// An instance that has ended.
#[derive(Debug)]
pub struct Finished<'a> {
    /// What was planned.
    pub plan: &'a InstancePlan,
    /// How it ended.
    pub state: &'a InstanceState,
    /// The events of its last execution.
    pub history: &'a [Event],
    /// How often each step was asked for, by its place: a client that hears nothing for long
    /// enough cannot know, and asks anew.
    pub sent: &'a BTreeMap<usize, u64>,
}

impl Finished<'_> {
    /// What it returned.
    ///
    /// # Errors
    /// If it did not, or returned something else.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T, String> {
        let InstanceState::Completed { output } = self.state else {
            return Err(format!("it ended with {:?}", self.state));
        };
        serde_json::from_slice(output.bytes()).map_err(|error| error.to_string())
    }

    /// The names of the activities that its last execution scheduled, in their order.
    pub fn activities(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for event in self.history {
            if let EventKind::ActivityScheduled { name, .. } = &event.kind {
                names.push(name.as_str());
            }
        }
        names
    }

    /// How often the steps were asked for that do such a thing.
    pub fn times(&self, is_such: impl Fn(&Action) -> bool) -> u64 {
        let such =
            |place: &usize| self.plan.steps.get(*place).is_some_and(|step| is_such(&step.action));
        self.sent.iter().filter(|(place, _)| such(place)).map(|(_, times)| times).sum()
    }

    /// Whether it was asked to stop more than once: that terminates it.
    pub fn was_stopped_twice(&self) -> bool {
        self.times(|action| matches!(action, Action::Cancel { .. })) > 1
    }
}

/// The workload of this name.
pub fn find(name: &str) -> Option<Arc<dyn Workload>> {
    all().into_iter().find(|workload| workload.name() == name)
}

/// Every workload that comes with the simulation: those made for it first.
pub fn all() -> Vec<Arc<dyn Workload>> {
    let mut all = own();
    all.extend(Scenarios::each().map(|scenario| Arc::new(scenario) as Arc<dyn Workload>));
    all
}

/// Those that are made to stress what systems like this one get wrong.
fn own() -> Vec<Arc<dyn Workload>> {
    vec![
        Arc::new(Orders),
        Arc::new(Mailbox),
        Arc::new(Chain),
        Arc::new(Family),
        Arc::new(Timers),
        Arc::new(Sessions),
        Arc::new(Retries),
        Arc::new(Upgrades),
        Arc::new(Management),
        Arc::new(Wide),
        Arc::new(AtLimits),
        Arc::new(Still),
        Arc::new(Tells),
        Arc::new(Mixed),
    ]
}

/// Which workloads seeds draw from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Any, by the seed.
    All,
    /// The one of this name.
    Named(String),
}

/// Of a hundred seeds that may draw any workload, so many draw one of the shared scenarios:
/// there are many of those, and each is small.
const SCENARIOS: u64 = 30;

impl Choice {
    /// The workload of a seed; `None` if there is none of the name.
    pub fn of(&self, seed: u64) -> Option<Arc<dyn Workload>> {
        match self {
            Self::Named(name) => find(name),
            Self::All => {
                let dice = &mut Dice::new(seed, "choice");
                let shared = dice.percent(SCENARIOS);
                let among = if shared { all().split_off(own().len()) } else { own() };
                let chosen = dice.within(0..=among.len() as u64 - 1);
                among.into_iter().nth(chosen as usize)
            }
        }
    }
}
