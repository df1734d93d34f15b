//! Virtual time, shared by all hosts: what the driver says it is, and who sleeps until
//! when. Not here: when time jumps (`world`), or what one host's wall clock shows (`env`).

use crate::sync::lock;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Virtual time.
#[derive(Debug, Default)]
pub(crate) struct Timeline(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    now: Duration,
    next: u64,
    /// By deadline, then by who came first.
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl Timeline {
    /// The time since the world began.
    pub(crate) fn now(&self) -> Duration {
        lock(&self.0).now
    }

    /// The first time at which somebody wants to wake.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        lock(&self.0).sleepers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Move to a later time and wake whoever waited for it, in the order of their
    /// deadlines. Gives how many there were.
    pub(crate) fn advance_to(&self, now: Duration) -> usize {
        let due = {
            let mut state = lock(&self.0);
            state.now = state.now.max(now);
            if state.sleepers.first_key_value().is_none_or(|((at, _), _)| *at > state.now) {
                return 0;
            }
            let after = (state.now + Duration::from_nanos(1), 0);
            let later = state.sleepers.split_off(&after);
            std::mem::replace(&mut state.sleepers, later)
        };
        let woken = due.len();
        due.into_values().for_each(Waker::wake);
        woken
    }

    /// Resolves once so much time has passed.
    pub(crate) fn sleep(self: &Arc<Self>, duration: Duration) -> Sleep {
        self.sleep_until(self.now().saturating_add(duration))
    }

    /// Resolves once the time has come.
    pub(crate) fn sleep_until(self: &Arc<Self>, deadline: Duration) -> Sleep {
        Sleep { timeline: Arc::clone(self), deadline, ticket: None }
    }
}

/// A wait for a time.
pub(crate) struct Sleep {
    timeline: Arc<Timeline>,
    deadline: Duration,
    ticket: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let timeline = Arc::clone(&self.timeline);
        let mut state = lock(&timeline.0);
        if state.now >= self.deadline {
            if let Some(ticket) = self.ticket.take() {
                state.sleepers.remove(&(self.deadline, ticket));
            }
            return Poll::Ready(());
        }
        let known = self.ticket.and_then(|ticket| state.sleepers.get_mut(&(self.deadline, ticket)));
        if let Some(waker) = known {
            waker.clone_from(cx.waker());
        } else {
            state.next += 1;
            self.ticket = Some(state.next);
            let at = (self.deadline, state.next);
            state.sleepers.insert(at, cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            lock(&self.timeline.0).sleepers.remove(&(self.deadline, ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timeline;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    #[test]
    fn a_sleeper_wakes_at_its_deadline_and_not_before() {
        let timeline = Arc::new(Timeline::default());
        let mut sleep = Box::pin(timeline.sleep(Duration::from_secs(1)));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Pending);
        assert_eq!(timeline.next_deadline(), Some(Duration::from_secs(1)));
        assert_eq!(timeline.advance_to(Duration::from_millis(999)), 0);
        assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Pending);
        assert_eq!(timeline.advance_to(Duration::from_secs(1)), 1);
        assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Ready(()));
    }

    #[test]
    fn a_dropped_sleeper_holds_nothing_up() {
        let timeline = Arc::new(Timeline::default());
        let mut sleep = Box::pin(timeline.sleep(Duration::from_secs(1)));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Pending);
        drop(sleep);
        assert_eq!(timeline.next_deadline(), None);
    }

    use std::future::Future;
}
