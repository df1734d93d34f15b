//! Requests as a runtime would make them, with ids that are plain numbers; and the store to
//! send them to.

use crate::world::{Hands, env};
use duroxide_core::{
    Channel, Commit, CompatFlags, Event, EventId, EventKind, ExecutionId, Headers, MailName,
    NewActivity, NewTimer, Nonce, Origin, Payload, TimeMs, TurnNo,
};
use duroxide_model::ModelProvider;
use duroxide_provider::{
    ActivityFilter, ActivityKey, CommitId, CommitTurn, CompleteActivity, Held, Incarnation,
    InstanceKey, LeaseActivities, LeaseId, LeaseOrchestrations, LeasedInstance, NodeId,
    OrchestrationFilter, Provider as _, Release, RequestId, SessionLimits, Submission, Submit,
    TagFilter,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn node(name: &str) -> NodeId {
    NodeId { name: name.to_owned(), run: 1 }
}

pub(crate) fn start(request: u128, id: &str) -> Submit {
    let (name, version) = ("Flow".to_owned(), None);
    let what = Submission::Start { name, version, input: Payload::null(), headers: Headers::new() };
    Submit { request: RequestId(request), key: InstanceKey::new(id), what }
}

pub(crate) fn event(request: u128, id: &str) -> Submit {
    let mailbox = MailName { channel: Channel::Event, name: "go".to_owned() };
    let what = Submission::Mail { mailbox, data: Payload::null() };
    Submit { request: RequestId(request), key: InstanceKey::new(id), what }
}

pub(crate) fn lease(id: u128) -> LeaseOrchestrations {
    LeaseOrchestrations {
        lease: LeaseId(id),
        node: node("n1"),
        filter: OrchestrationFilter {
            names: BTreeMap::from([("Flow".to_owned(), BTreeSet::from(["1.0.0".to_owned()]))]),
            flags: CompatFlags::KNOWN,
        },
        max: 10,
        duration: LEASE,
    }
}

pub(crate) fn lease_activities(id: u128) -> LeaseActivities {
    let filter = ActivityFilter {
        names: BTreeSet::from(["Step".to_owned()]),
        tags: TagFilter::DefaultOnly,
        sessions: SessionLimits { max: 10, idle: LEASE },
    };
    LeaseActivities { lease: LeaseId(id), node: node("n1"), filter, max: 10, duration: LEASE }
}

/// The first turn of an instance: it takes what arrived, schedules an activity in a session
/// and sets a timer. Its lease is kept.
pub(crate) fn first_turn(got: &LeasedInstance, commit_id: u128) -> CommitTurn {
    let mut turn = Commit::empty(ExecutionId::FIRST, EventId::FIRST, TurnNo(1));
    let started = EventKind::OrchestrationStarted {
        name: "Flow".to_owned(),
        version: "1.0.0".to_owned(),
        input: Payload::null(),
        parent: None,
        nonce: Nonce(1),
        flags: CompatFlags::NONE,
        headers: Headers::new(),
    };
    let at = TimeMs(1);
    turn.events =
        vec![Event { id: EventId::FIRST, turn: TurnNo(1), at, split: false, kind: started }];
    for arrival in &got.arrivals {
        if let Origin::Inbox(id) = arrival.origin {
            turn.consumed.push(id);
        }
    }
    turn.activities = vec![NewActivity {
        event: EventId(2),
        name: "Step".to_owned(),
        input: Payload::null(),
        session: Some("s".to_owned()),
        tag: None,
        headers: Headers::new(),
    }];
    turn.timers = vec![NewTimer { event: EventId(3), delay_ms: 1_000 }];
    CommitTurn {
        incarnation: got.incarnation,
        lease: got.lease,
        node: node("n1"),
        commit_id: CommitId(commit_id),
        base: got.last_commit,
        turn,
        version: Some("1.0.0".to_owned()),
        flags: CompatFlags::NONE,
        completed: Vec::new(),
        keep: Some(LEASE),
        claim: None,
    }
}

pub(crate) fn store() -> (ModelProvider, Arc<Hands>) {
    let (env, hands) = env();
    (ModelProvider::new(env), hands)
}

/// A store with a leased instance `a` that has an event for its first turn.
pub(crate) async fn leased() -> (ModelProvider, LeasedInstance) {
    let (store, _) = store();
    store.submit(start(1, "a")).await.unwrap();
    store.submit(event(2, "a")).await.unwrap();
    let got = store.lease_orchestrations(lease(3)).await.unwrap().instances.remove(0);
    (store, got)
}

pub(crate) fn step(incarnation: Incarnation) -> ActivityKey {
    ActivityKey { incarnation, execution: ExecutionId::FIRST, event: EventId(2) }
}

pub(crate) fn completion(incarnation: Incarnation, lease: u128) -> CompleteActivity {
    let activity = step(incarnation);
    CompleteActivity { activity, lease: LeaseId(lease), outcome: Ok(Payload::null()) }
}

pub(crate) fn handing_back(got: &LeasedInstance) -> Release {
    let held = vec![Held::Instance { incarnation: got.incarnation, lease: got.lease }];
    Release { held, commit: None, refund: true, delay: Duration::ZERO }
}
