//! Waiting for several futures: all of them, or the first. One rule with the core's await
//! tree: every poll polls all branches in order, so leaves are scheduled depth first, left
//! to right, even behind a branch that is ready; then the first ready one in order wins,
//! and the losers are dropped while the group still gathers their cancels.

use crate::shared::Shared;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What [`join`](crate::OrchestrationContext::join) and
/// [`select`](crate::OrchestrationContext::select) take: a `Vec` of any number of futures
/// of one type, or a tuple of two to six of different types.
pub trait IntoBranches {
    /// The branches as they are polled.
    type Branches: Branches;
    /// The futures, not yet polled.
    fn into_branches(self) -> Self::Branches;
}

/// Futures that are polled together.
pub trait Branches: Unpin {
    /// Every outcome, in order.
    type All;
    /// The first outcome, and which branch it is of.
    type First;
    /// Polls each unfinished branch once, in order.
    fn poll_each(&mut self, cx: &mut Context<'_>);
    /// Every outcome, if all are there.
    fn take_all(&mut self) -> Option<Self::All>;
    /// The outcome of the first branch in order that has one.
    fn take_first(&mut self) -> Option<Self::First>;
}

/// All branches; see [`OrchestrationContext::join`](crate::OrchestrationContext::join).
#[must_use = "nothing is scheduled until it is awaited"]
pub struct Join<B> {
    shared: Arc<Shared>,
    branches: B,
}

impl<B: Branches> Join<B> {
    pub(crate) fn new(shared: Arc<Shared>, branches: B) -> Self {
        Self { shared, branches }
    }
}

impl<B: Branches> Future for Join<B> {
    type Output = B::All;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::All> {
        let Self { shared, branches } = self.get_mut();
        let _group = shared.group();
        branches.poll_each(cx);
        branches.take_all().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The first branch; see [`OrchestrationContext::select`](crate::OrchestrationContext::select).
#[must_use = "nothing is scheduled until it is awaited"]
pub struct Select<B> {
    shared: Arc<Shared>,
    branches: Option<B>,
}

impl<B: Branches> Select<B> {
    pub(crate) fn new(shared: Arc<Shared>, branches: B) -> Self {
        Self { shared, branches: Some(branches) }
    }
}

impl<B: Branches> Future for Select<B> {
    type Output = B::First;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::First> {
        let Self { shared, branches } = self.get_mut();
        let _group = shared.group();
        let Some(racing) = branches else { return Poll::Pending };
        racing.poll_each(cx);
        let Some(first) = racing.take_first() else { return Poll::Pending };
        // The losers go here, while the group gathers what they cancel.
        *branches = None;
        Poll::Ready(first)
    }
}

impl<B> fmt::Debug for Join<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join")
    }
}

impl<B> fmt::Debug for Select<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Select")
    }
}

/// One branch and its outcome.
pub enum Slot<F: Future> {
    /// Not finished.
    Running(Pin<Box<F>>),
    /// Finished.
    Done(F::Output),
    /// Its outcome was taken.
    Taken,
}

// The future is boxed and the outcome is never pinned.
impl<F: Future> Unpin for Slot<F> {}

impl<F: Future> Slot<F> {
    fn new(future: impl IntoFuture<IntoFuture = F>) -> Self {
        Self::Running(Box::pin(future.into_future()))
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Self::Running(future) = self
            && let Poll::Ready(outcome) = future.as_mut().poll(cx)
        {
            *self = Self::Done(outcome);
        }
    }

    fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    fn take(&mut self) -> Option<F::Output> {
        match std::mem::replace(self, Self::Taken) {
            Self::Done(outcome) => Some(outcome),
            unfinished @ (Self::Running(_) | Self::Taken) => {
                *self = unfinished;
                None
            }
        }
    }
}

impl<F: Future> fmt::Debug for Slot<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running(_) => "Running",
            Self::Done(_) => "Done",
            Self::Taken => "Taken",
        })
    }
}

impl<F: IntoFuture> IntoBranches for Vec<F> {
    type Branches = Vec<Slot<F::IntoFuture>>;

    fn into_branches(self) -> Self::Branches {
        self.into_iter().map(Slot::new).collect()
    }
}

impl<F: Future> Branches for Vec<Slot<F>> {
    type All = Vec<F::Output>;
    type First = (usize, F::Output);

    fn poll_each(&mut self, cx: &mut Context<'_>) {
        for slot in self {
            slot.poll(cx);
        }
    }

    fn take_all(&mut self) -> Option<Self::All> {
        if !self.iter().all(Slot::is_done) {
            return None;
        }
        self.iter_mut().map(Slot::take).collect()
    }

    fn take_first(&mut self) -> Option<Self::First> {
        self.iter_mut().enumerate().find_map(|(index, slot)| Some((index, slot.take()?)))
    }
}

/// The branches of a tuple.
#[derive(Debug)]
pub struct Slots<T>(T);

macro_rules! tuple_of_branches {
    ($OneOf:ident, $count:literal: $($Branch:ident $future:ident $index:tt),+) => {
        #[doc = concat!("Which of ", $count, " branches was first, with its outcome.")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $OneOf<$($future),+> {
            $(
                #[doc = concat!("Branch ", $index, ", counted from 0.")]
                $Branch($future)
            ),+
        }

        impl<$($future: IntoFuture),+> IntoBranches for ($($future,)+) {
            type Branches = Slots<($(Slot<$future::IntoFuture>,)+)>;

            fn into_branches(self) -> Self::Branches {
                Slots(($(Slot::new(self.$index),)+))
            }
        }

        impl<$($future: Future),+> Branches for Slots<($(Slot<$future>,)+)> {
            type All = ($($future::Output,)+);
            type First = $OneOf<$($future::Output),+>;

            fn poll_each(&mut self, cx: &mut Context<'_>) {
                $(self.0.$index.poll(cx);)+
            }

            fn take_all(&mut self) -> Option<Self::All> {
                if !($(self.0.$index.is_done())&&+) {
                    return None;
                }
                Some(($(self.0.$index.take()?,)+))
            }

            fn take_first(&mut self) -> Option<Self::First> {
                $(
                    if let Some(outcome) = self.0.$index.take() {
                        return Some($OneOf::$Branch(outcome));
                    }
                )+
                None
            }
        }
    };
}

tuple_of_branches!(OneOf2, "two": First A 0, Second B 1);
tuple_of_branches!(OneOf3, "three": First A 0, Second B 1, Third C 2);
tuple_of_branches!(OneOf4, "four": First A 0, Second B 1, Third C 2, Fourth D 3);
tuple_of_branches!(OneOf5, "five": First A 0, Second B 1, Third C 2, Fourth D 3, Fifth E 4);
tuple_of_branches!(OneOf6, "six": First A 0, Second B 1, Third C 2, Fourth D 3, Fifth E 4, Sixth G 5);
