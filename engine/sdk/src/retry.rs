//! The future of an activity that is tried again when it fails. Which attempts there are,
//! and what stands between them, is the core's to say; here is only what a future owes:
//! to schedule when first polled, and to cancel what is open when dropped before its end.

use crate::error::OrchestrationError;
use crate::shared::Shared;
use duroxide_core::{Failure, Leaf, Refused, RetryCall, RetryPolicy, Settled, Value};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// An activity with a retry policy; see [`ActivityCall::with_retry`](crate::ActivityCall::with_retry).
///
/// Dropped before it has settled, it is cancelled: the attempt under way, or the wait for
/// the next.
#[must_use = "nothing is scheduled until it is awaited"]
pub struct Retried<T> {
    shared: Arc<Shared>,
    stage: Stage,
    decode: fn(Value) -> Result<T, Failure>,
}

enum Stage {
    /// Not polled yet: nothing is recorded. The activity, or the reason why there is none.
    New(Result<Leaf, Failure>, RetryPolicy),
    /// An attempt is under way, or the wait for one.
    Open(RetryCall),
    /// It gave its outcome, or the execution is over and it never will.
    Over,
}

impl<T> Retried<T> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        activity: Result<Leaf, Failure>,
        policy: RetryPolicy,
        decode: fn(Value) -> Result<T, Failure>,
    ) -> Self {
        Self { shared, stage: Stage::New(activity, policy), decode }
    }

    fn poll_untyped(&mut self, waker: &Waker) -> Poll<Settled> {
        let polled = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::New(activity, policy) => activity
                .map_err(Refused::Failed)
                .and_then(|activity| self.shared.retry(activity, policy, waker))
                .map(|call| (call, None)),
            Stage::Open(mut call) => {
                self.shared.retried(&mut call, waker).map(|settled| (call, settled))
            }
            Stage::Over => Err(Refused::Stopped),
        };
        match polled {
            Ok((call, None)) => {
                self.stage = Stage::Open(call);
                Poll::Pending
            }
            Ok((_, Some(settled))) => Poll::Ready(settled),
            Err(Refused::Failed(failure)) => Poll::Ready(Err(failure)),
            Err(Refused::Stopped) => Poll::Pending,
        }
    }
}

impl<T> Future for Retried<T> {
    type Output = Result<T, OrchestrationError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let decode = this.decode;
        this.poll_untyped(cx.waker()).map(|settled| settled.and_then(decode).map_err(Into::into))
    }
}

impl<T> Drop for Retried<T> {
    fn drop(&mut self) {
        if let Stage::Open(call) = &self.stage {
            for leaf in call.leaves() {
                self.shared.cancel(leaf);
            }
        }
    }
}

impl<T> fmt::Debug for Retried<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Stage::New(Ok(activity), policy) => write!(f, "Retried({activity:?}, {policy:?})"),
            Stage::New(Err(failure), _) => write!(f, "Retried(refused: {failure})"),
            Stage::Open(call) => write!(f, "Retried({call:?})"),
            Stage::Over => f.write_str("Retried(over)"),
        }
    }
}
