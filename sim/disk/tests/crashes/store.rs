//! The production store on this disk: what it has acknowledged is there after the power was
//! cut, wherever that struck.

use crate::ledger::Draw;
use crate::work::{Run, lease, start};
use duroxide_core::ExecutionId;
use duroxide_provider::env::{
    BoxFuture, Clock, Entropy, Env, Listener, Network, Spawner, Stream, Task,
};
use duroxide_provider::{CommitOutcome, Inspect, InstanceKey, Provider, ProviderError, Submitted};
use duroxide_sim_disk::{Disk, Kind, Process, Strike, Verdict};
use duroxide_sqlite::{Durability, SqliteOptions, SqliteProvider};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const FILE: &str = "/store.db";

/// An Env without time: what is waited for does not come.
#[derive(Clone)]
struct Still(Arc<AtomicU64>);

impl Clock for Still {
    fn wall_ms(&self) -> u64 {
        1_750_000_000_000 + self.0.fetch_add(1, Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Entropy for Still {
    fn fill(&self, bytes: &mut [u8]) {
        let mut draw = Draw::new(self.0.fetch_add(1, Ordering::SeqCst));
        bytes.fill_with(|| draw.below(256) as u8);
    }
}

impl Network for Still {
    fn connect(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
    fn listen(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the Env of these tests")]
impl Spawner for Still {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let handle = tokio::spawn(task);
        Task::new(move || handle.abort())
    }
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}

impl Still {
    fn env(&self) -> Env {
        Env {
            clock: Arc::new(self.clone()),
            entropy: Arc::new(self.clone()),
            network: Arc::new(self.clone()),
            spawner: Arc::new(self.clone()),
        }
    }
}

/// What a run of crashes came to.
#[derive(Debug, Default)]
struct Kept {
    submits: u64,
    turns: u64,
    cuts: u64,
    lost: u64,
}

/// What was acknowledged: for each instance, how many events its history has.
type Acknowledged = BTreeMap<String, usize>;

async fn look(store: &SqliteProvider, acknowledged: &Acknowledged) -> u64 {
    let mut lost = 0;
    for (id, events) in acknowledged {
        let key = InstanceKey::new(id.as_str());
        let known = store.instance(key.clone()).await.expect("the power is on").is_some();
        let history = store.history(key, ExecutionId::FIRST).await.expect("the power is on");
        lost += u64::from(!known || history.len() < *events);
    }
    lost
}

/// Submit and commit turns until the power is gone.
async fn work(store: &SqliteProvider, life: u64, acknowledged: &mut Acknowledged, kept: &mut Kept) {
    for n in 0.. {
        let id = format!("{life}-{n}");
        match store.submit(start(&id)).await {
            Ok(submitted) => assert_eq!(submitted, Submitted::Created),
            Err(_) => return,
        }
        acknowledged.insert(id, 0);
        kept.submits += 1;
        let Ok(leased) = store.lease_orchestrations(lease("node")).await else { return };
        for got in leased.instances {
            let id = got.key.id.to_string();
            let turn = Run::new(got, "node").step();
            let events = turn.turn.events.len();
            match store.commit_turn(turn).await {
                Ok(CommitOutcome::Applied(_)) => acknowledged.insert(id, events),
                Ok(other) => panic!("{id}: {other:?}"),
                Err(_) => return,
            };
            kept.turns += 1;
        }
    }
}

async fn live(process: Process, durability: Durability, still: &Still) -> Option<SqliteProvider> {
    let alive = process.clone();
    let storage = Arc::new(process);
    let options = SqliteOptions { durability, storage, ..SqliteOptions::new(FILE) };
    match SqliteProvider::open(still.env(), options).await {
        Ok(store) => Some(store),
        Err(error) => {
            assert!(!alive.is_alive(), "the store does not open: {error}");
            None
        }
    }
}

fn crash(seed: u64, durability: Durability, kept: &mut Kept) {
    let disk = Disk::new(seed);
    let mut draw = Draw::new(seed);
    let still = Still(Arc::new(AtomicU64::new(seed << 32)));
    let mut acknowledged = Acknowledged::new();
    for life in 0..5 {
        let process = disk.process();
        if life < 4 {
            disk.strike(Strike::at_change(1 + draw.below(400), Verdict::CutPower));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let Some(store) = live(process.clone(), durability, &still).await else { return };
            if life < 4 {
                work(&store, life, &mut acknowledged, kept).await;
            } else {
                store.close().await.expect("the power is on");
            }
        });
        drop(runtime);
        // Looked at by a life of its own, so that looking meets no crash.
        disk.heal();
        assert_eq!(process.is_alive(), life == 4, "seed {seed}: no crash");
        kept.cuts += u64::from(life < 4);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let store = live(disk.process(), durability, &still).await.expect("the power is on");
            let lost = look(&store, &acknowledged).await;
            kept.lost += lost;
            if lost > 0 {
                acknowledged.clear();
            }
        });
        drop(runtime);
        disk.kill();
        check(&disk, seed);
    }
}

fn check(disk: &Disk, seed: u64) {
    let process = disk.process();
    let flags = OpenFlags::default();
    let sql =
        Connection::open_with_flags_and_vfs(FILE, flags, process.vfs()).expect("the power is on");
    let checked: String =
        sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("the power is on");
    assert_eq!(checked, "ok", "seed {seed}");
}

#[test]
fn a_production_store_loses_nothing_that_it_acknowledged() {
    let mut kept = Kept::default();
    for seed in 0..100 {
        crash(seed, Durability::Full, &mut kept);
    }
    assert_eq!((kept.lost, kept.cuts), (0, 400), "{kept:?}");
    assert!(kept.submits > 1_000 && kept.turns > 1_000, "{kept:?}");
}

#[test]
fn a_production_store_that_does_not_wait_for_the_disk_loses_some() {
    let mut kept = Kept::default();
    for seed in 0..20 {
        crash(seed, Durability::Process, &mut kept);
    }
    assert!(kept.lost > 20, "{kept:?}");
}

/// After a sync that failed the system holds for clean what it did not write. Leases are
/// before it in the log, and nobody synced them.
#[test]
fn a_production_store_whose_syncs_fail_loses_nothing_that_it_acknowledged() {
    let (mut kept, mut failed) = (Kept::default(), 0);
    for seed in 0..300 {
        failed += survive_failing_syncs(seed, &mut kept);
    }
    assert_eq!(kept.lost, 0, "{kept:?}");
    assert!(failed > 600 && kept.turns > 3_000 && kept.cuts > 400, "{failed}: {kept:?}");
}

/// Gives how many syncs failed.
fn survive_failing_syncs(seed: u64, kept: &mut Kept) -> u64 {
    let (disk, mut draw) = (Disk::new(seed), Draw::new(seed));
    let still = Still(Arc::new(AtomicU64::new(seed << 32)));
    let mut acknowledged = Acknowledged::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // In some lives the process dies, or the power is cut, at whatever it is about then.
    for life in 0..=draw.below(3) {
        let process = disk.process();
        runtime.block_on(async {
            let store = live(process.clone(), Durability::Full, &still).await.expect("it opens");
            for _ in 0..=draw.below(4) {
                disk.strike(Strike::at(Kind::Sync, 1 + draw.below(40), Verdict::Fail));
            }
            let end = [Verdict::Kill, Verdict::CutPower, Verdict::Go][draw.below(3) as usize];
            disk.strike(Strike::at_change(100 + draw.below(200), end));
            persevere(&store, life, &mut acknowledged, kept).await;
        });
        disk.kill();
        disk.heal();
    }
    disk.cut_power();
    kept.cuts += disk.counts().power_cuts;
    runtime.block_on(async {
        let store = live(disk.process(), Durability::Full, &still).await.expect("it opens");
        kept.lost += look(&store, &acknowledged).await;
    });
    disk.kill();
    check(&disk, seed);
    disk.counts().failed_syncs
}

/// What one process saw fail, another makes good: the one dies before it can.
#[test]
fn a_process_mends_the_log_that_another_left_in_doubt_before_it_writes() {
    let (durability, mut acknowledged) = (Durability::Full, Acknowledged::new());
    acknowledged.extend([("a".to_owned(), 0), ("c".to_owned(), 0)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for seed in 0..30 {
        let (disk, still) = (Disk::new(seed), Still(Arc::new(AtomicU64::new(seed << 32))));
        runtime.block_on(async {
            let one = live(disk.process(), durability, &still).await.expect("it opens");
            let two = live(disk.process(), durability, &still).await.expect("it opens");
            one.submit(start("a")).await.expect("the disk is well");
            let leased = one.lease_orchestrations(lease("one")).await.expect("the disk is well");
            assert_eq!(leased.instances.len(), 1);
            // The commit, and the end of the turn.
            disk.strike(Strike::at(Kind::Sync, 1, Verdict::Fail));
            disk.strike(Strike::at(Kind::Unlock, 1, Verdict::Kill));
            one.submit(start("b")).await.expect_err("the process is dead");
            two.submit(start("c")).await.expect("the disk is well");
        });
        disk.cut_power();
        runtime.block_on(async {
            let store = live(disk.process(), durability, &still).await.expect("it opens");
            assert_eq!(look(&store, &acknowledged).await, 0, "seed {seed}");
        });
    }
}

/// What is written over itself may be torn when the power is cut.
#[test]
fn power_that_is_cut_while_the_log_is_mended_takes_nothing_that_was_acknowledged() {
    let acknowledged = Acknowledged::from([("a".to_owned(), 0), ("b".to_owned(), 0)]);
    let (runtime, mut copies) =
        (tokio::runtime::Builder::new_current_thread().build().expect("a runtime"), 0);
    for seed in 0..1_000 {
        let (disk, still) = (Disk::new(seed), Still(Arc::new(AtomicU64::new(seed << 32))));
        runtime.block_on(async {
            let durability = Durability::Full;
            let store = live(disk.process(), durability, &still).await.expect("it opens");
            for id in acknowledged.keys() {
                store.submit(start(id)).await.expect("the disk is well");
            }
            disk.strike(Strike::at(Kind::Sync, 1, Verdict::Fail));
            if seed % 2 == 1 {
                // After the commit, the note and the copy, the log: it is begun again.
                disk.strike(Strike::at(Kind::Sync, 4, Verdict::Fail));
            }
            disk.strike(Strike::at_change(1 + Draw::new(seed).below(30), Verdict::CutPower));
            for id in ["c", "d", "e"] {
                // Whatever becomes of it.
                let _ = store.submit(start(id)).await;
            }
            drop(store);
            disk.heal();
            disk.cut_power();
            copies += u64::from(disk.files().iter().any(|file| file.ends_with("-wal-copy")));
            let store = live(disk.process(), durability, &still).await.expect("it opens");
            assert_eq!(look(&store, &acknowledged).await, 0, "seed {seed}");
        });
        disk.kill();
        check(&disk, seed);
    }
    assert!(copies > 50, "only {copies} were left");
}

/// As [`work`], but what failed is asked for again, as a runtime does, while there is a process.
async fn persevere(
    store: &SqliteProvider,
    life: u64,
    acknowledged: &mut Acknowledged,
    kept: &mut Kept,
) {
    for n in 0..20 {
        let id = format!("{life}-{n}");
        if again(|| store.submit(start(&id))).await.is_none() {
            return;
        }
        acknowledged.insert(id, 0);
        kept.submits += 1;
        let Some(leased) = again(|| store.lease_orchestrations(lease("node"))).await else {
            return;
        };
        for got in leased.instances {
            let id = got.key.id.to_string();
            let turn = Run::new(got, "node").step();
            let events = turn.turn.events.len();
            match again(|| store.commit_turn(turn.clone())).await {
                Some(CommitOutcome::Applied(_)) => acknowledged.insert(id, events),
                Some(other) => panic!("{id}: {other:?}"),
                None => return,
            };
            kept.turns += 1;
        }
    }
}

/// The answer; none if it does not come in ten times.
async fn again<T, F: Future<Output = Result<T, ProviderError>>>(
    mut ask: impl FnMut() -> F,
) -> Option<T> {
    for _ in 0..10 {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(ProviderError::Busy { .. } | ProviderError::Unknown { .. }) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Without its log a store would lose what it has acknowledged: a journal comes back when the
/// power is cut. SQLite goes on without one if the disk fails where it is asked for.
#[test]
fn a_store_that_meets_a_failing_disk_keeps_a_log_or_does_not_open() {
    let mut opened = 0;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for change in 1..=120 {
        let disk = Disk::new(change);
        let still = Still(Arc::default());
        disk.strike(Strike::at_change(change, Verdict::Fail));
        runtime.block_on(async {
            let storage = Arc::new(disk.process());
            let options = SqliteOptions { storage, ..SqliteOptions::new(FILE) };
            if let Ok(store) = SqliteProvider::open(still.env(), options).await {
                opened += 1;
                disk.heal();
                assert_eq!(journal_mode(&disk), "wal", "change {change} of the disk failed");
                store.close().await.unwrap();
            }
        });
    }
    assert!((1..120).contains(&opened), "{opened}");
}

fn journal_mode(disk: &Disk) -> String {
    let process = disk.process();
    let flags = OpenFlags::default();
    let sql =
        Connection::open_with_flags_and_vfs(FILE, flags, process.vfs()).expect("it is healed");
    sql.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("it is healed")
}

/// Lock files too die with their process: who comes next waits for nobody, and knows that
/// what was held is abandoned.
#[test]
fn the_lock_files_of_a_dead_process_are_free() {
    let disk = Disk::new(1);
    let still = Still(Arc::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (one, two) = (disk.process(), disk.process());
        let first = live(one.clone(), Durability::Full, &still).await.unwrap();
        first.submit(start("a")).await.unwrap();
        let held = first.lease_orchestrations(lease("first")).await.unwrap();
        assert_eq!(held.instances.len(), 1);
        let second = live(two, Durability::Full, &still).await.unwrap();
        let locks = || disk.files().iter().filter(|file| file.contains(".lock")).count();
        assert_eq!(locks(), 3, "{:?}", disk.files());
        assert!(second.lease_orchestrations(lease("second")).await.unwrap().instances.is_empty());
        one.kill();
        still.0.fetch_add(1_000, Ordering::SeqCst);
        let taken = second.lease_orchestrations(lease("second")).await.unwrap();
        assert_eq!(taken.instances.len(), 1);
        assert!(first.submit(start("b")).await.is_err());
        assert_eq!(locks(), 2, "{:?}", disk.files());
    });
}

#[test]
fn a_read_that_the_disk_breaks_off_says_so_and_may_be_asked_again() {
    let (disk, still) = (Disk::new(1), Still(Arc::new(AtomicU64::new(1))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let durability = Durability::Full;
        let store = live(disk.process(), durability, &still).await.expect("it opens");
        for n in 0..50 {
            store.submit(start(&format!("i-{n}"))).await.expect("the disk is well");
        }
        // So that what is read is not all in the reader's memory.
        store.close().await.expect("it closes");
        let mut broken_off = 0;
        for nth in 1..=20 {
            let store = live(disk.process(), durability, &still).await.expect("it opens");
            disk.strike(Strike::at(Kind::Read, nth, Verdict::Fail));
            match store.instance(InstanceKey::new("i-7")).await {
                Ok(found) => assert!(found.is_some(), "read {nth}"),
                Err(error) => {
                    assert!(error.is_transient(), "read {nth}: {error}");
                    broken_off += 1;
                }
            }
            disk.heal();
            let again = store.instance(InstanceKey::new("i-7")).await.expect("the disk is well");
            assert!(again.is_some(), "read {nth}");
        }
        assert!(broken_off > 0, "no read met the strike");
    });
}
