//! Instances from start to end.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::items_after_statements, reason = "each test shows the code it runs first")]

mod common;

use common::{World, json};
use duroxide_core::FailureKind;
use duroxide_provider::InstanceState;
use duroxide_runtime::{Determinism, RuntimeOptions};
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
};
use std::sync::Arc;
use std::time::Duration;

async fn hello(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    ctx.activity("Greet", &name).await
}

async fn greet(_: ActivityContext, name: String) -> Result<String, String> {
    Ok(format!("Hello, {name}!"))
}

fn greeting() -> RegistryBuilder {
    Registry::builder().register_activity("Greet", greet).register_orchestration("Hello", hello)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_runs() {
    let world = World::new().await;
    let runtime = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    world.start("hello-1", "Hello", "World").await;
    assert_eq!(world.output("hello-1").await, r#""Hello, World!""#);
    runtime.shutdown(Duration::from_secs(1)).await;
    let metrics = runtime.metrics();
    assert_eq!(
        (metrics.orch_starts, metrics.orch_completions, metrics.activity_success),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn it_runs_on_a_single_thread() {
    let world = World::new().await;
    let _runtime = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    for n in 0..20 {
        world.start(&format!("hello-{n}"), "Hello", n.to_string()).await;
    }
    for n in 0..20 {
        assert_eq!(world.output(&format!("hello-{n}")).await, format!(r#""Hello, {n}!""#));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn continue_as_new_goes_on_in_hand() {
    async fn countdown(ctx: OrchestrationContext, n: u64) -> Result<u64, OrchestrationError> {
        ctx.set_value("left", &n.to_string())?;
        if n == 0 {
            return Ok(ctx.execution_id().0);
        }
        ctx.continue_as_new(&(n - 1)).await
    }
    let world = World::new().await;
    let registry = Registry::builder().register_orchestration("Countdown", countdown);
    let runtime = world.node(registry.build().unwrap(), RuntimeOptions::default());
    world.start("countdown", "Countdown", 20).await;
    assert_eq!(world.output("countdown").await, "21");
    world.until("it is counted", || runtime.metrics().orch_completions == 1).await;
    let metrics = runtime.metrics();
    assert_eq!((metrics.orch_starts, metrics.orch_continue_as_new), (1, 20));
    assert_eq!(metrics.orch_dispatcher_items_fetched, 1, "the lease was kept all along");
    assert_eq!(world.client.kv_get("countdown", "left").await.unwrap().as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_never_pauses_makes_room_for_others() {
    async fn restless(ctx: OrchestrationContext, n: u64) -> Result<(), OrchestrationError> {
        ctx.continue_as_new(&(n + 1)).await
    }
    let world = World::new().await;
    let registry = greeting().register_orchestration("Restless", restless).build().unwrap();
    let options = RuntimeOptions { orchestration_concurrency: 1, ..RuntimeOptions::default() };
    let runtime = world.node(registry, options);
    // More of them than one node works on at once.
    for n in 0..20 {
        world.start(&format!("restless-{n}"), "Restless", 0).await;
    }
    world.until("they are at it", || runtime.metrics().orch_continue_as_new > 200).await;
    world.start("hello", "Hello", "World").await;
    assert_eq!(world.output("hello").await, r#""Hello, World!""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_input_on_replay_is_ignored_or_fails_the_run_as_the_node_is_told() {
    async fn fickle(ctx: OrchestrationContext, (): ()) -> Result<(), OrchestrationError> {
        let input = format!("replaying: {}", ctx.is_replaying());
        ctx.activity::<String>("Greet", &input).await?;
        ctx.wait_event("go").await
    }
    for (determinism, fails) in [(Determinism::Warn, false), (Determinism::Fail, true)] {
        let world = World::new().await;
        let registry = || greeting().register_orchestration("Fickle", fickle).build().unwrap();
        let first = world.node(registry(), RuntimeOptions::default());
        world.start("fickle", "Fickle", ()).await;
        world.until("it waits", || first.metrics().commits == 2).await;
        first.shutdown(common::PATIENCE).await;
        let _second =
            world.node(registry(), RuntimeOptions { determinism, ..RuntimeOptions::default() });
        world.client.raise_event("fickle", "go", json(())).await.unwrap();
        if fails {
            let failure = world.failure("fickle").await;
            assert_eq!(failure.kind, FailureKind::Nondeterminism);
            assert!(failure.message.contains("nondeterministic"), "{failure}");
        } else {
            assert_eq!(world.output("fickle").await, "null");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_of_another_instance_can_be_read() {
    async fn setter(ctx: OrchestrationContext, (): ()) -> Result<(), OrchestrationError> {
        ctx.set_value("colour", "blue")
    }
    async fn reader(
        ctx: OrchestrationContext,
        (): (),
    ) -> Result<Vec<Option<String>>, OrchestrationError> {
        let set = ctx.value_from_instance("setter", "colour").await?;
        Ok(vec![set, ctx.value_from_instance("nobody", "colour").await?])
    }
    let world = World::new().await;
    let registry = Registry::builder()
        .register_orchestration("Setter", setter)
        .register_orchestration("Reader", reader);
    let _runtime = world.node(registry.build().unwrap(), RuntimeOptions::default());
    world.start("setter", "Setter", ()).await;
    world.output("setter").await;
    world.start("reader", "Reader", ()).await;
    assert_eq!(world.output("reader").await, r#"["blue",null]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_an_activity_sends_to_its_own_instance_is_not_overtaken_by_its_result() {
    async fn race(ctx: OrchestrationContext, id: String) -> Result<usize, OrchestrationError> {
        let told = ctx.activity::<String>("Tell", &id);
        let mail = ctx.wait_event::<String>("news");
        match ctx.select((told, mail)).await {
            OneOf2::First(result) => result.map(|_| 0),
            OneOf2::Second(news) => news.map(|_| 1),
        }
    }
    let world = World::new().await;
    let client: Arc<std::sync::OnceLock<duroxide_runtime::Client>> = Arc::default();
    let teller = Arc::clone(&client);
    let tell = move |_: ActivityContext, id: String| {
        let client = teller.get().unwrap().clone();
        async move {
            client.raise_event(id, "news", json("first")).await.map_err(|e| e.to_string())?;
            Ok::<_, String>("second".to_owned())
        }
    };
    let registry =
        Registry::builder().register_activity("Tell", tell).register_orchestration("Race", race);
    let runtime = world.node(registry.build().unwrap(), RuntimeOptions::default());
    client.set(runtime.client()).unwrap();
    for n in 0..100 {
        let id = format!("race-{n}");
        world.start(&id, "Race", &id).await;
    }
    for n in 0..100 {
        assert_eq!(world.output(&format!("race-{n}")).await, "1", "the mail came first");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_termination_does_not_wait_behind_mail_that_nobody_takes() {
    let world = World::new().await;
    let _node = world.node(greeting().build().unwrap(), RuntimeOptions::default());
    world.start("unknown", "NotRegistered", ()).await;
    for n in 0..300 {
        world.client.raise_event("unknown", "news", json(n)).await.unwrap();
    }
    world.client.terminate("unknown", "enough").await.unwrap();
    let ended = world.ended("unknown").await;
    assert!(
        matches!(&ended.state, InstanceState::Terminated { reason } if reason == "enough"),
        "{ended:?}"
    );
}
