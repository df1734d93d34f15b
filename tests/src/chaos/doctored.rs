//! What an observer finds in a store, each put there by hand: a look that finds nothing must be
//! able to find something. The same on both stores.

use super::postgres::Postgres;
use super::sqlite_tables::SqliteTables;
use super::tables::Tables;
use crate::{Scratch, open};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_provider::Inspect;
use duroxide_runtime::system_env;
use rusqlite::Connection;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use tokio::runtime::Runtime;

/// Of a SQLite file.
const PAGE: u64 = 4_096;
/// An instance that has ended, and one that runs, with nothing of theirs.
const BASE: &str = "
  INSERT INTO instances (incarnation, ns, id, name, root, created_at, updated_at, state)
  VALUES (1, '', 'ended', 'A', 1, 0, 0, 1), (2, '', 'runs', 'A', 2, 0, 0, 0);";
const CLEAN: &str = "
  DELETE FROM instances; DELETE FROM executions; DELETE FROM events; DELETE FROM statuses;
  DELETE FROM inbox; DELETE FROM activities; DELETE FROM kv; DELETE FROM kv_base;
  DELETE FROM sessions; DELETE FROM abandoned;";

/// What is put there, and what is said of it. `UUID`, `BYTES`, `TRUE` and `ROOM` are as the store
/// writes them.
const LEFT: [(&str, &str); 16] = [
    ("UPDATE instances SET lease = UUID", "2 instances that are leased"),
    ("UPDATE instances SET ready_at = 5 WHERE state = 1", "1 instances that are ready"),
    ("UPDATE instances SET offer = UUID WHERE id = 'runs'", "1 instances with news on offer"),
    ("UPDATE instances SET quarantine = 'why' WHERE id = 'ended'", "1 instances in quarantine"),
    (
        "INSERT INTO executions (incarnation, execution, started_at) VALUES (1, 1, 0)",
        "1 executions that have not ended",
    ),
    (
        "INSERT INTO inbox (id, incarnation, visible_at, kind, body) VALUES (1, 1, 0, 4, BYTES)",
        "1 messages",
    ),
    (
        "INSERT INTO inbox (id, incarnation, visible_at, kind, body, seen)
         VALUES (1, 1, 0, 4, BYTES, TRUE)",
        "1 messages",
    ),
    (
        "INSERT INTO activities (incarnation, execution, event, ns, name, encoding, input, seq,
           attempt, visible_at, lease_until) VALUES (1, 1, 2, '', 'A', 0, BYTES, 1, 1, 0, 0)",
        "1 activities",
    ),
    (
        "INSERT INTO kv_base (incarnation, key, value, updated_at) VALUES (1, 'k', 'v', 0)",
        "1 values of an execution before",
    ),
    ("INSERT INTO abandoned (incarnation, commit_id) VALUES (2, UUID)", "could still come"),
    ("INSERT INTO abandoned (incarnation, commit_id) VALUES (9, UUID)", "1 rows of nobody"),
    (
        "INSERT INTO executions (incarnation, execution, started_at, state) VALUES (9, 1, 0, 1)",
        "1 rows of nobody",
    ),
    (
        "INSERT INTO events (incarnation, execution, first_event, last_event, bytes)
         VALUES (9, 1, 1, 1, BYTES)",
        "1 rows of nobody",
    ),
    ("INSERT INTO statuses (incarnation) VALUES (9)", "1 rows of nobody"),
    (
        "INSERT INTO kv (incarnation, key, value, updated_at) VALUES (9, 'k', 'v', 0)",
        "1 rows of nobody",
    ),
    (
        "INSERT INTO sessions (ns, session, node, node_run, owner, idle_ms, idle_until, node_max)
         VALUES ('', 's', 'n', 1, 1, 1000, 9000000000000, 1)",
        "1 sessions that somebody owns",
    ),
];

fn every_finding(tables: &mut dyn Tables, run: &dyn Fn(&str)) {
    for (put, said) in LEFT {
        run(&format!("{BASE} {put}"));
        let left = tables.left_over().unwrap().join(", ");
        assert!(left.contains(said), "{put}: {left}");
        run(CLEAN);
        assert_eq!(tables.left_over().unwrap(), Vec::<String>::new(), "{put}");
    }
}

/// What is said of an instance that does not go on.
fn what_runs(tables: &mut dyn Tables, run: &dyn Fn(&str)) {
    let (message, activity) = (LEFT[5].0, LEFT[7].0);
    run(&format!(
        "{BASE} {message}; {activity}; UPDATE inbox SET incarnation = 2;
        UPDATE activities SET incarnation = 2;
        UPDATE instances SET lease = UUID, lease_until = 70, node = 'place-1' WHERE id = 'runs'"
    ));
    let runs = "runs: execution 1, next event 1, ready at no time, leased until 70 by place-1, attempt 0, \
                messages 1, activities 1, of these leased 0";
    assert_eq!(tables.running().unwrap(), [runs]);
    assert_eq!(tables.counts().unwrap(), (2, 1));
    run(CLEAN);
}

/// What was committed, as it is, and after somebody took it away.
fn what_is_committed(tables: &mut dyn Tables, run: &dyn Fn(&str)) {
    run(&format!("{BASE} {}; UPDATE events SET incarnation = 1", LEFT[12].0));
    let earlier = tables.snapshot().unwrap();
    assert_eq!((earlier.instances.len(), earlier.commits.len()), (2, 1));
    let before = tables.progress().unwrap();
    run("UPDATE instances SET next_event = next_event + 1");
    assert_eq!(tables.progress().unwrap(), before + 2);
    run("DELETE FROM events");
    let unlike = tables.snapshot().unwrap().unlike(&earlier).join(", ");
    assert!(unlike.contains("the commit (1, 1, 1) is gone"), "{unlike}");
    run(CLEAN);
}

fn all(tables: &mut dyn Tables, run: &dyn Fn(&str)) {
    every_finding(tables, run);
    what_runs(tables, run);
    what_is_committed(tables, run);
    assert_eq!(tables.unsound().unwrap(), Vec::<String>::new());
}

#[test]
fn whatever_is_left_in_a_file_is_found() {
    let scratch = Scratch::new("doctored");
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(open(&scratch.database()));
    let mut tables = SqliteTables::open(scratch.database().as_ref()).unwrap();
    assert_eq!(tables.handles().unwrap(), 1);
    runtime.block_on(store.close()).unwrap();
    assert_eq!(tables.handles().unwrap(), 0);
    let hand = Connection::open(scratch.database()).unwrap();
    let run = |sql: &str| {
        let sql = sql.replace("UUID", "x'01'").replace("BYTES", "x'7b'");
        hand.execute_batch(&sql).unwrap();
    };
    all(&mut tables, &run);
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'inbox_unseen'";
    let root: u64 = hand.query_row(root, [], |row| row.get(0)).unwrap();
    run("PRAGMA wal_checkpoint(TRUNCATE)");
    let file = OpenOptions::new().write(true).open(scratch.database()).unwrap();
    file.write_all_at(&[0xFF; 16], (root - 1) * PAGE).unwrap();
    let mut tables = SqliteTables::open(scratch.database().as_ref()).unwrap();
    assert_ne!(tables.unsound().unwrap(), Vec::<String>::new());
}

#[test]
fn whatever_is_left_on_a_server_is_found() {
    let postgres = Postgres::start(0).unwrap();
    let config = postgres.config(0);
    let options = PostgresOptions::new(config["postgres"].as_str().unwrap())
        .schema(config["schema"].as_str().unwrap());
    let runtime = Runtime::new().unwrap();
    let store =
        runtime.block_on(async { PostgresProvider::connect(system_env(), options).await }).unwrap();
    let mut tables = postgres.tables().unwrap();
    assert_eq!(tables.handles().unwrap(), 1);
    runtime.block_on(store.close()).unwrap();
    assert_eq!(tables.handles().unwrap(), 0);
    let run = |sql: &str| {
        let sql = sql.replace("UUID", "gen_random_uuid()").replace("BYTES", "'\\x7b'");
        postgres.run(&sql).unwrap();
    };
    all(tables.as_mut(), &run);
    run("UPDATE pg_index SET indisready = false WHERE indexrelid = 'inbox_unseen'::regclass");
    run(&format!("{BASE} {}", LEFT[5].0));
    run("UPDATE pg_index SET indisready = true WHERE indexrelid = 'inbox_unseen'::regclass");
    let unsound = tables.unsound().unwrap().join(", ");
    assert!(unsound.contains("inbox_unseen"), "{unsound}");
}
