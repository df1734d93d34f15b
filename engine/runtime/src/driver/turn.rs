//! One turn: what it is given, and how the host runs it.

use super::ending::Verdict;
use super::opening::Unopened;
use super::{Driver, Flow};
use crate::host::{TurnReply, TurnRequest};
use crate::workers::Finished;
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, CompatFlags, EventId, Fingerprint, Nonce, Opening, Origin,
    TurnInput, TurnOutcome,
};
use duroxide_provider::Release;
use futures_util::FutureExt;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// How long an instance rests that this node could not run, before it is tried again.
pub(super) const REST: Duration = Duration::from_secs(1);

/// How long an instance rests whose stored data cannot be used.
pub(super) const QUARANTINE: Duration = Duration::from_mins(5);

/// What a turn was given of the store's inbox.
pub(super) struct Offered {
    pub(super) arrivals: BTreeSet<ArrivalId>,
    /// The store had more.
    pub(super) more: bool,
}

/// A turn that ran.
pub(super) struct Ran {
    pub(super) outcome: Box<TurnOutcome>,
    pub(super) fingerprint: Option<Fingerprint>,
    /// Which version it ran, if it was the first of its execution.
    pub(super) resolved: Option<String>,
    /// The results that it was given.
    pub(super) given: Vec<Finished>,
    /// The arrivals that it was given.
    pub(super) offered: Offered,
    pub(super) cold: bool,
    /// Events and arrivals it went through.
    pub(super) handled: usize,
}

impl Driver {
    /// Run a turn and make it durable.
    pub(super) async fn turn(&mut self) -> Flow {
        if let Some(verdict) = self.todo.verdict.take() {
            return self.end_by_engine(verdict).await;
        }
        if self.attempt > self.node.options.max_attempts {
            return self.end_by_engine(Verdict::poison(self.attempt - 1)).await;
        }
        let Some(version) = self.node.registry.resolve(&self.name, self.version.as_deref()) else {
            return self.not_registered().await;
        };
        let opening = match self.opening().await {
            Ok(opening) => opening,
            Err(unopened) => return self.unopened(unopened).await,
        };
        match self.run_turn(version, opening).await {
            Ok(ran) => self.commit(ran).await,
            Err(flow) => flow,
        }
    }

    async fn opening(&self) -> Result<Option<Box<Opening>>, Unopened> {
        if self.resident { Ok(None) } else { self.open().await.map(Some) }
    }

    /// Ask the host, and once more if its copy turns out to be gone.
    async fn run_turn(
        &mut self,
        version: String,
        mut opening: Option<Box<Opening>>,
    ) -> Result<Ran, Flow> {
        let given = std::mem::take(&mut self.todo.results);
        let offered = self.todo.offer();
        let mut input = self.input(&version, &given);
        loop {
            let arrived = input.arrivals.len();
            let replayed = opening.as_ref().map(|opening| opening.history.events().len());
            let request = self.request(&version, opening.take(), input);
            let reply = self.step(request).await;
            match reply {
                Some(TurnReply::Ran { outcome, fingerprint }) => {
                    self.resident = outcome.commit.end.is_none();
                    let handled = replayed.unwrap_or(0) + arrived + outcome.commit.events.len();
                    self.node.metrics.turns.one();
                    self.node.metrics.events_handled.add(handled as u64);
                    let first = self.place.next_event == EventId::FIRST;
                    return Ok(Ran {
                        outcome,
                        fingerprint: fingerprint.map(|fingerprint| *fingerprint),
                        resolved: first.then_some(version),
                        given,
                        offered,
                        cold: replayed.is_some(),
                        handled,
                    });
                }
                Some(TurnReply::NotResident(handed_back)) if replayed.is_none() => {
                    self.resident = false;
                    input = handed_back;
                    opening = match self.open().await {
                        Ok(opening) => Some(opening),
                        Err(unopened) => {
                            self.todo.results = given;
                            return Err(self.unopened(unopened).await);
                        }
                    };
                }
                reply => {
                    self.todo.results = given;
                    return Err(self.no_turn(reply).await);
                }
            }
        }
    }

    /// Run user code. `None` if it brought the host down with it.
    async fn step(&mut self, request: TurnRequest) -> Option<TurnReply> {
        let turns = Arc::clone(&self.node.permits.turns);
        let _permit = turns.acquire().await.ok()?;
        self.unbegun = None;
        self.node.drivers.turn(self.incarnation, Some(self.node.monotonic()));
        let reply = AssertUnwindSafe(self.node.orchestrations.run_turn(request)).catch_unwind();
        let reply = reply.await.ok();
        self.node.drivers.turn(self.incarnation, None);
        reply
    }

    fn request(
        &self,
        version: &str,
        opening: Option<Box<Opening>>,
        input: TurnInput,
    ) -> TurnRequest {
        let observer = self.node.options.observer.as_ref();
        TurnRequest {
            key: self.key.clone(),
            resident: self.place.resident(self.incarnation),
            name: self.name.clone(),
            version: version.to_owned(),
            opening,
            input,
            fingerprint: observer.is_some_and(|observer| observer.wants_fingerprint()),
        }
    }

    /// Everything that is ready, in the order of its arrival; a start before all else.
    fn input(&mut self, version: &str, given: &[Finished]) -> TurnInput {
        self.todo.turn = false;
        let mut arrivals: Vec<Arrival> = self.todo.arrivals.values().cloned().collect();
        arrivals.extend(given.iter().map(Finished::arrival));
        arrivals.sort_by_key(|arrival| (!is_start(arrival), arrival.at, arrival.origin));
        for arrival in &mut arrivals {
            if let ArrivalBody::Start { version: asked, .. } = &mut arrival.body {
                *asked = Some(version.to_owned());
            }
        }
        let (mail_read, unread, more_mail) = match self.todo.mail.take() {
            Some((names, page)) => (names, page.unread, page.more_mail),
            None => (Vec::new(), Vec::new(), Vec::new()),
        };
        let first = self.place.next_event == EventId::FIRST;
        TurnInput {
            arrivals,
            unread,
            mail_read,
            more_mail,
            nonce: if first { self.draw_nonce() } else { Nonce(0) },
            flags: self.node.options.flags,
            raise: CompatFlags::NONE,
        }
    }

    pub(super) fn draw_nonce(&self) -> Nonce {
        let mut bytes = [0; 16];
        self.node.env.entropy.fill(&mut bytes);
        Nonce(u128::from_le_bytes(bytes))
    }

    /// The host ran nothing, or broke while it ran.
    async fn no_turn(&mut self, reply: Option<TurnReply>) -> Flow {
        let key = &self.key;
        let refund = match reply {
            Some(TurnReply::Unavailable(why)) => {
                tracing::debug!(target: "duroxide::runtime", instance = %key, why, "no turn was run");
                true
            }
            Some(TurnReply::NotResident(_) | TurnReply::Ran { .. }) => {
                tracing::error!(target: "duroxide::runtime", instance = %key, "the host asks for an opening that it was given");
                true
            }
            None => {
                tracing::error!(target: "duroxide::runtime", instance = %key, "the host panicked in a turn");
                self.resident = true;
                false
            }
        };
        let release = Release { held: vec![self.held()], commit: None, refund, delay: REST };
        self.abandon(Some(release), REST).await;
        Flow::End
    }

    /// Leased, but not registered: only a termination is leased so, and no code is needed
    /// for it. Anything else is for another node.
    async fn not_registered(&mut self) -> Flow {
        if let Some(verdict) = self.termination() {
            return self.end_by_engine(verdict).await;
        }
        self.abandon(None, REST).await;
        Flow::End
    }

    async fn unopened(&mut self, unopened: Unopened) -> Flow {
        let problem = match unopened {
            // Should the lease be held all the same, the next try is not to come at once.
            Unopened::Gone => {
                self.abandon(None, REST).await;
                return Flow::End;
            }
            Unopened::Corrupt(problem) => problem,
        };
        if let Some(verdict) = self.termination() {
            return self.end_by_engine(verdict).await;
        }
        tracing::error!(target: "duroxide::runtime", instance = %self.key, problem, "quarantined: what is stored of it cannot be used");
        self.abandon(None, QUARANTINE).await;
        Flow::End
    }
}

impl Finished {
    /// As the core takes it.
    fn arrival(&self) -> Arrival {
        let source = self.held.activity.event;
        let body = ArrivalBody::ActivityDone { source, outcome: self.outcome.clone() };
        Arrival { origin: Origin::Fused(source), at: self.at, body }
    }
}

fn is_start(arrival: &Arrival) -> bool {
    matches!(arrival.body, ArrivalBody::Start { .. })
}
