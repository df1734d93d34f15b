//! A plan: a seed, spelled out. Who there is, what clients do, and which faults strike whom
//! at which point, drawn before anything runs; so a plan can be printed, edited, shrunk and
//! run again. Not here: how it is drawn (`Plan::draw` asks the workload and the swarm) in
//! detail, or how it is carried out.

use crate::dice::Dice;
use crate::fault::Fault;
use crate::point::Boundary;
use crate::swarm::{Shape, Swarm};
use crate::workload::Workload;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The format of plans that this build writes and reads.
pub const FORMAT: u32 = 2;
/// The host of the store.
pub const STORE: &str = "store";
/// The host that stands for the outside world.
pub const OUTSIDE: &str = "outside";

/// Everything that one run is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The format of this plan.
    pub format: u32,
    /// What the draws of the run itself (yields, latencies, ids) derive from.
    pub seed: u64,
    /// What runs: the name of a workload.
    pub workload: String,
    /// The store.
    pub store: StorePlan,
    /// The hosts that run orchestrations and activities.
    pub nodes: Vec<HostPlan>,
    /// How many hosts have clients.
    pub clients: u32,
    /// The longest that a message travels, in ms.
    pub latency_ms: u64,
    /// When everything is mended, in ms: what has not struck by then does not.
    pub chaos_ms: u64,
    /// What the clients do.
    pub instances: Vec<InstancePlan>,
    /// What goes wrong.
    pub faults: Vec<Planned>,
    /// Change a byte in the result of the activities of this name: shows that the trace
    /// covers results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip: Option<String>,
}

/// The store of a world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorePlan {
    /// Which.
    pub kind: StoreKind,
    /// What its acknowledged commits survive.
    pub sync: Sync,
    /// The longest that it takes to make a batch durable, in ms.
    pub sync_ms: u64,
    /// Its clock.
    pub clock: ClockPlan,
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// The production provider on real SQLite, on the crash disk.
    Sqlite,
    /// A modelled PostgreSQL.
    Postgres,
}

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// A power cut.
    Full,
    /// The death of the process.
    Process,
}

/// A clock that is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockPlan {
    /// How far the wall clock is off, in ms.
    pub skew_ms: i64,
    /// How much too fast it runs, in parts per million.
    pub drift_ppm: i64,
}

/// A host that runs orchestrations and activities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    /// Its name.
    pub name: String,
    /// The build of the workload's code that it starts with.
    pub build: u32,
    /// Its clock.
    pub clock: ClockPlan,
}

/// An instance that a client sees through, from its start to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstancePlan {
    /// Its id.
    pub id: String,
    /// The orchestration.
    pub orchestration: String,
    /// Its version, if not the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its input.
    pub input: Value,
    /// When it is started, in ms.
    pub starts_ms: u64,
    /// What the client does then, in this order.
    pub steps: Vec<StepPlan>,
    /// What of the workload this is, for its own checks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPlan {
    /// So much later than the step before, in ms.
    pub after_ms: u64,
    /// This.
    pub action: Action,
}

/// One thing that a client does to its instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Raises an event.
    Raise {
        /// Its name.
        name: String,
        /// Its data.
        data: Value,
    },
    /// Puts a message into a queue.
    Enqueue {
        /// The queue.
        queue: String,
        /// The message.
        data: Value,
    },
    /// Cancels.
    Cancel {
        /// For this reason.
        reason: String,
    },
    /// Stops it without its code being asked.
    Terminate {
        /// For this reason.
        reason: String,
    },
    /// Waits until the custom status is this, or was, or the instance has ended.
    AwaitStatus {
        /// The status.
        status: String,
    },
    /// Starts it once more, with the same id.
    StartAgain,
    /// Looks at whatever there is to read of it.
    Look,
    /// Deletes its old executions, but for the newest so many.
    Prune {
        /// How many.
        keep_last: u64,
    },
    /// Deletes it, with everything below it.
    Delete {
        /// Even if it runs.
        force: bool,
    },
    /// Deletes those of these instances that have ended.
    DeleteEnded {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Sees that it does not exist.
    IsGone,
    /// Starts another instance, which nobody waits for.
    Start {
        /// Its id.
        id: String,
        /// The orchestration.
        orchestration: String,
        /// Its input.
        input: Value,
    },
    /// Does this to another instance, which need not exist.
    Other {
        /// Its id.
        id: String,
        /// What.
        action: Box<Action>,
    },
    /// What an operator does: every node in turn stops, and starts again with this build.
    Deploy {
        /// The build.
        build: u32,
    },
}

/// One fault, and when it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// Whom.
    pub host: String,
    /// At which point of its work.
    pub boundary: Boundary,
    /// The how manieth time it comes there, from 1.
    pub nth: u64,
    /// What happens then.
    pub fault: Fault,
}

impl Plan {
    /// The plan of a seed: what this workload does in a world with a swarm of faults.
    pub fn draw(seed: u64, workload: &dyn Workload, swarm: &Swarm) -> Self {
        let dice = &mut Dice::new(seed, "plan");
        let kind = if dice.percent(60) { StoreKind::Sqlite } else { StoreKind::Postgres };
        let sync = if dice.percent(75) { Sync::Full } else { Sync::Process };
        let builds = workload.builds().max(1);
        let nodes = (1..=dice.pick(&[1, 2, 3, 3, 3, 4]))
            .map(|number| HostPlan {
                name: format!("node-{number}"),
                build: dice.within(0..=u64::from(builds) - 1) as u32,
                clock: draw_clock(dice),
            })
            .collect();
        let mut plan = Self {
            format: FORMAT,
            seed,
            workload: workload.name().to_owned(),
            store: StorePlan {
                kind,
                sync,
                sync_ms: dice.pick(&[0, 1, 4]),
                clock: draw_clock(dice),
            },
            nodes,
            clients: dice.within(1..=2) as u32,
            latency_ms: dice.pick(&[1, 2, 5]),
            chaos_ms: dice.pick(&[60_000, 600_000, 600_000]),
            instances: workload.instances(&mut Dice::new(seed, "workload")),
            faults: Vec::new(),
            flip: None,
        };
        let is_gentle = Dice::new(seed, "temper").percent(workload.gentle());
        let swarm = if is_gentle { swarm.clone().gentle() } else { swarm.clone() };
        plan.faults = swarm.draw(&mut Dice::new(seed, "faults"), &plan.shape(workload));
        plan
    }

    /// The same world in which nothing goes wrong.
    #[must_use]
    pub fn calm(mut self) -> Self {
        self.faults.clear();
        self
    }

    /// The names of the hosts that have clients.
    pub fn client_names(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.clients.max(1)).map(|number| format!("client-{number}"))
    }

    /// Whether nothing delays anything: all that happens to nodes is that they are shut down
    /// in an orderly way, and come back with the code they had.
    pub fn is_gentle(&self) -> bool {
        let deploys = |step: &StepPlan| matches!(step.action, Action::Deploy { .. });
        self.faults.iter().all(|planned| matches!(planned.fault, Fault::Shutdown(_)))
            && !self.instances.iter().flat_map(|instance| &instance.steps).any(deploys)
    }

    fn shape(&self, workload: &dyn Workload) -> Shape {
        Shape {
            nodes: self.nodes.iter().map(|node| node.name.clone()).collect(),
            clients: self.client_names().collect(),
            store: self.store.kind,
            sync: self.store.sync,
            builds: workload.builds(),
            retries: workload.retries(),
            instances: self.instances.len() as u64,
        }
    }
}

fn draw_clock(dice: &mut Dice) -> ClockPlan {
    let skew_ms = if dice.percent(50) { dice.within(0..=7_200_000) as i64 - 3_600_000 } else { 0 };
    let drift_ppm = if dice.percent(50) { dice.within(0..=400) as i64 - 200 } else { 0 };
    ClockPlan { skew_ms, drift_ppm }
}
