//! Prints the checks that no faulty store of the list makes fail. Takes minutes:
//! `cargo run -p duroxide-conformance --example quiet_checks`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::wildcard_imports,
    reason = "a program for people"
)]

#[path = "../tests/faulty/fault.rs"]
mod fault;
#[path = "../tests/faulty/store.rs"]
mod store;
#[path = "../tests/faulty/stores.rs"]
mod stores;
#[path = "../tests/faulty/world.rs"]
mod world;

use duroxide_conformance::{checks, run_all};
use fault::Fault;
use std::collections::BTreeSet;
use stores::Stores;

fn main() {
    let mut quiet: BTreeSet<_> = checks().iter().map(|check| (check.group, check.name)).collect();
    let faults: BTreeSet<_> = Fault::ALL.iter().map(|(fault, _)| *fault).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for fault in faults {
            let report = run_all(Stores::with(fault)).await;
            for line in report.failed() {
                quiet.remove(&(line.group, line.check));
            }
        }
    });
    println!("{} checks catch no fault: {quiet:#?}", quiet.len());
}
