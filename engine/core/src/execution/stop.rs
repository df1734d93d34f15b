//! How an execution is made to stop: cancelled in its own way, or ended without running
//! its code. Not here: code that returns or throws by itself (`calls`).

use super::admit::Admitted;
use super::{Activation, Execution, OpenLeaf};
use crate::{Arrival, ArrivalBody, EventId, EventKind, ExecutionId, Failure, TimeMs};

impl Execution {
    /// Instead of running code (too many attempts, a name that no node knows): the
    /// execution fails. Call it after [`begin_turn`](Self::begin_turn), then finish the turn.
    pub fn fail_without_code(&mut self, failure: Failure) {
        let at = self.current.arrivals.iter().map(|arrival| arrival.at).max();
        let failure = failure.with_few_causes();
        let kind = EventKind::OrchestrationFailed { failure, by_engine: true };
        self.end_without_code(kind, at.unwrap_or(self.recorded.1));
    }

    /// Everything the coroutine waits for is cancelled, and its await throws, once.
    pub(super) fn cancel_open(&mut self, reason: &str) -> Admitted {
        let open: Vec<EventId> = self.open.keys().copied().collect();
        for leaf in &open {
            if self.record_cancel(*leaf).is_err() {
                return Admitted::Quiet;
            }
        }
        let cancelled = || Err(Failure::cancelled(reason));
        if self.awaited.take().is_some() {
            return Admitted::Run(Activation::Resume(cancelled()));
        }
        self.settled.extend(open.into_iter().map(|leaf| (leaf, cancelled())));
        Admitted::Run(Activation::Poll)
    }

    /// A cancel that came before the first turn of the instance: no code runs.
    pub(super) fn cancelled_unstarted(&mut self, started: &EventKind, at: TimeMs) -> bool {
        if !matches!(started, EventKind::OrchestrationStarted { .. }) {
            return false;
        }
        let found = self.current.arrivals.iter().position(|arrival| {
            self.id == ExecutionId::FIRST && matches!(arrival.body, ArrivalBody::Cancel { .. })
        });
        let Some(Arrival {
            origin,
            at: cancelled_at,
            body: ArrivalBody::Cancel { reason, from_parent },
        }) = found.and_then(|index| self.current.arrivals.remove(index))
        else {
            return false;
        };
        self.consume(origin);
        self.now = self.now.max(at);
        self.write(started.clone());
        self.now = self.now.max(cancelled_at);
        self.write(EventKind::OrchestrationCancelRequested {
            reason: reason.clone(),
            from_parent,
            unstarted: true,
        });
        self.end_unstarted(&reason);
        true
    }

    /// Nothing follows a cancel that came before the first turn but the end, if it is not
    /// recorded already.
    pub(super) fn end_unstarted(&mut self, reason: &str) -> Admitted {
        if self.replay.is_empty() {
            let failure = Failure::cancelled(reason);
            self.write(EventKind::OrchestrationFailed { failure, by_engine: true });
        }
        Admitted::Quiet
    }

    /// Take over what history holds, and end.
    pub(super) fn end_without_code(&mut self, end: EventKind, at: TimeMs) {
        self.absorb_rest();
        if self.ended {
            return;
        }
        self.forget_unwritten();
        self.now = self.now.max(at);
        for arrival in std::mem::take(&mut self.current.arrivals) {
            self.consume(arrival.origin);
            let first = self.next_event == EventId::FIRST;
            if first && let Some(started) = self.started(arrival.body) {
                self.write(started);
            }
        }
        self.write(end);
    }

    /// The rest of a split turn was never committed. A cold copy would not have it.
    fn forget_unwritten(&mut self) {
        let rest = std::mem::take(&mut self.tail);
        let Some(first) = rest.first().map(|event| event.id) else {
            return;
        };
        for event in rest {
            if let EventKind::SubOrchestrationCancelRequested { source, instance } = event.kind {
                self.cancelled_children.remove(&source);
                self.open.insert(source, OpenLeaf::Child { name: String::new(), instance });
            }
        }
        self.open.split_off(&first);
        self.next_event = first;
        self.current.bytes = 0;
    }

    /// The first event, of what the start says and this turn brings along.
    pub(super) fn started(&self, start: ArrivalBody) -> Option<EventKind> {
        let ArrivalBody::Start { name, version, input, parent, headers } = start else {
            return None;
        };
        let version = version.unwrap_or_else(|| "1.0.0".to_owned());
        let (nonce, flags) = (self.current.nonce?, self.current.flags);
        Some(EventKind::OrchestrationStarted {
            name,
            version,
            input,
            parent,
            nonce,
            flags,
            headers,
        })
    }
}
