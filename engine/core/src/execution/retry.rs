//! A retried call of an activity: one thing to wait for, whose open leaves change over
//! time. An attempt is the activity and, if its time is limited, a timer; between two
//! attempts stands a timer. The same for both languages: trees go through `retry_step`,
//! futures through [`Execution::retry_settled`].
//! Not here: whether and when there is another attempt (`crate::retry`).

use super::{Execution, OpenLeaf};
use crate::retry::Attempt;
use crate::{
    EventId, EventKind, Failure, FailureKind, Leaf, Nonce, Refused, RetryPolicy, Settled, TimeMs,
};
use std::collections::BTreeSet;

/// A retried call under way: which attempt it is at, and what it waits on.
#[derive(Debug)]
pub struct RetryCall {
    name: String,
    /// What schedules an attempt.
    scheduled: EventKind,
    policy: RetryPolicy,
    /// When the first attempt was scheduled.
    since: TimeMs,
    /// The attempt under way, or the last one; from 1.
    attempt: u32,
    wait: Wait,
}

#[derive(Debug)]
enum Wait {
    /// For the attempt; perhaps no longer than a timer, set to so many ms.
    Attempt { activity: EventId, limit: Option<(EventId, u64)> },
    /// For a timer before the next attempt. The last one failed so.
    Delay(EventId, Box<Failure>),
}

impl RetryCall {
    /// The leaves that are open for it: what scheduled them, in order.
    pub fn leaves(&self) -> impl Iterator<Item = EventId> + use<> {
        let (first, second) = match &self.wait {
            Wait::Attempt { activity, limit } => (*activity, limit.map(|(timer, _)| timer)),
            Wait::Delay(timer, _) => (*timer, None),
        };
        [Some(first), second].into_iter().flatten()
    }

    fn timed_out(&self, ms: u64) -> Failure {
        let Self { name, attempt, policy, .. } = self;
        let message = format!(
            "activity `{name}` timed out after {ms} ms (attempt {attempt} of {})",
            policy.max_attempts
        );
        let (name, source) = (Some("TimeoutError".to_owned()), Some(name.clone()));
        Failure { name, source, ..Failure::new(FailureKind::Timeout, message) }
    }
}

impl Execution {
    /// Leaf mode: schedule an activity that is tried again when it fails.
    pub fn retry(&mut self, activity: Leaf, policy: RetryPolicy) -> Result<RetryCall, Refused> {
        self.check_retry(&activity, &policy).map_err(Refused::Failed)?;
        self.retry_checked(activity, policy)
    }

    /// Leaf mode: an open leaf of a retried call settled. `None`: the call goes on, with
    /// other [`leaves`](RetryCall::leaves). What lost by it is cancelled.
    pub fn retry_settled(
        &mut self,
        call: &mut RetryCall,
        leaf: EventId,
        outcome: Settled,
    ) -> Result<Option<Settled>, Refused> {
        let mut losers = BTreeSet::new();
        let settled = self.retry_step(call, leaf, outcome, &mut losers)?;
        for loser in losers {
            self.cancel(loser);
        }
        Ok(settled)
    }

    pub(super) fn check_retry(&self, activity: &Leaf, policy: &RetryPolicy) -> Result<(), Failure> {
        if !matches!(activity, Leaf::Activity { .. }) {
            return Err(only_activities());
        }
        policy.validate()?;
        self.check_leaf(activity)
    }

    /// A retried call that was found good.
    pub(super) fn retry_checked(
        &mut self,
        activity: Leaf,
        policy: RetryPolicy,
    ) -> Result<RetryCall, Refused> {
        let Leaf::Activity { name, input, session, tag } = activity else {
            return Err(Refused::Failed(only_activities()));
        };
        let (since, called) = (self.now, name.clone());
        let scheduled = EventKind::ActivityScheduled { name, input, session, tag, attempt: 1 };
        let wait = self.attempt(&called, &scheduled, policy.limit(since, since))?;
        Ok(RetryCall { name: called, scheduled, policy, since, attempt: 1, wait })
    }

    /// A leaf of the call settled: the next attempt, the wait for it, or the outcome.
    pub(super) fn retry_step(
        &mut self,
        call: &mut RetryCall,
        leaf: EventId,
        outcome: Settled,
        losers: &mut BTreeSet<EventId>,
    ) -> Result<Option<Settled>, Refused> {
        let (activity, mut failure) = match (&call.wait, outcome) {
            (Wait::Delay(_, last), Ok(_)) => {
                // Perhaps the timer came late.
                if call.policy.limit(call.since, self.now) == Some(0) {
                    return Ok(Some(Err(*last.clone())));
                }
                return self.next_attempt(call).map(|()| None);
            }
            (Wait::Delay(..), Err(cancelled)) => return Ok(Some(Err(cancelled))),
            (Wait::Attempt { activity, limit: Some((timer, ms)) }, Ok(_)) if *timer == leaf => {
                losers.insert(*activity);
                (*activity, call.timed_out(*ms))
            }
            (Wait::Attempt { activity, limit }, outcome) => {
                losers.extend(limit.map(|(timer, _)| timer));
                match outcome {
                    Ok(value) => return Ok(Some(Ok(value))),
                    Err(failure) => (*activity, failure),
                }
            }
        };
        if failure.kind != FailureKind::Cancelled {
            // Deliveries of the attempt were added where it ran.
            failure.attempt = failure.attempt.max(Some(call.attempt));
        }
        let failed = Attempt { number: call.attempt, event: activity, since: call.since };
        let nonce = self.start.nonce.unwrap_or(Nonce(0));
        match call.policy.next_delay(failed, &failure, self.now, nonce) {
            None => return Ok(Some(Err(failure))),
            Some(0) => self.next_attempt(call)?,
            Some(delay_ms) => {
                let timer =
                    self.timer(delay_ms, format!("next attempt of activity '{}'", call.name))?;
                call.wait = Wait::Delay(timer, Box::new(failure));
            }
        }
        Ok(None)
    }

    fn next_attempt(&mut self, call: &mut RetryCall) -> Result<(), Refused> {
        call.attempt += 1;
        if let EventKind::ActivityScheduled { attempt, .. } = &mut call.scheduled {
            *attempt = call.attempt;
        }
        let limit = call.policy.limit(call.since, self.now);
        call.wait = self.attempt(&call.name, &call.scheduled, limit)?;
        Ok(())
    }

    fn attempt(
        &mut self,
        name: &str,
        scheduled: &EventKind,
        limit: Option<u64>,
    ) -> Result<Wait, Refused> {
        let activity = self.record(scheduled.clone())?;
        let timer = |ms| Ok((self.timer(ms, format!("time limit of activity '{name}'"))?, ms));
        Ok(Wait::Attempt { activity, limit: limit.map(timer).transpose()? })
    }

    fn timer(&mut self, delay_ms: u64, what: String) -> Result<EventId, Refused> {
        let fire_at = self.now.plus(delay_ms);
        let timer = self.record(EventKind::TimerCreated { delay_ms, fire_at })?;
        self.open.insert(timer, OpenLeaf::Timer { fire_at, what: Some(what) });
        Ok(timer)
    }
}

fn only_activities() -> Failure {
    Failure::new(FailureKind::Invalid, "only an activity can be retried")
}
