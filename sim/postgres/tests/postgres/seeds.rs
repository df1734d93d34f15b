//! The same seed gives the same interleaving; and many calls with many faults end right.

use crate::requests::{begun, event, lease, lease_activities, start, step, turn};
use crate::world::{ms, server};
use duroxide_provider::{Inspect as _, InstanceKey, Provider as _};
use duroxide_sim_postgres::{Kind, SqlState, Statement, Verdict};
use futures_util::future::join_all;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Everything at once: the statements, when they came, and how the store stands then.
async fn crowd(seed: u64) -> (Vec<(Duration, Statement)>, serde_json::Value) {
    let (store, env) = server(seed);
    let got = begun(&*store, "a", "n1").await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let (written, clock) = (Arc::clone(&log), Arc::clone(&env.clock));
    store.on_statement(Box::new(move |statement| {
        written.lock().unwrap().push((clock.monotonic(), statement.clone()));
        Verdict::Go
    }));
    let mut request = turn(&got, "n1", 7);
    request.turn.activities = (2..8).map(|event| step(event, None)).collect();
    let store = &store;
    let mut calls: Vec<futures_util::future::BoxFuture<'_, ()>> = Vec::new();
    for number in 0..10_u128 {
        let id = format!("i{number}");
        let leasing = format!("n{}", number % 3);
        calls.push(Box::pin(async move {
            store.submit(start(100 + number, &id)).await.unwrap();
            store.submit(event(200 + number, "a")).await.unwrap();
            store.lease_orchestrations(lease(300 + number, &leasing)).await.unwrap();
            store.lease_activities(lease_activities(400 + number, &leasing)).await.unwrap();
            store.instance(InstanceKey::new(id.as_str())).await.unwrap();
        }));
    }
    calls.push(Box::pin(async move {
        store.commit_turn(request).await.unwrap();
    }));
    join_all(calls).await;
    let log = log.lock().unwrap().clone();
    (log, store.model().snapshot())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_interleaving_and_the_same_store() {
    let (log, state) = crowd(1).await;
    assert!(log.len() > 200, "{}", log.len());
    assert_eq!((log.clone(), state), crowd(1).await);
    assert_ne!(log, crowd(2).await.0);
}

#[tokio::test(start_paused = true)]
async fn among_many_faults_each_request_is_applied_once_and_no_lock_is_left() {
    let mut deadly = 0;
    for seed in 0..20 {
        let (store, env) = server(seed);
        store.submit(start(1, "a")).await.unwrap();
        store.on_statement(Box::new(move |statement| match (statement.session * 5 + seed) % 13 {
            0 => Verdict::Fail(SqlState::ConnectionFailure),
            1 => Verdict::Fail(SqlState::SerializationFailure),
            2 if statement.kind == Kind::Committed => Verdict::Fail(SqlState::AdminShutdown),
            3 => Verdict::Delay(ms(20)),
            4 => Verdict::LoseNotification,
            _ => Verdict::Go,
        }));
        let store = &store;
        join_all((0..20).map(|number| async move {
            // As a caller does: again, with the same id, until it is known.
            while store.submit(event(100 + number, "a")).await.is_err() {}
            store.lease_orchestrations(lease(200 + number, "n1")).await
        }))
        .await;
        env.sleep(ms(1_000)).await;
        let stats = store.stats(InstanceKey::new("a")).await.unwrap().unwrap();
        assert_eq!(stats.pending_messages, 20, "seed {seed}");
        let waits = store.counters().waits;
        store.submit(event(300, "a")).await.unwrap();
        assert_eq!(store.counters().waits, waits, "seed {seed}: somebody still holds a lock");
        deadly += store.counters().orphans;
    }
    assert!(deadly > 20, "{deadly}");
}
