//! Faults that leave the process alive: no room, IO errors, syncs that lie, bits that rot.

use crate::ledger::*;
use duroxide_sim_disk::{Disk, Kind, Role, Strike, Verdict};
use rusqlite::{Connection, ErrorCode};

/// The last transaction as a connection sees it, whatever it stumbled over before.
fn last_of(sql: &Connection) -> u64 {
    let ask = || sql.query_row("SELECT tx FROM seal WHERE id = 0", [], |row| row.get(0));
    (0..5).find_map(|_| ask().ok()).expect("the fault is over")
}

/// The power goes, and nothing acknowledged with it.
fn survives(disk: &Disk, mode: Mode, acknowledged: u64, attempted: u64, what: &str) {
    disk.heal();
    disk.cut_power();
    let sql = open(&disk.process(), mode).expect(what);
    let last = verify(&sql).expect(what);
    assert!((acknowledged..=attempted).contains(&last), "{what}: {last} of {acknowledged}");
}

#[test]
fn a_full_disk_fails_the_transaction_and_nothing_else() {
    for (seed, mode) in (0..100).flat_map(|seed| [(seed, WAL_FULL), (seed, DELETE_EXTRA)]) {
        let disk = Disk::new(seed);
        let mut draw = Draw::new(seed);
        let sql = open(&disk.process(), mode).unwrap();
        for tx in 1..=5 {
            commit(&sql, tx).unwrap();
        }
        disk.set_free_space(Some(draw.below(60_000)));
        let mut acknowledged = 5;
        let failed = loop {
            match commit(&sql, acknowledged + 1) {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
            assert!(acknowledged < 1_000, "it is never full");
        };
        assert_eq!(failed.sqlite_error_code(), Some(ErrorCode::DiskFull), "{failed}");
        assert!(disk.counts().disk_full > 0);
        assert_eq!(verify(&sql), Ok(acknowledged), "seed {seed}, {mode:?}");
        disk.set_free_space(None);
        for _ in 0..5 {
            commit(&sql, acknowledged + 1).unwrap();
            acknowledged += 1;
        }
        survives(&disk, mode, acknowledged, acknowledged, &format!("seed {seed}, {mode:?}"));
    }
}

/// A sync that failed included: what it forgot is written again before it counts.
#[test]
fn an_io_error_of_any_kind_loses_no_commit_and_tears_none() {
    let changing = [Kind::Write, Kind::Sync, Kind::Truncate, Kind::Delete];
    let asking = [Kind::Read, Kind::Size, Kind::Exists, Kind::Open];
    let sharing = [Kind::Lock, Kind::MapShm, Kind::LockShm];
    for kind in changing.into_iter().chain(asking).chain(sharing) {
        let mut met = 0;
        for (seed, mode) in (0..60).flat_map(|seed| [(seed, WAL_FULL), (seed, DELETE_EXTRA)]) {
            met += struck(seed, mode, kind);
        }
        println!("{kind:?}: {met} errors");
        assert!(met > 0 || kind == Kind::Truncate, "{kind:?} was never struck");
    }
}

/// Commit with IO errors of this kind on the way. Gives how many met their call.
fn struck(seed: u64, mode: Mode, kind: Kind) -> u64 {
    let what = format!("seed {seed}, {mode:?}, {kind:?}");
    let disk = Disk::new(seed);
    let mut draw = Draw::new(seed);
    let mut process = disk.process();
    let mut sql = open(&process, mode).expect(&what);
    let (mut acknowledged, mut attempted) = (0, 0);
    for _ in 0..3 {
        disk.strike(Strike::at(kind, 1 + draw.below(25), Verdict::Fail));
        let mut next = attempted + 1;
        for _ in 0..6 {
            attempted = attempted.max(next);
            match commit(&sql, next) {
                Ok(()) => acknowledged = next,
                // Not there now; but if it is in the log, a recovery may find it yet.
                Err(_) => next = last_of(&sql),
            }
            next += 1;
        }
        // A transaction that failed may still be open.
        process.kill();
        process = disk.process();
        sql = (0..5).find_map(|_| open(&process, mode).ok()).expect(&what);
        let last = last_of(&sql);
        assert!((acknowledged..=attempted).contains(&last), "{what}: {last} of {acknowledged}");
        attempted = last;
    }
    let met = disk.counts().io_errors;
    survives(&disk, mode, acknowledged, attempted, &what);
    met
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    for mode in [WAL_FULL, DELETE_EXTRA] {
        let mut all = Tally::default();
        for seed in 0..200 {
            let disk = Disk::new(seed);
            disk.set_lying(true);
            all.add(crash_often(&disk, seed, mode, Verdict::CutPower));
            assert!(disk.counts().lied_syncs > 0 || disk.operations() < 100);
        }
        println!("{mode:?}, lying: {all:?}");
        assert!(all.lost > 0 && all.torn + all.corrupt > 100, "{all:?}");
    }
}

/// Without checksums SQLite cannot see a flip in what a row holds: who wants to know has to
/// have a checksum of his own.
#[test]
fn rot_in_the_structure_is_noticed_by_sqlite_and_rot_in_a_row_only_by_its_reader() {
    let disk = Disk::new(1);
    let sql = open(&disk.process(), WAL_FULL).unwrap();
    for tx in 1..=60 {
        commit(&sql, tx).unwrap();
    }
    drop(sql);
    let sound = disk.bytes(FILE).unwrap();
    let (mut checked, mut read, mut unseen) = (0, 0, 0);
    for _ in 0..600 {
        disk.rot(FILE).expect("all of it is durable");
        let flipped = disk.bytes(FILE).unwrap();
        assert_eq!(sound.iter().zip(&flipped).filter(|(a, b)| a != b).count(), 1);
        let sql = connect(&disk.process());
        let found = sql.map_err(|_| Wrong::Corrupt).and_then(|sql| verify(&sql));
        match found {
            Err(Wrong::Corrupt) => checked += 1,
            Err(Wrong::Torn) => read += 1,
            Ok(last) => {
                assert_eq!(last, 60);
                unseen += 1;
            }
        }
        disk.put(FILE, &sound);
    }
    println!("rot: {checked} by SQLite, {read} by the reader, {unseen} harmless");
    assert_eq!(disk.counts().flipped_bits, 600);
    assert!(checked > 0 && read > 200 && unseen > 20, "{checked}, {read}, {unseen}");
}

/// A page in the log has a checksum: rot there is noticed, though as an end of the log.
#[test]
fn rot_in_the_log_ends_it_and_tears_nothing() {
    let mut gone = 0;
    for seed in 0..200 {
        let disk = Disk::new(seed);
        let process = disk.process();
        let sql = open(&process, WAL_FULL).unwrap();
        for tx in 1..=4 {
            commit(&sql, tx).unwrap();
        }
        disk.cut_power();
        disk.rot("/app.db-wal").unwrap();
        let sql = connect(&disk.process()).unwrap();
        match verify(&sql) {
            Ok(last) => gone += 4 - last,
            // The log begins with the tables.
            Err(wrong) => assert_eq!(wrong, Wrong::Corrupt),
        }
    }
    assert!(gone > 20, "{gone}");
}

#[test]
fn a_failed_sync_of_the_log_is_not_made_good_by_the_next() {
    let disk = Disk::new(3);
    let process = disk.process();
    let sql = open(&process, WAL_FULL).unwrap();
    commit(&sql, 1).unwrap();
    disk.strike(Strike::at(Kind::Sync, 1, Verdict::Fail).on(Role::Wal));
    assert_eq!(code(&commit(&sql, 2)), Some(ErrorCode::SystemIoFailure));
    assert_eq!(disk.counts().failed_syncs, 1);
    assert_eq!(last_of(&sql), 1);
    commit(&sql, 2).unwrap();
    survives(&disk, WAL_FULL, 2, 2, "the second time");
}
