//! Progress of a range of seeds for whoever watches a terminal, and Ctrl-C, which asks for
//! what is known so far. Not here: running seeds (`batch`).

use crate::run::Outcome;
use indicatif::{ProgressBar, ProgressStyle};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const LOOK: &str = "{bar:30} {pos}/{len} seeds, {per_sec}, {msg}, {elapsed} gone, {eta} to go";

/// A bar on standard error, if that is a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    stopped: Arc<AtomicBool>,
    virtual_ms: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    /// Of so many seeds. From now on Ctrl-C does not end the process, but asks it to stop.
    pub(crate) fn new(seeds: u64) -> io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stopped);
        // A second range in one process keeps the first one's handler.
        match ctrlc::set_handler(move || asked.store(true, Ordering::SeqCst)) {
            Ok(()) | Err(ctrlc::Error::MultipleHandlers) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
        let bar = ProgressBar::new(seeds);
        if let Ok(style) = ProgressStyle::with_template(LOOK) {
            bar.set_style(style);
        }
        Ok(Self { bar, stopped, virtual_ms: AtomicU64::new(0), failed: AtomicU64::new(0) })
    }

    /// Another seed has ended. False: somebody wants to stop.
    pub(crate) fn told(&self, outcome: &Outcome) -> bool {
        let virtual_ms = self.virtual_ms.fetch_add(outcome.virtual_ms, Ordering::Relaxed);
        let failed = u64::from(outcome.failure.is_some());
        let failed = self.failed.fetch_add(failed, Ordering::Relaxed) + failed;
        let hours = (virtual_ms + outcome.virtual_ms) / 3_600_000;
        self.bar.set_message(format!("{failed} failed, {hours} h of virtual time"));
        self.bar.inc(1);
        !self.stopped.load(Ordering::SeqCst)
    }

    /// No bar any more.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
