//! Every workload by itself: in a world in which nothing goes wrong it comes to its end,
//! and to what it must come to.

use super::{Choice, Workload, all, find, own};
use crate::plan::Plan;
use crate::run::{Outcome, run};
use crate::swarm::Swarm;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn calm(seed: u64, workload: &Arc<dyn Workload>) -> Outcome {
    run(&Plan::draw(seed, &**workload, &Swarm::calm()), workload)
}

/// The workload runs calm to the end, and passes.
fn passes(name: &str) {
    let workload = find(name).unwrap();
    for seed in 1..=3 {
        let outcome = calm(seed, &workload);
        assert_eq!(outcome.failure, None, "seed {seed} of {name}");
        assert!(outcome.events > 0, "seed {seed} of {name} recorded nothing");
    }
}

#[test]
fn every_workload_has_a_name_of_its_own() {
    let names: Vec<_> = all().iter().map(|workload| workload.name().to_owned()).collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    assert!(names.iter().all(|name| find(name).is_some_and(|found| found.name() == name)));
}

#[test]
fn every_workload_is_drawn_by_some_seed_of_all() {
    let names = |seeds| -> BTreeSet<_> {
        let chosen = (0..seeds).filter_map(|seed| Choice::All.of(seed));
        chosen.map(|workload| workload.name().to_owned()).collect()
    };
    assert_eq!(names(2_000).len(), all().len());
}

#[test]
fn no_two_instances_of_a_plan_have_one_id() {
    for workload in all() {
        for seed in 0..20 {
            let plan = Plan::draw(seed, &*workload, &Swarm::calm());
            let ids: BTreeSet<_> = plan.instances.iter().map(|instance| &instance.id).collect();
            assert_eq!(ids.len(), plan.instances.len(), "seed {seed} of {}", workload.name());
        }
    }
}

#[test]
fn a_workload_that_remembers_begins_anew_with_each_run() {
    // One of its activities counts its calls, for all nodes of a run.
    let billing = find("billing").unwrap();
    let (one, other) = (billing.fresh().unwrap(), billing.fresh().unwrap());
    assert_eq!(one.name(), "billing");
    assert!(!Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &billing));
}

#[test]
fn the_shared_scenarios_pass_as_workloads() {
    // A month takes minutes in a build that is not optimised.
    let day = Duration::from_hours(24);
    for workload in all().split_off(own().len()).into_iter().filter(|one| one.lasts() < day) {
        let outcome = calm(1, &workload);
        assert_eq!(outcome.failure, None, "{}", workload.name());
    }
}

macro_rules! each_passes {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                passes($name);
            }
        )*
    };
}

each_passes! {
    orders_pass: "order",
    mail_passes: "mailbox",
    chains_pass: "chain",
    families_pass: "family",
    timers_pass: "timers",
    sessions_pass: "sessions",
    retries_pass: "retries",
    upgrades_pass: "upgrade",
    management_passes: "management",
    width_passes: "wide",
    limits_pass: "limits",
    stillness_passes: "still",
    telling_passes: "tells",
    a_mixture_passes: "mixed",
}
