//! The clocks of a host: a wall clock that is off, drifts and jumps, and a monotonic clock
//! that drifts. They belong to the machine, and go on while its processes are dead. Not
//! here: the one true time (`timeline`).

use crate::plan::ClockPlan;
use crate::sync::lock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the wall clocks show when a world begins, in ms since the Unix epoch.
const WORLD_BEGINS_MS: u64 = 1_750_000_000_000;
const MILLION: i128 = 1_000_000;

/// The clocks of one host. Cheap to clone; clones share jumps.
#[derive(Debug, Clone)]
pub(crate) struct HostTime {
    plan: ClockPlan,
    jumped_ms: Arc<Mutex<i64>>,
}

impl HostTime {
    /// The clocks as planned.
    pub(crate) fn new(plan: ClockPlan) -> Self {
        Self { plan, jumped_ms: Arc::default() }
    }

    /// Set the wall clock forward or back.
    pub(crate) fn jump(&self, by_ms: i64) {
        *lock(&self.jumped_ms) += by_ms;
    }

    /// What the monotonic clock shows at a true time.
    pub(crate) fn monotonic(&self, truth: Duration) -> Duration {
        scale(truth, MILLION + i128::from(self.plan.drift_ppm), MILLION)
    }

    /// How long it really is until this host's clock says that so much has passed.
    pub(crate) fn really(&self, duration: Duration) -> Duration {
        scale(duration, MILLION, MILLION + i128::from(self.plan.drift_ppm))
    }

    /// What the wall clock shows at a true time, in ms since the Unix epoch.
    pub(crate) fn wall_ms(&self, truth: Duration) -> u64 {
        let since = self.monotonic(truth).as_millis() as u64;
        let off = self.plan.skew_ms + *lock(&self.jumped_ms);
        (WORLD_BEGINS_MS + since).saturating_add_signed(off)
    }
}

fn scale(duration: Duration, times: i128, over: i128) -> Duration {
    if times == over || duration == Duration::MAX {
        return duration;
    }
    let nanos = duration.as_nanos() as i128 * times / over;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_fast_reaches_its_deadline_early_in_truth() {
        let time = HostTime::new(ClockPlan { skew_ms: 500, drift_ppm: 1_000 });
        let hour = Duration::from_hours(1);
        assert_eq!(time.monotonic(hour), hour + Duration::from_millis(3_600));
        assert!(time.really(hour) < hour);
        assert!(time.monotonic(time.really(hour)) <= hour);
        assert_eq!(time.wall_ms(Duration::ZERO), WORLD_BEGINS_MS + 500);
        time.clone().jump(-700);
        assert_eq!(time.wall_ms(Duration::ZERO), WORLD_BEGINS_MS - 200);
    }
}
