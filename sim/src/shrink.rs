//! Shrinking: the smallest plan that still fails in the same way. Faults, instances with what
//! their clients do, and hosts are taken away by halves, then smaller parts (Zeller and
//! Hildebrandt's ddmin, 2002), and what is left is made plain; again, until nothing more
//! goes. What an instance needs to end stays: its own steps, and everybody's deployments. So
//! the plan passes once the bug is fixed. Not here: running a plan (`run`).

use crate::plan::{Action, ClockPlan, InstancePlan, Plan, STORE};
use crate::run::run;
use crate::workload::Workload;
use crate::wrong::Wrong;
use std::sync::Arc;

/// A plan that was made smaller.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// What is wrong with its run.
    pub failure: Wrong,
    /// How many runs it took.
    pub runs: u64,
}

/// How large a plan is, in the order in which it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Instances.
    pub instances: usize,
    /// What clients do beside starting them.
    pub steps: usize,
    /// Hosts that run orchestrations and activities.
    pub nodes: usize,
}

impl Size {
    /// Of this plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            faults: plan.faults.len(),
            instances: plan.instances.len(),
            steps: plan.instances.iter().map(|instance| instance.steps.len()).sum(),
            nodes: plan.nodes.len(),
        }
    }
}

/// The smallest plan found that fails as this one does, in at most so many runs; `None` if
/// it does not fail. `told` hears of each smaller plan.
pub fn shrink(
    plan: &Plan,
    workload: &Arc<dyn Workload>,
    most_runs: u64,
    told: &mut dyn FnMut(&Plan, u64),
) -> Option<Shrunk> {
    let failure = run(plan, workload).failure?;
    let mut search = Search { workload, failure, best: plan.clone(), runs: 1, most_runs, told };
    loop {
        let before = search.best.clone();
        search.lists();
        search.plain();
        if search.best == before || search.is_over() {
            let Search { best, failure, runs, .. } = search;
            return Some(Shrunk { plan: best, failure, runs });
        }
    }
}

struct Search<'a> {
    workload: &'a Arc<dyn Workload>,
    failure: Wrong,
    best: Plan,
    runs: u64,
    most_runs: u64,
    told: &'a mut dyn FnMut(&Plan, u64),
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.runs >= self.most_runs
    }

    /// Keep a plan if it fails in the same way.
    fn keeps(&mut self, candidate: Plan) -> bool {
        let can_run = candidate.problem(&**self.workload).is_ok();
        if self.is_over() || candidate == self.best || !can_run {
            return false;
        }
        self.runs += 1;
        match run(&candidate, self.workload).failure {
            Some(failure) if failure.is_like(&self.failure) => {
                (self.failure, self.best) = (failure, candidate);
                (self.told)(&self.best, self.runs);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Take away elements of every list.
    fn lists(&mut self) {
        self.minimise(|plan| plan.faults.len(), |plan, keep| retain(&mut plan.faults, keep));
        self.minimise(
            |plan| plan.instances.len(),
            |plan, keep| {
                let mut keep = keep.iter().copied();
                plan.instances.retain(|instance| keep.next() == Some(true) || deploys(instance));
            },
        );
        self.minimise(
            |plan| plan.nodes.len(),
            |plan, keep| {
                retain(&mut plan.nodes, keep);
                drop_faults_of_nobody(plan);
            },
        );
    }

    /// ddmin: without each of so many parts; of more parts when none can go.
    fn minimise(&mut self, len: impl Fn(&Plan) -> usize, keep: impl Fn(&mut Plan, &[bool])) {
        let mut parts = 1;
        while len(&self.best) > 0 && !self.is_over() {
            let count = len(&self.best);
            let size = count.div_ceil(parts);
            let went = (0..count).step_by(size).any(|start| {
                let mut smaller = self.best.clone();
                let kept: Vec<_> =
                    (0..count).map(|index| index < start || index >= start + size).collect();
                keep(&mut smaller, &kept);
                self.keeps(smaller)
            });
            if went {
                parts = parts.saturating_sub(1).max(1);
            } else if size == 1 {
                return;
            } else {
                parts = (parts * 2).min(count);
            }
        }
    }

    /// A world without what need not be.
    fn plain(&mut self) {
        let changes: [fn(&mut Plan); 6] = [
            |plan| {
                plan.clients = 1;
                drop_faults_of_nobody(plan);
            },
            |plan| plan.nodes.iter_mut().for_each(|node| node.clock = ClockPlan::default()),
            |plan| plan.store.clock = ClockPlan::default(),
            |plan| plan.store.sync_ms = 0,
            |plan| plan.latency_ms = 1,
            |plan| plan.instances.iter_mut().for_each(|instance| instance.starts_ms = 0),
        ];
        for change in changes {
            let mut plainer = self.best.clone();
            change(&mut plainer);
            self.keeps(plainer);
        }
    }
}

/// Those whose host is gone.
fn drop_faults_of_nobody(plan: &mut Plan) {
    let nodes = plan.nodes.iter().map(|node| node.name.clone());
    let there: Vec<_> = nodes.chain(plan.client_names()).chain([STORE.to_owned()]).collect();
    plan.faults.retain(|planned| there.contains(&planned.host));
}

fn deploys(instance: &InstancePlan) -> bool {
    instance.steps.iter().any(|step| matches!(step.action, Action::Deploy { .. }))
}

fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut kept = keep.iter();
    list.retain(|_| kept.next().copied().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, Throw};
    use crate::plan::Planned;
    use crate::point::Boundary;
    use crate::swarm::Swarm;
    use crate::workload::{Finished, Orders};
    use crate::{Dice, InstancePlan};
    use duroxide_core::EventKind;
    use duroxide_sdk::{Registry, RegistryError};
    use std::time::Duration;

    /// Orders, of which no attempt may ever fail: so one fault is one too many.
    struct Touchy;

    impl Workload for Touchy {
        fn name(&self) -> &str {
            Orders.name()
        }

        fn registry(&self, build: u32) -> Result<Registry, RegistryError> {
            Orders.registry(build)
        }

        fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
            Orders.instances(dice)
        }

        fn lasts(&self) -> Duration {
            Orders.lasts()
        }

        fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
            let mut kinds = ended.history.iter().map(|event| &event.kind);
            let failed = kinds.any(|kind| matches!(kind, EventKind::ActivityFailed { .. }));
            if failed { Err("an attempt failed".to_owned()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_failure_that_needs_no_fault_shrinks_to_one_instance_without_any() {
        let workload: Arc<dyn Workload> = Arc::new(Orders);
        let mut plan = Plan::draw(3, &Orders, &Swarm::all());
        plan.flip = Some("ship".to_owned());
        assert!(!plan.faults.is_empty());
        let shrunk = shrink(&plan, &workload, 200, &mut |_, _| ()).unwrap();
        let size = Size::of(&shrunk.plan);
        assert_eq!((size.faults, size.instances, size.nodes), (0, 1, 1), "{:?}", shrunk.plan);
        assert_eq!(shrunk.failure.oracle, "workload");
    }

    #[test]
    fn a_failure_among_many_faults_shrinks_to_the_one_that_matters() {
        let workload: Arc<dyn Workload> = Arc::new(Touchy);
        // It says of itself that nothing is tried again, so no seed draws what fails one.
        let mut plan = Plan::draw(3, &Touchy, &Swarm::all());
        let (host, fault) = (plan.nodes[0].name.clone(), Fault::from(Throw));
        plan.faults.push(Planned { host, boundary: Boundary::Began, nth: 1, fault });
        assert!(plan.faults.len() > 5, "{}", plan.faults.len());
        let before = run(&plan, &workload).failure.unwrap();
        let shrunk = shrink(&plan, &workload, 200, &mut |_, _| ()).unwrap();
        let left: Vec<_> = shrunk.plan.faults.iter().map(|planned| planned.fault.name()).collect();
        assert_eq!(left, ["throw"]);
        assert!(Size::of(&shrunk.plan) < Size::of(&plan));
        assert!(shrunk.failure.is_like(&before), "{before} became {}", shrunk.failure);
        // What is told is what a replay of the small plan shows.
        assert_eq!(run(&shrunk.plan, &workload).failure, Some(shrunk.failure));
    }

    #[test]
    fn a_plan_that_does_not_fail_is_none() {
        let workload: Arc<dyn Workload> = Arc::new(Orders);
        let plan = Plan::draw(3, &Orders, &Swarm::calm());
        assert!(shrink(&plan, &workload, 10, &mut |_, _| ()).is_none());
    }
}
