//! What runs besides the orchestration itself: its activities' code, and its children.
//! Not here: when they run; the test says so.

use super::ByHand;
use crate::{ActivityContext, ActivityFacts};
use duroxide_core::{
    ArrivalBody, EventId, ExecutionId, Failure, NewActivity, NewStart, Parent, Payload,
    policy_attempt,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use tokio_util::sync::CancellationToken;

impl ByHand {
    /// Runs the registered code of the oldest open activity that comes to an end without
    /// waiting; its outcome arrives. Gives that activity's name, or `None` if there is none.
    pub fn perform_activity(&mut self) -> Option<String> {
        let done =
            self.activities().iter().find_map(|open| Some((open.clone(), self.run_to_end(open)?)));
        let (done, outcome) = done?;
        let source = done.event;
        self.store.activities.retain(|open| open.event != source);
        let outcome = outcome.map_err(|failure| of(failure, &done));
        self.arrives(ArrivalBody::ActivityDone { source, outcome });
        Some(done.name)
    }

    /// The outcome of an activity's code, unless it waits for something.
    fn run_to_end(&self, open: &NewActivity) -> Option<Result<Payload, Failure>> {
        let Some(code) = self.registry.activity(&open.name) else {
            panic!("activity {:?} is not registered", open.name)
        };
        let context = ActivityContext::new(self.facts(open), CancellationToken::new());
        let mut cx = Context::from_waker(Waker::noop());
        let mut future = code(context, open.input.clone());
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
            Ok(Poll::Ready(outcome)) => Some(outcome),
            Ok(Poll::Pending) => None,
            Err(panic) => Some(Err(crate::panic_failure(&*panic))),
        }
    }

    fn facts(&self, open: &NewActivity) -> ActivityFacts {
        let (orchestration_name, orchestration_version) = self.identity();
        ActivityFacts {
            instance: self.store.instance.clone(),
            execution: self.execution(),
            orchestration_name,
            orchestration_version,
            activity_name: open.name.clone(),
            activity: open.event,
            attempt: policy_attempt(&open.headers),
            worker: "by hand".to_owned(),
            session: open.session.clone(),
            tag: open.tag.clone(),
        }
    }

    /// An open child as a run of its own, not yet begun. What it comes to must be told to
    /// this run, by [`child_ends`](Self::child_ends).
    #[must_use]
    pub fn child(&self, child: &NewStart) -> Self {
        let parent = Parent {
            instance: self.store.instance.clone(),
            execution: self.execution(),
            event: child.event,
        };
        let start = (child.name.as_str(), child.version.as_deref(), child.input.clone());
        Self::begin(&self.registry, child.instance.clone(), start, Some(parent), self.now)
    }

    /// An open child, by the event that scheduled it, has ended like this.
    pub fn child_ends(&mut self, source: EventId, outcome: Result<Payload, Failure>) -> &mut Self {
        let open = self.children().len();
        self.store.children.retain(|child| child.event != source);
        assert!(self.children().len() < open, "no child scheduled by {source} is open");
        self.arrives(ArrivalBody::ChildDone { source, outcome })
    }

    fn execution(&self) -> ExecutionId {
        ExecutionId(self.executions().len() as u64)
    }
}

/// A failure as a worker reports it.
pub(super) fn of(mut failure: Failure, activity: &NewActivity) -> Failure {
    failure.source = Some(activity.name.clone());
    failure.attempt = Some(policy_attempt(&activity.headers));
    failure
}
