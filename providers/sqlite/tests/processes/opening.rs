//! A process that never gets through with opening a store, and what is left of it.

use crate::common::{Folder, env};
use crate::writer::{open, say};
use duroxide_provider::Inspect;
use duroxide_sqlite::{BeforeCommit, SqliteOptions, SqliteProvider};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const STORE: &str = "DUROXIDE_TEST_OPENING_STORE";

/// Does nothing unless [`Opening`] starts it: then it has locked its file, says so, and never
/// comes to write that it is there.
#[tokio::test]
async fn opening_process() {
    let Ok(path) = std::env::var(STORE) else { return };
    let before_commit: BeforeCommit = Arc::new(|| {
        Box::pin(async {
            say("opening");
            std::future::pending::<()>().await;
        })
    });
    let options = SqliteOptions { before_commit: Some(before_commit), ..SqliteOptions::new(path) };
    SqliteProvider::open(env().0, options).await.unwrap();
}

/// Such a process; killed on drop.
struct Opening(Child);

impl Opening {
    fn new(path: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "opening::opening_process", "--nocapture"])
            .env(STORE, path)
            .stdout(Stdio::piped())
            .spawn();
        let mut opening = Self(child.unwrap());
        let lines = BufReader::new(opening.0.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "opening"));
        opening
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_lock_of_a_process_killed_while_it_opened_is_swept_away_and_no_other() {
    let folder = Folder::new();
    let path = folder.file("store.db");
    let locks = || std::fs::read_dir(folder.file("store.db-nodes")).unwrap().count();
    let (killed, living) = (Opening::new(&path), Opening::new(&path));
    drop(killed);
    assert_eq!(locks(), 2);
    let store = open(&path).await;
    assert_eq!(locks(), 2, "its own, and that of the one that lives");
    drop(living);
    store.close().await.unwrap();
    assert_eq!(locks(), 1);
    let store = open(&path).await;
    assert_eq!(locks(), 1, "its own");
    store.close().await.unwrap();
    assert_eq!(locks(), 0);
}
