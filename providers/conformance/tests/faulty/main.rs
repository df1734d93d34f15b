//! The suite judged: the reference model passes all of it, each of a list of faults is caught
//! by the check that is there for it, and few checks catch none. What caught what is printed
//! both ways: `cargo xtask conformance --faulty`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod clients;
mod commits;
mod effects;
mod fault;
mod faulty;
mod instances;
mod matrix;
mod provider;
mod reads;
mod reopened;
mod tasks;
mod world;

use duroxide_conformance::{Outcome, Stop, checks, groups, run_all, run_check};
use fault::Fault;
use matrix::Matrix;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use world::Stores;

/// Of the checks, those that may catch no fault of the list.
const QUIET_PERCENT: usize = 5;

/// Whether to measure and print all of the matrix, which takes minutes, and not just enough
/// of it; and where it goes as JSON, if it is to go anywhere.
const MATRIX: &str = "DUROXIDE_MATRIX";
const JSON: &str = "DUROXIDE_MATRIX_JSON";

/// A waiting store waits at no cost: when nothing else can happen, time passes.
fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap()
}

#[test]
fn the_model_passes_every_check_and_none_is_skipped() {
    let report = runtime().block_on(run_all(Stores::new(None)));
    assert_eq!(report.tally().passed, checks().len(), "{}", report.summary());
}

#[test]
fn no_check_depends_on_how_fast_a_store_answers() {
    for ms in [1, 15, 45, 250, 1_000] {
        let stores = Stores::slow(Duration::from_millis(ms));
        let report = runtime().block_on(run_all(stores));
        let passed = report.tally().passed;
        assert_eq!(passed, checks().len(), "a call takes {ms} ms: {}", report.summary());
    }
}

#[test]
fn every_fault_is_caught_by_the_check_that_stands_for_it() {
    let all = checks();
    let mut missed = Vec::new();
    for (fault, name) in Fault::ALL {
        let check = all.iter().find(|check| format!("{}::{}", check.group, check.name) == *name);
        let Some(check) = check else { panic!("there is no check `{name}`") };
        match runtime().block_on(run_check(Arc::new(Stores::new(Some(*fault))), *check)) {
            Err(Stop::Failed(message)) => println!("{}: {name}: {message}", fault.words()),
            Ok(()) | Err(Stop::Skipped(_)) => missed.push((fault, name)),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn few_checks_catch_no_fault() {
    let quiet = if std::env::var_os(MATRIX).is_some() {
        let matrix = Matrix::measure();
        println!("{}", matrix.text());
        if let Ok(path) = std::env::var(JSON) {
            std::fs::write(&path, matrix.json()).unwrap();
        }
        matrix.quiet()
    } else {
        matrix::find_quiet()
    };
    let most = checks().len() * QUIET_PERCENT / 100;
    assert!(quiet.len() <= most, "{} checks catch no fault: {quiet:#?}", quiet.len());
}

#[test]
fn every_group_has_a_fault_that_it_is_there_for() {
    let known: BTreeSet<_> = groups().iter().map(|group| group.name).collect();
    let catching: BTreeSet<_> =
        Fault::ALL.iter().filter_map(|(_, check)| Some(check.split_once("::")?.0)).collect();
    assert_eq!(known, catching);
}

#[test]
fn names_are_used_once() {
    let names: BTreeSet<_> = checks().iter().map(|check| (check.group, check.name)).collect();
    assert_eq!(names.len(), checks().len());
    let faults: BTreeSet<_> = Fault::ALL.iter().map(|(fault, _)| fault.words()).collect();
    assert_eq!(faults.len(), Fault::ALL.len());
}

#[test]
fn a_store_that_hangs_fails_its_check_and_not_the_suite() {
    let stores = Stores::new(Some(Fault::MissesWakeUps));
    let report = runtime().block_on(run_all(stores));
    let failed: Vec<_> = report.failed().map(|line| line.group).collect();
    assert!(failed.contains(&"wakeups"), "{}", report.summary());
    assert!(report.lines.iter().any(|line| line.outcome == Outcome::Passed));
}
