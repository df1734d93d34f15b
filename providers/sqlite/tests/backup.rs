//! Backups: made while the store is used, whole, and ready to be gone on with.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::work::{self, Run, lease, start};
use common::{Folder, env};
use duroxide_provider::{
    CommitOutcome, Inspect, InstanceKey, LeaseActivities, LeaseId, ListFilter, Provider,
    ProviderError,
};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

async fn open(path: &Path) -> SqliteProvider {
    SqliteProvider::open(env().0, SqliteOptions::new(path.to_str().unwrap())).await.unwrap()
}

/// The message of a refusal for the caller's sake.
fn refusal(result: Result<(), ProviderError>) -> String {
    match result {
        Err(error @ ProviderError::Invalid { .. }) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_store_that_is_written_is_the_store_at_one_moment() {
    let folder = Folder::new();
    let store = Arc::new(open(&folder.file("store.db")).await);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (writer, counter) = (Arc::clone(&store), Arc::clone(&acknowledged));
    #[expect(clippy::disallowed_methods, reason = "the writer is a task of this test")]
    let writing = tokio::spawn(async move {
        for n in 0.. {
            writer.submit(start(&format!("i-{n:06}"))).await.unwrap();
            counter.store(n + 1, Ordering::SeqCst);
        }
    });
    while acknowledged.load(Ordering::SeqCst) < 20 {
        tokio::task::yield_now().await;
    }
    let before = acknowledged.load(Ordering::SeqCst);
    store.backup(folder.file("copy.db")).await.unwrap();
    let after = acknowledged.load(Ordering::SeqCst) + 1;
    writing.abort();

    let copy = open(&folder.file("copy.db")).await;
    let ids = copy.list(ListFilter::default(), None, 1_000_000).await.unwrap().ids;
    let count = ids.len() as u64;
    assert!((before..=after).contains(&count), "{before} <= {count} <= {after}");
    assert!(ids.iter().enumerate().all(|(n, id)| id.0 == format!("i-{n:06}")), "no gap");
    assert_eq!(copy.metrics().await.unwrap().executions, count);
    let sql = rusqlite::Connection::open(folder.file("copy.db")).unwrap();
    let check: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// An instance whose node holds it and its activity, for as long as the test takes.
async fn busy(store: &SqliteProvider) {
    store.submit(start("a")).await.unwrap();
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    let run = Run::new(leased.instances.into_iter().next().unwrap(), "n1");
    match store.commit_turn(run.step()).await.unwrap() {
        CommitOutcome::Applied(applied) => assert_eq!(applied.claimed.len(), 1),
        CommitOutcome::Refused(refusal) => panic!("{refusal}"),
    }
    store.submit(start("b")).await.unwrap();
    assert_eq!(store.lease_orchestrations(lease("n1")).await.unwrap().instances.len(), 1);
}

/// Everything that a node can take in the store.
async fn takes(store: &SqliteProvider) -> (usize, usize) {
    let activities = LeaseActivities {
        lease: LeaseId(work::draw()),
        node: work::node("n2"),
        filter: work::all_activities(),
        max: 10,
        duration: work::LEASE,
    };
    let instances = store.lease_orchestrations(lease("n2")).await.unwrap().instances;
    (instances.len(), store.lease_activities(activities).await.unwrap().activities.len())
}

#[tokio::test]
async fn what_is_held_in_the_original_is_taken_at_once_in_the_copy() {
    for original in ["store.db", ":memory:"] {
        let folder = Folder::new();
        let path = if original == ":memory:" { original.into() } else { folder.file(original) };
        let store = open(&path).await;
        busy(&store).await;
        store.backup(folder.file("copy.db")).await.unwrap();
        assert_eq!(takes(&store).await, (0, 0), "{original}: in the original nothing changed");
        let copy = open(&folder.file("copy.db")).await;
        assert_eq!(takes(&copy).await, (1, 1), "{original}");
        assert!(copy.instance(InstanceKey::new("a")).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_says_what_is_wrong() {
    let folder = Folder::new();
    let store = open(&folder.file("store.db")).await;
    fs::write(folder.file("letter.txt"), "Dear reader").unwrap();
    fs::write(folder.file("gone.db-wal"), "left over").unwrap();
    let before = names(&folder);
    for (target, said) in [
        ("store.db", "is the store itself"),
        ("letter.txt", "exists already"),
        ("absent/copy.db", "in a folder that does not exist"),
        ("gone.db", "gone.db-wal"),
        ("..", "names no file"),
        ("store.db-journal", "takes it for a part of another"),
        ("other.db-wal", "takes it for a part of another"),
    ] {
        let message = refusal(store.backup(folder.file(target)).await);
        assert!(message.contains(said) && message.contains(target), "{message}");
    }
    assert_eq!(fs::read_to_string(folder.file("letter.txt")).unwrap(), "Dear reader");
    assert_eq!(names(&folder), before, "nothing is left behind");
}

#[tokio::test]
async fn a_backup_of_a_read_only_store_is_made_and_of_a_closed_one_refused() {
    let folder = Folder::new();
    let store = open(&folder.file("store.db")).await;
    store.submit(start("a")).await.unwrap();
    let reader = open(&folder.file("store.db?mode=ro")).await;
    reader.backup(folder.file("copy.db")).await.unwrap();
    assert_eq!(open(&folder.file("copy.db")).await.metrics().await.unwrap().instances, 1);
    assert!(!names(&folder).iter().any(|name| name.contains("partial")));
    store.close().await.unwrap();
    let error = store.backup(folder.file("late.db")).await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}
