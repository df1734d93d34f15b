//! Running checks: one as a test, or all of them into a report.

use crate::expect::{CheckResult, Stop};
use crate::factory::Factory;
use crate::fixture::Fixture;
use crate::report::{Line, Outcome, Report};
use duroxide_provider::env::BoxFuture;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// One check of the contract.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The part of the contract it belongs to.
    pub group: &'static str,
    /// The clause, as a sentence.
    pub name: &'static str,
    /// The check itself.
    pub run: for<'a> fn(&'a Fixture) -> BoxFuture<'a, CheckResult>,
}

/// No check takes longer on a store that answers at all.
const PATIENCE: Duration = Duration::from_mins(2);

/// Run one check on a fresh store. A panic inside the provider is a failure of the check.
#[expect(clippy::disallowed_methods, reason = "a provider that hangs must not hang the suite")]
pub async fn run_check(factory: Arc<dyn Factory>, check: Check) -> CheckResult {
    let checked = AssertUnwindSafe(async {
        let fixture = Fixture::open(factory).await;
        (check.run)(&fixture).await
    })
    .catch_unwind();
    match tokio::time::timeout(PATIENCE, checked).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Stop::Failed(format!("a panic: {}", panic_text(&*panic)))),
        Err(_) => Err(Stop::Failed(format!("no end within {} s", PATIENCE.as_secs()))),
    }
}

/// Run every check, each on a store of its own, one after the other.
pub async fn run_all(factory: impl Factory) -> Report {
    let factory: Arc<dyn Factory> = Arc::new(factory);
    let mut lines = Vec::new();
    for check in crate::checks() {
        let outcome = Outcome::from(run_check(Arc::clone(&factory), check).await);
        lines.push(Line { group: check.group, check: check.name, outcome });
    }
    Report { lines }
}

/// Run one check as a test: panic unless it passes. One that was skipped says so on stdout,
/// which `cargo test -- --show-output` shows. This is what
/// [`conformance_suite!`](crate::conformance_suite) expands to.
#[track_caller]
#[expect(clippy::print_stdout, reason = "a test has no other way to say that it was skipped")]
pub fn assert_check(factory: impl Factory, group: &str, name: &str) {
    let Some(check) = crate::checks().into_iter().find(|c| c.group == group && c.name == name)
    else {
        panic!("there is no check {group}::{name}");
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run_check(Arc::new(factory), check)),
        Err(error) => panic!("no runtime for the check: {error}"),
    };
    match result {
        Ok(()) => {}
        Err(skipped @ Stop::Skipped(_)) => println!("{skipped}"),
        Err(Stop::Failed(message)) => panic!("{group}::{name}: {message}"),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
