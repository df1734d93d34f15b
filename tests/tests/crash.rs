//! What a killed process leaves behind: SIGKILL in the middle of a step, SIGKILL right
//! after a step was recorded, and SIGSTOP, which is not death.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use duroxide_core::{Event, EventKind, ExecutionId, Payload};
use duroxide_runtime::Client;
use duroxide_tests::{LEASE, PATIENCE, Phase, Process, Scratch, World, client, until};
use std::time::{Duration, Instant};

const NODE: &str = env!("CARGO_BIN_EXE_duroxide-test-node");
const STEPS: u32 = 10;
/// A killed process's work goes on within so long after the next one's start.
const TAKE_OVER: Duration = Duration::from_secs(2);

fn start_node(scratch: &Scratch, lease: Duration) -> Process {
    Process::start(NODE, &scratch.database(), scratch.path(), lease)
}

async fn start_steps(client: &Client, id: &str) {
    client.start(id, "Steps", Payload::json(STEPS.to_string())).await.unwrap();
}

/// For each step, the attempt whose result was recorded.
async fn recorded_attempts(client: &Client, id: &str) -> Vec<u32> {
    let output = client.wait_for_output(id, PATIENCE).await.unwrap();
    let list = output.as_json().unwrap().trim_matches(['[', ']']);
    list.split(',').map(|attempt| attempt.parse().unwrap()).collect()
}

/// One attempt for each step, and two for this one.
fn twice(interrupted: u32) -> Vec<u32> {
    (0..STEPS).map(|step| if step == interrupted { 2 } else { 1 }).collect()
}

async fn completions(client: &Client, id: &str) -> usize {
    let history: Vec<Event> = client.history(id, ExecutionId::FIRST).await.unwrap();
    history.iter().filter(|event| matches!(event.kind, EventKind::ActivityCompleted { .. })).count()
}

#[tokio::test]
async fn a_step_interrupted_by_sigkill_runs_again_and_no_other_does() {
    for interrupted in [0, 4, 9] {
        let scratch = Scratch::new("kill-in-step");
        let world = World::new(scratch.path());
        let client = client(&scratch.database()).await;
        world.hold(interrupted, 1).unwrap();

        let first = start_node(&scratch, LEASE);
        start_steps(&client, "w").await;
        until("the step to begin", async || world.find(Phase::Began, interrupted, 1)).await;
        first.kill();

        let begun = Instant::now();
        let second = start_node(&scratch, LEASE);
        let effect =
            until("the step to begin again", async || world.find(Phase::Began, interrupted, 2))
                .await;
        assert!(begun.elapsed() < TAKE_OVER, "taken over after {:?}", begun.elapsed());
        assert_eq!(effect.pid, second.pid());

        assert_eq!(recorded_attempts(&client, "w").await, twice(interrupted));
        assert_eq!(world.runs("w", STEPS), twice(interrupted));
    }
}

#[tokio::test]
async fn a_recorded_step_never_runs_again_though_its_process_was_killed_at_once() {
    for recorded in [1, 5, 8] {
        let scratch = Scratch::new("kill-after-commit");
        let world = World::new(scratch.path());
        let client = client(&scratch.database()).await;
        world.hold(recorded, 1).unwrap();

        let first = start_node(&scratch, LEASE);
        start_steps(&client, "w").await;
        until("the step to be recorded", async || {
            (completions(&client, "w").await == recorded as usize).then_some(())
        })
        .await;
        first.kill();

        let _second = start_node(&scratch, LEASE);
        // The step after it was under way when the process died; it alone runs again.
        assert_eq!(
            recorded_attempts(&client, "w").await[..recorded as usize],
            [1; STEPS as usize][..recorded as usize]
        );
        assert_eq!(
            world.runs("w", STEPS)[..recorded as usize],
            [1; STEPS as usize][..recorded as usize]
        );
        assert_eq!(completions(&client, "w").await, STEPS as usize);
    }
}

#[tokio::test]
async fn a_living_process_takes_over_from_a_killed_one() {
    let scratch = Scratch::new("living-heir");
    let world = World::new(scratch.path());
    let client = client(&scratch.database()).await;
    world.hold(3, 1).unwrap();

    let first = start_node(&scratch, LEASE);
    start_steps(&client, "w").await;
    until("the step to begin", async || world.find(Phase::Began, 3, 1)).await;
    let heir = start_node(&scratch, LEASE);
    until("the heir to be at work", async || world.is_ready(heir.pid()).then_some(())).await;
    first.kill();

    let effect = until("the heir to take over", async || world.find(Phase::Began, 3, 2)).await;
    assert_eq!(effect.pid, heir.pid());
    assert_eq!(recorded_attempts(&client, "w").await, twice(3));
    assert_eq!(completions(&client, "w").await, STEPS as usize);
}

#[tokio::test]
async fn a_stopped_process_loses_its_lease_in_time_and_its_late_result_is_refused() {
    let lease = Duration::from_secs(1);
    let scratch = Scratch::new("sigstop");
    let world = World::new(scratch.path());
    let client = client(&scratch.database()).await;
    world.hold(2, 1).unwrap();
    world.hold(2, 2).unwrap();

    let stopped = start_node(&scratch, lease);
    start_steps(&client, "w").await;
    until("the step to begin", async || world.find(Phase::Began, 2, 1)).await;
    stopped.stop();

    let heir = start_node(&scratch, lease);
    let again = until("its lease to run out", async || world.find(Phase::Began, 2, 2)).await;
    assert_eq!(again.pid, heir.pid());

    // The late attempt ends while the heir's is still running.
    world.let_go(2, 1).unwrap();
    stopped.go_on();
    until("the late attempt to end", async || world.find(Phase::Ended, 2, 1)).await;
    // Its result has had time to do harm when another instance has gone all the way.
    client.start("other", "Nap", Payload::json("1")).await.unwrap();
    client.wait_for_output("other", PATIENCE).await.unwrap();
    assert_eq!(completions(&client, "w").await, 2);
    world.let_go(2, 2).unwrap();

    assert_eq!(recorded_attempts(&client, "w").await, twice(2));
    assert_eq!(world.runs("w", STEPS), twice(2));

    // Losing work does not end a node: alone, it goes on.
    heir.kill();
    start_steps(&client, "next").await;
    assert_eq!(recorded_attempts(&client, "next").await, [1; STEPS as usize]);
}
