//! Whether a plan can be run: one that was edited, or drawn by another build, is refused with
//! what is wrong in it and what was expected. Not here: reading it (`cli`).

use crate::fault::Fault;
use crate::plan::{Action, ClockPlan, InstancePlan, Plan, Planned, STORE, StoreKind};
use crate::point::Boundary;
use crate::workload::Workload;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// A wall clock is off by less than a hundred years.
const SKEW_MS: RangeInclusive<i64> = -3_155_760_000_000..=3_155_760_000_000;
/// A clock runs between half and one and a half times as fast as it should.
const DRIFT_PPM: RangeInclusive<i64> = -500_000..=500_000;
const LATENCY_MS: RangeInclusive<u64> = 1..=60_000;
const SYNC_MS: RangeInclusive<u64> = 0..=60_000;
const CHAOS_MS: RangeInclusive<u64> = 0..=86_400_000;
const CLIENTS: RangeInclusive<u64> = 0..=20;
const NODES: RangeInclusive<u64> = 1..=20;
const INSTANCES: RangeInclusive<u64> = 1..=10_000;

/// What is wrong with a plan, and what was expected.
type Problem = Result<(), String>;

/// The parts that a host can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Node,
    Client,
    Store(StoreKind),
}

impl Plan {
    /// The first thing that keeps it from being run with this workload.
    pub(crate) fn problem(&self, workload: &dyn Workload) -> Problem {
        within("latency_ms", self.latency_ms, LATENCY_MS)?;
        within("chaos_ms", self.chaos_ms, CHAOS_MS)?;
        within("clients", self.clients.into(), CLIENTS)?;
        within("store.sync_ms", self.store.sync_ms, SYNC_MS)?;
        clock("store", &self.store.clock)?;
        self.nodes(workload)?;
        within("the number of instances", self.instances.len() as u64, INSTANCES)?;
        let mut ids = BTreeSet::new();
        for (place, instance) in self.instances.iter().enumerate() {
            if !ids.insert(&instance.id) {
                return Err(format!("instances[{place}].id: there are two `{}`", instance.id));
            }
            deployments(place, instance, workload)?;
        }
        let mut faults = self.faults.iter().enumerate();
        faults.try_for_each(|(place, fault)| self.fault(place, fault, workload))
    }

    fn nodes(&self, workload: &dyn Workload) -> Problem {
        within("the number of nodes", self.nodes.len() as u64, NODES)?;
        let mut names = BTreeSet::new();
        for (place, node) in self.nodes.iter().enumerate() {
            let name = &node.name;
            let number = name.strip_prefix("node-").and_then(|number| number.parse::<u32>().ok());
            if number.is_none() {
                return Err(format!(
                    "nodes[{place}].name is `{name}`: expected `node-` and a number"
                ));
            }
            if !names.insert(name) {
                return Err(format!("nodes[{place}].name: there are two `{name}`"));
            }
            clock(&format!("nodes[{place}]"), &node.clock)?;
            build(&format!("nodes[{place}].build"), node.build, workload)?;
        }
        Ok(())
    }

    fn fault(&self, place: usize, planned: &Planned, workload: &dyn Workload) -> Problem {
        let Planned { host, boundary, nth, fault } = planned;
        let role = self.role(host).ok_or_else(|| {
            let nodes = self.nodes.iter().map(|node| node.name.clone());
            let there: Vec<_> = nodes.chain(self.client_names()).collect();
            let there = there.join(", ");
            format!("faults[{place}].host: there is no `{host}`; there are {STORE}, {there}")
        })?;
        let name = fault.name();
        if *nth == 0 {
            return Err(format!("faults[{place}].nth is 0: the first time is 1"));
        }
        if !befalls(fault, role) {
            return Err(format!("faults[{place}]: `{name}` does not befall `{host}`{}", on(role)));
        }
        if !comes_to(*boundary, role) {
            let point = format!("{boundary:?}");
            return Err(format!("faults[{place}]: `{host}`{} never comes to {point}", on(role)));
        }
        if !strikes_at(fault, *boundary) {
            return Err(format!("faults[{place}]: `{name}` cannot strike at {boundary:?}"));
        }
        if let Fault::Upgrade(upgrade) = fault {
            build(&format!("faults[{place}].fault.upgrade.build"), upgrade.build, workload)?;
        }
        Ok(())
    }

    fn role(&self, host: &str) -> Option<Role> {
        if host == STORE {
            return Some(Role::Store(self.store.kind));
        }
        let is_node = self.nodes.iter().any(|node| node.name == host);
        let is_client = self.client_names().any(|name| name == host);
        is_node.then_some(Role::Node).or(is_client.then_some(Role::Client))
    }
}

fn on(role: Role) -> &'static str {
    match role {
        Role::Store(StoreKind::Sqlite) => ", which is SQLite,",
        Role::Store(StoreKind::Postgres) => ", which is a modelled PostgreSQL,",
        Role::Node | Role::Client => "",
    }
}

/// Whom a fault can befall.
fn befalls(fault: &Fault, role: Role) -> bool {
    match fault {
        Fault::HostLoss(_)
        | Fault::Upgrade(_)
        | Fault::Shutdown(_)
        | Fault::Throw(_)
        | Fault::Hang(_)
        | Fault::Linger(_) => role == Role::Node,
        Fault::Kill(_) | Fault::Freeze(_) | Fault::Slow(_) | Fault::ClockJump(_) => {
            role != Role::Client
        }
        Fault::PowerCut(_)
        | Fault::DiskFull(_)
        | Fault::IoError(_)
        | Fault::BitRot(_)
        | Fault::LyingSync(_) => role == Role::Store(StoreKind::Sqlite),
        Fault::SqlError(_) | Fault::Delay(_) | Fault::LoseNotification(_) => {
            role == Role::Store(StoreKind::Postgres)
        }
        Fault::Partition(_)
        | Fault::OneWay(_)
        | Fault::Hold(_)
        | Fault::Reset(_)
        | Fault::LoseAnswer(_)
        | Fault::Duplicate(_)
        | Fault::Refuse(_) => matches!(role, Role::Node | Role::Client),
    }
}

/// Where a fault can strike: what only the one who came to the point can do needs the right
/// one; what befalls a host as a whole does not.
fn strikes_at(fault: &Fault, boundary: Boundary) -> bool {
    match fault {
        Fault::Throw(_) | Fault::Hang(_) => boundary == Boundary::Began,
        Fault::Linger(_) => boundary == Boundary::Effect,
        Fault::LoseAnswer(_) | Fault::Duplicate(_) => matches!(boundary, Boundary::Durable(_)),
        Fault::Refuse(_) => matches!(boundary, Boundary::Arrived(_)),
        Fault::DiskFull(_) | Fault::IoError(_) | Fault::BitRot(_) | Fault::LyingSync(_) => {
            matches!(boundary, Boundary::Disk(_))
        }
        Fault::SqlError(_) | Fault::Delay(_) => {
            matches!(boundary, Boundary::Statement(_) | Boundary::Committing(_))
        }
        Fault::LoseNotification(_) => boundary == Boundary::Notifying,
        Fault::Kill(_)
        | Fault::HostLoss(_)
        | Fault::Freeze(_)
        | Fault::Slow(_)
        | Fault::Upgrade(_)
        | Fault::Shutdown(_)
        | Fault::Partition(_)
        | Fault::OneWay(_)
        | Fault::Hold(_)
        | Fault::Reset(_)
        | Fault::ClockJump(_)
        | Fault::PowerCut(_) => true,
    }
}

/// Who comes to a point.
fn comes_to(boundary: Boundary, role: Role) -> bool {
    match boundary {
        Boundary::Wrote | Boundary::Slept => true,
        Boundary::TookOver | Boundary::Began | Boundary::Effect => role == Role::Node,
        Boundary::Calling(_)
        | Boundary::Answered(_)
        | Boundary::Arrived(_)
        | Boundary::Durable(_) => matches!(role, Role::Node | Role::Client),
        Boundary::Disk(_) => role == Role::Store(StoreKind::Sqlite),
        Boundary::Statement(_) | Boundary::Committing(_) | Boundary::Notifying => {
            role == Role::Store(StoreKind::Postgres)
        }
    }
}

fn deployments(place: usize, instance: &InstancePlan, workload: &dyn Workload) -> Problem {
    for (step, planned) in instance.steps.iter().enumerate() {
        if let Action::Deploy { build: number } = planned.action {
            build(&format!("instances[{place}].steps[{step}].deploy.build"), number, workload)?;
        }
    }
    Ok(())
}

fn build(what: &str, number: u32, workload: &dyn Workload) -> Problem {
    let last = workload.builds().max(1) - 1;
    within(what, number, 0..=last)
}

fn clock(whose: &str, clock: &ClockPlan) -> Problem {
    within(&format!("{whose}.clock.skew_ms"), clock.skew_ms, SKEW_MS)?;
    within(&format!("{whose}.clock.drift_ppm"), clock.drift_ppm, DRIFT_PPM)
}

fn within<T: PartialOrd + Copy + Display>(
    what: &str,
    found: T,
    range: RangeInclusive<T>,
) -> Problem {
    if range.contains(&found) {
        return Ok(());
    }
    Err(format!("{what} is {found}: expected {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Kill, Throw, Upgrade};
    use crate::plan::StepPlan;
    use crate::swarm::Swarm;
    use crate::workload::{Orders, all};

    #[test]
    fn every_plan_that_a_seed_draws_can_be_run() {
        for workload in all() {
            for seed in 0..200 {
                for swarm in [Swarm::all(), Swarm::all().always("lying_sync").always("bit_rot")] {
                    let plan = Plan::draw(seed, &*workload, &swarm);
                    let name = workload.name();
                    assert_eq!(plan.problem(&*workload), Ok(()), "{name}, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn every_plan_that_is_kept_can_be_run() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let plans: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        assert!(plans.len() >= 10, "{plans:?}");
        for plan in plans {
            crate::cli::load(&plan).unwrap();
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_named() {
        let mut plan = serde_json::to_value(Plan::draw(3, &Orders, &Swarm::calm())).unwrap();
        plan["banana"] = 1.into();
        let problem = serde_json::from_value::<Plan>(plan).unwrap_err().to_string();
        assert!(problem.contains("unknown field `banana`"), "{problem}");
    }

    fn fault(host: &str, nth: u64, boundary: Boundary, fault: impl Into<Fault>) -> Planned {
        Planned { host: host.to_owned(), boundary, nth, fault: fault.into() }
    }

    #[test]
    fn what_keeps_a_plan_from_being_run_is_named_with_what_was_expected() {
        type Change = fn(&mut Plan);
        let changes: [(&str, Change); 17] = [
            ("latency_ms is 0: expected 1 to", |plan| plan.latency_ms = 0),
            ("clients is 100000: expected 0 to 20", |plan| plan.clients = 100_000),
            ("the number of nodes is 0: expected 1 to", |plan| plan.nodes.clear()),
            ("the number of instances is 0: expected 1", |plan| plan.instances.clear()),
            ("there are two `node-1`", |plan| plan.nodes.push(plan.nodes[0].clone())),
            ("`store`: expected `node-` and", |plan| plan.nodes[0].name = STORE.to_owned()),
            ("nodes[0].build is 9: expected 0 to 1", |plan| plan.nodes[0].build = 9),
            ("drift_ppm is -1000000: expected", |plan| plan.nodes[0].clock.drift_ppm = -1_000_000),
            ("store.clock.skew_ms", |plan| plan.store.clock.skew_ms = i64::MIN),
            ("instances[20].id: there are two", |plan| {
                plan.instances.push(plan.instances[0].clone());
            }),
            ("there is no `node-99`; there are store, node-1", |plan| {
                plan.faults = vec![fault("node-99", 1, Boundary::Began, Throw)];
            }),
            ("nth is 0: the first time is 1", |plan| {
                plan.faults = vec![fault("node-1", 0, Boundary::Began, Throw)];
            }),
            ("`kill` does not befall `client-1`", |plan| {
                let kill = Kill { down_ms: 1 };
                plan.faults = vec![fault("client-1", 1, Boundary::Wrote, kill)];
            }),
            ("`store`, which is SQLite, never comes to Notifying", |plan| {
                plan.store.kind = StoreKind::Sqlite;
                let kill = Kill { down_ms: 1 };
                plan.faults = vec![fault("store", 1, Boundary::Notifying, kill)];
            }),
            ("`throw` cannot strike at Wrote", |plan| {
                plan.faults = vec![fault("node-1", 1, Boundary::Wrote, Throw)];
            }),
            ("upgrade.build is 9: expected 0 to 1", |plan| {
                let upgrade = Upgrade { build: 9, down_ms: 1 };
                plan.faults = vec![fault("node-1", 1, Boundary::Wrote, upgrade)];
            }),
            ("deploy.build is 7: expected 0 to 1", |plan| {
                let action = Action::Deploy { build: 7 };
                plan.instances[0].steps = vec![StepPlan { after_ms: 0, action }];
            }),
        ];
        for (expected, change) in changes {
            let mut plan = Plan::draw(3, &Orders, &Swarm::calm());
            change(&mut plan);
            let problem = plan.problem(&Orders).unwrap_err();
            assert!(problem.contains(expected), "{expected}: {problem}");
        }
    }
}
