//! Every scenario ends as it says, when it is played by hand: activities run at once,
//! then children, then the client's next step, and time passes only when nothing else can.

use duroxide_core::{EventId, ExecutionId, InstanceId, Payload};
use duroxide_scenarios::{Outcome, Step, all, no_effects};
use duroxide_sdk::testing::ByHand;
use duroxide_sdk::{ActivityContext, ActivityFacts, Registry};
use serde_json::Value;
use std::task::{Context, Poll, Waker};
use tokio_util::sync::CancellationToken;

#[test]
fn every_scenario_ends_as_it_says() {
    for scenario in all() {
        let registry = (scenario.registry)(&no_effects()).expect("registers");
        let outcome = play(&registry, scenario.orchestration, &scenario.input, &scenario.steps);
        let expected = match scenario.expected {
            Outcome::Completed(output) => Ok(output),
            Outcome::Failed(message) => Err(message.to_owned()),
        };
        assert_eq!(outcome, expected, "{}", scenario.name);
    }
}

#[test]
fn the_names_of_scenarios_are_unique() {
    let mut names: Vec<_> = all().iter().map(|scenario| scenario.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().len());
}

fn play(registry: &Registry, name: &str, input: &Value, steps: &[Step]) -> Result<Value, String> {
    let mut run = ByHand::start(registry, name, input);
    let mut steps = steps.iter();
    let mut awaited = None;
    for _ in 0..100 {
        run.turn();
        if run.end().is_some() {
            return run.output();
        }
        if run_one_activity(registry, &mut run) || run_one_child(registry, &mut run) {
            continue;
        }
        if awaited.is_some_and(|status| run.custom_status() != Some(status)) {
            run.timer_fires();
            continue;
        }
        match steps.next() {
            Some(Step::AwaitStatus(status)) => awaited = Some(*status),
            Some(Step::Raise(event, data)) => drop(run.raise(event, data)),
            Some(Step::Enqueue(queue, data)) => drop(run.enqueue(queue, data)),
            Some(Step::Cancel(reason)) => drop(run.cancel(reason)),
            None if run.open_timers() > 0 => drop(run.timer_fires()),
            None => {}
        }
    }
    panic!("{name} does not end: {run:#?}");
}

/// Runs the first open activity that comes to an end without waiting.
fn run_one_activity(registry: &Registry, run: &mut ByHand) -> bool {
    let done = run.activities().iter().find_map(|open| {
        let code = registry.activity(&open.name).expect("registered");
        let mut future = code(context(&open.name, open.event), open.input.clone());
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some((open.name.clone(), outcome)),
            Poll::Pending => None,
        }
    });
    match done {
        None => return false,
        Some((name, Ok(result))) => run.activity_completes(&name, &json(&result)),
        Some((name, Err(failure))) => run.activity_fails(&name, &failure.message),
    };
    true
}

fn run_one_child(registry: &Registry, run: &mut ByHand) -> bool {
    let Some(child) = run.children().first() else { return false };
    let (name, input) = (child.name.clone(), json(&child.input));
    match play(registry, &name, &input, &[]) {
        Ok(output) => run.child_completes(&name, &output),
        Err(message) => run.child_fails(&name, &message),
    };
    true
}

fn context(activity_name: &str, activity: EventId) -> ActivityContext {
    let facts = ActivityFacts {
        instance: InstanceId::from("test"),
        execution: ExecutionId::FIRST,
        orchestration_name: "Test".to_owned(),
        orchestration_version: "1.0.0".to_owned(),
        activity_name: activity_name.to_owned(),
        activity,
        attempt: 1,
        worker: "by hand".to_owned(),
        session: None,
        tag: None,
    };
    ActivityContext::new(facts, CancellationToken::new())
}

fn json(payload: &Payload) -> Value {
    serde_json::from_slice(payload.bytes()).expect("JSON")
}
