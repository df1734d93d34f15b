//! The driver: one execution's state machine together with the future of its code. It runs
//! a turn from start to finish without waiting for anything.
//! Not here: where turns come from, what becomes of their commits (`duroxide-runtime`).

use crate::error::panic_failure;
use crate::shared::Shared;
use crate::{BoxFuture, OrchestrationContext, OrchestrationFn};
use duroxide_core::{
    Activation, Divergence, Ending, Execution, Failure, FailureKind, Fingerprint, Opening, Payload,
    TurnInput, TurnOutcome,
};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that wakes itself this often in one activation spins.
const POLLS_PER_ACTIVATION: u32 = 100_000;

/// An execution with its code, resident between turns.
///
/// Dropping it has no durable effect: what its futures do while they are dropped is ignored.
pub struct Coroutine {
    shared: Arc<Shared>,
    function: OrchestrationFn,
    /// The running code: none before the start and after the end.
    code: Option<BoxFuture<Result<Payload, Failure>>>,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Coroutine {
    /// Opens an execution that runs this function; nothing runs before the first turn.
    pub fn open(opening: Opening, function: OrchestrationFn) -> Self {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let shared = Arc::new(Shared::new(Execution::open(opening), waker.clone()));
        Self { shared, function, code: None, signal, waker }
    }

    /// Runs one turn to where the code waits for what has not arrived.
    pub fn run_turn(&mut self, input: TurnInput) -> TurnOutcome {
        self.shared.drive(|execution| execution.begin_turn(input));
        while let Some(activation) = self.shared.drive(Execution::next_activation) {
            match activation {
                Activation::Start { input } => self.start(input),
                // The core resumes with a value only those who await trees; to poll is
                // right for either.
                Activation::Poll | Activation::Resume(_) => self.shared.wake_foreign(),
            }
            self.poll();
        }
        if self.is_over() {
            self.discard();
        }
        self.shared.drive(Execution::finish_turn)
    }

    /// Whether it will never run code again: it ended, or code and history disagree.
    pub fn is_over(&self) -> bool {
        self.shared.read(|execution| execution.is_ended() || execution.is_stopped())
    }

    /// Where its code and its history disagree, if they do.
    pub fn divergence(&self) -> Option<Divergence> {
        self.shared.read(|execution| execution.divergence().cloned())
    }

    /// What must be equal between this copy and a cold replay of its history.
    pub fn fingerprint(&self) -> Fingerprint {
        self.shared.read(Execution::fingerprint)
    }

    fn start(&mut self, input: Payload) {
        let ctx = OrchestrationContext::new(Arc::clone(&self.shared));
        self.code = Some((self.function)(ctx, input));
    }

    /// Polls the code until it ends or waits for something that is not there.
    fn poll(&mut self) {
        for _ in 0..POLLS_PER_ACTIVATION {
            let Some(code) = &mut self.code else { return };
            self.signal.clear();
            let polled = {
                let _polling = self.shared.polling();
                let mut cx = Context::from_waker(&self.waker);
                catch_unwind(AssertUnwindSafe(|| code.as_mut().poll(&mut cx)))
            };
            match polled {
                Ok(Poll::Ready(Ok(output))) => return self.end(Ending::Returned(output)),
                Ok(Poll::Ready(Err(failure))) => return self.end(Ending::Threw(failure)),
                Err(panic) => return self.end(Ending::Threw(panic_failure(&*panic))),
                Ok(Poll::Pending) if self.is_over() => return self.discard(),
                Ok(Poll::Pending) if self.signal.is_set() => {}
                Ok(Poll::Pending) if self.shared.has_open() => return,
                Ok(Poll::Pending) => return self.end(stuck(WAITS_FOR_NOTHING)),
            }
        }
        self.end(stuck(SPINS));
    }

    fn end(&mut self, ending: Ending) {
        // Refused only if the execution is over already: then nobody asks how the code ended.
        let _ = self.shared.drive(|execution| execution.end(ending));
        self.discard();
    }

    /// Drops the code. The core hears nothing of it, because nobody is polling.
    fn discard(&mut self) {
        let code = self.code.take();
        // A destructor that panics must not take the node down; there is nothing to report
        // to, the execution is over or will be replayed.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(code)));
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        self.discard();
    }
}

impl fmt::Debug for Coroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instance = self.shared.read(|execution| execution.instance().clone());
        write!(f, "Coroutine({instance})")
    }
}

fn stuck(why: &str) -> Ending {
    Ending::Threw(Failure::new(FailureKind::Invalid, why))
}

const WAITS_FOR_NOTHING: &str = "the orchestration waits for something that can never come: \
     it may only await what its context gives (activities, timers, events, children, \
     and join and select over at least one of them)";

const SPINS: &str = "the orchestration wakes itself without end instead of awaiting what its \
     context gives";

/// Remembers that the code woke itself while it was polled, as a channel between two
/// branches of a join does.
#[derive(Default)]
struct Signal(AtomicBool);

impl Signal {
    fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
