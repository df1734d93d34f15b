//! Transactions whose traces show what a crash did to them: which are there, and whether each
//! is there whole.

use duroxide_sim_disk::{Disk, Process, Strike, Verdict};
use rusqlite::{Connection, ErrorCode, OpenFlags, Result};

pub(crate) const FILE: &str = "/app.db";
/// Rows that each transaction changes.
const SEALS: u64 = 3;

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) journal: &'static str,
    pub(crate) synchronous: &'static str,
}

pub(crate) const WAL_FULL: Mode = Mode { journal: "WAL", synchronous: "FULL" };
pub(crate) const WAL_NORMAL: Mode = Mode { journal: "WAL", synchronous: "NORMAL" };
pub(crate) const WAL_OFF: Mode = Mode { journal: "WAL", synchronous: "OFF" };
pub(crate) const DELETE_FULL: Mode = Mode { journal: "DELETE", synchronous: "FULL" };
pub(crate) const DELETE_EXTRA: Mode = Mode { journal: "DELETE", synchronous: "EXTRA" };
pub(crate) const DELETE_OFF: Mode = Mode { journal: "DELETE", synchronous: "OFF" };
pub(crate) const TRUNCATE_FULL: Mode = Mode { journal: "TRUNCATE", synchronous: "FULL" };

/// A few numbers from a seed.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

pub(crate) fn connect(process: &Process) -> Result<Connection> {
    Connection::open_with_flags_and_vfs(FILE, OpenFlags::default(), process.vfs())
}

/// Open, or create.
pub(crate) fn open(process: &Process, mode: Mode) -> Result<Connection> {
    let sql = connect(process)?;
    sql.pragma_update_and_check(None, "journal_mode", mode.journal, |_| Ok(()))?;
    sql.pragma_update(None, "synchronous", mode.synchronous)?;
    sql.pragma_update(None, "wal_autocheckpoint", 30)?;
    sql.execute_batch(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS entry(tx INTEGER, part INTEGER, body BLOB,
                                          PRIMARY KEY (tx, part));
         CREATE TABLE IF NOT EXISTS seal(id INTEGER PRIMARY KEY, tx INTEGER, body BLOB);
         INSERT OR IGNORE INTO seal VALUES (0, 0, x''), (1, 0, x''), (2, 0, x'');
         COMMIT",
    )?;
    Ok(sql)
}

fn parts(tx: u64) -> u64 {
    1 + tx % 4
}

fn body(tx: u64, part: u64) -> Vec<u8> {
    let len = 40 + (tx * 7 + part * 13) % 17 * 170;
    (0..len).map(|at| (tx * 31 + part * 7 + at) as u8).collect()
}

/// One transaction.
pub(crate) fn commit(sql: &Connection, tx: u64) -> Result<()> {
    if !sql.is_autocommit() {
        sql.execute_batch("ROLLBACK")?;
    }
    sql.execute_batch("BEGIN IMMEDIATE")?;
    for part in 0..parts(tx) {
        let mut insert = sql.prepare_cached("INSERT INTO entry VALUES (?1, ?2, ?3)")?;
        insert.execute((tx, part, body(tx, part)))?;
    }
    let mut seal = sql.prepare_cached("UPDATE seal SET tx = ?1, body = ?2 WHERE id = ?3")?;
    for id in 0..SEALS {
        seal.execute((tx, body(tx, id), id))?;
    }
    sql.prepare_cached("COMMIT")?.execute([]).map(|_| ())
}

/// What is wrong with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It cannot be opened or read, or `integrity_check` complains.
    Corrupt,
    /// A transaction is there in part.
    Torn,
}

/// The last transaction that is there. All before it are, whole, and none after it.
pub(crate) fn verify(sql: &Connection) -> std::result::Result<u64, Wrong> {
    let broken = |_| Wrong::Corrupt;
    let check: String =
        sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(broken)?;
    if check != "ok" {
        return Err(Wrong::Corrupt);
    }
    let mut seals = sql.prepare("SELECT tx, body, id FROM seal ORDER BY id").map_err(broken)?;
    let seals: Vec<(u64, Vec<u8>, u64)> = seals
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .map_err(broken)?;
    let last = seals.first().ok_or(Wrong::Torn)?.0;
    let sealed = |(tx, found, id): &(u64, Vec<u8>, u64)| {
        *tx == last && (last == 0 && found.is_empty() || *found == body(last, *id))
    };
    if seals.len() as u64 != SEALS || !seals.iter().all(sealed) {
        return Err(Wrong::Torn);
    }
    let mut found =
        sql.prepare("SELECT tx, part, body FROM entry ORDER BY 1, 2").map_err(broken)?;
    let mut rows = found.query([]).map_err(broken)?;
    for tx in 1..=last {
        for part in 0..parts(tx) {
            let row = rows.next().map_err(broken)?.ok_or(Wrong::Torn)?;
            let read = || Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?, row.get(2)?));
            let read: Result<(u64, u64, Vec<u8>)> = read();
            if read.map_err(broken)? != (tx, part, body(tx, part)) {
                return Err(Wrong::Torn);
            }
        }
    }
    if rows.next().map_err(broken)?.is_some() { Err(Wrong::Torn) } else { Ok(last) }
}

/// What crashes did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) crashes: u64,
    pub(crate) acknowledged: u64,
    /// Crashes after which an acknowledged transaction was gone.
    pub(crate) lost: u64,
    /// Commits that failed and were there nevertheless.
    pub(crate) unknown: u64,
    pub(crate) torn: u64,
    pub(crate) corrupt: u64,
    /// Unsynced sectors that crashes met, and what of them came back as garbage.
    pub(crate) sectors: u64,
    pub(crate) garbage: u64,
    /// Names and lengths that came back as before.
    pub(crate) metadata: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.unknown += other.unknown;
        self.torn += other.torn;
        self.corrupt += other.corrupt;
        self.sectors += other.sectors;
        self.garbage += other.garbage;
        self.metadata += other.metadata;
    }
}

pub(crate) const CRASHES: u64 = 4;

/// Commit, crash at any call, recover, and look; some times over. Stops at damage.
pub(crate) fn crash_often(disk: &Disk, seed: u64, mode: Mode, crash: Verdict) -> Tally {
    let mut draw = Draw::new(seed);
    let mut tally = Tally::default();
    let (mut acknowledged, mut attempted) = (0, 0);
    for life in 0..=CRASHES {
        let process = disk.process();
        let last_life = life == CRASHES;
        if !last_life {
            // A few strike while the one before is recovered from.
            let reach = if draw.below(4) == 0 { 30 } else { 300 };
            disk.strike(Strike::at_change(1 + draw.below(reach), crash));
        }
        let opened = open(&process, mode);
        if process.is_alive() {
            match opened.map_err(|_| Wrong::Corrupt).and_then(|sql| Ok((verify(&sql)?, sql))) {
                Err(_) if !process.is_alive() => {}
                Err(Wrong::Corrupt) => return Tally { corrupt: 1, ..tally },
                Err(Wrong::Torn) => return Tally { torn: 1, ..tally },
                Ok((last, sql)) => {
                    assert!(last <= attempted, "{last} came from nowhere");
                    tally.lost += u64::from(last < acknowledged);
                    tally.unknown += u64::from(last > acknowledged);
                    (acknowledged, attempted) = (last, last);
                    while !last_life && process.is_alive() {
                        attempted += 1;
                        if commit(&sql, attempted).is_ok() {
                            acknowledged = attempted;
                            tally.acknowledged += 1;
                        }
                    }
                }
            }
        }
        tally.crashes += u64::from(!last_life);
    }
    tally
}

/// Many seeds of the same.
#[expect(clippy::print_stdout, reason = "the numbers are the documentation")]
pub(crate) fn crash_seeds(seeds: u64, mode: Mode, crash: Verdict) -> Tally {
    let mut all = Tally::default();
    for seed in 0..seeds {
        let disk = Disk::new(seed);
        all.add(crash_often(&disk, seed, mode, crash));
        let met = disk.counts();
        all.sectors += met.sectors_old + met.sectors_new + met.sectors_between;
        all.sectors += met.sectors_garbage;
        all.garbage += met.sectors_garbage;
        all.metadata += met.names_lost + met.sizes_lost;
    }
    println!("{mode:?} {crash:?}, {seeds} seeds: {all:?}");
    all
}

/// What SQLite calls an error.
pub(crate) fn code(result: &Result<()>) -> Option<ErrorCode> {
    result.as_ref().err().and_then(rusqlite::Error::sqlite_error_code)
}
