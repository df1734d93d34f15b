//! What trouble of the store, dying nodes and broken code do to a run: nothing, except
//! that work is redone, and what always fails is given up.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::items_after_statements, reason = "each test shows the code it runs first")]

mod common;

use common::faulty::Fault;
use common::{World, json};
use duroxide_core::{EventKind, ExecutionId, FailureKind, History};
use duroxide_provider::CommitRefusal;
use duroxide_runtime::host::{OrchestrationHost, ResidentKey, TurnReply, TurnRequest};
use duroxide_runtime::{Runtime, RuntimeOptions, SdkHost};
use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// `Steps` calls `Work` so often; `Work` counts how often it ran.
fn steps(ran: &Arc<AtomicU64>) -> Registry {
    async fn steps(ctx: OrchestrationContext, count: u64) -> Result<u64, OrchestrationError> {
        let mut n = 0;
        for _ in 0..count {
            n = ctx.activity("Work", &n).await?;
        }
        Ok(n)
    }
    let ran = Arc::clone(ran);
    let work = move |_: ActivityContext, n: u64| {
        ran.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, String>(n + 1) }
    };
    let registry = Registry::builder().register_activity("Work", work);
    registry.register_orchestration("Steps", steps).build().unwrap()
}

async fn recorded_completions(world: &World, id: &str) -> usize {
    let history = world.client.history(id, ExecutionId::FIRST).await.unwrap();
    let history = History::parse(history).unwrap();
    let completed = |kind: &EventKind| matches!(kind, EventKind::ActivityCompleted { .. });
    history.events().iter().filter(|event| completed(&event.kind)).count()
}

async fn refused_once(refusal: CommitRefusal) {
    let (world, faulty) = World::faulty().await;
    let (ran, mut refused) = (Arc::new(AtomicU64::new(0)), false);
    // The third commit carries the second result.
    faulty.on_commit(move |commit| {
        let is_it =
            commit.turn.turn.0 == 3 && !std::mem::replace(&mut refused, commit.turn.turn.0 == 3);
        is_it.then(|| Fault::Refused(refusal.clone()))
    });
    let runtime = world.node(steps(&ran), RuntimeOptions::default());
    world.start("steps", "Steps", 5).await;
    assert_eq!(world.output("steps").await, "5");
    assert_eq!(faulty.delivered.load(Ordering::SeqCst), 1);
    assert_eq!(ran.load(Ordering::SeqCst), 5, "the refused result was not lost, nothing ran again");
    assert_eq!(recorded_completions(&world, "steps").await, 5);
    assert_eq!(faulty.completed.load(Ordering::SeqCst), 1, "it came by a completion of its own");
    assert_eq!(runtime.metrics().commits_refused, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_whose_commit_was_refused_for_a_conflict_is_not_lost() {
    refused_once(CommitRefusal::Conflict).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_whose_commit_was_refused_for_a_lost_lease_is_not_lost() {
    refused_once(CommitRefusal::LeaseLost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_applied_once_and_its_claims_are_run() {
    let (world, faulty) = World::faulty().await;
    let ran = Arc::new(AtomicU64::new(0));
    let mut last = None;
    faulty.on_commit(move |commit| {
        let again = last.replace(commit.commit_id) == Some(commit.commit_id);
        (!again).then_some(Fault::LostAnswer)
    });
    let runtime = world.node(steps(&ran), RuntimeOptions::default());
    world.start("steps", "Steps", 5).await;
    assert_eq!(world.output("steps").await, "5");
    world.until("it is counted", || runtime.metrics().orch_completions == 1).await;
    assert_eq!(faulty.delivered.load(Ordering::SeqCst), 6, "every answer was lost once");
    assert_eq!(ran.load(Ordering::SeqCst), 5);
    assert_eq!(runtime.metrics().commits, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_of_the_store_never_becomes_state_of_a_run() {
    let (world, faulty) = World::faulty().await;
    faulty.trouble_every(3);
    let ran = Arc::new(AtomicU64::new(0));
    let runtime = world.node(steps(&ran), RuntimeOptions::default());
    for n in 0..10 {
        world.start(&format!("s-{n}"), "Steps", 5).await;
    }
    for n in 0..10 {
        assert_eq!(world.output(&format!("s-{n}")).await, "5");
        assert_eq!(recorded_completions(&world, &format!("s-{n}")).await, 5);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 50, "lost answers made nothing run again");
    assert!(runtime.metrics().provider_errors > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_a_node_that_died_is_taken_over_when_its_leases_end() {
    let world = World::new().await;
    let begun = Arc::new(AtomicU64::new(0));
    let options = RuntimeOptions {
        worker_lease: Duration::from_millis(300),
        turn_lease: Duration::from_millis(300),
        ..RuntimeOptions::default()
    };
    let first = world.node(hanging_once(&begun), options.clone());
    world.start("hang", "Hang", ()).await;
    world.until("the first attempt hangs", || begun.load(Ordering::SeqCst) == 1).await;
    drop(first);
    let _second = world.node(hanging_once(&begun), options);
    assert_eq!(world.output("hang").await, "2", "the attempt that died counts");
}

/// `Hang` runs an activity whose first attempt never ends, and gives the attempt's number.
fn hanging_once(begun: &Arc<AtomicU64>) -> Registry {
    async fn hang(ctx: OrchestrationContext, (): ()) -> Result<u32, OrchestrationError> {
        ctx.activity("HangOnce", &()).await
    }
    let begun = Arc::clone(begun);
    let hang_once = move |ctx: ActivityContext, (): ()| {
        let first = begun.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                std::future::pending::<()>().await;
            }
            Ok::<_, String>(ctx.attempt())
        }
    };
    let registry = Registry::builder().register_activity("HangOnce", hang_once);
    registry.register_orchestration("Hang", hang).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_whose_attempts_die_is_poison() {
    let world = World::new().await;
    let begun = Arc::new(AtomicU64::new(0));
    let options = RuntimeOptions {
        worker_lease: Duration::from_millis(200),
        turn_lease: Duration::from_millis(200),
        max_attempts: 1,
        ..RuntimeOptions::default()
    };
    let first = world.node(hanging_once(&begun), options.clone());
    world.start("hang", "Hang", ()).await;
    world.until("the first attempt hangs", || begun.load(Ordering::SeqCst) == 1).await;
    drop(first);
    let second = world.node(hanging_once(&begun), options);
    let failure = world.failure("hang").await;
    assert_eq!(failure.kind, FailureKind::Poison);
    assert_eq!(begun.load(Ordering::SeqCst), 1, "it was not begun again");
    second.shutdown(common::PATIENCE).await;
    assert_eq!(second.metrics().activity_poison, 1);
}

/// While the first node lives, this turn's commit gets this answer, however often it asks.
async fn given_up_at_shutdown(turn: u64, fault: Fault) -> u64 {
    let (world, faulty) = World::faulty().await;
    let ran = Arc::new(AtomicU64::new(0));
    let first_lives = Arc::new(AtomicBool::new(true));
    let lives = Arc::clone(&first_lives);
    faulty.on_commit(move |commit| {
        let meant = commit.turn.turn.0 == turn && lives.load(Ordering::SeqCst);
        meant.then(|| fault.clone())
    });
    let first = world.node(steps(&ran), RuntimeOptions::default());
    world.start("steps", "Steps", 2).await;
    let asked = || faulty.delivered.load(Ordering::SeqCst) > 0;
    world.until("a commit gets no answer", asked).await;
    first.shutdown(Duration::from_millis(10)).await;
    first_lives.store(false, Ordering::SeqCst);
    let _second = world.node(steps(&ran), RuntimeOptions::default());
    assert_eq!(world.output("steps").await, "2");
    ran.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_never_applied_is_given_up_at_shutdown_and_another_node_goes_on() {
    let ran = given_up_at_shutdown(2, Fault::Busy).await;
    assert_eq!(ran, 3, "the first step was not recorded and ran again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_unanswered_commit_claimed_is_handed_back_at_shutdown() {
    let ran = given_up_at_shutdown(1, Fault::LostAnswer).await;
    assert_eq!(ran, 2, "the claim of the node that never knew of it did not hold up the other");
}

/// A host that panics in every turn of `Cursed`.
struct Cursed(SdkHost);

#[async_trait::async_trait]
impl OrchestrationHost for Cursed {
    fn registered(&self) -> BTreeMap<String, BTreeSet<semver::Version>> {
        OrchestrationHost::registered(&self.0)
    }
    async fn run_turn(&self, request: TurnRequest) -> TurnReply {
        assert!(request.key.id.as_str() != "cursed", "as planned");
        self.0.run_turn(request).await
    }
    fn evict(&self, resident: ResidentKey) {
        self.0.evict(resident);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_turns_die_is_poison_and_the_others_go_on() {
    let world = World::new().await;
    let ran = Arc::new(AtomicU64::new(0));
    let options = RuntimeOptions { max_attempts: 2, ..RuntimeOptions::default() };
    let orchestrations = Arc::new(Cursed(SdkHost::new(steps(&ran))));
    let activities = Arc::new(SdkHost::new(steps(&ran)));
    let (env, store) = (world.env.clone(), Arc::clone(&world.store));
    let runtime = Runtime::start(env, store, orchestrations, activities, options).unwrap();
    world.start("cursed", "Steps", 1).await;
    world.start("blessed", "Steps", 1).await;
    assert_eq!(world.output("blessed").await, "1");
    let failure = world.failure("cursed").await;
    assert_eq!(failure.kind, FailureKind::Poison);
    world.until("it is counted", || runtime.metrics().orch_poison == 1).await;
    let history = world.client.history("cursed", ExecutionId::FIRST).await.unwrap();
    assert!(History::parse(history).is_ok(), "its history is whole");
}

/// A host whose first turn of all never ends.
struct Stuck(SdkHost, AtomicU64);

#[async_trait::async_trait]
impl OrchestrationHost for Stuck {
    fn registered(&self) -> BTreeMap<String, BTreeSet<semver::Version>> {
        OrchestrationHost::registered(&self.0)
    }
    async fn run_turn(&self, request: TurnRequest) -> TurnReply {
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            std::future::pending::<()>().await;
        }
        self.0.run_turn(request).await
    }
    fn evict(&self, resident: ResidentKey) {
        self.0.evict(resident);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_is_stuck_loses_its_instance_to_another_node() {
    let world = World::new().await;
    let ran = Arc::new(AtomicU64::new(0));
    let turn_lease = Duration::from_millis(300);
    let options = RuntimeOptions { turn_lease, max_attempts: 2, ..RuntimeOptions::default() };
    let stuck = Arc::new(Stuck(SdkHost::new(steps(&ran)), AtomicU64::new(0)));
    let activities = Arc::new(SdkHost::new(steps(&ran)));
    let (env, store) = (world.env.clone(), Arc::clone(&world.store));
    let orchestrations: Arc<dyn OrchestrationHost> = Arc::clone(&stuck) as _;
    let node = Runtime::start(env, store, orchestrations, activities, options.clone()).unwrap();
    world.start("steps", "Steps", 2).await;
    // As long as it is alone it gets the instance again and again, which counts as nothing.
    let again = || node.metrics().orch_dispatcher_items_fetched >= 4;
    world.until("the lease ends several times", again).await;
    assert_eq!(stuck.1.load(Ordering::SeqCst), 1, "no second turn beside the one that is stuck");
    let _other = world.node(steps(&ran), options);
    assert_eq!(world.output("steps").await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_that_panics_fails_and_harms_nobody() {
    async fn calls(ctx: OrchestrationContext, (): ()) -> Result<String, OrchestrationError> {
        match ctx.activity::<()>("Panic", &()).await {
            Ok(()) => Ok("no panic".to_owned()),
            Err(error) => Ok(error.message().to_owned()),
        }
    }
    let panics = |_: ActivityContext, (): ()| async { panic!("a mistake") as Result<(), String> };
    let world = World::new().await;
    let registry = Registry::builder().register_activity("Panic", panics);
    let registry = registry.register_orchestration("Calls", calls).build().unwrap();
    let runtime = world.node(registry, RuntimeOptions::default());
    world.start("calls", "Calls", ()).await;
    assert!(world.output("calls").await.contains("a mistake"));
    runtime.shutdown(common::PATIENCE).await;
    assert_eq!(runtime.metrics().activity_app_errors, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_or_failure_over_the_limit_fails_its_activity_alone() {
    async fn calls(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
        match ctx.activity::<String>(&name, &()).await {
            Ok(_) => Ok("it fitted".to_owned()),
            Err(error) => Ok(error.message().to_owned()),
        }
    }
    let huge = |_: ActivityContext, (): ()| async { Ok::<_, String>("x".repeat(17 << 20)) };
    let world = World::new().await;
    let loud = |_: ActivityContext, (): ()| async { Err::<String, _>("x".repeat(17 << 20)) };
    let registry = Registry::builder().register_activity("Huge", huge);
    let registry = registry.register_activity("Loud", loud);
    let registry = registry.register_orchestration("Calls", calls).build().unwrap();
    let _runtime = world.node(registry, RuntimeOptions::default());
    world.start("calls", "Calls", "Huge").await;
    assert!(world.output("calls").await.contains("the result of activity `Huge` has"));
    world.start("calls too", "Calls", "Loud").await;
    let said = world.output("calls too").await;
    assert!(said.contains("the failure of activity `Loud` has"), "{said:.200}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_messages_are_taken_one_after_the_other() {
    async fn drain(ctx: OrchestrationContext, count: u64) -> Result<u64, OrchestrationError> {
        for expected in 0..count {
            let got: u64 = ctx.dequeue("q").await?;
            if got != expected {
                return Err(OrchestrationError::from(format!("{got}, not {expected}").as_str()));
            }
        }
        Ok(count)
    }
    let world = World::new().await;
    let registry = Registry::builder().register_orchestration("Drain", drain).build().unwrap();
    world.start("drain", "Drain", 500).await;
    for n in 0..500 {
        world.client.enqueue_event("drain", "q", json(n)).await.unwrap();
    }
    let _runtime = world.node(registry, RuntimeOptions::default());
    assert_eq!(world.output("drain").await, "500");
}
