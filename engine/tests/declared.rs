//! Declared orchestrations through the client, on the real runtime over SQLite in memory, and
//! with them what only a runtime shows: retries on a session, children, detached starts.

#![expect(clippy::unwrap_used, reason = "what goes wrong fails the test")]

use duroxide::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

const ATTEMPT: Activity<String, u32> = Activity::new("Attempt");
const ADD: Orchestration<(u32, u32), u32> = Orchestration::new("Add").version("1.2.0");
const OLD_ADD: Orchestration<(u32, u32), u32> = Orchestration::new("Add");
const TOTAL: Orchestration<Vec<u32>, u32> = Orchestration::new("Total");

async fn add(ctx: OrchestrationContext, (a, b): (u32, u32)) -> Result<u32, OrchestrationError> {
    ctx.set_value("sum", &(a + b).to_string())?;
    Ok(a + b)
}

/// Version 1.0.0 counted from one.
async fn old_add(_: OrchestrationContext, (a, b): (u32, u32)) -> Result<u32, String> {
    Ok(a + b + 1)
}

/// By one child for each number, and one more that nobody waits for.
async fn total(ctx: OrchestrationContext, numbers: Vec<u32>) -> Result<u32, OrchestrationError> {
    let mut sum = 0;
    for (n, number) in numbers.into_iter().enumerate() {
        sum = ctx.call(ADD, &(sum, number)).with_id(format!("add-{n}")).await?;
    }
    ctx.start_detached(OLD_ADD.pinned(), "detached", &(sum, 0))?;
    let read = ctx.value_from_instance("add-1", "sum").await?;
    assert_eq!(read, Some(sum.to_string()));
    Ok(sum)
}

async fn runtime(registry: Registry) -> Runtime {
    let env = system_env();
    let store = Arc::new(SqliteProvider::in_memory(env.clone()).await.unwrap());
    Runtime::start_registry(env, store, registry, RuntimeOptions::default()).unwrap()
}

#[tokio::test]
async fn a_declared_orchestration_is_started_and_awaited_by_its_types() {
    let registry = Registry::builder()
        .register_orchestration(ADD, add)
        .register_orchestration(OLD_ADD, old_add)
        .register_orchestration(TOTAL, total)
        .build()
        .unwrap();
    let runtime = runtime(registry).await;
    let client = runtime.client();
    assert_eq!(client.start_typed("t", TOTAL, &[1, 2][..]).await, Ok(Started::Created));
    assert_eq!(client.wait_for(TOTAL, "t", PATIENCE).await, Ok(3));
    assert_eq!(client.wait_for(OLD_ADD, "detached", PATIENCE).await, Ok(4));
    client.start_typed("latest", OLD_ADD, &(1, 1)).await.unwrap();
    client.start_typed("pinned", OLD_ADD.pinned(), &(1, 1)).await.unwrap();
    assert_eq!(client.wait_for(ADD, "latest", PATIENCE).await, Ok(2));
    assert_eq!(client.wait_for(ADD, "pinned", PATIENCE).await, Ok(3));
    runtime.shutdown(PATIENCE).await;
}

/// Fails until it is called for the third time.
#[tokio::test]
async fn a_retry_runs_on_its_session_and_succeeds_in_the_end() {
    let calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let attempt = move |ctx: ActivityContext, session: String| {
        let calls = Arc::clone(&calls);
        async move {
            assert_eq!(ctx.session_id(), Some(session.as_str()));
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            if call < 3 { Err(format!("call {call} is too early")) } else { Ok(call) }
        }
    };
    let policy = RetryPolicy { backoff: Backoff::None, ..RetryPolicy::new(3) };
    let code = move |ctx: OrchestrationContext, session: String| {
        let policy = policy.clone();
        async move { ctx.call(ATTEMPT, &session).on_session(&session).with_retry(policy).await }
    };
    let registry = Registry::builder()
        .register_activity(ATTEMPT, attempt)
        .register_orchestration("It", code)
        .build()
        .unwrap();
    let runtime = runtime(registry).await;
    let client = runtime.client();
    client.start_typed("it", "It", "session-1").await.unwrap();
    assert_eq!(client.wait_typed::<u32>("it", PATIENCE).await, Ok(3));
    runtime.shutdown(PATIENCE).await;
}
