//! The cost model, counted: what a step costs, and that commits share transactions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::work::{Run, draw, lease, start};
use common::{Folder, env};
use duroxide_provider::{
    CommitOutcome, CommitRefusal, Held, Inspect, InstanceKey, Provider, Release, Renew,
};
use duroxide_sqlite::{BeforeCommit, SqliteOptions, SqliteProvider};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A store whose writer waits for leave before each batch.
async fn gated(folder: &Folder) -> (Arc<SqliteProvider>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(1_000));
    let hook_gate = Arc::clone(&gate);
    let before_commit: BeforeCommit = Arc::new(move || {
        let gate = Arc::clone(&hook_gate);
        Box::pin(async move { gate.acquire().await.unwrap().forget() })
    });
    let options = SqliteOptions {
        before_commit: Some(before_commit),
        ..SqliteOptions::new(folder.file("store.db").to_str().unwrap())
    };
    (Arc::new(SqliteProvider::open(env().0, options).await.unwrap()), gate)
}

#[tokio::test]
async fn concurrent_submits_share_a_transaction() {
    let folder = Folder::new();
    let (store, gate) = gated(&folder).await;
    let commits = store.counters().commits;
    gate.forget_permits(usize::MAX);
    let mut calls = Vec::new();
    for n in 0..50 {
        let store = Arc::clone(&store);
        #[expect(clippy::disallowed_methods, reason = "the callers are tasks of this test")]
        calls.push(tokio::spawn(async move { store.submit(start(&format!("i{n}"))).await }));
    }
    tokio::task::yield_now().await;
    gate.add_permits(1_000);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let stats = store.counters();
    assert_eq!(stats.operations["submit"], 50);
    assert!(stats.commits - commits <= 2, "{} transactions", stats.commits - commits);
    assert_eq!(store.metrics().await.unwrap().instances, 50);
}

#[tokio::test]
async fn a_sequential_step_is_one_durable_commit_and_no_fetch() {
    let folder = Folder::new();
    let (store, _) = gated(&folder).await;
    store.submit(start("a")).await.unwrap();
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    let mut run = Run::new(leased.instances[0].clone(), "n1");
    run.commit(&*store).await;
    let before = store.counters();
    for _ in 0..100 {
        let applied = run.commit(&*store).await;
        assert!(applied.held);
        assert_eq!(applied.claimed.len(), 1);
    }
    let after = store.counters();
    assert_eq!(after.commits - before.commits, 100);
    assert_eq!(after.relaxed_commits, before.relaxed_commits);
    assert_eq!(after.operations["commit_turn"] - before.operations["commit_turn"], 100);
    assert_eq!(after.operations["lease_orchestrations"], 1);
    assert!(!after.operations.contains_key("lease_activities"));
    assert_eq!(after.reads, before.reads);
}

#[tokio::test]
async fn leases_and_renewals_do_not_wait_for_the_disk() {
    let folder = Folder::new();
    let (store, _) = gated(&folder).await;
    store.submit(start("a")).await.unwrap();
    let before = store.counters();
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    let held = Held::Instance {
        incarnation: leased.instances[0].incarnation,
        lease: leased.instances[0].lease,
    };
    store.renew(Renew { held: vec![held], duration: Duration::from_secs(9) }).await.unwrap();
    let after = store.counters();
    assert_eq!(after.commits, before.commits);
    assert_eq!(after.relaxed_commits, before.relaxed_commits + 2);
}

#[tokio::test]
async fn what_finds_nothing_writes_nothing() {
    let folder = Folder::new();
    let (store, _) = gated(&folder).await;
    let before = store.counters();
    for _ in 0..5 {
        assert!(store.lease_orchestrations(lease("n1")).await.unwrap().instances.is_empty());
    }
    let after = store.counters();
    assert_eq!((after.commits, after.relaxed_commits), (before.commits, before.relaxed_commits));
}

#[tokio::test]
async fn a_refused_commit_disturbs_none_of_its_batch() {
    let folder = Folder::new();
    let (store, gate) = gated(&folder).await;
    for id in ["a", "b"] {
        store.submit(start(id)).await.unwrap();
    }
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    let a = Run::new(leased.instances[0].clone(), "n1").step();
    let mut b = Run::new(leased.instances[1].clone(), "n1").step();
    b.base = Some(duroxide_provider::CommitId(draw()));
    gate.forget_permits(usize::MAX);
    let both = async { tokio::join!(store.commit_turn(a), store.commit_turn(b)) };
    let let_go = async {
        tokio::task::yield_now().await;
        gate.add_permits(10);
    };
    let ((a, b), ()) = tokio::join!(both, let_go);
    assert!(matches!(a.unwrap(), CommitOutcome::Applied(_)));
    assert_eq!(b.unwrap(), CommitOutcome::Refused(CommitRefusal::Conflict));
}

#[tokio::test]
async fn a_call_that_was_dropped_leases_nothing() {
    let folder = Folder::new();
    let (store, gate) = gated(&folder).await;
    store.submit(start("a")).await.unwrap();
    gate.forget_permits(usize::MAX);
    {
        let call = store.lease_orchestrations(lease("gone"));
        tokio::pin!(call);
        tokio::select! {
            biased;
            _ = &mut call => panic!("the writer waits"),
            () = tokio::task::yield_now() => {}
        }
    }
    gate.add_permits(10);
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    assert_eq!(leased.instances.len(), 1);
    assert_eq!(leased.instances[0].attempt, 1);
}

#[tokio::test]
async fn a_commit_that_was_given_up_is_never_applied_also_after_reopening() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let open = || SqliteProvider::open(env().0, SqliteOptions::new(path.to_str().unwrap()));
    let store = open().await.unwrap();
    store.submit(start("a")).await.unwrap();
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    let late = Run::new(leased.instances[0].clone(), "n1").step();
    let release = Release {
        held: vec![],
        commit: Some((late.incarnation, late.commit_id)),
        refund: false,
        delay: Duration::ZERO,
    };
    store.release(release.clone()).await.unwrap();
    store.release(release).await.unwrap();
    store.close().await.unwrap();
    let store = open().await.unwrap();
    let outcome = store.commit_turn(late).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Refused(_)), "got {outcome:?}");
    assert_eq!(
        store.history(InstanceKey::new("a"), duroxide_core::ExecutionId::FIRST).await,
        Ok(vec![])
    );
}
