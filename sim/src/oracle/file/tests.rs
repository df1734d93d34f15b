//! Damaged and littered files of the production provider, on the simulated disk.

use super::{INTEGRITY, LEFT_OVER, ROWS, is_whole_and_empty};
use crate::plan::Plan;
use crate::stage::Stage;
use crate::swarm::Swarm;
use crate::workload::Orders;
use crate::world::World;
use crate::wrong::{Verdict, Wrong};
use duroxide_sim_disk::Disk;
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use rusqlite::{Connection, OpenFlags};
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "/store.db";
/// An instance that has ended, with something of each kind that may stay.
const ENDED: &str = "
    INSERT INTO instances (incarnation, ns, id, name, state, root, created_at, updated_at)
        VALUES (1, '', 'a', 'n', 1, 1, 0, 0);
    INSERT INTO executions (incarnation, execution, started_at) VALUES (1, 1, 0);
    INSERT INTO events VALUES (1, 1, 1, 2, CAST('the quick brown fox' AS BLOB));
    INSERT INTO statuses VALUES (1, 'x', NULL);
    INSERT INTO kv VALUES (1, 'k', 'v', 0);";
/// One row too many, for each kind of row.
const LITTER: [&str; LEFT_OVER.len()] = [
    "INSERT INTO inbox (incarnation, visible_at, kind, body) VALUES (1, 0, 0, x'00')",
    "INSERT INTO activities (incarnation, execution, event, ns, name, encoding, input, seq, attempt,
         visible_at, lease_until) VALUES (1, 1, 1, '', 'n', 0, x'00', 0, 0, 0, 0)",
    "UPDATE instances SET ready_at = 0",
    "INSERT INTO executions (incarnation, execution, started_at) VALUES (2, 1, 0)",
    "INSERT INTO events VALUES (1, 2, 1, 1, x'00')",
    "INSERT INTO statuses VALUES (2, 'x', NULL)",
    "INSERT INTO kv VALUES (2, 'k', 'v', 0)",
    "INSERT INTO kv_base VALUES (2, 'k', 'v', 0)",
    "INSERT INTO abandoned VALUES (x'01', 2, NULL)",
];

/// A store that the production provider made, with this done to it, and all of it in the file.
fn store(and: &str) -> Disk {
    let disk = Disk::new(1);
    let process = disk.process();
    let stage = Stage::new(Plan::draw(1, &Orders, &Swarm::calm()), false);
    let mut world = World::new(&stage);
    world.client("client-1", |_, env| async move {
        let options = SqliteOptions { storage: Arc::new(process), ..SqliteOptions::new(FILE) };
        SqliteProvider::open(env, options).await?;
        Ok(())
    });
    world.run(Duration::from_mins(1)).unwrap();
    let whole = format!("{ENDED}{and}; PRAGMA wal_checkpoint(TRUNCATE)");
    open(&disk).execute_batch(&whole).unwrap();
    disk
}

fn open(disk: &Disk) -> Connection {
    Connection::open_with_flags_and_vfs(FILE, OpenFlags::default(), disk.process().vfs()).unwrap()
}

fn look(disk: &Disk) -> Verdict {
    is_whole_and_empty(&open(disk))
}

/// Where the file has this text.
fn offset_of(disk: &Disk, text: &str) -> u64 {
    let file = disk.bytes(FILE).unwrap();
    let found = file.windows(text.len()).position(|bytes| bytes == text.as_bytes());
    found.unwrap() as u64
}

#[test]
fn a_store_in_which_all_has_ended_passes() {
    look(&store("")).unwrap();
}

#[test]
fn each_row_too_many_is_found() {
    for ((what, _), litter) in LEFT_OVER.iter().zip(LITTER) {
        let wrong = look(&store(litter)).unwrap_err();
        assert_eq!(wrong, Wrong::of(ROWS, format!("1 rows are left: {what}")));
    }
    let wrong = look(&store("UPDATE instances SET lease = x'01'")).unwrap_err();
    assert_eq!(wrong.oracle, ROWS);
}

#[test]
fn a_bit_that_changed_where_the_file_says_what_it_is_or_has_is_found() {
    let disk = store("");
    let size = open(&disk).query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).unwrap();
    // The text before all; the kind of the page of `events`, and how many cells it has.
    let page = offset_of(&disk, "quick") / size as u64 * size as u64;
    for offset in [0, page, page + 4] {
        let disk = store("");
        disk.flip_bit(FILE, offset, 1);
        assert_eq!(look(&disk).unwrap_err().oracle, INTEGRITY, "byte {offset}");
    }
}

#[test]
fn a_bit_that_changed_within_a_value_is_not() {
    let disk = store("");
    disk.flip_bit(FILE, offset_of(&disk, "quick"), 0);
    look(&disk).unwrap();
}
