//! The suite judged: a working store passes all of it, and each of a list of faults is
//! caught by the group that stands for the clause it breaks.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod fault;
mod store;
mod stores;
mod world;

use duroxide_conformance::{Factory, Outcome, Stop, checks, run_all, run_check};
use fault::Fault;
use std::collections::BTreeSet;
use std::sync::Arc;
use stores::Stores;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The first check of a group that catches the fault.
async fn caught_by(fault: Fault, group: &str) -> Option<&'static str> {
    let factory: Arc<dyn Factory> = Arc::new(Stores::with(fault));
    for check in checks().into_iter().filter(|check| check.group == group) {
        if let Err(Stop::Failed(_)) = run_check(Arc::clone(&factory), check).await {
            return Some(check.name);
        }
    }
    None
}

#[test]
fn a_working_store_passes_on_a_clock_that_only_the_checks_move() {
    let report = runtime().block_on(run_all(Stores::default()));
    assert!(report.is_clean(), "{}", report.table());
    assert_eq!(report.lines.len(), checks().len());
    let passed = report.lines.iter().filter(|line| line.outcome == Outcome::Passed).count();
    assert!(passed > 350, "{}", report.table());
}

#[test]
fn every_fault_is_caught_by_the_group_of_its_clause() {
    let missed: Vec<_> = runtime().block_on(async {
        let mut missed = Vec::new();
        for (fault, group) in Fault::ALL {
            match caught_by(*fault, group).await {
                Some(check) => println!("{fault:?} is caught by {group}::{check}"),
                None => missed.push((fault, group)),
            }
        }
        missed
    });
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn every_group_catches_some_fault() {
    let groups: BTreeSet<_> = checks().iter().map(|check| check.group).collect();
    let catching: BTreeSet<_> = Fault::ALL.iter().map(|(_, group)| *group).collect();
    assert_eq!(groups, catching);
}

#[test]
fn every_check_has_a_name_of_its_own() {
    let names: BTreeSet<_> = checks().iter().map(|check| (check.group, check.name)).collect();
    assert_eq!(names.len(), checks().len());
}
