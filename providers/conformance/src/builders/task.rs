//! An activity that a node holds.

use crate::expect::{CheckResult, Stop};
use crate::fixture::Fixture;
use duroxide_core::{EventId, Failure, Payload};
use duroxide_provider::{
    ActivityFate, ActivityKey, CompleteActivity, Held, LeaseId, LeaseState, LeasedActivity,
    Release, Renew,
};
use std::time::Duration;

/// An activity and the lease it is held under.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    fx: Fixture,
    pub(crate) activity: ActivityKey,
    pub(crate) lease: LeaseId,
    pub(crate) attempt: u32,
    pub(crate) instance: String,
}

impl Task {
    pub(crate) fn leased(fx: Fixture, leased: &LeasedActivity, lease: LeaseId) -> Self {
        Self {
            fx,
            activity: leased.activity,
            lease,
            attempt: leased.attempt,
            instance: leased.key.id.0.clone(),
        }
    }

    pub(crate) fn claimed(
        fx: Fixture,
        activity: ActivityKey,
        lease: LeaseId,
        attempt: u32,
    ) -> Self {
        Self { fx, activity, lease, attempt, instance: String::new() }
    }

    /// The same activity under a lease that does not hold it.
    pub(crate) fn under(&self, lease: LeaseId) -> Self {
        Self { lease, ..self.clone() }
    }

    pub(crate) fn event(&self) -> EventId {
        self.activity.event
    }

    pub(crate) fn held(&self) -> Held {
        Held::Activity { activity: self.activity, lease: self.lease }
    }

    /// A completion, to be sent as it is.
    pub(crate) fn completion(&self, json: &str) -> CompleteActivity {
        let outcome = Ok(Payload::json(json));
        CompleteActivity { activity: self.activity, lease: self.lease, outcome }
    }

    pub(crate) async fn complete(&self, json: &str) -> CheckResult<ActivityFate> {
        Ok(self.fx.store().complete_activity(self.completion(json)).await?)
    }

    pub(crate) async fn fail(&self, message: &str) -> CheckResult<ActivityFate> {
        let outcome = Err(Failure::application(message));
        let request = CompleteActivity { outcome, ..self.completion("null") };
        Ok(self.fx.store().complete_activity(request).await?)
    }

    pub(crate) async fn renew(&self, ms: u64) -> CheckResult<LeaseState> {
        let duration = Duration::from_millis(ms);
        let states = self.fx.store().renew(Renew { held: vec![self.held()], duration }).await?;
        one(&states)
    }

    pub(crate) async fn release(&self, refund: bool, delay_ms: u64) -> CheckResult {
        let delay = Duration::from_millis(delay_ms);
        let request = Release { held: vec![self.held()], commit: None, refund, delay };
        Ok(self.fx.store().release(request).await?)
    }
}

/// The answer for the one lease that was asked about.
pub(crate) fn one(states: &[LeaseState]) -> CheckResult<LeaseState> {
    match states {
        [state] => Ok(*state),
        other => {
            Err(Stop::Failed(format!("renew: expected one answer for one lease, got {other:?}")))
        }
    }
}
