//! Requests as a runtime would make them, with ids that are plain numbers.

use duroxide_core::{
    ArrivalBody, Channel, Commit, CompatFlags, End, Event, EventId, EventKind, ExecutionId,
    Headers, MailName, NewActivity, NewStart, Nonce, Origin, Payload, TimeMs, TurnNo,
};
use duroxide_provider::{
    ActivityFilter, ActivityKey, Claim, CommitId, CommitTurn, Incarnation, InstanceKey,
    LeaseActivities, LeaseId, LeaseOrchestrations, LeasedInstance, NodeId, OrchestrationFilter,
    Provider, RequestId, SessionLimits, Submission, Submit, TagFilter, WaitForWork,
};
use std::collections::{BTreeMap, BTreeSet};
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

pub(crate) fn lease(id: u128, name: &str) -> LeaseOrchestrations {
    LeaseOrchestrations {
        lease: LeaseId(id),
        node: node(name),
        filter: OrchestrationFilter {
            names: BTreeMap::from([("Flow".to_owned(), BTreeSet::from(["1.0.0".to_owned()]))]),
            flags: CompatFlags::KNOWN,
        },
        max: 3,
        duration: LEASE,
    }
}

fn filter() -> ActivityFilter {
    ActivityFilter {
        names: BTreeSet::from(["Step".to_owned()]),
        tags: TagFilter::DefaultOnly,
        sessions: SessionLimits { max: 1, idle: LEASE },
    }
}

pub(crate) fn lease_activities(id: u128, name: &str) -> LeaseActivities {
    let (lease, node, filter) = (LeaseId(id), node(name), filter());
    LeaseActivities { lease, node, filter, max: 3, duration: LEASE }
}

/// A turn that takes all that arrived, and keeps its lease.
pub(crate) fn turn(got: &LeasedInstance, by: &str, commit: u128) -> CommitTurn {
    let mut turn = Commit::empty(got.execution, got.next_event, TurnNo(got.next_event.0));
    for arrival in &got.arrivals {
        if let Origin::Inbox(id) = arrival.origin {
            turn.consumed.push(id);
        }
        if let ArrivalBody::Start { name, .. } = &arrival.body {
            let kind = EventKind::OrchestrationStarted {
                name: name.clone(),
                version: "1.0.0".to_owned(),
                input: Payload::null(),
                parent: None,
                nonce: Nonce(1),
                flags: CompatFlags::NONE,
                headers: Headers::new(),
            };
            let (id, at, split) = (got.next_event, TimeMs(1), false);
            turn.events.push(Event { id, turn: TurnNo(1), at, split, kind });
        }
    }
    CommitTurn {
        incarnation: got.incarnation,
        lease: got.lease,
        node: node(by),
        commit_id: CommitId(commit),
        base: got.last_commit,
        turn,
        version: Some("1.0.0".to_owned()),
        flags: CompatFlags::NONE,
        completed: Vec::new(),
        keep: Some(LEASE),
        claim: None,
    }
}

/// The turn schedules an activity, which its node claims.
pub(crate) fn claiming(mut request: CommitTurn) -> CommitTurn {
    request.turn.activities.push(step(2, None));
    request.claim = Some(Claim { max: 1, filter: filter(), duration: LEASE });
    request
}

pub(crate) fn step(event: u64, session: Option<&str>) -> NewActivity {
    NewActivity {
        event: EventId(event),
        name: "Step".to_owned(),
        input: Payload::null(),
        session: session.map(ToOwned::to_owned),
        tag: None,
        headers: Headers::new(),
    }
}

/// The turn starts a child.
pub(crate) fn starting(mut request: CommitTurn, child: &str) -> CommitTurn {
    request.turn.starts.push(NewStart {
        event: EventId(3),
        instance: child.into(),
        name: "Flow".to_owned(),
        version: None,
        input: Payload::null(),
        headers: Headers::new(),
        detached: false,
    });
    request
}

/// The turn that ends an instance after a first one, fused with the completion of its activity.
pub(crate) fn ending(first: &CommitTurn, commit: u128) -> CommitTurn {
    let mut request = first.clone();
    let next = EventId(first.turn.expect_event.0 + first.turn.events.len() as u64);
    request.turn = Commit::empty(first.turn.execution, next, TurnNo(2));
    request.turn.end = Some(End::Completed { output: Payload::null() });
    request.completed = vec![(activity(first.incarnation), first.commit_id.claim_lease())];
    (request.base, request.commit_id) = (Some(first.commit_id), CommitId(commit));
    (request.keep, request.claim) = (None, None);
    request
}

pub(crate) fn activity(incarnation: Incarnation) -> ActivityKey {
    ActivityKey { incarnation, execution: ExecutionId::FIRST, event: EventId(2) }
}

pub(crate) fn wait(by: &str, after: duroxide_provider::WakeSeq) -> WaitForWork {
    WaitForWork { node: node(by), after, max: Duration::from_mins(5) }
}

/// Start an instance and lease it for a node.
pub(crate) async fn begun(store: &impl Provider, id: &str, by: &str) -> LeasedInstance {
    let number = id.bytes().fold(1_000, |number, byte| number * 256 + u128::from(byte));
    store.submit(start(number, id)).await.unwrap();
    let got = store.lease_orchestrations(lease(number, by)).await.unwrap();
    got.instances.into_iter().find(|got| got.key == InstanceKey::new(id)).unwrap()
}
