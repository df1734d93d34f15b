//! The future of one thing to wait for. It is scheduled when first polled, asks the core
//! for its outcome when polled again, and cancels what it scheduled when dropped before.
//! Not here: how leaves are waited for together (`group`).

use crate::error::OrchestrationError;
use crate::shared::Shared;
use duroxide_core::{EventId, Failure, Leaf, Refused, Scheduled, Settled, Value};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// An untyped leaf.
struct LeafFuture {
    shared: Arc<Shared>,
    stage: Stage,
}

enum Stage {
    /// Not polled yet: nothing is recorded.
    New(Leaf),
    /// Scheduled by this event.
    Open(EventId),
    /// It gave its outcome, or the execution is over and it never will.
    Over,
}

impl LeafFuture {
    fn poll(&mut self, waker: &Waker) -> Poll<Settled> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::New(leaf) => match self.shared.schedule(leaf, waker) {
                Ok(Scheduled::Ready(value)) => Poll::Ready(Ok(value)),
                Ok(Scheduled::Pending(event)) => {
                    self.stage = Stage::Open(event);
                    Poll::Pending
                }
                Err(Refused::Failed(failure)) => Poll::Ready(Err(failure)),
                Err(Refused::Stopped) => Poll::Pending,
            },
            Stage::Open(event) => {
                let settled = self.shared.settled(event, waker);
                if settled.is_none() {
                    self.stage = Stage::Open(event);
                }
                settled.map_or(Poll::Pending, Poll::Ready)
            }
            Stage::Over => Poll::Pending,
        }
    }
}

impl Drop for LeafFuture {
    fn drop(&mut self) {
        if let Stage::Open(event) = self.stage {
            self.shared.cancel(event);
        }
    }
}

/// Something durable that can be awaited.
///
/// It is scheduled when it is first polled, by `await`, by
/// [`join`](crate::OrchestrationContext::join) or by
/// [`select`](crate::OrchestrationContext::select); dropped before it has settled, it is
/// cancelled.
#[must_use = "nothing is scheduled until it is awaited"]
pub struct Durable<T> {
    inner: Result<LeafFuture, Option<Failure>>,
    decode: fn(Value) -> Result<T, Failure>,
}

impl<T> Durable<T> {
    /// A leaf of this execution, or the reason why there can be none.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        leaf: Result<Leaf, Failure>,
        decode: fn(Value) -> Result<T, Failure>,
    ) -> Self {
        let inner = match leaf {
            Ok(leaf) => Ok(LeafFuture { shared: Arc::clone(shared), stage: Stage::New(leaf) }),
            Err(failure) => Err(Some(failure)),
        };
        Self { inner, decode }
    }
}

impl<T> Future for Durable<T> {
    type Output = Result<T, OrchestrationError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let settled = match &mut this.inner {
            Ok(leaf) => match leaf.poll(cx.waker()) {
                Poll::Ready(settled) => settled,
                Poll::Pending => return Poll::Pending,
            },
            Err(failure) => match failure.take() {
                Some(failure) => Err(failure),
                None => return Poll::Pending,
            },
        };
        Poll::Ready(settled.and_then(this.decode).map_err(Into::into))
    }
}

impl<T> fmt::Debug for Durable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Ok(LeafFuture { stage: Stage::New(leaf), .. }) => write!(f, "Durable({leaf:?})"),
            Ok(LeafFuture { stage: Stage::Open(event), .. }) => write!(f, "Durable({event})"),
            Ok(LeafFuture { stage: Stage::Over, .. }) | Err(None) => f.write_str("Durable(over)"),
            Err(Some(failure)) => write!(f, "Durable(refused: {failure})"),
        }
    }
}
