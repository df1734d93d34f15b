//! Who hears of what, when, and what becomes of those who do not.

use crate::requests::{begun, event, lease, start, turn, wait};
use crate::world::{at, ms, server};
use duroxide_core::StatusChange;
use duroxide_provider::{CommitTurn, Inspect as _, InstanceKey, Provider as _, WatchRequest};
use duroxide_sim_postgres::{Kind, Verdict};
use futures_util::future::join;
use std::time::Duration;

/// How long a node waits for a start after its notification met this.
async fn waited(verdict: Verdict) -> Duration {
    let (store, env) = server(1);
    let asked = store.lease_orchestrations(lease(1, "n1")).await.unwrap();
    at(&store, "submit", Kind::Notify, 1, verdict);
    let waiting = async {
        store.wait_for_work(wait("n1", asked.wake_seq)).await.unwrap();
        env.clock.monotonic()
    };
    let (woken, started) = join(waiting, store.submit(start(2, "a"))).await;
    started.unwrap();
    let leased = store.lease_orchestrations(lease(3, "n1")).await.unwrap();
    assert_eq!(leased.instances.len(), 1);
    let counters = store.counters();
    let is_lost = u64::from(verdict == Verdict::LoseNotification);
    assert_eq!((counters.lost_notifications, counters.polls), (is_lost, is_lost));
    woken
}

#[tokio::test(start_paused = true)]
async fn a_node_is_told_of_work_and_finds_out_by_itself_what_it_was_not_told() {
    let told = waited(Verdict::Go).await;
    assert!(told < ms(50), "{told:?}");
    let late = waited(Verdict::Delay(ms(300))).await;
    assert!(late >= ms(300) && late < ms(350), "{late:?}");
    let polled = waited(Verdict::LoseNotification).await;
    assert!(polled >= ms(1_000) && polled < ms(1_100), "{polled:?}");
}

#[tokio::test(start_paused = true)]
async fn each_node_is_told_on_its_own() {
    let (store, env) = server(1);
    let one = store.lease_orchestrations(lease(1, "n1")).await.unwrap();
    let two = store.lease_orchestrations(lease(2, "n2")).await.unwrap();
    store.on_statement(Box::new(|statement| match statement.listener.as_deref() {
        Some("n1") => Verdict::LoseNotification,
        _ => Verdict::Go,
    }));
    let woken = async |node, after| {
        store.wait_for_work(wait(node, after)).await.unwrap();
        env.clock.monotonic()
    };
    let both = join(woken("n1", one.wake_seq), woken("n2", two.wake_seq));
    let ((one, two), _) = join(both, store.submit(start(3, "a"))).await;
    assert!(two < ms(50) && one > ms(1_000), "{one:?} {two:?}");
}

fn telling(mut request: CommitTurn) -> CommitTurn {
    request.turn.status = Some(StatusChange { status: Some("s".to_owned()) });
    request
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_was_not_told_finds_out_by_itself() {
    for (verdict, least, most) in [(Verdict::Go, 0, 50), (Verdict::LoseNotification, 4_000, 4_100)]
    {
        let (store, env) = server(1);
        let got = begun(&*store, "a", "n1").await;
        let key = InstanceKey::new("a");
        let seen = store.instance(key.clone()).await.unwrap().map(|info| info.revision);
        // Told of nothing by this call, whoever they are.
        at(&store, "commit_turn", Kind::Committed, 1, verdict);
        let began = env.clock.monotonic() + ms(100);
        let watching = store.watch(WatchRequest { key, seen, max: Duration::from_mins(5) });
        let committing = async {
            env.sleep(ms(100)).await;
            store.commit_turn(telling(turn(&got, "n1", 7))).await.unwrap()
        };
        let (info, _) = join(watching, committing).await;
        assert_eq!(info.unwrap().unwrap().custom_status.as_deref(), Some("s"));
        let waited = env.clock.monotonic().saturating_sub(began);
        assert!(waited >= ms(least) && waited < ms(most), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn time_brings_work_to_those_who_wait_without_a_notification() {
    let (store, env) = server(1);
    let got = begun(&*store, "a", "n1").await;
    store.submit(event(2, "a")).await.unwrap();
    let asked = store.lease_orchestrations(lease(3, "n2")).await.unwrap();
    // What n1 holds may be taken over when its lease has run out.
    let mut after = asked.wake_seq;
    let mut leased = asked.instances;
    while leased.is_empty() {
        after = store.wait_for_work(wait("n2", after)).await.unwrap();
        leased =
            store.lease_orchestrations(lease(u128::from(after.0), "n2")).await.unwrap().instances;
    }
    assert_eq!(leased[0].incarnation, got.incarnation);
    let now = env.clock.monotonic();
    assert!(now >= ms(30_000) && now < ms(30_100), "{now:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_node_sleeps_until_its_wait_is_over() {
    let (store, env) = server(1);
    let asked = store.lease_orchestrations(lease(1, "n1")).await.unwrap();
    let seq = store.wait_for_work(wait("n1", asked.wake_seq)).await.unwrap();
    assert_eq!(seq, asked.wake_seq);
    assert!(env.clock.monotonic() >= ms(300_000));
    assert_eq!(store.counters().polls, 0);
}
