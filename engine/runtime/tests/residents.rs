//! Resident copies: how many stay, and that none differs from a replay of its history.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::items_after_statements, reason = "each test shows the code it runs first")]

mod common;

use common::{World, json};
use duroxide_core::{
    Base, CompatFlags, ExecutionId, Fingerprint, History, Limits, Nonce, Opening, TurnInput,
};
use duroxide_provider::InstanceKey;
use duroxide_runtime::host::{OrchestrationHost, TurnReply, TurnRequest};
use duroxide_runtime::{CommittedTurn, RuntimeOptions, SdkHost, TurnObserver};
use duroxide_sdk::{ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Fingerprints(Mutex<Vec<CommittedTurn>>);

impl TurnObserver for Fingerprints {
    fn wants_fingerprint(&self) -> bool {
        true
    }
    fn turn_committed(&self, turn: &CommittedTurn) {
        self.0.lock().unwrap().push(turn.clone());
    }
}

/// Activities in turn and at once, timers, races, state.
async fn busy(ctx: OrchestrationContext, (): ()) -> Result<u64, OrchestrationError> {
    let mut sum = 0;
    for n in 0..5_u64 {
        let pair = vec![ctx.activity::<u64>("Double", &n), ctx.activity::<u64>("Double", &sum)];
        for result in ctx.join(pair).await {
            sum += result?;
        }
        let late = ctx.timer(Duration::from_hours(1));
        match ctx.select((ctx.timer(Duration::from_millis(1)), late)).await {
            OneOf2::First(fired) | OneOf2::Second(fired) => fired?,
        }
        ctx.set_value("sum", &sum.to_string())?;
        ctx.set_custom_status(ctx.new_guid()?)?;
    }
    Ok(sum)
}

fn registry() -> Registry {
    let double = |_: ActivityContext, n: u64| async move { Ok::<_, String>(n * 2) };
    let registry = Registry::builder().register_activity("Double", double);
    registry.register_orchestration("Busy", busy).build().unwrap()
}

/// The state that a new copy comes to by replaying this much history.
async fn replayed(host: &SdkHost, turn: &CommittedTurn, history: &History) -> Fingerprint {
    let upto = history.events().iter().take_while(|event| event.id < turn.next_event);
    let opening = Opening {
        instance: turn.key.id.clone(),
        execution: turn.resident.execution,
        history: History::parse(upto.cloned().collect()).unwrap(),
        base: Base::default(),
        unread: Vec::new(),
        more_mail: Vec::new(),
        limits: Limits::default(),
    };
    let request = TurnRequest {
        key: InstanceKey::new(turn.key.id.clone()),
        resident: turn.resident,
        name: "Busy".to_owned(),
        version: "1.0.0".to_owned(),
        opening: Some(Box::new(opening)),
        input: TurnInput {
            arrivals: Vec::new(),
            unread: Vec::new(),
            mail_read: Vec::new(),
            more_mail: Vec::new(),
            nonce: Nonce(0),
            flags: CompatFlags::KNOWN,
            raise: CompatFlags::NONE,
        },
        fingerprint: true,
    };
    match host.run_turn(request).await {
        TurnReply::Ran { outcome, fingerprint } => {
            assert!(outcome.commit.is_empty(), "a replay adds nothing");
            *fingerprint.unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_turn_the_resident_copy_is_what_a_replay_comes_to() {
    let world = World::new().await;
    let seen = Arc::new(Fingerprints::default());
    let observer: Arc<dyn TurnObserver> = Arc::clone(&seen) as _;
    let options = RuntimeOptions { observer: Some(observer), ..RuntimeOptions::default() };
    let runtime = world.node(registry(), options);
    world.start("busy", "Busy", ()).await;
    world.output("busy").await;
    runtime.shutdown(common::PATIENCE).await;

    let history = world.client.history("busy", ExecutionId::FIRST).await.unwrap();
    let history = History::parse(history).unwrap();
    let (cold, turns) = (SdkHost::new(registry()), seen.0.lock().unwrap().clone());
    assert!(turns.len() > 10);
    assert_eq!(turns.iter().filter(|turn| turn.cold).count(), 1);
    for turn in &turns {
        let replayed = replayed(&cold, turn, &history).await;
        assert_eq!(turn.fingerprint.as_ref(), Some(&replayed), "after turn {}", turn.turn.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_instances_stay_resident_and_the_others_are_opened_again() {
    async fn patient(ctx: OrchestrationContext, (): ()) -> Result<u64, OrchestrationError> {
        ctx.wait_event("go").await
    }
    let world = World::new().await;
    let registry = Registry::builder().register_orchestration("Patient", patient).build().unwrap();
    let host = Arc::new(duroxide_runtime::SdkHost::new(registry));
    let options = RuntimeOptions { resident_instances: 2, ..RuntimeOptions::default() };
    let runtime = world.node_with(Arc::clone(&host), options);
    for n in 0..6 {
        world.start(&format!("p-{n}"), "Patient", ()).await;
        world.until("it waits", || runtime.metrics().commits > n).await;
    }
    world.until("the oldest are dropped", || runtime.metrics().evictions == 4).await;
    assert!(format!("{host:?}").contains("residents: 2"), "{host:?}");
    for n in 0..6 {
        world.client.raise_event(format!("p-{n}"), "go", json(n)).await.unwrap();
    }
    for n in 0..6 {
        assert_eq!(world.output(&format!("p-{n}")).await, n.to_string());
    }
}
