//! A whole conversation with a real store, in pieces, broken off anywhere and taken up again,
//! or with values that nobody means: each request counts at most once, and whoever comes
//! next is served.

use super::malformed::{HELLO, framed};
use super::methods::node;
use super::support::network::FaultyNetwork;
use super::support::{ADDRESS, env, run, start, token};
use bytes::Bytes;
use duroxide_core::{
    Arrival, ArrivalId, Channel, Commit, CompatFlags, End, Event, EventId, EventKind, ExecutionId,
    Headers, KvChange, MailName, Nonce, Origin, Payload, StatusChange, TimeMs, TurnNo,
};
use duroxide_provider::env::Env;
use duroxide_provider::*;
use duroxide_remote::{ClientOptions, RemoteProvider, ServerOptions};
use duroxide_sqlite::SqliteProvider;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// A server before an empty SQLite store.
struct Stage {
    env: Env,
    network: Arc<FaultyNetwork>,
    store: Arc<SqliteProvider>,
}

impl Stage {
    async fn new() -> Self {
        let network = FaultyNetwork::new();
        let env = env::env(network.clone());
        let store = Arc::new(SqliteProvider::in_memory(env.clone()).await.unwrap());
        let _runs_on = start(&env, &network, store.clone(), ServerOptions::new(token())).await;
        Self { env, network, store }
    }

    fn client(&self) -> RemoteProvider {
        RemoteProvider::new(&self.env, ADDRESS, token(), ClientOptions::default())
    }

    /// What was done to the store, as far as it must not depend on when or how often it was
    /// asked: leases and times are left out.
    async fn state(&self) -> String {
        let mut state = vec![format!("{:?}", self.store.metrics().await.unwrap())];
        for key in [InstanceKey::new("a"), InstanceKey::new("b")] {
            let Some(info) = self.store.instance(key.clone()).await.unwrap() else { continue };
            let history = self.store.history(key.clone(), ExecutionId::FIRST).await.unwrap();
            let kinds: Vec<EventKind> = history.into_iter().map(|event| event.kind).collect();
            let counted = self.store.stats(key.clone()).await.unwrap();
            let kv = self.store.kv(key).await.unwrap();
            state.push(format!(
                "{:?} {:?} {:?} {} {kinds:?} {counted:?} {kv:?}",
                info.state, info.version, info.custom_status, info.revision
            ));
        }
        state.join("\n")
    }

    /// Bytes in pieces on a connection of their own, which then breaks.
    async fn say(&self, bytes: &[u8], pieces: &[usize]) {
        let mut stream = self.network.raw(ADDRESS).unwrap();
        let (mut rest, mut next) = (bytes, pieces.iter().copied().cycle());
        while !rest.is_empty() {
            let size = next.next().unwrap_or(rest.len()).min(rest.len());
            if stream.write_all(&rest[..size]).await.is_err() {
                break;
            }
            rest = &rest[size..];
            tokio::task::yield_now().await;
        }
        // Time passes only when nobody has anything left to do.
        self.env.sleep(Duration::from_millis(1)).await;
        drop(stream);
        self.env.sleep(Duration::from_millis(1)).await;
    }
}

fn submit(request: u128, id: &str, what: Submission) -> Submit {
    Submit { request: RequestId(request), key: InstanceKey::new(id), what }
}

fn begin(request: u128, id: &str) -> Submit {
    let (name, input) = ("Flow".to_owned(), Payload::json("\"ü\""));
    submit(request, id, Submission::Start { name, version: None, input, headers: Headers::new() })
}

fn mail(request: u128, id: &str) -> Submit {
    let mailbox = MailName { channel: Channel::Queue, name: "orders".to_owned() };
    submit(request, id, Submission::Mail { mailbox, data: Payload::json("[1]") })
}

fn lease(id: u128, max: usize) -> LeaseOrchestrations {
    LeaseOrchestrations {
        lease: LeaseId(id),
        node: node(),
        filter: OrchestrationFilter {
            names: BTreeMap::from([("Flow".to_owned(), ["1.0.0".to_owned()].into())]),
            flags: CompatFlags::NONE,
        },
        max,
        duration: Duration::from_secs(30),
    }
}

fn event(id: u64, turn: u64, kind: EventKind) -> Event {
    Event { id: EventId(id), turn: TurnNo(turn), at: TimeMs(1), split: false, kind }
}

fn commit(commit_id: u128, got: &LeasedInstance, turn: Commit) -> CommitTurn {
    CommitTurn {
        incarnation: got.incarnation,
        lease: got.lease,
        node: node(),
        commit_id: CommitId(commit_id),
        base: got.last_commit,
        turn,
        version: Some("1.0.0".to_owned()),
        flags: CompatFlags::NONE,
        completed: Vec::new(),
        keep: None,
        claim: None,
    }
}

fn arrivals(got: &LeasedInstance) -> Vec<ArrivalId> {
    let id = |arrival: &Arrival| match arrival.origin {
        Origin::Inbox(id) => id,
        Origin::Fused(_) => panic!("{arrival:?}"),
    };
    got.arrivals.iter().map(id).collect()
}

fn first_turn(got: &LeasedInstance) -> CommitTurn {
    let started = EventKind::OrchestrationStarted {
        name: "Flow".to_owned(),
        version: "1.0.0".to_owned(),
        input: Payload::json("\"ü\""),
        parent: None,
        nonce: Nonce(5),
        flags: CompatFlags::NONE,
        headers: Headers::new(),
    };
    let subscribed =
        EventKind::MailSubscribed { channel: Channel::Queue, name: "orders".to_owned() };
    let set = |key: &str| KvChange::Set { key: key.into(), value: "1".into(), at: TimeMs(1) };
    let turn = Commit {
        events: vec![event(1, 1, started), event(2, 1, subscribed)],
        consumed: arrivals(got),
        status: Some(StatusChange { status: Some("half".to_owned()) }),
        kv: vec![set("k"), set("l")],
        ..Commit::empty(ExecutionId::FIRST, EventId(1), TurnNo(1))
    };
    commit(1, got, turn)
}

fn last_turn(got: &LeasedInstance) -> CommitTurn {
    let output = Payload::json("2");
    let completed = EventKind::OrchestrationCompleted { output: output.clone() };
    let turn = Commit {
        events: vec![event(3, 2, completed)],
        consumed: arrivals(got),
        end: Some(End::Completed { output }),
        ..Commit::empty(ExecutionId::FIRST, EventId(3), TurnNo(2))
    };
    commit(2, got, turn)
}

/// The conversation: eight requests, each made when the one before was answered. Gives the
/// state of the store before the first and after each.
async fn script(stage: &Stage, client: &RemoteProvider) -> Vec<String> {
    let mut states = vec![stage.state().await];
    client.submit(begin(1, "a")).await.unwrap();
    states.push(stage.state().await);
    client.submit(begin(2, "b")).await.unwrap();
    states.push(stage.state().await);
    let got = client.lease_orchestrations(lease(100, 1)).await.unwrap().instances;
    states.push(stage.state().await);
    let applied = client.commit_turn(first_turn(&got[0])).await.unwrap();
    assert!(matches!(applied, CommitOutcome::Applied(_)), "{applied:?}");
    states.push(stage.state().await);
    let cancel = Submission::Cancel { reason: "enough".to_owned() };
    client.submit(submit(3, "b", cancel)).await.unwrap();
    states.push(stage.state().await);
    client.submit(mail(4, "a")).await.unwrap();
    states.push(stage.state().await);
    let got = client.lease_orchestrations(lease(101, 2)).await.unwrap().instances;
    states.push(stage.state().await);
    let a = got.iter().find(|got| got.key.id.as_str() == "a").unwrap();
    let applied = client.commit_turn(last_turn(a)).await.unwrap();
    assert!(matches!(applied, CommitOutcome::Applied(_)), "{applied:?}");
    states.push(stage.state().await);
    states
}

/// The frames of the conversation without the greeting, and the states it goes through.
fn recorded() -> (Vec<Bytes>, Vec<String>) {
    run(async {
        let stage = Stage::new().await;
        let states = script(&stage, &stage.client()).await;
        (stage.network.frames_to_server().split_off(1), states)
    })
}

#[test]
fn the_recorded_conversation_changes_the_store_with_every_request_that_changes_anything() {
    let (frames, states) = recorded();
    assert_eq!(states.len(), frames.len() + 1);
    for step in [0, 1, 3, 5, 7] {
        assert_ne!(states[step], states[step + 1], "{}", frames[step].escape_ascii());
    }
}

/// One connection: whether the last request is sent once more, in which pieces, and where it breaks.
type Try = (bool, Vec<usize>, prop::sample::Index);

/// Says of the conversation what fits before the break; gives how many requests have arrived.
async fn one_try(stage: &Stage, frames: &[Bytes], arrived: usize, plan: &Try) -> usize {
    let (again, pieces, end) = plan;
    let from = arrived.saturating_sub(usize::from(*again));
    let mut all = vec![Bytes::from_static(HELLO.as_bytes())];
    all.extend_from_slice(&frames[from..]);
    let bytes = framed(&all);
    let end = end.index(bytes.len() + 1);
    stage.say(&bytes[..end], pieces).await;
    let mut whole = 0;
    let mut end_of_next = 4 + all[0].len();
    while end_of_next <= end {
        whole += 1;
        end_of_next += all.get(whole).map_or(usize::MAX / 2, |frame| 4 + frame.len());
    }
    arrived.max((from + whole).saturating_sub(1))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_conversation_broken_anywhere_and_taken_up_again_counts_each_request_once(
        tries in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(1_usize..400, 1..5), any::<prop::sample::Index>()),
            1..10,
        ),
    ) {
        let (frames, states) = recorded();
        run(async {
            let stage = Stage::new().await;
            let mut arrived = 0;
            for plan in &tries {
                arrived = one_try(&stage, &frames, arrived, plan).await;
                assert_eq!(stage.state().await, states[arrived], "after {arrived} requests");
            }
            let rest = framed(&frames[arrived.saturating_sub(1)..]);
            let hello = framed(&[Bytes::from_static(HELLO.as_bytes())]);
            stage.say(&[hello, rest].concat(), &[usize::MAX]).await;
            assert_eq!(stage.state().await, states[frames.len()]);
            let client = stage.client();
            assert_eq!(client.submit(begin(99, "c")).await, Ok(Submitted::Created));
            assert!(client.instance(InstanceKey::new("c")).await.unwrap().is_some());
        });
    }
}

/// Values for fields that mean something else.
const NUMBERS: [&str; 8] = [
    "0",
    "1",
    "2",
    "4294967295",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "-1",
];

/// The text with another number at one of the places that have one.
fn with_number(text: &str, place: prop::sample::Index, number: &str) -> String {
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    let digits = |from: usize| text[from..].bytes().take_while(is_part).count();
    let starts: Vec<usize> = text
        .match_indices(|c: char| c == '-' || c.is_ascii_digit())
        .map(|(at, _)| at)
        .filter(|at| matches!(text.as_bytes()[at - 1], b':' | b'[' | b','))
        .collect();
    let at = starts[place.index(starts.len())];
    format!("{}{number}{}", &text[..at], &text[at + digits(at)..])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_conversation_with_numbers_that_nobody_means_harms_nobody(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::sample::select(&NUMBERS[..])),
            1..5,
        ),
    ) {
        let (mut frames, _) = recorded();
        for (frame, place, number) in changes {
            let frame = &mut frames[frame.index(8)];
            let text = std::str::from_utf8(frame).unwrap();
            *frame = Bytes::from(with_number(text, place, number));
        }
        run(async {
            let stage = Stage::new().await;
            let hello = framed(&[Bytes::from_static(HELLO.as_bytes())]);
            stage.say(&[hello, framed(&frames)].concat(), &[usize::MAX]).await;
            let client = stage.client();
            client.submit(begin(99, "c")).await.unwrap();
            let got = client.lease_orchestrations(lease(102, 10)).await.unwrap().instances;
            let c = got.iter().find(|got| got.key.id.as_str() == "c");
            let applied = client.commit_turn(first_turn(c.unwrap())).await.unwrap();
            assert!(matches!(applied, CommitOutcome::Applied(_)), "{applied:?}");
            stage.state().await;
        });
    }
}
