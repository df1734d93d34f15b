//! Faults between a store and its server: nothing surfaces that can be repeated, nothing is lost,
//! nothing is done twice, and a server that is gone is waited for in peace.

use crate::proxy::Proxy;
use crate::support::{Hand, env, open, schema, soon, traced, until, url_as, wait};
use crate::work::{LEASE, Run, draw, lease, start};
use duroxide_core::{Channel, EventKind, ExecutionId, MailName, Payload};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::{Cluster, StopMode};
use duroxide_provider::WakeSeq;
use duroxide_provider::{
    CommitOutcome, Inspect, InstanceKey, Provider, ProviderError, Release, RequestId, Submission,
    Submit, Submitted,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

async fn connect(url: &str, schema: &str) -> PostgresProvider {
    let options = PostgresOptions::new(url).schema(schema);
    PostgresProvider::connect(env(), options).await.unwrap()
}

fn mail(id: &str, data: &str) -> Submit {
    let mailbox = MailName { channel: Channel::Queue, name: "q".to_owned() };
    let what = Submission::Mail { mailbox, data: Payload::json(format!("\"{data}\"")) };
    Submit { request: RequestId(draw()), key: InstanceKey::new(id), what }
}

/// Start an instance and hold it.
async fn held(store: &PostgresProvider, id: &str) -> Run {
    store.submit(start(id)).await.unwrap();
    let mut after = WakeSeq(0);
    loop {
        // A try that was cut may have the row locked for a moment still.
        let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
        if let Some(got) = leased.instances.into_iter().next() {
            return Run::new(got, "n1");
        }
        after = soon(wait(store, after)).await;
    }
}

/// How often an activity was scheduled and completed in the history, which has no gap.
async fn steps(store: &PostgresProvider, id: &str) -> (usize, usize) {
    let events = store.history(InstanceKey::new(id), ExecutionId(1)).await.unwrap();
    assert!(events.iter().enumerate().all(|(n, event)| event.id.0 == n as u64 + 1), "no gap");
    let scheduled =
        events.iter().filter(|event| matches!(event.kind, EventKind::ActivityScheduled { .. }));
    let completed =
        events.iter().filter(|event| matches!(event.kind, EventKind::ActivityCompleted { .. }));
    (scheduled.count(), completed.count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_all_the_time_cost_nothing_but_time() {
    const STEPS: usize = 60;
    let schema = schema();
    let store = Arc::new(connect(&url_as(&schema), &schema).await);
    let done = Arc::new(AtomicBool::new(false));
    let cuts = Arc::new(AtomicUsize::new(0));
    let mut killer = JoinSet::new();
    let (stop, counted, name) = (Arc::clone(&done), Arc::clone(&cuts), schema.clone());
    let watched = Arc::clone(&store);
    killer.spawn(async move {
        let mut hand = Hand::new().await;
        let mut next = 0;
        while !stop.load(Ordering::SeqCst) {
            // As fast as the store gets on, so that it does.
            let sent: u64 = watched.counters().statements.values().sum();
            if sent >= next {
                counted.fetch_add(hand.cut(&name).await as usize, Ordering::SeqCst);
                next = sent + 15;
            }
            env().sleep(Duration::from_millis(1)).await;
        }
    });
    let mut runs = Vec::new();
    for n in 0..3 {
        runs.push((n, held(&store, &format!("run-{n}")).await));
    }
    store.submit(start("inbox")).await.unwrap();
    let mut working = JoinSet::new();
    for (n, mut run) in runs {
        let store = Arc::clone(&store);
        working.spawn(async move {
            for step in 0..STEPS {
                run.commit(&*store).await;
                let sent = store.submit(mail("inbox", &format!("{n}-{step}"))).await.unwrap();
                assert_eq!(sent, Submitted::Accepted);
            }
        });
    }
    soon(working.join_all()).await;
    done.store(true, Ordering::SeqCst);
    killer.join_all().await;
    assert!(cuts.load(Ordering::SeqCst) > 20, "{cuts:?}");
    assert!(store.counters().retries > 0, "no call was cut: {:?}", store.counters());
    for n in 0..3 {
        assert_eq!(steps(&store, &format!("run-{n}")).await, (STEPS, STEPS - 1));
    }
    let messages = store.stats(InstanceKey::new("inbox")).await.unwrap().unwrap();
    assert_eq!(messages.pending_messages, 3 * STEPS as u64);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_repeated_and_applied_once() {
    let schema = schema();
    let proxy = Proxy::new().await;
    let store = connect(&proxy.url("lost"), &schema).await;
    let started = start("a");
    proxy.lose_answer_to(started.request.0);
    assert_eq!(store.submit(started).await.unwrap(), Submitted::Created);
    assert_eq!(proxy.lost(), 1);
    let request = lease("n1");
    proxy.lose_answer_to(request.lease.0);
    let leased = store.lease_orchestrations(request).await.unwrap();
    assert_eq!((proxy.lost(), leased.instances.len()), (2, 1));
    assert_eq!(leased.instances[0].attempt, 1, "charged once");
    let commit = Run::new(leased.instances[0].clone(), "n1").step();
    proxy.lose_answer_to(commit.commit_id.0);
    let outcome = store.commit_turn(commit).await.unwrap();
    let CommitOutcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
    assert_eq!((proxy.lost(), applied.claimed.len()), (3, 1));
    assert_eq!(steps(&store, "a").await, (1, 0));
    let sent = mail("a", "once");
    proxy.lose_answer_to(sent.request.0);
    assert_eq!(store.submit(sent).await.unwrap(), Submitted::Accepted);
    assert_eq!(proxy.lost(), 4);
    let stats = store.stats(InstanceKey::new("a")).await.unwrap().unwrap();
    assert_eq!(stats.pending_messages, 1);
    assert_eq!(store.counters().retries, 4);
}

#[tokio::test]
async fn an_answer_that_never_comes_and_a_server_that_is_gone_leave_it_unknown() {
    let schema = schema();
    let proxy = Arc::new(Proxy::new().await);
    let options = PostgresOptions::new(proxy.url("unknown"))
        .schema(&schema)
        .acquire_timeout(Duration::from_millis(700));
    let store = PostgresProvider::connect(env(), options).await.unwrap();
    store.submit(start("before")).await.unwrap();
    let started = start("a");
    proxy.lose_answer_to(started.request.0);
    let goes_down = async {
        until("the answer is lost", || async { proxy.lost() == 1 }).await;
        proxy.down().await;
    };
    let (answer, ()) = tokio::join!(store.submit(started.clone()), goes_down);
    match answer {
        // It was applied, but who could know?
        Err(ProviderError::Unknown { message, .. }) => assert!(message.contains("127.0.0.1")),
        // It was repeated before the server was gone.
        Ok(answer) => assert_eq!(answer, Submitted::Created),
        other => panic!("{other:?}"),
    }
    proxy.up().await;
    assert_eq!(soon(store.submit(started)).await.unwrap(), Submitted::Created, "the same again");
}

#[tokio::test]
async fn sessions_that_a_pooler_resets_harm_nothing() {
    for reset in ["DEALLOCATE ALL", "DISCARD ALL"] {
        let schema = schema();
        let proxy = Proxy::new().await;
        let store = connect(&proxy.url("reset"), &schema).await;
        let mut run = held(&store, "a").await;
        run.commit(&store).await;
        let before = proxy.resets();
        proxy.reset(reset);
        run.commit(&store).await;
        run.commit(&store).await;
        assert!(proxy.resets() > before);
        assert!(store.counters().retries >= 1, "{reset}: {:?}", store.counters());
        assert_eq!(steps(&store, "a").await, (3, 2), "{reset}");
        // The session of the handle's own is whole again, too.
        until("its own session is reset", || async { proxy.resets() >= 2 }).await;
        let other = open(&schema).await;
        let heard = store.counters().notifications_received;
        let mut n = 0;
        while store.counters().notifications_received == heard {
            n += 1;
            other.submit(start(&format!("news-{n}"))).await.unwrap();
            env().sleep(Duration::from_millis(20)).await;
            assert!(n < 1_000, "{reset}: it hears nothing");
        }
    }
}

/// How often it was said of a place that it cannot be reached.
fn outages(place: &str) -> usize {
    let said = format!("the database cannot be reached place={place}");
    traced().lines().filter(|line| line.contains("WARN") && line.contains(&said)).count()
}

#[tokio::test]
async fn a_server_that_is_gone_is_busy_in_bounded_time_is_said_once_and_is_found_again() {
    traced();
    let schema = schema();
    let proxy = Proxy::new().await;
    let options = PostgresOptions::new(proxy.url("outage"))
        .schema(&schema)
        .acquire_timeout(Duration::from_secs(1));
    let store = PostgresProvider::connect(env(), options).await.unwrap();
    let mut run = held(&store, "a").await;
    run.commit(&store).await;
    for outage in 1..=2 {
        proxy.down().await;
        let tried = proxy.connections();
        for _ in 0..3 {
            let call = env().timeout(Duration::from_secs(5), store.submit(start("b"))).await;
            let error = call.expect("it takes too long").unwrap_err();
            assert!(error.is_transient(), "{error:?}");
        }
        let tried = proxy.connections() - tried;
        assert!((3..200).contains(&tried), "{tried} connections in three seconds");
        assert_eq!(outages(&proxy.address()), outage, "said once");
        proxy.up().await;
        run.commit(&store).await;
    }
    assert_eq!(steps(&store, "a").await, (3, 2));
    let closed = env().timeout(Duration::from_secs(5), store.close()).await;
    closed.expect("closing takes too long").unwrap();
}

#[tokio::test]
async fn closing_does_not_wait_for_a_server_that_is_gone() {
    let cluster = Cluster::start().unwrap();
    let store = connect(&cluster.url(), "public").await;
    let mut run = held(&store, "a").await;
    run.commit(&store).await;
    env().blocking(move || cluster.stop()).await.unwrap();
    // A call would go on trying for ten seconds.
    let closed = env().timeout(Duration::from_secs(5), store.close()).await;
    closed.expect("closing takes too long").unwrap();
}

#[tokio::test]
async fn waiting_goes_on_through_an_outage_and_ends_in_time() {
    let schema = schema();
    let proxy = Proxy::new().await;
    let options = PostgresOptions::new(proxy.url("waiting"))
        .schema(&schema)
        .acquire_timeout(Duration::from_millis(500));
    let store = PostgresProvider::connect(env(), options).await.unwrap();
    let seen = store.lease_orchestrations(lease("n1")).await.unwrap().wake_seq;
    proxy.down().await;
    let node = crate::work::node("n1");
    let until = |max| duroxide_provider::WaitForWork { node: node.clone(), after: seen, max };
    let short = store.wait_for_work(until(Duration::from_secs(1)));
    env().timeout(Duration::from_secs(5), short).await.expect("it outlasts its time").unwrap();
    proxy.up().await;
    let other = open(&schema).await;
    let mut after = seen;
    let mut found = 0;
    while found == 0 {
        other.submit(start("a")).await.unwrap();
        after = soon(wait(&store, after)).await;
        found = store.lease_orchestrations(lease("n1")).await.unwrap().instances.len();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_and_starts_again_has_what_it_acknowledged() {
    let mut cluster = Cluster::start().unwrap();
    let store = Arc::new(connect(&cluster.url(), "public").await);
    let mut run = held(&store, "a").await;
    let done = Arc::new(AtomicBool::new(false));
    let (stop, working) = (Arc::clone(&done), Arc::clone(&store));
    let mut commits = JoinSet::new();
    commits.spawn(async move {
        let mut steps = 0;
        while !stop.load(Ordering::SeqCst) {
            run.commit(&*working).await;
            steps += 1;
        }
        (steps, run)
    });
    for mode in [StopMode::Immediate, StopMode::Fast] {
        env().sleep(Duration::from_millis(100)).await;
        cluster = env()
            .blocking(move || {
                cluster.restart(mode).unwrap();
                cluster
            })
            .await
            .unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let (committed, run) = soon(commits.join_next()).await.unwrap().unwrap();
    assert!(committed > 1);
    assert_eq!(steps(&store, "a").await, (committed, committed - 1));
    let held = vec![duroxide_provider::Held::Instance {
        incarnation: run.got.incarnation,
        lease: run.got.lease,
    }];
    let release = Release { held, commit: None, refund: false, delay: LEASE };
    soon(store.release(release)).await.unwrap();
}
