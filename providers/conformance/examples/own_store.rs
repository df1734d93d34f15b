//! The suite as the author of a provider uses it, in a crate of their own: a factory, the
//! macro that makes a test of each check, and a program that prints the report. The store is
//! the reference model; put yours in its place.
//!
//! `cargo run -p duroxide-conformance --example own_store [table|markdown|json]`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people")]

use async_trait::async_trait;
use duroxide_conformance::{Factory, MovedClock, conformance_suite, run_all};
use duroxide_model::ModelProvider;
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_runtime::system_env;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Makes stores that go with the process, each on a clock that can be moved.
#[derive(Default)]
struct MyStores {
    last: Mutex<Option<(Arc<ModelProvider>, MovedClock)>>,
}

impl MyStores {
    fn last(&self) -> (Arc<ModelProvider>, MovedClock) {
        self.last.lock().unwrap().clone().unwrap()
    }
}

#[async_trait]
impl Factory for MyStores {
    async fn open(&self) -> Arc<dyn Store> {
        let env = system_env();
        let clock = MovedClock::new(env.clock.clone());
        let store = ModelProvider::new(Env { clock: Arc::new(clock.clone()), ..env });
        *self.last.lock().unwrap() = Some((Arc::new(store), clock));
        self.last().0
    }

    // Without this method the checks wait for real.
    async fn advance(&self, by: Duration) {
        self.last().1.advance(by);
    }

    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.last().1.set_wall_back(by);
        true
    }

    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(self.last().0.another()))
    }

    // Not `reopen`, `damage` and `trouble`: what needs them is told as skipped.
}

conformance_suite!(MyStores::default());

#[tokio::main]
async fn main() -> ExitCode {
    let report = run_all(MyStores::default()).await;
    match std::env::args().nth(1).as_deref() {
        Some("table") => print!("{}", report.table()),
        Some("markdown") => print!("{}", report.markdown()),
        Some("json") => println!("{}", report.json()),
        Some(_) | None => print!("{}", report.summary()),
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod report {
    use super::{MyStores, run_all};

    #[tokio::test]
    async fn says_what_passed_and_what_could_not_be_checked() {
        let report = run_all(MyStores::default()).await;
        assert!(report.is_clean(), "{}", report.summary());
        let skipped: Vec<_> = report.skipped().into_iter().map(|(ability, _)| ability).collect();
        for ability in ["reopen", "damage", "trouble"] {
            assert!(skipped.iter().any(|why| why.contains(ability)), "{skipped:?}");
        }
        assert!(report.markdown().starts_with("| Part of the contract | Passed |"));
    }
}
