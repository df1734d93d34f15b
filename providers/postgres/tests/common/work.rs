//! Requests as a runtime would make them, for a flow of one activity after another.

use duroxide_core::{
    Arrival, ArrivalId, Commit, CompatFlags, Event, EventId, EventKind, Headers, NewActivity,
    Nonce, Origin, Payload,
};
use duroxide_provider::{
    ActivityFilter, Applied, Claim, CommitId, CommitOutcome, CommitTurn, InstanceKey, LeaseId,
    LeaseOrchestrations, LeasedInstance, NodeId, OrchestrationFilter, Provider, RequestId,
    SessionLimits, Submission, Submit, TagFilter,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An id never drawn before, in this process or another.
pub(crate) fn draw() -> u128 {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let n = u128::from(DRAWN.fetch_add(1, Ordering::SeqCst));
    (n << 64) | u128::from(std::process::id())
}

pub(crate) fn node(name: &str) -> NodeId {
    NodeId { name: name.to_owned(), run: 1 }
}

pub(crate) fn start(id: &str) -> Submit {
    Submit {
        request: RequestId(draw()),
        key: InstanceKey::new(id),
        what: Submission::Start {
            name: "Flow".to_owned(),
            version: None,
            input: Payload::null(),
            headers: Headers::new(),
        },
    }
}

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn lease(name: &str) -> LeaseOrchestrations {
    LeaseOrchestrations {
        lease: LeaseId(draw()),
        node: node(name),
        filter: OrchestrationFilter {
            names: BTreeMap::from([("Flow".to_owned(), BTreeSet::from(["1.0.0".to_owned()]))]),
            flags: CompatFlags::KNOWN,
        },
        max: 10,
        duration: LEASE,
    }
}

pub(crate) fn all_activities() -> ActivityFilter {
    ActivityFilter {
        names: BTreeSet::from(["Step".to_owned()]),
        tags: TagFilter::DefaultOnly,
        sessions: SessionLimits { max: 10, idle: Duration::from_mins(5) },
    }
}

/// One instance, as the node that holds it sees it.
pub(crate) struct Run {
    pub(crate) got: LeasedInstance,
    pub(crate) node: NodeId,
    base: Option<CommitId>,
    next_event: EventId,
    turn: u64,
    pub(crate) open: Option<EventId>,
    claim_lease: Option<LeaseId>,
    arrivals: Vec<Arrival>,
}

impl Run {
    pub(crate) fn new(got: LeasedInstance, name: &str) -> Self {
        Self {
            base: got.last_commit,
            next_event: got.next_event,
            turn: 1,
            open: None,
            claim_lease: None,
            arrivals: got.arrivals.clone(),
            node: node(name),
            got,
        }
    }

    fn consumed(&self) -> Vec<ArrivalId> {
        let ids = self.arrivals.iter().map(|arrival| match arrival.origin {
            Origin::Inbox(id) => Some(id),
            Origin::Fused(_) => None,
        });
        ids.flatten().collect()
    }

    /// The next turn: take in what came, complete the open activity, schedule the next one
    /// and claim it.
    pub(crate) fn step(&self) -> CommitTurn {
        let mut events = Vec::new();
        let mut record = |kind| {
            let id = EventId(self.next_event.0 + events.len() as u64);
            let turn = duroxide_core::TurnNo(self.turn);
            events.push(Event { id, turn, at: duroxide_core::TimeMs(1), split: false, kind });
            id
        };
        if self.next_event == EventId::FIRST {
            record(EventKind::OrchestrationStarted {
                name: "Flow".to_owned(),
                version: "1.0.0".to_owned(),
                input: Payload::null(),
                parent: None,
                nonce: Nonce(1),
                flags: CompatFlags::NONE,
                headers: Headers::new(),
            });
        }
        if let Some(source) = self.open {
            record(EventKind::ActivityCompleted { source, result: Payload::null() });
        }
        let (name, input) = ("Step".to_owned(), Payload::json("1"));
        let event = record(EventKind::ActivityScheduled {
            name: name.clone(),
            input: input.clone(),
            session: None,
            tag: None,
            attempt: 1,
        });
        let (session, tag, headers) = (None, None, Headers::new());
        let activity = NewActivity { event, name, input, session, tag, headers };
        self.request(events, vec![activity])
    }

    fn request(&self, events: Vec<Event>, activities: Vec<NewActivity>) -> CommitTurn {
        let completed = self.open.iter().zip(self.claim_lease).map(|(event, lease)| {
            let (incarnation, execution) = (self.got.incarnation, self.got.execution);
            let activity = duroxide_provider::ActivityKey { incarnation, execution, event: *event };
            (activity, lease)
        });
        CommitTurn {
            incarnation: self.got.incarnation,
            lease: self.got.lease,
            node: self.node.clone(),
            commit_id: CommitId(draw()),
            base: self.base,
            version: (self.next_event == EventId::FIRST).then(|| "1.0.0".to_owned()),
            flags: CompatFlags::NONE,
            completed: completed.collect(),
            keep: Some(LEASE),
            claim: Some(Claim { max: 4, filter: all_activities(), duration: LEASE }),
            turn: Commit {
                execution: self.got.execution,
                expect_event: self.next_event,
                turn: duroxide_core::TurnNo(self.turn),
                events,
                split: false,
                consumed: self.consumed(),
                fused: self.open.into_iter().collect(),
                seen: vec![],
                activities,
                cancelled_activities: vec![],
                timers: vec![],
                cancelled_timers: vec![],
                starts: vec![],
                sends: vec![],
                status: None,
                kv: vec![],
                end: None,
                waiting: None,
            },
        }
    }

    /// Commit a step that must be applied.
    pub(crate) async fn commit(&mut self, store: &dyn Provider) -> Applied {
        self.apply(store, self.step()).await
    }

    /// A turn that schedules nothing.
    pub(crate) fn bare(&self) -> CommitTurn {
        let mut request = self.step();
        request.turn.activities.clear();
        request
    }

    /// Commit a turn that must be applied.
    pub(crate) async fn apply(&mut self, store: &dyn Provider, request: CommitTurn) -> Applied {
        let outcome = store.commit_turn(request.clone()).await.unwrap();
        let CommitOutcome::Applied(applied) = outcome else { panic!("got {outcome:?}") };
        self.base = Some(request.commit_id);
        self.next_event = EventId(self.next_event.0 + request.turn.events.len() as u64);
        self.turn += 1;
        self.open = applied.claimed.first().map(|claimed| claimed.event);
        self.claim_lease = Some(request.commit_id.claim_lease());
        self.arrivals.clone_from(&applied.arrivals);
        *applied
    }
}
