//! Real processes on one file, all writing at once: nobody hears of a locked database, nothing
//! is lost or counted twice, everybody gets a turn, a backup is whole, a kill breaks nothing,
//! and who waits costs nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;
mod opening;
mod writer;

use common::work::{node, start};
use common::{Folder, env};
use duroxide_core::ExecutionId;
use duroxide_provider::env::{BoxFuture, Env, Spawner, Task};
use duroxide_provider::{Inspect, InstanceKey, Provider, Submitted, WaitForWork};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use writer::{CALLERS, Writer, open};

fn integrity(path: &Path) -> String {
    let sql = rusqlite::Connection::open(path).unwrap();
    sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

/// Every instance of the store, with the messages it has.
async fn instances(store: &SqliteProvider) -> BTreeMap<String, u64> {
    let filter = duroxide_provider::ListFilter::default();
    let ids = store.list(filter, None, 10_000_000).await.unwrap().ids;
    let mut instances = BTreeMap::new();
    for id in ids {
        let stats = store.stats(InstanceKey::new(id.as_str())).await.unwrap().unwrap();
        instances.insert(id.0, stats.pending_messages);
    }
    instances
}

/// What each instance was sent.
const MESSAGES: u64 = 1;

/// Of these, the first few that the store does not have with their message.
fn missing(stored: &BTreeMap<String, u64>, acknowledged: &[String]) -> Vec<String> {
    let has = |id: &&String| stored.get(*id) == Some(&MESSAGES);
    acknowledged.iter().filter(|id| !has(id)).take(5).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_write_at_once_and_none_is_refused_forgotten_or_starved() {
    const PROCESSES: usize = 8;
    const COMMITS: u64 = 100;
    let folder = Folder::new();
    let path = folder.file("store.db");
    let store = open(&path).await;
    let mut writers = Vec::new();
    for n in 0..PROCESSES {
        writers.push(Writer::new(&path, &format!("p{n}")).await);
    }
    writers.iter_mut().for_each(Writer::go);
    writers[0].until_commits(COMMITS).await;
    let acknowledged: Vec<String> = writers.iter().flat_map(Writer::done).collect();
    assert!(!acknowledged.is_empty());
    store.backup(folder.file("copy.db")).await.unwrap();
    // When one has had its share, what have the others had?
    writers[0].until_commits(2 * COMMITS).await;
    let commits: Vec<u64> = writers.iter().map(Writer::commits).collect();
    writers.iter_mut().for_each(Writer::tell_to_stop);
    let mut done = Vec::new();
    for writer in writers {
        done.append(&mut writer.stop().await.done);
    }

    let fair = commits.iter().sum::<u64>() / PROCESSES as u64;
    println!("commits of each process: {commits:?}");
    assert!(commits.iter().all(|mine| *mine >= fair / 2), "{commits:?}: a fair share is {fair}");
    let stored = instances(&store).await;
    assert_eq!(missing(&stored, &done), [""; 0], "each once, with its message once");
    assert_eq!(stored.len(), done.len(), "and nothing else");
    assert_eq!(integrity(&path), "ok");

    let copy = open(&folder.file("copy.db")).await;
    let copied = instances(&copy).await;
    assert_eq!(missing(&copied, &acknowledged), [""; 0], "acknowledged before the backup");
    assert!(copied.len() < done.len(), "the backup was made while they wrote");
    assert_eq!(integrity(&folder.file("copy.db")), "ok");
    assert_eq!(copy.submit(start("after")).await.unwrap(), Submitted::Created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_waits_for_its_turn_at_the_lock_file() {
    let folder = Folder::new();
    let store = open(&folder.file("store.db")).await;
    let turn = fs::File::open(folder.file("store.db-writer.lock")).unwrap();
    turn.lock().unwrap();
    let submit = store.submit(start("a"));
    tokio::pin!(submit);
    #[expect(clippy::disallowed_methods, reason = "as long as a write would surely be through")]
    let written = tokio::time::timeout(Duration::from_millis(500), &mut submit).await;
    assert!(written.is_err(), "it was not its turn");
    turn.unlock().unwrap();
    assert_eq!(submit.await.unwrap(), Submitted::Created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_writes_loses_nothing_acknowledged_and_holds_up_nobody() {
    const KILLS: u64 = 6;
    let folder = Folder::new();
    let path = folder.file("store.db");
    let store = open(&path).await;
    let mut neighbour = Writer::new(&path, "neighbour").await;
    neighbour.go();
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        let mut doomed = Writer::new(&path, &format!("doomed{kill}")).await;
        doomed.go();
        // Somewhere in the middle of a batch: its callers never pause.
        doomed.until_commits(10 + kill * 3).await;
        let mut heard = doomed.kill().await;
        assert!(!heard.closed, "it was killed");
        acknowledged.append(&mut heard.done);
        // The neighbour goes on.
        neighbour.until_commits(neighbour.commits() + 20).await;
    }
    acknowledged.append(&mut neighbour.stop().await.done);
    let stored = instances(&store).await;
    assert_eq!(missing(&stored, &acknowledged), [""; 0], "acknowledged");
    // Those that were under way are there in part, at most one for each caller that died.
    let partial = stored.len() - acknowledged.len();
    assert!(partial <= CALLERS * usize::try_from(KILLS).unwrap(), "{partial}");
    assert!(stored.values().all(|messages| *messages <= MESSAGES));
    assert_eq!(integrity(&path), "ok");
    let history = store.history(InstanceKey::new(&*acknowledged[0]), ExecutionId::FIRST).await;
    assert_eq!(history.unwrap(), []);
}

/// Counts the blocking work of an Env.
struct Counting {
    inner: Arc<dyn Spawner>,
    jobs: Arc<AtomicUsize>,
}

impl Spawner for Counting {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.inner.spawn(name, task)
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.jobs.fetch_add(1, Ordering::SeqCst);
        self.inner.blocking(job);
    }
}

/// A handle that counts its looks at the file (all blocking work it does while it waits).
async fn open_counting(path: &Path) -> (Arc<SqliteProvider>, Arc<AtomicUsize>) {
    let (env, _) = env();
    let jobs = Arc::new(AtomicUsize::new(0));
    let counting = Counting { inner: env.spawner, jobs: Arc::clone(&jobs) };
    let env = Env { spawner: Arc::new(counting), ..env };
    let options = SqliteOptions::new(path.to_str().unwrap());
    (Arc::new(SqliteProvider::open(env, options).await.unwrap()), jobs)
}

fn data_version(sql: &rusqlite::Connection) -> u64 {
    sql.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_handle_looks_without_a_transaction_and_hears_of_another_process_at_once() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let (store, jobs) = open_counting(&path).await;
    let stranger = rusqlite::Connection::open(&path).unwrap();
    let mut other = Writer::new(&path, "other").await;
    let waiting = Arc::clone(&store);
    let after = store.lease_orchestrations(common::work::lease("n")).await.unwrap().wake_seq;
    // What its opening announced is no news.
    let seq = wait(&waiting, after, Duration::from_secs(1)).await;
    let wait_on = wait(&waiting, seq, Duration::from_hours(1));
    tokio::pin!(wait_on);

    let before = (store.counters(), data_version(&stranger), size(&folder, "store.db-wal"));
    let looks = jobs.load(Ordering::SeqCst);
    // With a stranger's write transaction open, any of its own would have to wait.
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let looking = async {
        while jobs.load(Ordering::SeqCst) < looks + 40 {
            tokio::task::yield_now().await;
        }
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a look that has to wait fails, and does not hang"
    )]
    let looked = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::select! {
            biased;
            seq = &mut wait_on => panic!("woken by nothing: {seq:?}"),
            () = looking => {}
        }
    });
    assert!(looked.await.is_ok(), "a look waits for whoever writes");
    stranger.execute_batch("ROLLBACK").unwrap();
    // Nor is one ever in the way of a stranger that does not wait.
    stranger.busy_timeout(Duration::ZERO).unwrap();
    let looks = jobs.load(Ordering::SeqCst);
    while jobs.load(Ordering::SeqCst) < looks + 100 {
        stranger.execute_batch("BEGIN IMMEDIATE; ROLLBACK").expect("a look holds the file");
        tokio::select! {
            biased;
            seq = &mut wait_on => panic!("woken by nothing: {seq:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    let now = (store.counters(), data_version(&stranger), size(&folder, "store.db-wal"));
    assert_eq!(now, before, "looks are no operation, no read, no commit and no write");

    other.go();
    wait_on.await;
    assert!(data_version(&stranger) != before.1, "it was woken by a commit");
    other.stop().await;
}

async fn wait(
    store: &SqliteProvider,
    after: duroxide_provider::WakeSeq,
    max: Duration,
) -> duroxide_provider::WakeSeq {
    store.wait_for_work(WaitForWork { node: node("n"), after, max }).await.unwrap()
}

fn size(folder: &Folder, name: &str) -> u64 {
    fs::metadata(folder.file(name)).unwrap().len()
}
