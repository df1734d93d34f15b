//! Nodes among others: they share a store, stop, hand over, reach each other's activities,
//! and leave what they cannot run to those that can.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::items_after_statements, reason = "each test shows the code it runs first")]

mod common;

use common::World;
use duroxide_core::FailureKind;
use duroxide_provider::{InstanceState, TagFilter};
use duroxide_runtime::{ClientError, RuntimeOptions};
use duroxide_sdk::{
    ActivityContext, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

async fn hello(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    ctx.activity("Greet", &name).await
}

async fn greet(_: ActivityContext, name: String) -> Result<String, String> {
    Ok(format!("Hello, {name}!"))
}

fn greeting() -> RegistryBuilder {
    Registry::builder().register_activity("Greet", greet).register_orchestration("Hello", hello)
}

/// An orchestration of one activity that runs until it is let go, or cancelled.
fn slow(begun: &Arc<AtomicU64>, let_go: &Arc<Notify>, cancelled: &Arc<AtomicU64>) -> Registry {
    let (begun, let_go, cancelled) = (Arc::clone(begun), Arc::clone(let_go), Arc::clone(cancelled));
    let wait = move |ctx: ActivityContext, (): ()| {
        let (begun, let_go, cancelled) = (begun.clone(), let_go.clone(), cancelled.clone());
        async move {
            begun.fetch_add(1, Ordering::SeqCst);
            tokio::select! {
                biased;
                () = let_go.notified() => Ok(ctx.attempt()),
                () = ctx.cancelled() => {
                    cancelled.fetch_add(1, Ordering::SeqCst);
                    Err("stopped".to_owned())
                }
            }
        }
    };
    async fn slow(ctx: OrchestrationContext, (): ()) -> Result<u32, OrchestrationError> {
        ctx.activity("Wait", &()).await
    }
    greeting().register_activity("Wait", wait).register_orchestration("Slow", slow).build().unwrap()
}

#[derive(Default)]
struct Slow {
    begun: Arc<AtomicU64>,
    let_go: Arc<Notify>,
    cancelled: Arc<AtomicU64>,
}

impl Slow {
    fn registry(&self) -> Registry {
        slow(&self.begun, &self.let_go, &self.cancelled)
    }

    async fn has_begun(&self, world: &World, times: u64) {
        world.until("the activity begins", || self.begun.load(Ordering::SeqCst) == times).await;
    }
}

fn orchestrations_only() -> RuntimeOptions {
    RuntimeOptions { worker_concurrency: 0, ..RuntimeOptions::default() }
}

fn activities_only() -> RuntimeOptions {
    RuntimeOptions { orchestration_concurrency: 0, ..RuntimeOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_a_store_and_each_activity_runs_once() {
    let world = World::new().await;
    let ran = Arc::new(AtomicU64::new(0));
    let counting = || {
        let ran = Arc::clone(&ran);
        let greet = move |_: ActivityContext, name: String| {
            ran.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, String>(name) }
        };
        let registry = Registry::builder().register_activity("Greet", greet);
        registry.register_orchestration("Hello", hello).build().unwrap()
    };
    let one = world.node(counting(), RuntimeOptions::default());
    let two = world.node(counting(), RuntimeOptions::default());
    for n in 0..60 {
        world.start(&format!("i-{n}"), "Hello", "x").await;
    }
    for n in 0..60 {
        world.output(&format!("i-{n}")).await;
    }
    assert_eq!(ran.load(Ordering::SeqCst), 60);
    one.shutdown(Duration::from_secs(1)).await;
    two.shutdown(Duration::from_secs(1)).await;
    assert_eq!(one.metrics().orch_completions + two.metrics().orch_completions, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_may_have_different_roles() {
    let world = World::new().await;
    let _orchestrations = world.node(greeting().build().unwrap(), orchestrations_only());
    let activities = world.node(greeting().build().unwrap(), activities_only());
    world.start("hello", "Hello", "World").await;
    assert_eq!(world.output("hello").await, r#""Hello, World!""#);
    assert_eq!(activities.metrics().worker_dispatcher_items_fetched, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_waits_for_what_runs_and_no_longer() {
    let world = World::new().await;
    let slow = Slow::default();
    let runtime = Arc::new(world.node(slow.registry(), RuntimeOptions::default()));
    world.start("slow", "Slow", ()).await;
    slow.has_begun(&world, 1).await;
    let stopping = Arc::clone(&runtime);
    let shutdown = tokio::task::JoinSet::from_iter([async move {
        stopping.shutdown(Duration::from_mins(10)).await;
    }]);
    slow.let_go.notify_one();
    let ended = world.env.timeout(common::PATIENCE, shutdown.join_all()).await;
    assert!(ended.is_some(), "the shutdown does not sit out its timeout");
    assert_eq!(world.output("slow").await, "1", "the result was recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_hands_its_leases_back() {
    let world = World::new().await;
    let slow = Slow::default();
    let first = world.node(slow.registry(), RuntimeOptions::default());
    world.start("slow", "Slow", ()).await;
    slow.has_begun(&world, 1).await;
    first.shutdown(Duration::from_millis(10)).await;
    assert_eq!(slow.cancelled.load(Ordering::SeqCst), 0, "it was dropped, not cancelled");

    // Its leases of 30 s would outlast this test's patience.
    let _second = world.node(slow.registry(), RuntimeOptions::default());
    slow.has_begun(&world, 2).await;
    slow.let_go.notify_one();
    assert_eq!(world.output("slow").await, "1", "an attempt that was handed back is not counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_shut_down_takes_no_work() {
    let world = World::new().await;
    let runtime = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    runtime.shutdown(Duration::from_secs(1)).await;
    world.start("hello", "Hello", "World").await;
    let waited = world.client.wait("hello", Duration::from_millis(50)).await;
    assert_eq!(waited, Err(ClientError::Timeout));
    assert_eq!(runtime.metrics().orch_dispatcher_items_fetched, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_reaches_an_activity_that_runs_here() {
    let world = World::new().await;
    let slow = Slow::default();
    let _runtime = world.node(slow.registry(), RuntimeOptions::default());
    world.start("slow", "Slow", ()).await;
    slow.has_begun(&world, 1).await;
    world.client.cancel("slow", "enough").await.unwrap();
    assert_eq!(world.failure("slow").await.message, "canceled: enough");
    let told = || slow.cancelled.load(Ordering::SeqCst) == 1;
    world.until("the activity is told", told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_reaches_an_activity_on_another_node_long_before_its_lease_ends() {
    let world = World::new().await;
    let slow = Slow::default();
    let _orchestrations = world.node(slow.registry(), orchestrations_only());
    let _activities = world.node(slow.registry(), activities_only());
    world.start("slow", "Slow", ()).await;
    slow.has_begun(&world, 1).await;
    let begun = world.env.clock.monotonic();
    world.client.cancel("slow", "enough").await.unwrap();
    let told = || slow.cancelled.load(Ordering::SeqCst) == 1;
    world.until("the activity is told", told).await;
    // A third of the lease would be 10 s; the specification says one second.
    assert!(world.env.clock.monotonic().saturating_sub(begun) < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_name_is_missing_waits_for_a_node_that_has_it() {
    let world = World::new().await;
    let other = Registry::builder().register_orchestration("Other", hello).build().unwrap();
    let without = world.node(other, RuntimeOptions::default());
    world.start("hello", "Hello", "World").await;
    let waited = world.client.wait("hello", Duration::from_millis(50)).await;
    assert_eq!(waited, Err(ClientError::Timeout));
    assert_eq!(
        without.metrics().orch_dispatcher_items_fetched,
        0,
        "never leased, so never charged"
    );

    let _with = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    assert_eq!(world.output("hello").await, r#""Hello, World!""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_nobody_can_run_fails_in_the_end_and_names_the_nearest() {
    let world = World::new().await;
    async fn misspelt(ctx: OrchestrationContext, (): ()) -> Result<(), OrchestrationError> {
        ctx.activity("Gret", &()).await
    }
    let registry = greeting().register_orchestration("Misspelt", misspelt).build().unwrap();
    let options = RuntimeOptions {
        unregistered_timeout: Some(Duration::from_millis(200)),
        ..RuntimeOptions::default()
    };
    let _runtime = world.node(registry, options);
    world.start("no-orchestration", "Helo", ()).await;
    world.start("no-activity", "Misspelt", ()).await;

    let failure = world.failure("no-orchestration").await;
    assert_eq!(failure.kind, FailureKind::Unregistered);
    assert!(failure.message.contains("`Helo`"), "{failure}");
    assert!(failure.message.contains("`Hello@1.0.0`"), "{failure}");

    let failure = world.failure("no-activity").await;
    assert_eq!(failure.kind, FailureKind::Unregistered);
    assert!(failure.message.contains("`Gret`") && failure.message.contains("`Greet`"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_name_is_missing_can_be_terminated() {
    let world = World::new().await;
    let _runtime = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    world.start("lost", "Nobody", ()).await;
    world.client.terminate("lost", "no use").await.unwrap();
    let ended = world.ended("lost").await;
    assert_eq!(ended.state, InstanceState::Terminated { reason: "no use".to_owned() });
    let history = world.client.history("lost", ended.execution).await.unwrap();
    assert!(duroxide_core::History::parse(history).is_ok(), "its history is whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activities_of_a_session_run_on_one_node() {
    async fn pinned(ctx: OrchestrationContext, (): ()) -> Result<Vec<String>, OrchestrationError> {
        let mut places = Vec::new();
        for _ in 0..10 {
            places.push(ctx.activity::<String>("Where", &()).on_session("s").await?);
            // Between two activities nobody holds the instance: either node may take it.
            ctx.timer(Duration::from_millis(1)).await?;
        }
        Ok(places)
    }
    let place = || {
        let here = |ctx: ActivityContext, (): ()| async move {
            Ok::<_, String>(ctx.worker_id().to_owned())
        };
        let registry = Registry::builder().register_activity("Where", here);
        registry.register_orchestration("Pinned", pinned).build().unwrap()
    };
    let world = World::new().await;
    let node =
        |name: &str| RuntimeOptions { node_id: Some(name.to_owned()), ..RuntimeOptions::default() };
    let _nodes = [world.node(place(), node("one")), world.node(place(), node("two"))];
    world.start("pinned", "Pinned", ()).await;
    let places: Vec<String> = serde_json::from_str(&world.output("pinned").await).unwrap();
    assert_eq!(places.len(), 10);
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_route_activities() {
    async fn tagged(ctx: OrchestrationContext, (): ()) -> Result<String, OrchestrationError> {
        ctx.activity::<String>("Where", &()).with_tag("gpu").await
    }
    let place = |name: &'static str| {
        let here =
            move |_: ActivityContext, (): ()| async move { Ok::<_, String>(name.to_owned()) };
        let registry = Registry::builder().register_activity("Where", here);
        registry.register_orchestration("Tagged", tagged).build().unwrap()
    };
    let world = World::new().await;
    let _plain = world.node(place("plain"), RuntimeOptions::default());
    let tags = TagFilter::Tags(["gpu".to_owned()].into());
    let _gpu = world.node(place("gpu"), RuntimeOptions { tags, ..RuntimeOptions::default() });
    world.start("tagged", "Tagged", ()).await;
    assert_eq!(world.output("tagged").await, r#""gpu""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leased_for_a_node_that_is_shut_down_meanwhile_is_handed_back() {
    let (world, faulty) = World::faulty().await;
    let gate = faulty.hold_leases_back();
    let leaving = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    world.start("hello", "Hello", "World").await;
    world.until("leased", || faulty.delivered.load(Ordering::SeqCst) == 1).await;
    // Its answer comes when the shutdown has no patience left.
    let answered = async {
        world.env.sleep(Duration::from_millis(50)).await;
        gate.add_permits(1_000);
    };
    tokio::join!(leaving.shutdown(Duration::ZERO), answered);
    // Long before the lease runs out.
    let _next = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    assert_eq!(world.output("hello").await, r#""Hello, World!""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_runs_as_soon_as_its_node_may_own_another_session() {
    async fn in_session(
        ctx: OrchestrationContext,
        session: String,
    ) -> Result<String, OrchestrationError> {
        ctx.activity("Greet", &session).on_session(&session).await
    }
    async fn pause(ctx: OrchestrationContext, (): ()) -> Result<(), OrchestrationError> {
        ctx.timer(Duration::from_millis(1)).await
    }
    let world = World::new().await;
    let registry = greeting()
        .register_orchestration("InSession", in_session)
        .register_orchestration("Pause", pause);
    let options = RuntimeOptions {
        max_sessions: 1,
        session_idle: Duration::from_millis(500),
        ..RuntimeOptions::default()
    };
    let _node = world.node(registry.build().unwrap(), options);
    world.start("one", "InSession", "one").await;
    world.output("one").await;
    world.start("two", "InSession", "two").await;
    // Whatever else falls due meanwhile.
    world.start("pause", "Pause", ()).await;
    world.output("pause").await;
    assert_eq!(world.output("two").await, r#""Hello, two!""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activities_that_nobody_can_run_are_found_behind_those_an_earlier_node_left() {
    async fn misspelt(ctx: OrchestrationContext, (): ()) -> Result<(), OrchestrationError> {
        ctx.activity("Gret", &()).await
    }
    let world = World::new().await;
    let registry = || greeting().register_orchestration("Misspelt", misspelt).build().unwrap();
    let options = || RuntimeOptions {
        unregistered_timeout: Some(Duration::from_secs(1)),
        ..RuntimeOptions::default()
    };
    let earlier = world.node(registry(), options());
    world.start("left", "Misspelt", ()).await;
    world.until("scheduled", || earlier.metrics().commits == 1).await;
    earlier.shutdown(Duration::from_secs(1)).await;
    let _now = world.node(registry(), options());
    world.start("ours", "Misspelt", ()).await;
    assert_eq!(world.failure("ours").await.kind, FailureKind::Unregistered);
    assert_eq!(world.failure("left").await.kind, FailureKind::Unregistered);
}
