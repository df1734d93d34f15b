//! Handles that know of one another: news, with notifications and without, death and rebirth.

use crate::proxy::Proxy;
use crate::support::{HOUR, Hand, env, open, options, schema, soon, until, url_as, wait};
use crate::work::{LEASE, Run, all_activities, draw, lease, node, start, terminate};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::cluster_url;
use duroxide_provider::{
    Inspect, InstanceKey, LeaseActivities, LeaseId, Provider, WakeSeq, WatchRequest,
};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Wait, look, and wait again, until there is an instance to run.
async fn found(store: &PostgresProvider, mut after: WakeSeq) -> usize {
    loop {
        after = wait(store, after).await;
        let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
        if !leased.instances.is_empty() {
            return leased.instances.len();
        }
    }
}

#[tokio::test]
async fn a_notification_wakes_another_handle() {
    let schema = schema();
    let (here, there) = (open(&schema).await, open(&schema).await);
    until("they know of each other", || async {
        here.counters().session_statements > 4 && there.counters().session_statements > 4
    })
    .await;
    let seen = here.lease_orchestrations(lease("n1")).await.unwrap().wake_seq;
    let heard = here.counters().notifications_received;
    let started = async { there.submit(start("a")).await.unwrap() };
    let (found, _) = soon(async { tokio::join!(found(&here, seen), started) }).await;
    assert_eq!(found, 1);
    assert!(here.counters().notifications_received > heard);
}

#[tokio::test]
async fn a_watch_hears_of_a_start_and_an_end_by_another_handle() {
    let schema = schema();
    let (here, there) = (open(&schema).await, open(&schema).await);
    let mut seen = None;
    for step in 0..2 {
        let watch = here.watch(WatchRequest { key: InstanceKey::new("a"), seen, max: HOUR });
        let change = async {
            let request = if step == 0 { start("a") } else { terminate("a") };
            there.submit(request).await.unwrap();
            if step == 1 {
                there.delete(InstanceKey::new("a"), true).await.unwrap();
            }
        };
        let (info, ()) = soon(async { tokio::join!(watch, change) }).await;
        seen = info.unwrap().map(|info| info.revision);
        assert_eq!(seen.is_some(), step == 0);
    }
}

#[tokio::test]
async fn without_notifications_a_waiter_looks_for_itself() {
    let schema = schema();
    let proxy = Proxy::new().await;
    proxy.mute();
    let options = PostgresOptions::new(proxy.url("mute")).schema(&schema);
    let here = PostgresProvider::connect(env(), options).await.unwrap();
    let there = open(&schema).await;
    let seen = here.lease_orchestrations(lease("n1")).await.unwrap().wake_seq;
    let watch = here.watch(WatchRequest { key: InstanceKey::new("a"), seen: None, max: HOUR });
    let started = async {
        env().sleep(Duration::from_millis(100)).await;
        there.submit(start("a")).await.unwrap();
    };
    let all = async { tokio::join!(found(&here, seen), watch, started) };
    let (found, watched, ()) = soon(all).await;
    assert_eq!(found, 1);
    assert!(watched.unwrap().is_some());
    assert_eq!(here.counters().notifications_received, 0);
    until("a notification was swallowed", || async { proxy.muted() > 0 }).await;
}

#[tokio::test]
async fn however_many_changes_there_are_notifications_keep_their_distance() {
    let schema = schema();
    let (here, there) = (open(&schema).await, open(&schema).await);
    let clock = env().clock;
    let (begun, before) = (clock.monotonic(), there.counters().notifications_sent);
    for n in 0..300 {
        there.submit(start(&format!("i-{n}"))).await.unwrap();
    }
    let sent = there.counters().notifications_sent - before;
    let most = clock.monotonic().saturating_sub(begun).as_millis() as u64 / 10 + 2;
    assert!((1..=most).contains(&sent), "{sent} notifications for 300 starts, {most} at most");
    until("it was told", || async { here.counters().notifications_received > 0 }).await;
}

const HOLDER: &str = "DUROXIDE_TEST_HOLDER";

/// Does nothing unless [`holder`] starts it: then it takes an instance and its activity, says
/// so, and waits for its end.
#[tokio::test]
async fn holder_process() {
    let Ok(what) = std::env::var(HOLDER) else { return };
    let (url, schema) = what.split_once(' ').unwrap();
    let options = PostgresOptions::new(url).schema(schema);
    let store = PostgresProvider::connect(env(), options).await.unwrap();
    let leased = store.lease_orchestrations(lease("doomed")).await.unwrap();
    let mut run = Run::new(leased.instances[0].clone(), "doomed");
    run.commit(&store).await;
    println!("\nholding {}", run.got.key);
    std::future::pending::<()>().await;
}

fn holder(schema: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sessions::holder_process", "--nocapture"])
        .env(HOLDER, format!("{} {schema}", cluster_url()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("holding")));
    child
}

fn activities() -> LeaseActivities {
    let (lease, node) = (LeaseId(draw()), node("n1"));
    LeaseActivities { lease, node, filter: all_activities(), max: 1, duration: LEASE }
}

#[tokio::test]
async fn the_work_of_a_killed_process_is_taken_over_without_waiting_for_its_leases() {
    let schema = schema();
    let store = open(&schema).await;
    store.submit(start("a")).await.unwrap();
    let mut child = holder(&schema);
    store.submit(terminate("a")).await.unwrap();
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    assert!(leased.instances.is_empty(), "its holder lives");
    child.kill().unwrap();
    child.wait().unwrap();
    // Both leases have half a minute to go.
    let found = env().timeout(Duration::from_secs(15), found(&store, leased.wake_seq)).await;
    assert_eq!(found, Some(1), "the dead process holds the instance still");
    let taken = store.lease_activities(activities()).await.unwrap().activities;
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].attempt, 2, "the attempt that died was one");
    let nodes = format!("SELECT count(*) FROM {schema}.nodes");
    assert_eq!(Hand::new().await.number(&nodes).await, 1);
}

#[tokio::test]
async fn a_handle_whose_session_was_cut_is_not_taken_for_dead() {
    let schema = schema();
    let named = PostgresOptions::new(url_as(&schema)).schema(&schema);
    let cut = PostgresProvider::connect(env(), named).await.unwrap();
    let other = open(&schema).await;
    cut.submit(start("a")).await.unwrap();
    let leased = cut.lease_orchestrations(lease("n1")).await.unwrap();
    let mut run = Run::new(leased.instances[0].clone(), "n1");
    run.commit(&cut).await;
    let mut hand = Hand::new().await;
    let node = format!("SELECT owner FROM {schema}.nodes ORDER BY owner");
    let before: Vec<i64> =
        hand.rows(&node).await.iter().map(|row| sqlx::Row::get(row, 0)).collect();
    for _ in 0..3 {
        let session = format!("SELECT session FROM {schema}.nodes WHERE owner = {}", before[0]);
        let number = hand.number(&session).await;
        assert!(hand.cut(&schema).await >= 1);
        until("it has another session", || async {
            Hand::new().await.number(&session).await != number
        })
        .await;
    }
    // Long enough for two looks of the other.
    let looks = other.counters().session_statements;
    until("the other looks", || async { other.counters().session_statements > looks + 3 }).await;
    let after: Vec<i64> = hand.rows(&node).await.iter().map(|row| sqlx::Row::get(row, 0)).collect();
    assert_eq!(after, before, "the same owners");
    assert!(other.lease_activities(activities()).await.unwrap().activities.is_empty());
    run.commit(&cut).await;
}

#[tokio::test]
async fn a_handle_that_was_taken_for_dead_joins_again() {
    let schema = schema();
    let (store, mut hand) = (open(&schema).await, Hand::new().await);
    hand.run(&format!("DELETE FROM {schema}.nodes")).await;
    until("it is a node again", || async {
        Hand::new().await.number(&format!("SELECT count(*) FROM {schema}.nodes")).await == 1
    })
    .await;
    store.submit(start("a")).await.unwrap();
}

#[tokio::test]
async fn a_handle_that_was_taken_for_dead_is_given_nothing_before_it_has_joined_again() {
    let schema = schema();
    let (store, mut hand) = (open(&schema).await, Hand::new().await);
    store.submit(start("a")).await.unwrap();
    hand.run(&format!(
        "CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql
           AS $$ BEGIN RAISE 'not now'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON {schema}.nodes EXECUTE FUNCTION {schema}.refuse();
         DELETE FROM {schema}.nodes"
    ))
    .await;
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    assert_eq!(leased.instances.len(), 0, "if it died now, nobody would miss it");
    assert_eq!(store.lease_activities(activities()).await.unwrap().activities.len(), 0);
    hand.run(&format!("DROP TRIGGER refuse ON {schema}.nodes")).await;
    assert_eq!(soon(found(&store, leased.wake_seq)).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_a_handle_is_closed_is_refused_and_who_closes_it_too_waits() {
    let schema = schema();
    let (store, mut hand) = (Arc::new(open(&schema).await), Hand::new().await);
    hand.run(&format!("BEGIN; LOCK TABLE {schema}.nodes IN EXCLUSIVE MODE")).await;
    let (mut first, closing) = (JoinSet::new(), Arc::clone(&store));
    first.spawn(async move { closing.close().await });
    let held_up = format!(
        "SELECT count(*) FROM pg_locks WHERE relation = '{schema}.nodes'::regclass AND NOT granted"
    );
    until("its leaving is held up", || async { Hand::new().await.number(&held_up).await > 0 })
        .await;
    let error = store.submit(start("a")).await.unwrap_err();
    assert!(error.to_string().contains("the store is closed"), "{error}");
    let mut second = std::pin::pin!(store.close());
    let waits = futures_util::poll!(second.as_mut()).is_pending();
    assert!(waits && first.try_join_next().is_none(), "it is not closed yet");
    hand.run("COMMIT").await;
    assert_eq!(soon(first.join_all()).await, [Ok(())]);
    soon(second).await.unwrap();
}

#[tokio::test]
async fn what_a_closed_handle_held_is_free_at_once() {
    let schema = schema();
    let (closing, other) = (open(&schema).await, open(&schema).await);
    closing.submit(start("a")).await.unwrap();
    let leased = closing.lease_orchestrations(lease("n1")).await.unwrap();
    Run::new(leased.instances[0].clone(), "n1").commit(&closing).await;
    assert!(other.lease_activities(activities()).await.unwrap().activities.is_empty());
    let after = other.lease_activities(activities()).await.unwrap().wake_seq;
    let (closed, _) = soon(async { tokio::join!(closing.close(), wait(&other, after)) }).await;
    closed.unwrap();
    let taken = other.lease_activities(activities()).await.unwrap().activities;
    assert_eq!(taken.len(), 1);
}

#[tokio::test]
async fn an_idle_store_is_left_in_peace() {
    let schema = schema();
    let store = PostgresProvider::connect(env(), options(&schema)).await.unwrap();
    let seen = store.lease_orchestrations(lease("n1")).await.unwrap().wake_seq;
    let request = duroxide_provider::WaitForWork {
        node: node("n1"),
        after: seen,
        max: Duration::from_millis(2_500),
    };
    store.wait_for_work(request).await.unwrap();
    let counted = store.counters();
    let sweeps = counted.statements.get("wait_for_work").copied().unwrap_or(0);
    assert!(sweeps <= 5, "{counted:?}");
    assert!(counted.session_statements < 20, "{counted:?}");
    assert_eq!(counted.retries, 0);
}
