//! Watches the tables while processes die: when there was a commit anywhere, and whether
//! what was committed stays. Not here: who dies when.

use super::Result;
use super::tables::{Snapshot, Tables};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks for progress, and for what has changed.
const GLANCE: Duration = Duration::from_millis(2);
const LOOK: Duration = Duration::from_secs(1);
/// More findings of a kind say no more.
const ENOUGH: usize = 20;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// When a commit was first seen.
    pub(crate) commits: Vec<Instant>,
    /// How often everything was compared with what stood there before.
    pub(crate) compared: u64,
    /// What was committed, and changed.
    pub(crate) unlike: Vec<String>,
    /// How often a turn was begun, at most, that was not committed.
    pub(crate) most_attempts: u64,
    /// What stood in the tables when it last looked.
    last: Snapshot,
}

impl Watched {
    /// What was committed and changed, from look to look and at the end.
    pub(crate) fn unlike(self, end: &Snapshot) -> Vec<String> {
        if self.compared == 0 {
            return vec!["nothing was compared while it ran".to_owned()];
        }
        let mut unlike = self.unlike;
        unlike.extend(end.unlike(&self.last));
        unlike
    }

    /// From a moment to the next commit anywhere; `None`: there was none.
    pub(crate) fn stall(&self, since: Instant) -> Option<Duration> {
        let next = self.commits.partition_point(|at| *at <= since);
        self.commits.get(next).map(|at| *at - since)
    }

    /// The longest time without a commit of which a part lies within these bounds.
    pub(crate) fn longest_gap(&self, from: Instant, to: Instant) -> Option<Duration> {
        let gaps = self.commits.windows(2).filter(|pair| pair[1] >= from && pair[0] <= to);
        gaps.map(|pair| pair[1] - pair[0]).max()
    }
}

/// A thread that watches.
pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Watched>>,
}

impl Watcher {
    /// Begin.
    pub(crate) fn start(mut tables: Box<dyn Tables>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut watched = Watched::default();
            let (mut progress, mut looked) = (0, Instant::now());
            while !asked.load(Ordering::Relaxed) {
                // A server that is down commits nothing.
                if let Ok(now) = tables.progress()
                    && now != progress
                {
                    progress = now;
                    watched.commits.push(Instant::now());
                }
                if looked.elapsed() >= LOOK
                    && let (Ok(now), Ok(attempts)) = (tables.snapshot(), tables.most_attempts())
                {
                    watched.most_attempts = watched.most_attempts.max(attempts);
                    watched.compared += 1;
                    watched.unlike.extend(now.unlike(&watched.last));
                    watched.unlike.truncate(ENOUGH);
                    (watched.last, looked) = (now, Instant::now());
                }
                std::thread::sleep(GLANCE);
            }
            watched
        });
        Self { stop, thread: Some(thread) }
    }

    /// End; what was seen.
    pub(crate) fn stop(&mut self) -> Result<Watched> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or("the watcher was stopped before")?;
        thread.join().map_err(|_| "the watcher panicked".into())
    }
}
