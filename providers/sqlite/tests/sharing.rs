//! Several handles on one file: news travels, writers queue, and the work of a process
//! that died is taken over at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::work::{LEASE, Run, lease, node, start, terminate};
use common::{Folder, env};
use duroxide_provider::env::{BoxFuture, Env, Spawner, Task};
use duroxide_provider::{
    CommitOutcome, CommitRefusal, Inspect, InstanceKey, Provider, WaitForWork, WatchRequest,
};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

async fn open(path: &Path) -> SqliteProvider {
    SqliteProvider::open(env().0, SqliteOptions::new(path.to_str().unwrap())).await.unwrap()
}

const HOUR: Duration = Duration::from_hours(1);

/// What must come long before any time-out of its own.
#[expect(clippy::disallowed_methods, reason = "a test that waits in vain fails, and does not hang")]
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it never came")
}

async fn wait(
    store: &SqliteProvider,
    after: duroxide_provider::WakeSeq,
) -> duroxide_provider::WakeSeq {
    let request = WaitForWork { node: node("waiter"), after, max: HOUR };
    store.wait_for_work(request).await.unwrap()
}

#[tokio::test]
async fn a_waiter_hears_of_a_start_by_another_handle() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let (here, there) = (open(&path).await, open(&path).await);
    let seen = here.lease_orchestrations(lease("n1")).await.unwrap().wake_seq;
    let started = async {
        there.submit(start("a")).await.unwrap();
    };
    let found = async {
        let mut after = seen;
        for _ in 0..20 {
            after = wait(&here, after).await;
            let leased = here.lease_orchestrations(lease("n1")).await.unwrap();
            if !leased.instances.is_empty() {
                return leased.instances.len();
            }
        }
        0
    };
    let (found, ()) = soon(async { tokio::join!(found, started) }).await;
    assert_eq!(found, 1);
}

#[tokio::test]
async fn a_watch_hears_of_an_end_by_another_handle() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let (here, there) = (open(&path).await, open(&path).await);
    let watch = here.watch(WatchRequest { key: InstanceKey::new("a"), seen: None, max: HOUR });
    let created = async { there.submit(start("a")).await.unwrap() };
    let (seen, _) = soon(async { tokio::join!(watch, created) }).await;
    assert!(seen.unwrap().is_some());
}

#[tokio::test]
async fn a_watch_of_a_read_only_handle_hears_of_a_start_by_another() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let there = open(&path).await;
    let here = open(&folder.file("store.db?mode=ro")).await;
    // Its connection is open: the watch has looked long before anything is written.
    assert_eq!(here.instance(InstanceKey::new("a")).await.unwrap(), None);
    let watch = here.watch(WatchRequest { key: InstanceKey::new("a"), seen: None, max: HOUR });
    let created = async { there.submit(start("a")).await.unwrap() };
    let (seen, _) = soon(async { tokio::join!(watch, created) }).await;
    assert!(seen.unwrap().is_some());
}

/// Counts the blocking work that runs at once.
struct Threads {
    inner: Arc<dyn Spawner>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Spawner for Threads {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.inner.spawn(name, task)
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        let now = Arc::clone(&self.now);
        self.most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.inner.blocking(Box::new(move || {
            job();
            now.fetch_sub(1, Ordering::SeqCst);
        }));
    }
}

#[tokio::test]
async fn a_thousand_readers_take_a_handful_of_threads() {
    let folder = Folder::new();
    let (env, _) = env();
    let most = Arc::new(AtomicUsize::new(0));
    let threads = Threads { inner: env.spawner, now: Arc::default(), most: Arc::clone(&most) };
    let env = Env { spawner: Arc::new(threads), ..env };
    let path = folder.file("store.db");
    let options = SqliteOptions::new(path.to_str().unwrap());
    let store = Arc::new(SqliteProvider::open(env, options).await.unwrap());
    store.submit(start("a")).await.unwrap();
    let mut readers = JoinSet::new();
    for _ in 0..1_000 {
        let store = Arc::clone(&store);
        readers.spawn(async move { store.instance(InstanceKey::new("a")).await });
    }
    for read in soon(readers.join_all()).await {
        assert!(read.unwrap().is_some());
    }
    let most = most.load(Ordering::SeqCst);
    assert!(most < 10, "{most} at once");
}

#[tokio::test]
async fn many_writers_of_two_handles_all_succeed() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let handles = [Arc::new(open(&path).await), Arc::new(open(&path).await)];
    let mut calls = Vec::new();
    for n in 0..200 {
        let store = Arc::clone(&handles[n % 2]);
        #[expect(clippy::disallowed_methods, reason = "the callers are tasks of this test")]
        calls.push(tokio::spawn(async move { store.submit(start(&format!("i{n}"))).await }));
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(handles[0].metrics().await.unwrap().instances, 200);
}

#[tokio::test]
async fn what_a_closed_handle_held_is_free_at_once() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let (here, there) = (open(&path).await, open(&path).await);
    here.submit(start("a")).await.unwrap();
    assert_eq!(there.lease_orchestrations(lease("n2")).await.unwrap().instances.len(), 1);
    assert!(here.lease_orchestrations(lease("n1")).await.unwrap().instances.is_empty());
    there.close().await.unwrap();
    assert_eq!(here.lease_orchestrations(lease("n1")).await.unwrap().instances.len(), 1);
}

#[tokio::test]
async fn a_stopped_holder_keeps_its_lease_until_it_runs_out() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let (env, hands) = env();
    let options = SqliteOptions::new(path.to_str().unwrap());
    let here = SqliteProvider::open(env, options).await.unwrap();
    // Does nothing from here on, and holds its lock: as if stopped.
    let stopped = open(&path).await;
    here.submit(start("a")).await.unwrap();
    let leased = stopped.lease_orchestrations(lease("n2")).await.unwrap();
    let late = Run::new(leased.instances[0].clone(), "n2").step();
    hands.advance(Duration::from_secs(1));
    assert!(here.lease_orchestrations(lease("n1")).await.unwrap().instances.is_empty());
    hands.advance(LEASE);
    assert_eq!(here.lease_orchestrations(lease("n1")).await.unwrap().instances.len(), 1);
    let refused = stopped.commit_turn(late).await.unwrap();
    assert_eq!(refused, CommitOutcome::Refused(CommitRefusal::LeaseLost));
}

const STORE: &str = "DUROXIDE_TEST_STORE";

/// Not a test of its own: the process that `kill -9` hits. It leases what there is, says
/// so, and waits for its end.
#[tokio::test]
async fn holder_process() {
    let Ok(path) = std::env::var(STORE) else { return };
    let store = open(Path::new(&path)).await;
    let leased = store.lease_orchestrations(lease("doomed")).await.unwrap();
    let mut run = Run::new(leased.instances[0].clone(), "doomed");
    run.commit(&store).await;
    println!("\nholding {}", run.got.key);
    std::future::pending::<()>().await;
}

fn holder(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder_process", "--nocapture"])
        .env(STORE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("holding")));
    child
}

#[tokio::test]
async fn the_work_of_a_killed_process_is_taken_over_without_waiting_for_its_leases() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let store = open(&path).await;
    store.submit(start("a")).await.unwrap();
    let mut child = holder(&path);
    assert!(store.lease_orchestrations(lease("n1")).await.unwrap().instances.is_empty());
    let mut after = store.lease_orchestrations(lease("n1")).await.unwrap().wake_seq;
    child.kill().unwrap();
    child.wait().unwrap();
    // Both the instance, once it has mail, and its activity are free, though both leases
    // have half a minute to go.
    store.submit(terminate("a")).await.unwrap();
    let mut taken = None;
    for _ in 0..20 {
        let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
        taken = leased.instances.into_iter().next();
        if taken.is_some() {
            break;
        }
        after = soon(wait(&store, after)).await;
    }
    let taken = taken.expect("the dead process holds the instance still");
    assert_eq!(taken.attempt, 1, "the turn that was committed is not charged");
    let files = std::fs::read_dir(folder.file("store.db-nodes")).unwrap().count();
    assert_eq!(files, 1, "the dead process's lock file is removed, ours stays");
}

#[tokio::test]
async fn a_new_process_takes_over_from_a_killed_one() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let first = open(&path).await;
    first.submit(start("a")).await.unwrap();
    first.close().await.unwrap();
    let mut child = holder(&path);
    child.kill().unwrap();
    child.wait().unwrap();
    let store = open(&path).await;
    let request = duroxide_provider::LeaseActivities {
        lease: duroxide_provider::LeaseId(common::work::draw()),
        node: node("n1"),
        filter: common::work::all_activities(),
        max: 1,
        duration: LEASE,
    };
    let leased = store.lease_activities(request).await.unwrap();
    assert_eq!(leased.activities.len(), 1);
    assert_eq!(leased.activities[0].attempt, 2);
}
