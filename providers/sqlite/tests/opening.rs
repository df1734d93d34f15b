//! Opening a store: what is created, what is refused, and that every refusal names the path.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{Folder, env};
use duroxide_core::{Headers, Payload};
use duroxide_provider::{
    Inspect, InstanceKey, Provider, ProviderError, RequestId, Submission, Submit, Submitted,
};
use duroxide_sqlite::{Durability, SqliteOptions, SqliteProvider};
use std::fs;
use std::path::Path;
use std::time::Duration;

async fn open(path: &str) -> Result<SqliteProvider, ProviderError> {
    SqliteProvider::open(env().0, SqliteOptions::new(path)).await
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn start(id: &str) -> Submit {
    Submit {
        request: RequestId(id.bytes().fold(7, |n, b| n * 31 + u128::from(b))),
        key: InstanceKey::new(id),
        what: Submission::Start {
            name: "Flow".to_owned(),
            version: None,
            input: Payload::null(),
            headers: Headers::new(),
        },
    }
}

/// The message of an error that says the store cannot be used.
fn refusal(result: Result<SqliteProvider, ProviderError>) -> String {
    match result {
        Err(error @ ProviderError::Unusable { .. }) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn file_and_folders_are_created() {
    let folder = Folder::new();
    let path = folder.file("deep/er/store.db");
    open(&format!("sqlite:{}", text(&path))).await.unwrap();
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_open_a_new_store_at_once() {
    let folder = Folder::new();
    let path = text(&folder.file("store.db"));
    let mut openings = Vec::new();
    for n in 0..8 {
        let path = path.clone();
        #[expect(clippy::disallowed_methods, reason = "the openers are tasks of this test")]
        openings.push(tokio::spawn(async move {
            let store = open(&path).await?;
            store.submit(start(&format!("i{n}"))).await?;
            Ok::<_, ProviderError>(store)
        }));
    }
    let mut stores = Vec::new();
    for opening in openings {
        stores.push(opening.await.unwrap().unwrap());
    }
    assert_eq!(stores[0].metrics().await.unwrap().instances, 8);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_and_its_target_are_one_store() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let there = open(&text(&path)).await.unwrap();
    std::os::unix::fs::symlink(&path, folder.file("link.db")).unwrap();
    let here = open(&text(&folder.file("link.db"))).await.unwrap();
    there.submit(start("a")).await.unwrap();
    assert!(here.instance(InstanceKey::new("a")).await.unwrap().is_some());
    assert!(!folder.file("link.db-writer.lock").exists(), "they queue at one lock");
}

#[tokio::test]
async fn a_file_that_must_exist_is_not_created() {
    let folder = Folder::new();
    for mode in ["rw", "ro"] {
        let path = text(&folder.file("absent.db"));
        let message = refusal(open(&format!("{path}?mode={mode}")).await);
        assert!(message.contains(&path), "{message}");
        assert!(!folder.file("absent.db").exists());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_is_named() {
    let folder = Folder::new();
    let message = refusal(open(&text(folder.path())).await);
    assert!(message.contains(&text(folder.path())), "{message}");
    fs::write(folder.file("file"), "x").unwrap();
    let below_a_file = text(&folder.file("file/store.db"));
    assert!(refusal(open(&below_a_file).await).contains(&below_a_file));
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_called_what_it_is() {
    let message = refusal(open("/dev/null").await);
    assert!(message.contains("`/dev/null`") && message.contains("a device"), "{message}");
    let folder = Folder::new();
    let message = refusal(open(&text(folder.path())).await);
    assert!(message.contains("a folder, not a file"), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.file("letter.txt");
    let letter = "Dear reader, ".repeat(1_000);
    fs::write(&path, &letter).unwrap();
    let message = refusal(open(&text(&path)).await);
    assert!(message.contains("not a database") && message.contains("letter.txt"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), letter);
}

#[tokio::test]
async fn a_database_of_another_application_is_refused() {
    let folder = Folder::new();
    let path = folder.file("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE instances (x)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let message = refusal(open(&text(&path)).await);
    assert!(message.contains("another application"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before, "it is left as it was");
}

#[tokio::test]
async fn the_address_of_another_store_is_refused_without_its_password() {
    let message = refusal(open("postgres://user:secret@host/db").await);
    assert!(message.contains("postgres:") && message.contains("sqlite:FILE"), "{message}");
    assert!(!message.contains("secret"), "{message}");
}

#[tokio::test]
async fn an_unknown_mode_or_parameter_is_named() {
    assert!(refusal(open("a.db?mode=fast").await).contains("`fast`"));
    assert!(refusal(open("a.db?cahce=shared").await).contains("`cahce=shared`"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    open(&text(&path)).await.unwrap().close().await.unwrap();
    let sql = rusqlite::Connection::open(&path).unwrap();
    sql.execute("UPDATE store SET schema_version = 9, min_reader_version = 9", []).unwrap();
    // As a newer build may have left it: another journal mode, which is not ours to change.
    sql.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    drop(sql);
    let before = fs::read(&path).unwrap();
    let error = open(&text(&path)).await.unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), before, "it is left as it was");
    assert!(
        matches!(error, ProviderError::NewerSchema { found: 9, known: 4, .. }),
        "got {error:?}"
    );
}

#[tokio::test]
async fn a_newer_schema_that_this_build_may_read_is_used() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    open(&text(&path)).await.unwrap().close().await.unwrap();
    let sql = rusqlite::Connection::open(&path).unwrap();
    sql.execute("UPDATE store SET schema_version = 9", []).unwrap();
    let store = open(&text(&path)).await.unwrap();
    assert_eq!(store.submit(start("a")).await.unwrap(), Submitted::Created);
    let version: u32 = sql.query_row("SELECT schema_version FROM store", [], |r| r.get(0)).unwrap();
    assert_eq!(version, 9, "and is not taken back");
}

#[tokio::test]
async fn a_read_only_store_reads_and_refuses_to_write() {
    let folder = Folder::new();
    let path = text(&folder.file("store.db"));
    let writer = open(&path).await.unwrap();
    writer.submit(start("a")).await.unwrap();
    let reader = open(&format!("{path}?mode=ro")).await.unwrap();
    assert!(reader.instance(InstanceKey::new("a")).await.unwrap().is_some());
    assert!(reader.is_read_only() && !writer.is_read_only());
    let error = reader.submit(start("b")).await.unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    reader.close().await.unwrap();
    writer.close().await.unwrap();
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let folder = Folder::new();
    let path = text(&folder.file("store.db"));
    let store = open(&path).await.unwrap();
    store.submit(start("a")).await.unwrap();
    let before = store.instance(InstanceKey::new("a")).await.unwrap().unwrap();
    store.close().await.unwrap();
    let store = open(&path).await.unwrap();
    let mut after = store.instance(InstanceKey::new("a")).await.unwrap().unwrap();
    // All but the time that has passed.
    after.unclaimed.as_mut().unwrap().age = before.unclaimed.as_ref().unwrap().age;
    assert_eq!(after, before);
    assert_eq!(store.submit(start("a")).await.unwrap(), Submitted::Created, "still remembered");
    assert_eq!(store.depths().await.unwrap().orchestrations, 1);
}

#[tokio::test]
async fn a_request_is_remembered_through_a_leap_of_the_clock_and_forgotten_behind_many_others() {
    let (env, hands) = env();
    let store = SqliteProvider::in_memory(env).await.unwrap();
    let submit = async |from: u64, to: u64| {
        for n in from..to {
            store.submit(start(&format!("other-{n}"))).await.unwrap();
        }
    };
    store.submit(start("a")).await.unwrap();
    hands.advance(Duration::from_hours(1));
    submit(0, 10).await;
    assert_eq!(store.submit(start("a")).await.unwrap(), Submitted::Created);
    submit(10, 12_000).await;
    hands.advance(Duration::from_hours(1));
    submit(12_000, 12_010).await;
    assert_eq!(store.submit(start("a")).await.unwrap(), Submitted::AlreadyExists);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = SqliteProvider::in_memory(env().0).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    for error in [store.submit(start("a")).await.unwrap_err(), store.metrics().await.unwrap_err()] {
        assert!(matches!(error, ProviderError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains("closed"), "{error}");
    }
}

#[tokio::test]
async fn stores_in_memory_are_apart() {
    let (one, two) =
        (SqliteProvider::in_memory(env().0).await.unwrap(), open(":memory:").await.unwrap());
    one.submit(start("a")).await.unwrap();
    assert!(two.instance(InstanceKey::new("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn the_durability_asked_for_is_the_one_in_force() {
    for durability in [Durability::Full, Durability::Process] {
        let folder = Folder::new();
        let options =
            SqliteOptions { durability, ..SqliteOptions::new(text(&folder.file("store.db"))) };
        let store = SqliteProvider::open(env().0, options).await.unwrap();
        store.submit(start("a")).await.unwrap();
        assert_eq!(store.counters().relaxed_commits, 0);
    }
}

/// What a sync that failed leaves beside the file: a note, or the copy of a log being mended.
#[tokio::test]
async fn a_log_in_doubt_is_mended_by_the_next_write() {
    let folder = Folder::new();
    let (path, note) = (text(&folder.file("app.db")), folder.file("app.db-wal-copy"));
    let store = open(&path).await.unwrap();
    store.submit(start("a")).await.unwrap();
    fs::write(&note, b"").unwrap();
    store.submit(start("b")).await.unwrap();
    assert!(!note.exists());
    fs::write(&note, b"broken off while it was written, so that nothing may be made of it")
        .unwrap();
    store.submit(start("c")).await.unwrap();
    assert!(!note.exists());
    store.close().await.unwrap();
    assert!(!folder.file("app.db-wal").exists(), "closed, a store is one file");
    fs::write(&note, b"").unwrap();
    let store = open(&path).await.unwrap();
    assert_eq!(store.metrics().await.unwrap().instances, 3);
}
