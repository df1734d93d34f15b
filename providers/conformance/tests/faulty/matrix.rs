//! What catches what: every check on every store with a fault. Printed both ways.

use crate::fault::Fault;
use crate::runtime;
use crate::world::Stores;
use duroxide_conformance::{Stop, checks, run_all, run_check};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Work on as many threads as there are processors.
fn on_all_processors(work: impl Fn() + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(&work);
        }
    });
}

/// The checks that fail on no fault. Each is tried until one makes it fail, those of its own
/// group first: so much less than the whole matrix says as much.
pub(crate) fn find_quiet() -> Vec<String> {
    let (all, next, quiet) = (checks(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    on_all_processors(|| {
        while let Some(check) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
            let is_of_group = |by: &str| by.split("::").next() == Some(check.group);
            let (near, far): (Vec<_>, Vec<_>) =
                Fault::ALL.iter().partition(|(_, by)| is_of_group(by));
            let is_caught = |(fault, _): &(Fault, &str)| {
                let stores = Arc::new(Stores::new(Some(*fault)));
                let result = runtime().block_on(run_check(stores, *check));
                matches!(result, Err(Stop::Failed(_)))
            };
            if !near.into_iter().chain(far).any(is_caught) {
                quiet.lock().unwrap().push(format!("{}::{}", check.group, check.name));
            }
        }
    });
    quiet.into_inner().unwrap()
}

/// For each fault the checks that fail on it.
pub(crate) struct Matrix {
    caught_by: BTreeMap<Fault, Vec<String>>,
}

impl Matrix {
    /// Run all of it.
    pub(crate) fn measure() -> Self {
        let (next, caught_by) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        on_all_processors(|| {
            while let Some((fault, _)) = Fault::ALL.get(next.fetch_add(1, Ordering::SeqCst)) {
                let report = runtime().block_on(run_all(Stores::new(Some(*fault))));
                let failed = report.failed().map(|line| format!("{}::{}", line.group, line.check));
                let failed: Vec<_> = failed.collect();
                caught_by.lock().unwrap().insert(*fault, failed);
            }
        });
        Self { caught_by: caught_by.into_inner().unwrap() }
    }

    /// The other way: for each check the faults on which it fails.
    fn catches(&self) -> BTreeMap<String, Vec<Fault>> {
        let names = checks().into_iter().map(|check| format!("{}::{}", check.group, check.name));
        let mut catches: BTreeMap<_, _> = names.map(|name| (name, Vec::new())).collect();
        for (fault, checks) in &self.caught_by {
            for check in checks {
                catches.entry(check.clone()).or_insert_with(Vec::new).push(*fault);
            }
        }
        catches
    }

    /// The checks that fail on no fault.
    pub(crate) fn quiet(&self) -> Vec<String> {
        let quiet = self.catches().into_iter().filter(|(_, faults)| faults.is_empty());
        quiet.map(|(check, _)| check).collect()
    }

    /// For people: each fault with the check that stands for it and all others that fail,
    /// then each check with the faults, then those that catch none.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{} faults, and the checks that catch them\n", Fault::ALL.len());
        for (fault, by_name) in Fault::ALL {
            let all = self.caught_by.get(fault).map_or(&[][..], Vec::as_slice);
            let _ = writeln!(text, "{}: {by_name}", fault.words());
            for check in all.iter().filter(|check| check != by_name) {
                let _ = writeln!(text, "    {check}");
            }
        }
        let catches = self.catches();
        let _ = writeln!(text, "\n{} checks, and the faults that they catch", catches.len());
        for (check, faults) in &catches {
            let words: Vec<_> = faults.iter().map(|fault| fault.words()).collect();
            let _ = writeln!(text, "{check}: {}", words.join("; "));
        }
        let quiet: BTreeSet<_> = self.quiet().into_iter().collect();
        let percent = quiet.len() * 100 / catches.len().max(1);
        let _ = writeln!(text, "\n{} checks ({percent} %) catch none of them", quiet.len());
        for check in quiet {
            let _ = writeln!(text, "    {check}");
        }
        text
    }

    /// `{faults: [{fault, check, caught_by}], checks: [{check, catches}]}`.
    pub(crate) fn json(&self) -> String {
        let faults: Vec<_> = Fault::ALL
            .iter()
            .map(|(fault, check)| {
                json!({
                    "fault": fault.words(),
                    "check": check,
                    "caught_by": self.caught_by.get(fault),
                })
            })
            .collect();
        let catches = self.catches().into_iter().map(|(check, faults)| {
            let words: Vec<_> = faults.iter().map(|fault| fault.words()).collect();
            json!({ "check": check, "catches": words })
        });
        let all = json!({ "faults": faults, "checks": catches.collect::<Vec<_>>() });
        serde_json::to_string_pretty(&all).unwrap()
    }
}
