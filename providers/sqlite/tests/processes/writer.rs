//! A process that writes, and what a test hears of it.

use crate::common::env;
use crate::common::work::{draw, start};
use duroxide_core::{Channel, MailName, Payload};
use duroxide_provider::{Inspect, InstanceKey, Provider, RequestId, Submission, Submit, Submitted};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};

/// Where a writing process finds the store, and what it is called.
pub(crate) const STORE: &str = "DUROXIDE_TEST_WRITERS_STORE";
pub(crate) const NAME: &str = "DUROXIDE_TEST_WRITERS_NAME";
/// Callers at once in each process.
pub(crate) const CALLERS: usize = 4;
/// A child says how far it is after so many commits.
pub(crate) const REPORT_EVERY: u64 = 10;

/// How long what must come may take, and how often it is looked for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
pub(crate) const GLANCE: Duration = Duration::from_millis(2);

pub(crate) async fn open(path: &Path) -> SqliteProvider {
    SqliteProvider::open(env().0, SqliteOptions::new(path.to_str().unwrap())).await.unwrap()
}

pub(crate) fn mail(id: &str) -> Submit {
    let mailbox = MailName { channel: Channel::Queue, name: "orders".to_owned() };
    let what = Submission::Mail { mailbox, data: Payload::json("1") };
    Submit { request: RequestId(draw()), key: InstanceKey::new(id), what }
}

pub(crate) fn say(line: &str) {
    // One write of one line: the harness prints between them.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A line, or the end.
pub(crate) fn hear_of_parent() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Starts instances and sends each a message until told to stop; says each instance that both
/// were acknowledged for. Any error is said too, and ends it.
pub(crate) async fn call(store: Arc<SqliteProvider>, caller: String, stop: Arc<AtomicBool>) {
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let id = format!("{caller}-{n:06}");
        match store.submit(start(&id)).await {
            Ok(Submitted::Created) => {}
            other => return say(&format!("FAILED start {other:?}")),
        }
        match store.submit(mail(&id)).await {
            Ok(Submitted::Accepted) => say(&format!("done {id}")),
            other => return say(&format!("FAILED mail {other:?}")),
        }
    }
}

/// Not a test of its own: a process that writes until its stdin closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_process() {
    let (Ok(path), Ok(name)) = (std::env::var(STORE), std::env::var(NAME)) else { return };
    let store = Arc::new(open(Path::new(&path)).await);
    let stop = Arc::new(AtomicBool::new(false));
    say("open");
    hear_of_parent();
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        callers.spawn(call(Arc::clone(&store), format!("{name}-{n}"), Arc::clone(&stop)));
    }
    let (watched, stopping) = (Arc::clone(&store), Arc::clone(&stop));
    #[expect(clippy::disallowed_methods, reason = "this process runs on the real clock")]
    callers.spawn(async move {
        let mut said = 0;
        while !stopping.load(Ordering::SeqCst) {
            // Readers among the writers: they are never refused either.
            if let Err(error) = watched.metrics().await {
                return say(&format!("FAILED metrics {error:?}"));
            }
            let commits = watched.counters().commits;
            if commits >= said + REPORT_EVERY {
                said = commits;
                say(&format!("commits {commits}"));
            }
            tokio::time::sleep(GLANCE).await;
        }
    });
    #[expect(clippy::disallowed_methods, reason = "it waits for the end of stdin")]
    tokio::task::spawn_blocking(hear_of_parent).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    callers.join_all().await;
    let stats = store.counters();
    say(&format!("commits {}", stats.commits));
    store.close().await.unwrap();
    say("closed");
}

/// What a writing process has said.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) open: bool,
    /// Instances acknowledged, in order.
    pub(crate) done: Vec<String>,
    pub(crate) commits: u64,
    pub(crate) closed: bool,
    pub(crate) failed: Option<String>,
}

impl Heard {
    pub(crate) fn note(&mut self, line: &str) {
        if line.contains("FAILED") || line.contains("panicked") {
            self.failed.get_or_insert_with(|| line.to_owned());
        }
        match line.split_once(' ') {
            Some(("done", id)) => self.done.push(id.to_owned()),
            Some(("commits", number)) => self.commits = number.parse().unwrap(),
            _ => {
                self.open |= line == "open";
                self.closed |= line == "closed";
            }
        }
    }
}

/// A writing process, as the test sees it; killed on drop. What it says is read at once, so
/// that it never waits for the test.
pub(crate) struct Writer {
    child: Child,
    heard: Arc<Mutex<Heard>>,
    listening: JoinHandle<()>,
}

impl Writer {
    /// Open, and not writing yet.
    pub(crate) async fn new(path: &Path, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer::writing_process", "--nocapture"])
            .env(STORE, path)
            .env(NAME, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let noting = Arc::clone(&heard);
        #[expect(clippy::disallowed_methods, reason = "a pipe is read by a thread")]
        let listening = tokio::task::spawn_blocking(move || {
            for line in stdout.lines().map_while(Result::ok) {
                noting.lock().unwrap().note(&line);
            }
        });
        let writer = Self { child, heard, listening };
        writer.until("the store is open", |heard| heard.open).await;
        writer
    }

    pub(crate) fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    pub(crate) fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        let heard = self.heard.lock().unwrap();
        assert_eq!(heard.failed, None);
        look(&heard)
    }

    #[expect(clippy::disallowed_methods, reason = "these processes run on the real clock")]
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Heard) -> bool) {
        let look = async {
            while !self.heard(&holds) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// Until it has made so many commits.
    pub(crate) async fn until_commits(&self, commits: u64) {
        self.until("so many commits", |heard| heard.commits >= commits).await;
    }

    pub(crate) fn commits(&self) -> u64 {
        self.heard(|heard| heard.commits)
    }

    pub(crate) fn done(&self) -> Vec<String> {
        self.heard(|heard| heard.done.clone())
    }

    /// Let it finish what it does, and end.
    pub(crate) fn tell_to_stop(&mut self) {
        drop(self.child.stdin.take());
    }

    pub(crate) async fn stop(mut self) -> Heard {
        self.tell_to_stop();
        self.until("it is closed", |heard| heard.closed).await;
        self.gone().await
    }

    pub(crate) async fn kill(mut self) -> Heard {
        self.child.kill().unwrap();
        self.gone().await
    }

    /// All it said, when it is gone.
    pub(crate) async fn gone(&mut self) -> Heard {
        (&mut self.listening).await.unwrap();
        self.heard(|_| ());
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
