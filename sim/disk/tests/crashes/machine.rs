//! What a process has of its machine: locks, shared memory, time, a death; and what the one
//! who owns the machine learns.

use crate::ledger::*;
use duroxide_sim_disk::{Disk, Kind, Role, Strike, Verdict};
use rusqlite::ErrorCode;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn two_processes_share_a_database_and_its_locks() {
    for mode in [WAL_FULL, DELETE_FULL] {
        let disk = Disk::new(1);
        let (a, b) = (disk.process(), disk.process());
        let (one, two) = (open(&a, mode).unwrap(), open(&b, mode).unwrap());
        two.busy_timeout(Duration::ZERO).unwrap();
        commit(&one, 1).unwrap();
        assert_eq!(verify(&two), Ok(1));
        one.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(code(&commit(&two, 2)), Some(ErrorCode::DatabaseBusy), "{mode:?}");
        // The lock goes with its holder; nobody has to wait.
        a.kill();
        assert!(b.is_alive() && !a.is_alive());
        commit(&two, 2).unwrap();
        drop(one);
        assert_eq!(verify(&two), Ok(2));
    }
}

#[test]
fn a_dead_process_changes_nothing_any_more() {
    for mode in [WAL_NORMAL, DELETE_FULL] {
        let disk = Disk::new(1);
        let process = disk.process();
        let sql = open(&process, mode).unwrap();
        commit(&sql, 1).unwrap();
        sql.execute_batch("BEGIN; UPDATE seal SET tx = 9; SAVEPOINT a").unwrap();
        process.kill();
        let state = || disk.files().into_iter().map(|file| (disk.bytes(&file), file));
        let before: Vec<_> = state().collect();
        let (unsynced, operations) = (disk.unsynced(), disk.operations());
        disk.on_operation(Arc::new(|operation| panic!("a dead one was heard: {operation:?}")));
        assert!(sql.execute_batch("COMMIT").is_err());
        assert!(commit(&sql, 2).is_err() && open(&process, mode).is_err());
        drop(sql);
        assert_eq!(before, state().collect::<Vec<_>>());
        assert_eq!((unsynced, operations), (disk.unsynced(), disk.operations()));
        disk.heal();
        assert_eq!(verify(&open(&disk.process(), mode).unwrap()), Ok(1));
    }
}

#[test]
fn the_clock_and_waiting_are_the_machines() {
    let disk = Disk::new(1);
    disk.set_time_ms(1_000_000_000_000);
    let (a, b) = (disk.process(), disk.process());
    let (one, two) = (open(&a, WAL_FULL).unwrap(), open(&b, WAL_FULL).unwrap());
    let now: String = one.query_row("SELECT datetime('now')", [], |row| row.get(0)).unwrap();
    assert_eq!(now, "2001-09-09 01:46:40");
    assert_eq!(disk.take_latency(), Duration::ZERO);
    one.execute_batch("BEGIN IMMEDIATE").unwrap();
    two.busy_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(code(&commit(&two, 1)), Some(ErrorCode::DatabaseBusy));
    let waited = disk.take_latency();
    assert!((4_500..=5_000).contains(&waited.as_millis()), "{waited:?}");
    one.execute_batch("ROLLBACK").unwrap();
    disk.strike(Strike::at(Kind::Sync, 1, Verdict::Slow(Duration::from_secs(7))));
    commit(&one, 1).unwrap();
    assert_eq!(disk.take_latency(), Duration::from_secs(7));
    assert_eq!(disk.counts().slow, 1);
}

#[test]
fn every_call_is_told_before_it_acts() {
    let disk = Disk::new(1);
    let sql = open(&disk.process(), WAL_FULL).unwrap();
    commit(&sql, 1).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    disk.on_operation(Arc::new(move |operation| {
        telling.lock().unwrap().push((operation.role, operation.kind));
        let last = (operation.role, operation.kind) == (Role::Wal, Kind::Sync);
        if last { Verdict::CutPower } else { Verdict::Go }
    }));
    assert!(commit(&sql, 2).is_err());
    let told = told.lock().unwrap();
    assert_eq!(told.last(), Some(&(Role::Wal, Kind::Sync)));
    assert!(told.contains(&(Role::Wal, Kind::Write)) && told.contains(&(Role::Shm, Kind::LockShm)));
    disk.heal();
    assert!(matches!(verify(&open(&disk.process(), WAL_FULL).unwrap()), Ok(1 | 2)));
}

#[test]
fn a_hook_may_kill_the_one_that_calls() {
    let disk = Disk::new(1);
    let sql = open(&disk.process(), WAL_FULL).unwrap();
    commit(&sql, 1).unwrap();
    let unsynced = Arc::new(Mutex::new(None));
    let (machine, found) = (disk.clone(), Arc::clone(&unsynced));
    disk.on_operation(Arc::new(move |operation| {
        if operation.kind == Kind::Write {
            machine.kill();
            found.lock().unwrap().get_or_insert(machine.unsynced());
        }
        Verdict::Go
    }));
    assert!(commit(&sql, 2).is_err());
    assert_eq!(*unsynced.lock().unwrap(), Some(disk.unsynced()));
    disk.heal();
    assert_eq!(verify(&open(&disk.process(), WAL_FULL).unwrap()), Ok(1));
}

#[test]
fn temporary_files_have_no_name_and_go_with_their_handle() {
    let disk = Disk::new(1);
    let sql = open(&disk.process(), WAL_FULL).unwrap();
    let kinds = Arc::new(Mutex::new(0));
    let counting = Arc::clone(&kinds);
    disk.on_operation(Arc::new(move |operation| {
        let temp = (operation.role, operation.kind) == (Role::Temp, Kind::Write);
        *counting.lock().unwrap() += u64::from(temp);
        Verdict::Go
    }));
    let files = disk.files();
    sql.execute_batch(
        "PRAGMA temp_store = FILE; CREATE TEMP TABLE big(x); PRAGMA temp.cache_size = 10;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO big SELECT randomblob(500) FROM n",
    )
    .unwrap();
    assert!(*kinds.lock().unwrap() > 100);
    assert_eq!(disk.files(), files);
}

/// A run that meets every kind of fault: what it did, and what is left.
fn run(seed: u64) -> String {
    let disk = Disk::new(seed);
    let mut draw = Draw::new(seed);
    let mut last = 0;
    for life in 0..6 {
        let process = disk.process();
        let verdict = [Verdict::Kill, Verdict::CutPower, Verdict::CutPower][life % 3];
        disk.strike(Strike::at_change(40 + draw.below(200), verdict));
        disk.strike(Strike::at(Kind::Read, 5 + draw.below(50), Verdict::Fail));
        let Ok(sql) = open(&process, [WAL_NORMAL, WAL_FULL][life % 2]) else { continue };
        for tx in last + 1..last + 60 {
            let _ = commit(&sql, tx);
        }
        disk.heal();
        last = open(&disk.process(), WAL_FULL).ok().and_then(|sql| verify(&sql).ok()).unwrap_or(0);
    }
    let database = disk.bytes(FILE).unwrap_or_default();
    let sum = database.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(*byte));
    format!("{:x} {sum:x} {last} {:?}", disk.trace(), disk.counts())
}

const CHILD: &str = "DUROXIDE_SIM_DISK_TEST_CHILD";

#[test]
fn the_same_seed_is_the_same_run_in_this_process_and_in_another() {
    let runs: Vec<String> = (0..40).map(run).collect();
    if std::env::var_os(CHILD).is_some() {
        for run in &runs {
            println!("run {run}");
        }
        return;
    }
    assert_eq!(runs, (0..40).map(run).collect::<Vec<_>>());
    assert_ne!(runs[0], runs[1]);
    let name = "machine::the_same_seed_is_the_same_run_in_this_process_and_in_another";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.env(CHILD, "1").args([name, "--exact", "--nocapture"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let theirs: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("run ")).collect();
    assert_eq!(runs, theirs);
}
