//! Ends that the engine decides without running the instance's code: poison, a
//! termination of what cannot be run here, a name that nobody registers. Such a commit is
//! made of the instance's place alone, so that a history nobody can read ends as well.

use super::opening::Unopened;
use super::turn::Ran;
use super::{Driver, Flow};
use duroxide_core::{
    Arrival, ArrivalBody, Commit, End, Event, EventId, EventKind, Failure, FailureKind, Origin,
    TimeMs, TurnNo, TurnOutcome,
};
use std::time::Duration;

/// How the engine ends an instance.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// It failed.
    Failed(Failure),
    /// Someone asked for its termination.
    Terminated(String),
}

impl Verdict {
    /// So many turns were begun and came to nothing.
    pub(super) fn poison(died: u32) -> Self {
        let message =
            format!("poison: a turn of this instance was begun {died} times and died each time");
        Self::Failed(Failure::new(FailureKind::Poison, message))
    }

    fn event(&self) -> EventKind {
        match self {
            Self::Failed(failure) => {
                EventKind::OrchestrationFailed { failure: failure.clone(), by_engine: true }
            }
            Self::Terminated(reason) => {
                EventKind::OrchestrationTerminated { reason: reason.clone() }
            }
        }
    }

    fn end(self) -> End {
        match self {
            Self::Failed(failure) => End::Failed { failure },
            Self::Terminated(reason) => End::Terminated { reason },
        }
    }
}

impl Driver {
    /// The termination among what arrived, if there is one.
    pub(super) fn termination(&self) -> Option<Verdict> {
        self.todo.arrivals.values().find_map(|arrival| match &arrival.body {
            ArrivalBody::Terminate { reason } => Some(Verdict::Terminated(reason.clone())),
            ArrivalBody::Start { .. }
            | ArrivalBody::ActivityDone { .. }
            | ArrivalBody::TimerDue { .. }
            | ArrivalBody::ChildDone { .. }
            | ArrivalBody::Mail { .. }
            | ArrivalBody::Cancel { .. } => None,
        })
    }

    /// End the instance.
    pub(super) async fn end_by_engine(&mut self, verdict: Verdict) -> Flow {
        let Some((at, turn)) = self.after_the_last_event().await else {
            self.abandon(None, Duration::ZERO).await;
            return Flow::End;
        };
        self.say(&verdict);
        self.evict();
        let mut kinds = Vec::new();
        let mut resolved = None;
        if self.place.next_event == EventId::FIRST {
            let started = self.started();
            if let Some(EventKind::OrchestrationStarted { version, .. }) = &started {
                resolved = Some(version.clone());
            }
            kinds.extend(started);
        }
        kinds.push(verdict.event());
        let commit = self.ending_commit(verdict, kinds, (at, turn));
        let handled = commit.events.len();
        let outcome = TurnOutcome {
            commit,
            unadmitted: Vec::new(),
            wants_mail: Vec::new(),
            input_changes: Vec::new(),
            dropped: 0,
        };
        let given = std::mem::take(&mut self.todo.results);
        let outcome = Box::new(outcome);
        let (offered, cold) = (self.todo.offer(), true);
        self.commit(Ran { outcome, fingerprint: None, resolved, given, offered, cold, handled })
            .await
    }

    fn say(&self, verdict: &Verdict) {
        let instance = &self.key;
        match verdict {
            Verdict::Failed(failure) => {
                tracing::warn!(target: "duroxide::runtime", %instance, code = failure.kind.as_str(), "failed by the engine: {failure}");
            }
            Verdict::Terminated(reason) => {
                tracing::info!(target: "duroxide::runtime", %instance, "terminated: {reason}");
            }
        }
    }

    fn ending_commit(
        &self,
        verdict: Verdict,
        kinds: Vec<EventKind>,
        (at, turn): (TimeMs, TurnNo),
    ) -> Commit {
        let first = self.place.next_event.0;
        let events = kinds.into_iter().zip(first..).map(|(kind, id)| Event {
            id: EventId(id),
            turn,
            at,
            split: false,
            kind,
        });
        Commit {
            events: events.collect(),
            consumed: self.todo.arrivals.keys().copied().collect(),
            end: Some(verdict.end()),
            ..Commit::empty(self.place.execution, self.place.next_event, turn)
        }
    }

    /// Time and turn for events after the last one; of a history that cannot be read, what
    /// is surely after it. `None`: the lease is gone.
    async fn after_the_last_event(&self) -> Option<(TimeMs, TurnNo)> {
        let now = self.node.clock.now();
        let next = self.place.next_event;
        if next == EventId::FIRST {
            return Some((now, TurnNo(1)));
        }
        match self.read(EventId(next.0 - 1)).await {
            Ok(page) => {
                let last = page.events.last();
                Some(last.map_or((now, TurnNo(next.0)), |last| {
                    (now.max(last.at), TurnNo(last.turn.0 + 1))
                }))
            }
            // A turn has at least one event: no turn so far has a greater number.
            Err(Unopened::Corrupt(_)) => Some((now, TurnNo(next.0))),
            Err(Unopened::Gone) => None,
        }
    }

    /// The first event, made of the start that waits to be admitted.
    fn started(&self) -> Option<EventKind> {
        let start = self.todo.arrivals.values().find_map(|Arrival { origin, body, .. }| {
            let ArrivalBody::Start { name, version, input, parent, headers } = body else {
                return None;
            };
            matches!(origin, Origin::Inbox(_)).then_some((name, version, input, parent, headers))
        });
        let (name, version, input, parent, headers) = start?;
        let asked = version.as_deref().or(self.version.as_deref());
        let resolved = self.node.registry.resolve(name, asked);
        Some(EventKind::OrchestrationStarted {
            name: name.clone(),
            version: resolved.or_else(|| asked.map(str::to_owned)).unwrap_or_default(),
            input: input.clone(),
            parent: parent.clone(),
            nonce: self.draw_nonce(),
            flags: self.node.options.flags,
            headers: headers.clone(),
        })
    }
}
