//! The suite judged: a working store passes all of it, and each of a list of faults is
//! caught by the group that stands for the clause it breaks.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod fault;
mod store;
mod world;

use async_trait::async_trait;
use duroxide_conformance::{Damage, Factory, Outcome, Stop, checks, run_all, run_check};
use duroxide_provider::Store;
use fault::Fault;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Faulty;
use world::{StandingClock, working_store};

/// Stores with this fault, or with none.
#[derive(Default)]
struct Stores {
    fault: Option<Fault>,
    clock: StandingClock,
    opened: Mutex<Option<Arc<dyn Store>>>,
}

#[async_trait]
impl Factory for Stores {
    async fn open(&self) -> Arc<dyn Store> {
        let working: Arc<dyn Store> = Arc::new(working_store(&self.clock).await);
        let store: Arc<dyn Store> = match self.fault {
            Some(fault) => Arc::new(Faulty::new(working, fault)),
            None => working,
        };
        *self.opened.lock().unwrap() = Some(Arc::clone(&store));
        store
    }
    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
    fn patience(&self) -> Duration {
        match self.fault {
            // It is known to miss what it waits for.
            Some(Fault::MissesWakeUps | Fault::WatchesTooLong) => Duration::from_millis(300),
            Some(_) | None => Duration::from_secs(20),
        }
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        if self.fault == Some(Fault::ForgetsEverythingOnReopen) {
            Some(self.open().await)
        } else {
            None
        }
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        match self.fault {
            Some(Fault::SharesNothing) => Some(self.open().await),
            Some(_) => None,
            None => self.opened.lock().unwrap().clone(),
        }
    }
    async fn damage(&self, _: Damage) -> bool {
        self.fault == Some(Fault::HidesDamage)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The first check of a group that catches the fault.
async fn caught_by(fault: Fault, group: &str) -> Option<&'static str> {
    let factory: Arc<dyn Factory> = Arc::new(Stores { fault: Some(fault), ..Stores::default() });
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
#[ignore = "takes minutes: prints the checks that no fault of the list makes fail"]
fn checks_that_catch_no_fault() {
    let mut quiet: BTreeSet<_> = checks().iter().map(|check| (check.group, check.name)).collect();
    let faults: BTreeSet<_> = Fault::ALL.iter().map(|(fault, _)| *fault).collect();
    runtime().block_on(async {
        for fault in faults {
            let report = run_all(Stores { fault: Some(fault), ..Stores::default() }).await;
            for line in report.failed() {
                quiet.remove(&(line.group, line.check));
            }
        }
    });
    println!("{} checks catch no fault: {quiet:#?}", quiet.len());
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
