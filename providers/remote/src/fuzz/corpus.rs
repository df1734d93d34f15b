//! What well-behaved peers send: a frame of each kind, with calls and answers of many shapes.

use super::SECRET;
use crate::call::{Call, result};
use crate::wire::{Hello, PROTOCOL, Sealed, ToClient, ToServer, Welcome, encode};
use bytes::Bytes;
use duroxide_core::{
    ArrivalId, Channel, Commit, CompatFlags, Event, EventId, EventKind, ExecutionId, Failure,
    Headers, Limits, MailName, NewActivity, NewTimer, Nonce, Payload, TimeMs, TurnNo, UnreadMail,
};
use duroxide_provider::{
    Applied, ClaimedActivity, CommitId, CommitOutcome, CommitTurn, Held, HistoryPage, Incarnation,
    InstanceKey, LeaseId, LeaseOrchestrations, LeaseState, ListFilter, NodeId, OrchestrationFilter,
    ProviderError, Renew, RequestId, Submission, Submit, Submitted, SystemMetrics, WaitForWork,
    WakeSeq,
};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn submit() -> Submit {
    Submit {
        request: RequestId(7),
        key: InstanceKey::new("order \"7\" ✓"),
        what: Submission::Start {
            name: "hello".to_owned(),
            version: Some("1.0.0".to_owned()),
            input: Payload::json(format!("[\"{SECRET}\", \"\\u0000\"]")),
            headers: Headers::from([("trace".to_owned(), SECRET.to_owned())]),
        },
    }
}

fn started() -> Event {
    let kind = EventKind::OrchestrationStarted {
        name: "hello".to_owned(),
        version: "1.0.0".to_owned(),
        input: Payload::json(format!("\"{SECRET}\"")),
        parent: None,
        nonce: Nonce(u128::MAX),
        flags: CompatFlags(5),
        headers: Headers::new(),
    };
    Event { id: EventId::FIRST, turn: TurnNo(1), at: TimeMs(9), split: false, kind }
}

fn commit() -> CommitTurn {
    let activity = NewActivity {
        event: EventId(2),
        name: "charge".to_owned(),
        input: Payload::new(duroxide_core::Encoding(7), &[0, 255, 3]),
        session: Some("s".to_owned()),
        tag: None,
        headers: Headers::new(),
    };
    let turn = Commit {
        events: vec![started()],
        consumed: vec![ArrivalId(3)],
        activities: vec![activity],
        timers: vec![NewTimer { event: EventId(3), delay_ms: u64::MAX }],
        ..Commit::empty(ExecutionId::FIRST, EventId::FIRST, TurnNo(1))
    };
    CommitTurn {
        incarnation: Incarnation(u64::MAX),
        lease: LeaseId(1),
        node: NodeId { name: "n".to_owned(), run: 1 },
        commit_id: CommitId(u128::MAX),
        base: None,
        turn,
        version: None,
        flags: CompatFlags(5),
        completed: Vec::new(),
        keep: Some(Duration::from_nanos(1_500_000_001)),
        claim: None,
    }
}

fn calls() -> Vec<Call> {
    let node = NodeId { name: "n".to_owned(), run: 1 };
    let names = BTreeMap::from([("hello".to_owned(), BTreeSet::from(["1.0.0".to_owned()]))]);
    let (incarnation, lease) = (Incarnation(1), LeaseId(3));
    vec![
        Call::Submit(submit()),
        Call::CommitTurn(Box::new(commit())),
        Call::LeaseOrchestrations(LeaseOrchestrations {
            lease,
            node: node.clone(),
            filter: OrchestrationFilter { names, flags: CompatFlags(1) },
            max: 5,
            duration: Duration::MAX,
        }),
        Call::Renew(Renew {
            held: vec![Held::Instance { incarnation, lease }],
            duration: Duration::ZERO,
        }),
        Call::WaitForWork(WaitForWork { node, after: WakeSeq(4), max: Duration::MAX }),
        Call::Kv { key: InstanceKey::new(SECRET) },
        Call::List { filter: ListFilter::default(), after: Some("a".into()), limit: 3 },
        Call::Metrics,
        Call::Delete { key: InstanceKey::new("a"), force: true },
    ]
}

fn answers() -> Vec<Box<RawValue>> {
    let error = ProviderError::Corrupt {
        operation: "submit".to_owned(),
        what: SECRET.to_owned(),
        message: String::new(),
    };
    let mail = UnreadMail {
        id: ArrivalId(9),
        at: TimeMs(2),
        channel: Channel::Queue,
        name: "orders".to_owned(),
        data: Payload::json(format!("\"{SECRET}\"")),
    };
    let page = HistoryPage {
        events: vec![started()],
        next: None,
        base: None,
        unread: vec![mail],
        more_mail: vec![MailName { channel: Channel::Event, name: "go".to_owned() }],
    };
    let applied = Applied {
        held: true,
        arrivals: Vec::new(),
        more_arrivals: false,
        claimed: vec![ClaimedActivity { event: EventId(2), attempt: 1 }],
        timers: vec![(EventId(3), TimeMs(u64::MAX))],
        store_now: TimeMs(1),
    };
    let all = [
        result(&Ok(Submitted::Created)),
        result(&Ok(page)),
        result(&Ok(CommitOutcome::Applied(Box::new(applied)))),
        result(&Ok(vec![LeaseState::Held, LeaseState::Lost])),
        result(&Ok(SystemMetrics::default())),
        result::<()>(&Err(error)),
        result::<()>(&Err(ProviderError::Invalid {
            operation: SECRET.to_owned(),
            message: Failure::application(SECRET).message,
        })),
    ];
    all.into_iter().map(Result::unwrap).collect()
}

/// What well-behaved peers send, each frame by itself.
pub(super) fn corpus() -> Vec<Bytes> {
    let hello = Hello { protocol: PROTOCOL, token: SECRET.to_owned(), max_frame: 1 << 20 };
    let welcome = Welcome { max_frame: 1 << 20, limits: Limits::default(), read_only: false };
    let mut frames = vec![
        encode(&Sealed::Hello(hello)),
        encode(&Sealed::Withdraw { id: 4 }),
        encode(&ToClient::Welcome(welcome)),
        encode(&ToClient::Refused(SECRET.to_owned())),
    ];
    for (id, call) in (0..).zip(calls()) {
        frames.push(encode(&ToServer::Call { id, call }));
    }
    for (id, answer) in (0..).zip(answers()) {
        frames.push(encode(&ToClient::Answer { id, answer: &answer }));
    }
    frames.into_iter().map(Result::unwrap).collect()
}
