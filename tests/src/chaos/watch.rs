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
}

impl Watched {
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
    thread: JoinHandle<Watched>,
}

impl Watcher {
    /// Begin.
    pub(crate) fn start(mut tables: Box<dyn Tables>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut watched = Watched::default();
            let (mut progress, mut last, mut looked) = (0, Snapshot::default(), Instant::now());
            while !asked.load(Ordering::Relaxed) {
                // A server that is down commits nothing.
                if let Ok(now) = tables.progress()
                    && now != progress
                {
                    progress = now;
                    watched.commits.push(Instant::now());
                }
                if looked.elapsed() >= LOOK
                    && let Ok(now) = tables.snapshot()
                {
                    watched.compared += 1;
                    watched.unlike.extend(now.unlike(&last));
                    watched.unlike.truncate(ENOUGH);
                    (last, looked) = (now, Instant::now());
                }
                std::thread::sleep(GLANCE);
            }
            watched
        });
        Self { stop, thread }
    }

    /// End; what was seen.
    pub(crate) fn stop(self) -> Result<Watched> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the watcher panicked".into())
    }
}
