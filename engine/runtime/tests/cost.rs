//! The cost model: what a step costs in commits, fetches and events.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::items_after_statements, reason = "each test shows the code it runs first")]

mod common;

use common::{World, json};
use duroxide_provider::env::{BoxFuture, Clock, Env};
use duroxide_runtime::{CommittedTurn, Runtime, RuntimeOptions, SdkHost, TurnObserver};
use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn add_one(_: ActivityContext, n: u64) -> Result<u64, String> {
    Ok(n + 1)
}

async fn steps(ctx: OrchestrationContext, count: u64) -> Result<u64, OrchestrationError> {
    let mut n = 0;
    for _ in 0..count {
        n = ctx.activity("AddOne", &n).await?;
    }
    Ok(n)
}

fn registry() -> Registry {
    Registry::builder()
        .register_activity("AddOne", add_one)
        .register_orchestration("Steps", steps)
        .build()
        .unwrap()
}

#[derive(Default)]
struct Seen(Mutex<Vec<CommittedTurn>>);

impl TurnObserver for Seen {
    fn turn_committed(&self, turn: &CommittedTurn) {
        self.0.lock().unwrap().push(turn.clone());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequential_step_costs_one_durable_commit_and_no_fetch() {
    let world = World::new().await;
    let runtime = world.node(registry(), RuntimeOptions::default());
    world.start("warm-up", "Steps", 1).await;
    world.output("warm-up").await;
    world.until("the warm-up is counted", || runtime.metrics().orch_completions == 1).await;
    let (before, durable) = (runtime.metrics(), world.sqlite.counters());
    world.start("steps", "Steps", 100).await;
    assert_eq!(world.output("steps").await, "100");
    world.until("the steps are counted", || runtime.metrics().orch_completions == 2).await;
    let (after, stats) = (runtime.metrics(), world.sqlite.counters());

    assert_eq!(after.commits - before.commits, 101, "one for the start, one for each step");
    assert_eq!(after.fetches - before.fetches, 1, "the lease of the new instance");
    assert_eq!(after.activities_claimed - before.activities_claimed, 100);
    assert_eq!(after.results_fused - before.results_fused, 100);
    assert_eq!(after.worker_dispatcher_items_fetched, before.worker_dispatcher_items_fetched);
    let durable = stats.commits - durable.commits;
    assert!(durable <= 102, "the submit and the turns wait for the disk, nothing else: {durable}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_of_many_instances_at_once_are_fused_too() {
    let world = World::new().await;
    let options = RuntimeOptions { worker_concurrency: 64, ..RuntimeOptions::default() };
    let runtime = world.node(registry(), options);
    for n in 0..50 {
        world.start(&format!("s-{n}"), "Steps", 20).await;
    }
    for n in 0..50 {
        world.output(&format!("s-{n}")).await;
    }
    runtime.shutdown(common::PATIENCE).await;
    let metrics = runtime.metrics();
    assert_eq!(metrics.commits, 50 * 21);
    assert!(metrics.results_fused >= 900, "a few may be queued while the node asks: {metrics:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turn_n_of_a_thousand_steps_goes_through_the_new_events_only() {
    let world = World::new().await;
    let seen = Arc::new(Seen::default());
    let observer: Arc<dyn TurnObserver> = Arc::clone(&seen) as _;
    let options = RuntimeOptions { observer: Some(observer), ..RuntimeOptions::default() };
    let runtime = world.node(registry(), options);
    world.start("long", "Steps", 1_000).await;
    assert_eq!(world.output("long").await, "1000");
    world.until("the steps are counted", || runtime.metrics().orch_completions == 1).await;

    let turns = seen.0.lock().unwrap();
    assert_eq!(turns.len(), 1_001);
    assert_eq!(turns.iter().filter(|turn| turn.cold).count(), 1, "only the first is opened");
    let most = turns.iter().map(|turn| turn.handled).max().unwrap();
    assert!(most <= 4, "a turn went through {most} events and arrivals");
    assert_eq!(runtime.metrics().fetches, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_instance_that_is_woken_is_not_read_again() {
    async fn count(ctx: OrchestrationContext, times: u64) -> Result<u64, OrchestrationError> {
        for _ in 0..times {
            ctx.wait_event::<()>("tick").await?;
        }
        Ok(times)
    }
    let world = World::new().await;
    let seen = Arc::new(Seen::default());
    let observer: Arc<dyn TurnObserver> = Arc::clone(&seen) as _;
    let registry = Registry::builder().register_orchestration("Count", count).build().unwrap();
    let options = RuntimeOptions { observer: Some(observer), ..RuntimeOptions::default() };
    let runtime = world.node(registry, options);
    world.start("count", "Count", 10).await;
    for tick in 1..=10 {
        let waits = || runtime.metrics().commits == tick;
        world.until("it waits", waits).await;
        world.client.raise_event("count", "tick", json(())).await.unwrap();
    }
    assert_eq!(world.output("count").await, "10");
    world.until("it is counted", || runtime.metrics().orch_completions == 1).await;
    assert_eq!(runtime.metrics().fetches, 11, "leases only: nobody held it while it waited");
    let turns = seen.0.lock().unwrap();
    assert_eq!(turns.iter().filter(|turn| turn.cold).count(), 1);
    assert!(turns.iter().all(|turn| turn.handled <= 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_wider_than_the_node_is_worked_off() {
    async fn fan(ctx: OrchestrationContext, width: u64) -> Result<u64, OrchestrationError> {
        let calls: Vec<_> = (0..width).map(|n| ctx.activity::<u64>("AddOne", &n)).collect();
        let mut sum = 0;
        for result in ctx.join(calls).await {
            sum += result?;
        }
        Ok(sum)
    }
    let world = World::new().await;
    let registry = Registry::builder()
        .register_activity("AddOne", add_one)
        .register_orchestration("Fan", fan)
        .build()
        .unwrap();
    let runtime = world.node(registry, RuntimeOptions::default());
    world.client.start("fan", "Fan", json(100)).await.unwrap();
    assert_eq!(world.output("fan").await, "5050");
    runtime.shutdown(common::PATIENCE).await;
    assert_eq!(runtime.metrics().activity_success, 100);
}

/// A clock on which a short pause is over at once; leases last as long as they should.
struct Hasty(Arc<dyn Clock>);

impl Clock for Hasty {
    fn wall_ms(&self) -> u64 {
        self.0.wall_ms()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration > Duration::from_secs(1) {
            return self.0.sleep(duration);
        }
        Box::pin(tokio::task::yield_now())
    }
}

#[tokio::test]
async fn a_wait_that_ended_without_news_asks_for_nothing_but_leases() {
    async fn hangs(ctx: OrchestrationContext, (): ()) -> Result<(), OrchestrationError> {
        ctx.activity("Hang", &()).await
    }
    let (world, store) = World::faulty().await;
    let begun = Arc::new(AtomicBool::new(false));
    let has_begun = Arc::clone(&begun);
    let hang = move |_: ActivityContext, (): ()| {
        has_begun.store(true, Ordering::SeqCst);
        std::future::pending::<Result<(), String>>()
    };
    let registry = Registry::builder().register_activity("Hang", hang);
    let registry = registry.register_orchestration("Hangs", hangs).build().unwrap();
    let host = Arc::new(SdkHost::new(registry));
    let env = Env { clock: Arc::new(Hasty(Arc::clone(&world.env.clock))), ..world.env.clone() };
    let (nodes_store, options) = (Arc::clone(&world.store), RuntimeOptions::default());
    let _node = Runtime::start(env, nodes_store, Arc::clone(&host) as _, host, options).unwrap();
    // With an activity in hand there is a lease to ask about, too.
    world.start("hangs", "Hangs", ()).await;
    world.until("the activity begins", || begun.load(Ordering::SeqCst)).await;

    let leases = ["lease_orchestrations", "lease_activities"];
    let wait_in_vain = async || {
        let before = store.asked();
        store.end_a_wait_in_vain();
        let both = || leases.iter().all(|call| store.asked()[call] > before[call]);
        world.until("it asks for leases", both).await;
    };
    // What was announced before has been looked at when some waits were in vain.
    for _ in 0..10 {
        wait_in_vain().await;
    }
    let mut expected = store.asked();
    for call in leases.into_iter().chain(["wait"]) {
        *expected.entry(call).or_default() += 20;
    }
    for _ in 0..20 {
        wait_in_vain().await;
    }
    assert_eq!(store.asked(), expected);
}
