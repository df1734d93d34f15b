//! Progress of a range of seeds for whoever watches: a bar on a terminal, a line now and
//! then in a log, both on standard error; and Ctrl-C, which asks for what is known so far.
//! Not here: running seeds (`batch`).

use crate::run::Outcome;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LOOK: &str = "{bar:30} {pos}/{len} seeds, {msg}, {eta} to go";
/// How often a log is told.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// What is shown.
pub(crate) struct Progress<'a> {
    bar: ProgressBar,
    stopped: Arc<AtomicBool>,
    stopwatch: &'a dyn Fn() -> Duration,
    said: Duration,
    so_far: SoFar,
}

/// What is known so far.
#[derive(Debug, Clone, Copy, Default)]
struct SoFar {
    seeds: u64,
    failed: u64,
    virtual_ms: u64,
}

impl<'a> Progress<'a> {
    /// Of so many seeds. From now on Ctrl-C does not end the process, but asks it to stop.
    pub(crate) fn new(seeds: u64, stopwatch: &'a dyn Fn() -> Duration) -> io::Result<Self> {
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
        let progress =
            Self { bar, stopped, stopwatch, said: stopwatch(), so_far: SoFar::default() };
        progress.say("Ctrl-C tells what is known so far");
        Ok(progress)
    }

    /// A line for a log. That nobody reads it is no reason to stop.
    fn say(&self, told: &str) {
        if self.bar.is_hidden() {
            let (seeds, of) = (self.so_far.seeds, self.bar.length().unwrap_or_default());
            let _ = writeln!(io::stderr(), "{seeds}/{of} seeds, {told}");
        }
    }

    /// Another seed has ended, or none for a moment. False: somebody wants to stop.
    pub(crate) fn told(&mut self, outcome: Option<&Outcome>) -> bool {
        if let Some(outcome) = outcome {
            self.so_far.seeds += 1;
            self.so_far.failed += u64::from(outcome.failure.is_some());
            self.so_far.virtual_ms += outcome.virtual_ms;
            self.bar.inc(1);
            if let Some(failure) = &outcome.failure {
                // Known at once: a range may take hours.
                let told =
                    format!("seed {} ({}) FAILED: {failure}", outcome.seed, outcome.workload);
                self.bar.suspend(|| drop(writeln!(io::stderr(), "{told}")));
            }
        }
        let gone = (self.stopwatch)();
        let told = self.so_far.told(gone);
        if gone.saturating_sub(self.said) >= NOW_AND_THEN {
            self.said = gone;
            self.say(&told);
        }
        self.bar.set_message(told);
        !self.stopped.load(Ordering::SeqCst)
    }

    /// No bar any more.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl SoFar {
    fn told(&self, gone: Duration) -> String {
        let Self { seeds, failed, virtual_ms } = self;
        let tenths = u128::from(*seeds) * 10_000 / gone.as_millis().max(1);
        let (whole, tenth, hours) = (tenths / 10, tenths % 10, virtual_ms / 3_600_000);
        format!(
            "{failed} failed, {whole}.{tenth} seeds/s, {hours} h of virtual time in {} s",
            gone.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_so_far_is_told_with_its_speed() {
        let so_far = SoFar { seeds: 35, failed: 2, virtual_ms: 7_200_001 };
        assert_eq!(
            so_far.told(Duration::from_secs(10)),
            "2 failed, 3.5 seeds/s, 2 h of virtual time in 10 s"
        );
        assert!(SoFar::default().told(Duration::ZERO).starts_with("0 failed, 0.0 seeds/s"));
    }
}
