//! Which attempt an activity is told it is, with a real store: the tries of its retry policy
//! before it and the deliveries of this one. What counts as poison is the deliveries alone.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use common::{PATIENCE, World};
use duroxide_core::{EventKind, ExecutionId, Failure, FailureKind};
use duroxide_provider::InstanceState;
use duroxide_runtime::{RuntimeOptions, system_env};
use duroxide_sdk::{
    ActivityContext, Backoff, OrchestrationContext, OrchestrationError, Registry, RetryPolicy,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The attempts that ran, in order, as each was told.
type Seen = Arc<Mutex<Vec<u32>>>;

/// `Try` calls `Fail` under a policy of three attempts, and fails as it does in the end. `Fail`
/// always fails, but the call `hangs` (from 1), which never ends.
fn failing(seen: &Seen, hangs: usize) -> Registry {
    let seen = Arc::clone(seen);
    let fail = move |ctx: ActivityContext, (): ()| {
        let call = {
            let mut seen = seen.lock().unwrap();
            seen.push(ctx.attempt());
            seen.len()
        };
        async move {
            if call == hangs {
                std::future::pending::<()>().await;
            }
            Err::<(), _>(format!("call {call}"))
        }
    };
    let code = |ctx: OrchestrationContext, (): ()| async move {
        let policy = RetryPolicy { backoff: Backoff::None, ..RetryPolicy::new(3) };
        ctx.activity::<()>("Fail", &()).with_retry(policy).await?;
        Ok::<_, OrchestrationError>(())
    };
    Registry::builder()
        .register_activity("Fail", fail)
        .register_orchestration("Try", code)
        .build()
        .unwrap()
}

fn options(max_attempts: u32) -> RuntimeOptions {
    let (worker_lease, turn_lease) = (Duration::from_millis(300), Duration::from_millis(300));
    RuntimeOptions { worker_lease, turn_lease, max_attempts, ..RuntimeOptions::default() }
}

/// The node dies while it runs this call, and another goes on. How it ended.
async fn dies_in_call(world: &World, call: usize, max_attempts: u32, seen: &Seen) -> Failure {
    let first = world.node(failing(seen, call), options(max_attempts));
    world.start("try", "Try", ()).await;
    world.until("it hangs", || seen.lock().unwrap().len() == call).await;
    drop(first);
    let second = world.node(failing(seen, call), options(max_attempts));
    let failure = world.failure("try").await;
    second.shutdown(PATIENCE).await;
    failure
}

/// For each try that was scheduled its number, and for each that failed the attempt it failed as.
async fn recorded(world: &World) -> (Vec<u32>, Vec<Option<u32>>) {
    let history = world.client.history("try", ExecutionId::FIRST).await.unwrap();
    let (mut tries, mut failed) = (vec![], vec![]);
    for event in history {
        match event.kind {
            EventKind::ActivityScheduled { attempt, .. } => tries.push(attempt),
            EventKind::ActivityFailed { failure, .. } => failed.push(failure.attempt),
            _ => {}
        }
    }
    (tries, failed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_try_of_a_policy_is_told_which_it_is() {
    let (world, seen) = (World::new().await, Seen::default());
    // Three tries, where a single delivery that dies would be poison.
    let runtime = world.node(failing(&seen, 0), options(1));
    world.start("try", "Try", ()).await;
    let failure = world.failure("try").await;
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
    assert_eq!(recorded(&world).await, (vec![1, 2, 3], vec![Some(1), Some(2), Some(3)]));
    assert_eq!((failure.message.as_str(), failure.attempt), ("call 3", Some(3)));
    runtime.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redelivery_adds_to_the_number_of_its_try() {
    let (world, seen) = (World::new().await, Seen::default());
    let failure = dies_in_call(&world, 3, 5, &seen).await;
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3, 4], "the third try was delivered twice");
    assert_eq!(recorded(&world).await, (vec![1, 2, 3], vec![Some(1), Some(2), Some(4)]));
    assert_eq!((failure.message.as_str(), failure.attempt), ("call 4", Some(4)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_counts_the_deliveries_of_one_try() {
    let (world, seen) = (World::new().await, Seen::default());
    let failure = dies_in_call(&world, 2, 1, &seen).await;
    assert_eq!(*seen.lock().unwrap(), [1, 2]);
    assert_eq!((failure.kind, failure.attempt), (FailureKind::Poison, Some(2)));
    assert!(failure.message.contains("1 attempts ended without an outcome"), "{failure}");
    assert_eq!(recorded(&world).await, (vec![1, 2], vec![Some(1), Some(2)]));
}

/// `Stuck`'s turn of the instance `first` does not come back until the flag is set; any
/// other is over at once.
fn stuck(go_on: &Arc<AtomicBool>, begun: &Arc<AtomicBool>) -> Registry {
    let (go_on, begun) = (Arc::clone(go_on), Arc::clone(begun));
    let code = move |ctx: OrchestrationContext, (): ()| {
        let (go_on, begun) = (Arc::clone(&go_on), Arc::clone(&begun));
        async move {
            if ctx.instance_id().as_str() == "first" {
                begun.store(true, Ordering::SeqCst);
                while !go_on.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
            }
            Ok::<_, OrchestrationError>(())
        }
    };
    Registry::builder().register_orchestration("Stuck", code).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_charges_what_it_began_and_not_its_backlog() {
    let world = World::new().await;
    let (go_on, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    world.start("first", "Stuck", ()).await;
    for number in 0..100 {
        world.start(&format!("behind-{number}"), "Stuck", ()).await;
    }
    let one_turn = RuntimeOptions { orchestration_concurrency: 1, ..options(1) };
    let dies = world.node(stuck(&go_on, &begun), one_turn.clone());
    world.until("its turn has begun", || begun.load(Ordering::SeqCst)).await;
    drop(dies);
    go_on.store(true, Ordering::SeqCst);
    // One delivery more than the first is poison here.
    let runtime = world.node(stuck(&go_on, &begun), one_turn);
    let mut poisoned = Vec::new();
    for number in 0..100 {
        let id = format!("behind-{number}");
        if !matches!(world.ended(&id).await.state, InstanceState::Completed { .. }) {
            poisoned.push(id);
        }
    }
    assert!(poisoned.len() <= 1, "only the next in line may have been charged: {poisoned:?}");
    runtime.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_beyond_the_workers_waits_without_an_attempt() {
    let (world, seen) = (World::new().await, Seen::default());
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clock = system_env().clock;
    let slow = {
        let (seen, at_once, most) = (Arc::clone(&seen), Arc::clone(&at_once), Arc::clone(&most));
        move |ctx: ActivityContext, (): ()| {
            let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
            let clock = Arc::clone(&clock);
            seen.lock().unwrap().push(ctx.attempt());
            async move {
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                clock.sleep(Duration::from_millis(50)).await;
                at_once.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, String>(())
            }
        }
    };
    let code = |ctx: OrchestrationContext, (): ()| async move {
        let all: Vec<_> = (0..12).map(|_| ctx.activity::<()>("Slow", &())).collect();
        ctx.join(all).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok::<_, OrchestrationError>(())
    };
    let registry = Registry::builder()
        .register_activity("Slow", slow)
        .register_orchestration("Fan", code)
        .build()
        .unwrap();
    let two_workers = RuntimeOptions { worker_concurrency: 2, ..RuntimeOptions::default() };
    let runtime = world.node(registry, two_workers);
    world.start("fan", "Fan", ()).await;
    assert!(matches!(world.ended("fan").await.state, InstanceState::Completed { .. }));
    assert_eq!(*seen.lock().unwrap(), [1; 12]);
    assert_eq!(most.load(Ordering::SeqCst), 2);
    runtime.shutdown(PATIENCE).await;
}
