//! Every scenario that needs no virtual time ends as it says, on the real runtime over
//! SQLite in memory, and what was recorded of it replays.

#![expect(clippy::unwrap_used, reason = "what goes wrong fails the test")]

use duroxide::core::{FailureKind, Payload};
use duroxide::prelude::*;
use duroxide::sdk::testing::replay_instance;
use duroxide_scenarios::{Outcome, Scenario, Step, all, no_effects};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

async fn play(scenario: &Scenario) -> Result<serde_json::Value, String> {
    let env = system_env();
    let store = Arc::new(SqliteProvider::in_memory(env.clone()).await.unwrap());
    let registry = (scenario.registry)(&no_effects()).unwrap();
    let runtime = Runtime::start_registry(env, store, registry, RuntimeOptions::default()).unwrap();
    let client = runtime.client();
    let input = Payload::json(scenario.input.to_string());
    let request = StartRequest::new("it", scenario.orchestration, input);
    let request = match scenario.version {
        None => request,
        Some(version) => request.version(version),
    };
    assert_eq!(client.start_with(request).await, Ok(Started::Created));
    for step in &scenario.steps {
        match step {
            Step::AwaitStatus(status) => await_status(&client, status).await,
            Step::Raise(event, data) => client.raise_event_typed("it", event, data).await.unwrap(),
            Step::Enqueue(queue, data) => {
                client.enqueue_event_typed("it", queue, data).await.unwrap();
            }
            Step::Cancel(reason) => client.cancel("it", reason).await.unwrap(),
        }
    }
    let outcome = client.wait_typed("it", PATIENCE).await.map_err(|error| error.to_string());
    runtime.shutdown(PATIENCE).await;
    check_replay(scenario, &client).await;
    outcome
}

/// What the store has recorded replays to the same commands.
async fn check_replay(scenario: &Scenario, client: &Client) {
    let registry = (scenario.registry)(&no_effects()).unwrap();
    let mut executions = Vec::new();
    for execution in client.executions("it").await.unwrap() {
        executions.push(client.history("it", execution.execution).await.unwrap());
    }
    let found = replay_instance("it", &executions, &registry)
        .unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    assert!(found.iter().all(|execution| execution.ended && execution.remarks.is_empty()));
    assert_eq!(found.len(), executions.len());
}

async fn await_status(client: &Client, status: &str) {
    let mut version = 0;
    loop {
        let info = client.wait_for_status_change("it", version, PATIENCE).await.unwrap();
        let info = info.expect("the status changes before the end");
        if info.custom_status.as_deref() == Some(status) {
            return;
        }
        version = info.custom_status_version;
    }
}

#[tokio::test]
async fn every_scenario_ends_as_it_says() {
    for scenario in all() {
        if scenario.lasts >= Duration::from_secs(1) {
            continue;
        }
        let expected = match &scenario.expected {
            Outcome::Completed(output) => Ok(output.clone()),
            Outcome::Failed(message) => Err((*message).to_owned()),
        };
        assert_eq!(play(&scenario).await, expected, "{}", scenario.name);
    }
}

#[tokio::test]
async fn an_id_in_use_is_left_alone_and_unreadable_output_is_said() {
    let env = system_env();
    let store = Arc::new(SqliteProvider::in_memory(env.clone()).await.unwrap());
    let hello = duroxide_scenarios::hello::scenario();
    let registry = (hello.registry)(&no_effects()).unwrap();
    let runtime = Runtime::start_registry(env, store, registry, RuntimeOptions::default()).unwrap();
    let client = runtime.client();
    let start = || client.start_typed("it", hello.orchestration, &hello.input);
    assert_eq!(start().await, Ok(Started::Created));
    assert_eq!(start().await, Ok(Started::AlreadyExists));
    let output = client.wait_typed::<u32>("it", PATIENCE).await;
    assert!(matches!(output, Err(ClientError::Invalid { message }) if message.contains("output")));
    runtime.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn an_input_that_cannot_be_read_fails_that_run_only() {
    let env = system_env();
    let store = Arc::new(SqliteProvider::in_memory(env.clone()).await.unwrap());
    let hello = duroxide_scenarios::hello::scenario();
    let registry = (hello.registry)(&no_effects()).unwrap();
    let runtime = Runtime::start_registry(env, store, registry, RuntimeOptions::default()).unwrap();
    let client = runtime.client();
    client.start("bad", hello.orchestration, Payload::json("[]")).await.unwrap();
    client.start_typed("good", hello.orchestration, &hello.input).await.unwrap();
    let Err(ClientError::Failed { failure }) = client.wait_for_output("bad", PATIENCE).await else {
        panic!("it cannot have completed")
    };
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(client.wait_typed::<String>("good", PATIENCE).await.is_ok());
    runtime.shutdown(PATIENCE).await;
}
