//! What can only be seen from inside: transactions that fail below the operations.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use crate::store::Tx;
use crate::{BeforeCommit, SqliteOptions, SqliteProvider};
use common::work::start;
use common::{Folder, env};
use duroxide_core::Payload;
use duroxide_provider::{Inspect, Provider, ProviderError, Submission, Submit, Submitted};
use rusqlite::StatementStatus;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use tokio::sync::Semaphore;

/// A store whose writer gathers three operations before each batch, once it is told to.
async fn gathering(folder: &Folder) -> (SqliteProvider, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(1_000));
    let hook_gate = Arc::clone(&gate);
    let before_commit: BeforeCommit = Arc::new(move || {
        let gate = Arc::clone(&hook_gate);
        Box::pin(async move { gate.acquire().await.unwrap().forget() })
    });
    let path = folder.file("store.db").to_str().unwrap().to_owned();
    let options = SqliteOptions { before_commit: Some(before_commit), ..SqliteOptions::new(path) };
    (SqliteProvider::open(env().0, options).await.unwrap(), gate)
}

/// Three submits in one batch.
async fn together(
    store: &SqliteProvider,
    gate: &Semaphore,
    submits: [Submit; 3],
) -> [Result<Submitted, ProviderError>; 3] {
    gate.forget_permits(usize::MAX);
    let let_go = async {
        tokio::task::yield_now().await;
        gate.add_permits(1_000);
    };
    let [a, b, c] = submits;
    let (a, b, c, ()) = tokio::join!(store.submit(a), store.submit(b), store.submit(c), let_go);
    [a, b, c]
}

fn big(id: &str) -> Submit {
    let mut submit = start(id);
    if let Submission::Start { input, .. } = &mut submit.what {
        *input = Payload::json("1".repeat(4 << 20));
    }
    submit
}

#[tokio::test]
async fn a_full_disk_fails_what_does_not_fit_and_nothing_else() {
    let folder = Folder::new();
    let (store, gate) = gathering(&folder).await;
    {
        let writer = store.shell.writer.lock().unwrap();
        let sql = writer.connection().unwrap();
        sql.pragma_update_and_check(None, "max_page_count", 500, |_| Ok(())).unwrap();
    }
    let [a, b, c] = together(&store, &gate, [start("a"), big("b"), start("c")]).await;
    assert_eq!((a, c), (Ok(Submitted::Created), Ok(Submitted::Created)));
    assert!(matches!(b, Err(ProviderError::Full { .. })), "got {b:?}");
    assert_eq!(store.metrics().await.unwrap().instances, 2);
    assert_eq!(store.counters().redone, 1);
}

/// COMMIT fails so many times from now on, without having been applied.
fn fail_commits(store: &SqliteProvider, times: u32) {
    let left = AtomicU32::new(times);
    let fails = move || {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    };
    let mut writer = store.shell.writer.lock().unwrap();
    writer.connection_mut().commit_hook(Some(fails)).unwrap();
}

#[tokio::test]
async fn a_commit_whose_fate_is_unknown_is_redone_operation_by_operation() {
    let folder = Folder::new();
    let (store, gate) = gathering(&folder).await;
    fail_commits(&store, 1);
    let answers = together(&store, &gate, [start("a"), start("b"), start("c")]).await;
    assert_eq!(answers, [Ok(Submitted::Created), Ok(Submitted::Created), Ok(Submitted::Created)]);
    assert_eq!(store.metrics().await.unwrap().instances, 3);
}

#[tokio::test]
async fn what_stays_unknown_is_said_to_be_unknown() {
    let folder = Folder::new();
    let (store, gate) = gathering(&folder).await;
    // The batch, and the first operation's own try.
    fail_commits(&store, 2);
    let [a, b, c] = together(&store, &gate, [start("a"), start("b"), start("c")]).await;
    assert!(matches!(a, Err(ProviderError::Unknown { .. })), "got {a:?}");
    assert_eq!((b, c), (Ok(Submitted::Created), Ok(Submitted::Created)));
}

#[tokio::test]
async fn what_comes_while_a_store_is_closed_is_refused_and_who_closes_it_too_waits() {
    let folder = Folder::new();
    let (store, gate) = gathering(&folder).await;
    gate.forget_permits(usize::MAX);
    let (mut first, mut second) = (std::pin::pin!(store.close()), std::pin::pin!(store.close()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending(), "it is not closed yet");
    let read = store.metrics().await.unwrap_err().to_string();
    let write = store.submit(start("a")).await.unwrap_err().to_string();
    for error in [read, write] {
        assert!(error.contains("the store is closed"), "{error}");
    }
    gate.add_permits(1_000);
    assert_eq!(tokio::join!(first, second), (Ok(()), Ok(())));
}

#[tokio::test]
async fn a_panic_in_an_operation_harms_no_later_one() {
    let folder = Folder::new();
    let (store, _) = gathering(&folder).await;
    let run = |tx: &Tx<'_>, (): &()| {
        tx.sql.execute("DELETE FROM store", []).unwrap();
        panic!("a fault of this test")
    };
    let broken = store.write::<(), ()>("broken", (), run).await;
    assert!(matches!(broken, Err(ProviderError::Unknown { .. })), "got {broken:?}");
    assert_eq!(store.submit(start("a")).await, Ok(Submitted::Created));
}

/// Everything but reads for operators: statements that turns and activities wait for.
const HOT: [&str; 17] = [
    include_str!("store/activities.rs"),
    include_str!("store/claims.rs"),
    include_str!("store/commit.rs"),
    include_str!("store/due.rs"),
    include_str!("store/effects.rs"),
    include_str!("store/ends.rs"),
    include_str!("store/history.rs"),
    include_str!("store/inbox.rs"),
    include_str!("store/instances.rs"),
    include_str!("store/leases.rs"),
    include_str!("store/nodes.rs"),
    include_str!("store/quarantine.rs"),
    include_str!("store/release.rs"),
    include_str!("store/sessions.rs"),
    include_str!("store/submit.rs"),
    include_str!("store/turns.rs"),
    include_str!("store/unclaimed.rs"),
];

fn is_statement(text: &&str) -> bool {
    ["SELECT ", "UPDATE ", "DELETE "].iter().any(|verb| text.starts_with(verb))
        && text.contains("WHERE")
}

fn empty_store() -> rusqlite::Connection {
    let sql = rusqlite::Connection::open_in_memory().unwrap();
    crate::store::schema::migrate(&sql).unwrap();
    sql
}

/// A store as the first build that had one left it: with a waiting instance, an activity that
/// nobody holds, one that somebody did, and a session.
fn store_of_schema_1(path: &std::path::Path) {
    let sql = rusqlite::Connection::open(path).unwrap();
    sql.execute_batch(crate::store::schema::MIGRATIONS[0]).unwrap();
    sql.execute_batch(
        "PRAGMA application_id = 0x44555258;
         INSERT INTO instances (incarnation, ns, id, name, root, created_at, updated_at)
           VALUES (1, '', 'a', 'Flow', 1, 1, 1);
         INSERT INTO executions (incarnation, execution, started_at) VALUES (1, 1, 1);
         INSERT INTO activities (incarnation, execution, event, ns, name, session, encoding, input,
             seq, attempt, visible_at, lease, lease_until, owner)
           VALUES (1, 1, 2, '', 'Queued', 's', 0, x'31', 1, 0, 1, NULL, 0, NULL),
                  (1, 1, 3, '', 'Lost', NULL, 0, x'31', 2, 1, 1, x'07', 1, 1);
         INSERT INTO sessions VALUES ('', 'full', 'n', 1, 1, 1, 9000000000000000);",
    )
    .unwrap();
}

#[tokio::test]
async fn an_older_store_becomes_a_present_one_unless_it_is_only_to_be_read() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    store_of_schema_1(&path);
    let open = async |mode: &str| {
        let path = format!("{}?mode={mode}", path.to_str().unwrap());
        SqliteProvider::open(env().0, SqliteOptions::new(path)).await
    };
    let error = open("ro").await.unwrap_err();
    assert!(error.to_string().contains("schema version 1"), "{error}");
    let store = open("rw").await.unwrap();
    let info = store.instance(duroxide_provider::InstanceKey::new("a")).await.unwrap().unwrap();
    assert_eq!((info.name.as_str(), info.waiting), ("Flow", None));
    let found = store.unclaimed().await.unwrap().activities;
    let found: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(found, ["Lost", "Queued"], "of sessions from before nobody waits for room");
    let reader = open("ro").await.unwrap();
    assert_eq!(reader.metrics().await.unwrap().instances, 1);
    let versions = "SELECT schema_version, min_reader_version FROM store";
    let sql = rusqlite::Connection::open(&path).unwrap();
    let versions: (u32, u32) =
        sql.query_row(versions, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(versions, (4, 1));
}

#[test]
fn a_lease_from_before_belongs_to_the_owner_that_its_session_has() {
    let sql = rusqlite::Connection::open_in_memory().unwrap();
    let [before @ .., step] = crate::store::schema::MIGRATIONS;
    sql.execute_batch(&before.concat()).unwrap();
    sql.execute_batch(
        "INSERT INTO activities (incarnation, execution, event, ns, name, session, encoding, input,
             seq, attempt, visible_at, lease, lease_until, owner)
           VALUES (1, 1, 2, '', 'Held', 's', 0, x'31', 1, 1, 1, x'07', 1, 1);
         INSERT INTO sessions (ns, session, node, node_run, owner, idle_ms, idle_until)
           VALUES ('', 's', 'n', 1, 1, 1, 9000000000000000);",
    )
    .unwrap();
    sql.execute_batch(step).unwrap();
    let same = "SELECT session_term = term FROM activities JOIN sessions USING (ns, session)";
    assert!(sql.query_row(same, [], |row| row.get::<_, bool>(0)).unwrap());
}

/// The steps by which a statement is carried out.
fn plan(sql: &rusqlite::Connection, statement: &str) -> Vec<String> {
    let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let mut steps = plan.raw_query();
    let mut found = Vec::new();
    while let Some(step) = steps.next().unwrap() {
        found.push(step.get(3).unwrap());
    }
    found
}

#[test]
fn what_a_status_reads_is_found_by_an_index_and_is_no_history() {
    let sql = empty_store();
    let files = [include_str!("store/info.rs"), include_str!("store/unclaimed.rs")];
    let status =
        |text: &&str| text.contains("status_version") || text.contains("session, seq FROM");
    let of_activities = |text: &&str| text.starts_with("SELECT max(visible_at, lease_until)");
    let literals = files.iter().flat_map(|file| file.split('"'));
    let statements: Vec<&str> =
        literals.filter(is_statement).filter(|text| status(text) || of_activities(text)).collect();
    assert_eq!(statements.len(), 3, "{statements:?}");
    let steps: Vec<String> = statements.iter().flat_map(|text| plan(&sql, text)).collect();
    // Only the attempts that died are sorted: they are few.
    let sorted = steps.iter().filter(|step| step.starts_with("USE TEMP B-TREE")).count();
    let searched = steps.iter().filter(|step| step.starts_with("SEARCH ")).count();
    assert_eq!((sorted, searched), (1, steps.len() - 1), "{steps:?}");
    assert!(!steps.iter().any(|step| step.contains(" events ")), "{steps:?}");
    for index in ["activities_unclaimed", "activities_leased"] {
        let of = |step: &&String| step.contains(&format!("USING INDEX {index} "));
        assert_eq!(steps.iter().filter(of).count(), 1, "{index}: {steps:?}");
    }
}

#[test]
fn no_statement_of_the_hot_path_reads_a_table_from_end_to_end() {
    let sql = empty_store();
    let literals = HOT.iter().flat_map(|file| file.split('"'));
    let mut looked_at = 0;
    for statement in literals.filter(is_statement) {
        looked_at += 1;
        for step in plan(&sql, statement) {
            for table in ["instances", "inbox", "activities", "events", "executions", "kv"] {
                assert_ne!(step, format!("SCAN {table}"), "{statement}");
            }
        }
    }
    assert!(looked_at > 50, "only {looked_at} statements were found");
}

/// SQLite may compile a statement anew for each value that is bound to it, since it could serve
/// for another plan.
#[tokio::test]
async fn a_statement_is_compiled_once_whatever_is_bound_to_it() {
    let folder = Folder::new();
    let (store, _) = gathering(&folder).await;
    let writer = store.shell.writer.lock().unwrap();
    let sql = writer.connection().unwrap();
    let reads = [include_str!("store/info.rs"), include_str!("store/unclaimed.rs")];
    let literals = HOT.iter().chain(&reads).flat_map(|file| file.split('"'));
    let mut compiled = 0;
    for text in literals.filter(is_statement) {
        let mut statement = sql.prepare(text).unwrap();
        for bound in 1..=3 {
            for parameter in 1..=statement.parameter_count() {
                statement.raw_bind_parameter(parameter, bound).unwrap();
            }
            let mut rows = statement.raw_query();
            while rows.next().unwrap().is_some() {}
        }
        let again = statement.get_status(StatementStatus::RePrepare);
        assert_eq!(again, 0, "{text}");
        compiled += 1;
    }
    assert!(compiled > 50, "only {compiled} statements were found");
}
