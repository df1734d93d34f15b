//! One timer for whichever deadline is next. Not a scheduler: its owner says when.

use duroxide_provider::env::{BoxFuture, Clock, Env};
use std::sync::Arc;
use std::time::Duration;

/// Rings at a time of the node's monotonic clock, or never.
pub(crate) struct Alarm {
    clock: Arc<dyn Clock>,
    armed: Option<(Duration, BoxFuture<'static, ()>)>,
}

impl Alarm {
    pub(crate) fn new(env: &Env) -> Self {
        Self { clock: env.clock.clone(), armed: None }
    }

    /// Ring at this time instead; `None` disarms, so that who waits for nothing owns no timer.
    pub(crate) fn set(&mut self, at: Option<Duration>) {
        if self.armed.as_ref().map(|(armed_at, _)| *armed_at) != at {
            self.armed = at.map(|at| {
                let left = at.saturating_sub(self.clock.monotonic());
                (at, self.clock.sleep(left))
            });
        }
    }

    /// Resolves when it rings. May be dropped and called again.
    pub(crate) async fn ring(&mut self) {
        match &mut self.armed {
            Some((_, sleep)) => sleep.await,
            None => std::future::pending().await,
        }
        self.armed = None;
    }
}
