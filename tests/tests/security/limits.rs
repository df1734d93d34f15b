//! Every limit of what a client sends, at the client and at the store itself: one below and
//! at it the call is taken, one above it is refused by name, and nothing is written. (Limits of
//! what orchestrations do are the core's, and tested there.)

use crate::stores::{Stand, all, sqlite};
use duroxide_core::{Channel, ExecutionId, Headers, InstanceId, Limits, MailName, Payload};
use duroxide_provider::{
    InstanceKey, ListFilter, Namespace, ProviderError, RequestId, Store, Submission, Submit,
};
use duroxide_runtime::{Client, ClientError, StartRequest, system_env};
use duroxide_tests::Scratch;
use std::sync::atomic::{AtomicU64, Ordering};

const LIMIT: usize = 40;
/// An instance that is there.
const THERE: &str = "there";

fn limits() -> Limits {
    Limits {
        name_bytes: LIMIT,
        instance_id_bytes: LIMIT,
        payload_bytes: LIMIT,
        headers_bytes: LIMIT,
        ..Limits::default()
    }
}

fn text(bytes: usize) -> String {
    "n".repeat(bytes)
}

fn json(bytes: usize) -> Payload {
    Payload::json("1".repeat(bytes))
}

fn version(bytes: usize) -> String {
    format!("1.0.0-{}", text(bytes - 6))
}

fn headers(bytes: usize) -> Headers {
    // Names and values count together.
    Headers::from([
        ("a".to_owned(), text(bytes / 2 - 1)),
        ("b".to_owned(), text(bytes.div_ceil(2) - 1)),
    ])
}

/// What is sent, for a size: to the instance of this id.
type Sends = fn(usize) -> (InstanceId, Submission);

fn start(name: String, version: Option<String>, input: Payload, headers: Headers) -> Submission {
    Submission::Start { name, version, input, headers }
}

fn mail(channel: Channel, name: String, data: Payload) -> Submission {
    Submission::Mail { mailbox: MailName { channel, name }, data }
}

/// A new id for each size: all of the first two are taken.
fn fresh(size: usize) -> InstanceId {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("i{size}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)).into()
}

#[rustfmt::skip]
const SENT: [(&str, Sends); 11] = [
    ("instance id", |n| (text(n).into(), start("F".into(), None, Payload::null(), Headers::new()))),
    ("name", |n| (fresh(n), start(text(n), None, Payload::null(), Headers::new()))),
    ("version", |n| (fresh(n), start("F".into(), Some(version(n)), Payload::null(), Headers::new()))),
    ("input", |n| (fresh(n), start("F".into(), None, json(n), Headers::new()))),
    ("headers", |n| (fresh(n), start("F".into(), None, Payload::null(), headers(n)))),
    ("name", |n| (THERE.into(), mail(Channel::Event, text(n), Payload::null()))),
    ("data", |n| (THERE.into(), mail(Channel::Event, "e".into(), json(n)))),
    ("name", |n| (THERE.into(), mail(Channel::Queue, text(n), Payload::null()))),
    ("data", |n| (THERE.into(), mail(Channel::Queue, "q".into(), json(n)))),
    ("reason", |n| (THERE.into(), Submission::Cancel { reason: text(n) })),
    ("reason", |n| (THERE.into(), Submission::Terminate { reason: text(n) })),
];

/// By the client's methods.
async fn by_client(client: &Client, id: InstanceId, what: Submission) -> Result<(), ClientError> {
    match what {
        Submission::Start { name, version, input, headers } => {
            let request = StartRequest::new(id, name, input).headers(headers);
            let request = version.into_iter().fold(request, StartRequest::version);
            client.start_new(request).await
        }
        Submission::Mail { mailbox: MailName { channel: Channel::Event, name }, data } => {
            client.raise_event(id, &name, data).await
        }
        Submission::Mail { mailbox: MailName { channel: Channel::Queue, name }, data } => {
            client.enqueue_event(id, &name, data).await
        }
        Submission::Cancel { reason } => client.cancel(id, &reason).await,
        Submission::Terminate { reason } => client.terminate(id, &reason).await,
    }
}

/// The request itself, as somebody sends it who does not check.
async fn by_hand(store: &dyn Store, id: InstanceId, what: Submission) -> Result<(), ProviderError> {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let request = RequestId(NUMBER.fetch_add(1, Ordering::Relaxed).into());
    store.submit(Submit { request, key: InstanceKey::new(id), what }).await.map(drop)
}

/// All that a reader can see.
async fn seen(stand: &Stand) -> String {
    let store = &stand.store;
    let ids = store.list(ListFilter::default(), None, 1_000).await.unwrap().ids;
    let mut seen = vec![format!("{:?} {:?}", store.metrics().await, store.depths().await)];
    for id in ids {
        let key = InstanceKey::new(id);
        let info = store.instance(key.clone()).await.unwrap().unwrap();
        let history = store.history(key.clone(), ExecutionId::FIRST).await;
        let (stats, kv) = (store.stats(key.clone()).await, store.kv(key).await);
        seen.push(format!("{:?} {} {stats:?} {kv:?} {history:?}", info.key, info.revision));
    }
    seen.join("\n")
}

#[tokio::test]
async fn a_client_is_refused_what_is_above_a_limit_and_nothing_is_written() {
    for stand in all(limits()).await {
        // Limits are the store's; a remote one tells them with its first answer.
        stand.store.metrics().await.unwrap();
        let client = Client::new(stand.env.clone(), stand.store.clone());
        for (what, sends) in SENT {
            // A new one each time: the last two rows end it.
            let _ = client.delete(THERE, true).await;
            client.start(THERE, "F", Payload::null()).await.unwrap();
            for size in [LIMIT - 1, LIMIT] {
                let (id, submission) = sends(size);
                let taken = by_client(&client, id, submission).await;
                assert_eq!(taken, Ok(()), "{}: {what} of {size}", stand.name);
            }
            let before = seen(&stand).await;
            let (id, submission) = sends(LIMIT + 1);
            let refused = by_client(&client, id, submission).await.unwrap_err();
            let ClientError::Limit { message } = &refused else { panic!("{what}: {refused:?}") };
            assert!(message.contains(what), "{what}: {message}");
            assert!(message.contains("41 bytes, at most 40 are allowed"), "{what}: {message}");
            assert_eq!(seen(&stand).await, before, "{}: {what}", stand.name);
        }
    }
}

#[tokio::test]
async fn a_store_refuses_what_is_above_a_limit_by_itself_and_nothing_is_written() {
    for stand in all(limits()).await {
        let client = Client::new(stand.env.clone(), stand.store.clone());
        for (what, sends) in SENT {
            let _ = client.delete(THERE, true).await;
            client.start(THERE, "F", Payload::null()).await.unwrap();
            for size in [LIMIT - 1, LIMIT] {
                let (id, submission) = sends(size);
                let _ = client.delete(id.clone(), true).await;
                if id.as_str() == THERE {
                    client.start(THERE, "F", Payload::null()).await.unwrap();
                }
                let taken = by_hand(&*stand.store, id, submission).await;
                assert_eq!(taken, Ok(()), "{}: {what} of {size}", stand.name);
            }
            let before = seen(&stand).await;
            let (id, submission) = sends(LIMIT + 1);
            let refused = by_hand(&*stand.store, id, submission).await.unwrap_err();
            let ProviderError::Invalid { operation, message } = &refused else {
                panic!("{what}: {refused:?}")
            };
            assert_eq!(operation, "submit");
            assert!(message.contains("41") && message.contains("40"), "{what}: {message}");
            assert_eq!(seen(&stand).await, before, "{}: {what}", stand.name);
        }
    }
}

#[tokio::test]
async fn a_text_that_is_empty_or_has_a_nul_is_refused_by_client_and_store() {
    let start = || start("F".to_owned(), None, Payload::null(), Headers::new());
    for stand in all(limits()).await {
        stand.store.metrics().await.unwrap();
        let client = Client::new(stand.env.clone(), stand.store.clone());
        client.start(THERE, "F", Payload::null()).await.unwrap();
        let before = seen(&stand).await;
        for bad in ["", "a\0b", "\0"] {
            let sent = [
                (InstanceId::from(bad), start()),
                (
                    "i".into(),
                    Submission::Start {
                        name: bad.to_owned(),
                        version: None,
                        input: Payload::null(),
                        headers: Headers::new(),
                    },
                ),
                (THERE.into(), mail(Channel::Event, bad.to_owned(), Payload::null())),
                (THERE.into(), mail(Channel::Queue, bad.to_owned(), Payload::null())),
            ];
            for (id, what) in sent {
                let said = by_client(&client, id.clone(), what.clone()).await.unwrap_err();
                assert!(matches!(said, ClientError::Invalid { .. }), "{said:?}");
                let said = by_hand(&*stand.store, id, what).await.unwrap_err();
                assert!(matches!(said, ProviderError::Invalid { .. }), "{said:?}");
            }
            // What cannot be there is not found, and that is all.
            assert_eq!(client.status(bad).await, Ok(None));
            let unknown = client.raise_event(bad, "e", Payload::null()).await;
            assert!(matches!(unknown, Err(ClientError::NotFound { .. })), "{unknown:?}");
        }
        let namespace = Namespace("a\0".to_owned());
        let key = InstanceKey { namespace, id: "i".into() };
        let said = stand.store.submit(Submit { request: RequestId(7), key, what: start() }).await;
        assert!(matches!(said, Err(ProviderError::Invalid { .. })), "{said:?}");
        assert_eq!(seen(&stand).await, before, "{}", stand.name);
    }
}

#[tokio::test]
async fn a_refused_request_commits_nothing_to_the_file() {
    let scratch = Scratch::new("refused");
    let store = sqlite(&system_env(), &scratch.database(), &limits()).await;
    let other = rusqlite::Connection::open(scratch.database()).unwrap();
    let commits =
        || other.query_row("PRAGMA data_version", [], |row| row.get::<_, u64>(0)).unwrap();
    by_hand(&*store, THERE.into(), SENT[1].1(3).1).await.unwrap();
    let before = commits();
    for (what, sends) in SENT {
        let (id, submission) = sends(LIMIT + 1);
        assert!(by_hand(&*store, id, submission).await.is_err());
        assert_eq!(commits(), before, "{what}");
    }
    by_hand(&*store, THERE.into(), SENT[5].1(3).1).await.unwrap();
    assert_ne!(commits(), before, "what is taken is a commit");
}
