//! What is listed is read back as it was: every kind of event, with any text and any payload.

use super::*;
use crate::history::listed;
use duroxide_core::{Encoding, FailureDetails};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::BTreeSet;

/// What events of every kind are made of.
#[derive(Debug, Clone)]
struct Stuff {
    text: String,
    payload: Payload,
    failure: Failure,
    number: u64,
    /// What may be absent is there.
    some: bool,
}

impl Stuff {
    fn maybe(&self) -> Option<String> {
        self.some.then(|| self.text.clone())
    }

    fn child(&self) -> InstanceId {
        InstanceId(self.text.clone())
    }
}

/// Every kind of event. The match below refuses to compile for a new one.
fn kinds(of: &Stuff) -> Vec<EventKind> {
    use EventKind as K;
    let Stuff { text, payload, failure, number, some } = of.clone();
    let source = EventId(number);
    let parent = Parent { instance: of.child(), execution: ExecutionId(number), event: source };
    let flags = CompatFlags(number);
    let name = || text.clone();
    let mut kinds = vec![
        K::OrchestrationStarted {
            name: name(),
            version: name(),
            input: payload.clone(),
            parent: some.then_some(parent),
            nonce: Nonce(u128::from(number) << 64 | u128::from(number)),
            flags,
            headers: some.then(|| (name(), name())).into_iter().collect(),
        },
        K::OrchestrationCompleted { output: payload.clone() },
        K::OrchestrationFailed { failure: failure.clone(), by_engine: some },
        K::OrchestrationContinuedAsNew { input: payload.clone(), version: of.maybe() },
        K::OrchestrationTerminated { reason: name() },
        K::OrchestrationCancelRequested { reason: name(), from_parent: some, unstarted: !some },
        K::CompatFlagsAdded { flags },
        K::ActivityScheduled {
            name: name(),
            input: payload.clone(),
            session: of.maybe(),
            tag: of.maybe(),
            attempt: if some { 3 } else { 1 },
        },
        K::ActivityCompleted { source, result: payload.clone() },
        K::ActivityFailed { source, failure: failure.clone() },
        K::ActivityCancelRequested { source },
        K::TimerCreated { delay_ms: number, fire_at: TimeMs(number) },
        K::TimerFired { source, fire_at: TimeMs(number) },
        K::TimerCancelled { source },
        K::MailUnsubscribed { source },
        K::SubOrchestrationScheduled {
            name: name(),
            version: of.maybe(),
            instance: of.child(),
            input: payload.clone(),
        },
        K::SubOrchestrationCompleted { source, result: payload.clone() },
        K::SubOrchestrationFailed { source, failure },
        K::SubOrchestrationCancelRequested { source, instance: of.child() },
        K::OrchestrationChained {
            name: name(),
            version: of.maybe(),
            instance: of.child(),
            input: payload.clone(),
        },
        K::CustomStatusUpdated { status: of.maybe() },
        K::KeyValueSet { key: name(), value: name() },
        K::KeyValueCleared { key: of.maybe() },
        K::KeyValuePruned { before: TimeMs(number), keys: vec![name(), name()] },
    ];
    for channel in [Channel::Event, Channel::Queue] {
        kinds.push(K::MailSubscribed { channel, name: name() });
        let mail = ArrivalId(number);
        kinds.push(K::MailDelivered { source, mail, channel, name: name(), data: payload.clone() });
    }
    kinds
}

/// A number for each kind, without a gap.
fn ordinal(kind: &EventKind) -> usize {
    use EventKind as K;
    match kind {
        K::OrchestrationStarted { .. } => 0,
        K::OrchestrationCompleted { .. } => 1,
        K::OrchestrationFailed { .. } => 2,
        K::OrchestrationContinuedAsNew { .. } => 3,
        K::OrchestrationTerminated { .. } => 4,
        K::OrchestrationCancelRequested { .. } => 5,
        K::CompatFlagsAdded { .. } => 6,
        K::ActivityScheduled { .. } => 7,
        K::ActivityCompleted { .. } => 8,
        K::ActivityFailed { .. } => 9,
        K::ActivityCancelRequested { .. } => 10,
        K::TimerCreated { .. } => 11,
        K::TimerFired { .. } => 12,
        K::TimerCancelled { .. } => 13,
        K::MailSubscribed { .. } => 14,
        K::MailDelivered { .. } => 15,
        K::MailUnsubscribed { .. } => 16,
        K::SubOrchestrationScheduled { .. } => 17,
        K::SubOrchestrationCompleted { .. } => 18,
        K::SubOrchestrationFailed { .. } => 19,
        K::SubOrchestrationCancelRequested { .. } => 20,
        K::OrchestrationChained { .. } => 21,
        K::CustomStatusUpdated { .. } => 22,
        K::KeyValueSet { .. } => 23,
        K::KeyValueCleared { .. } => 24,
        K::KeyValuePruned { .. } => 25,
    }
}

const KINDS: usize = 26;

fn payload() -> impl Strategy<Value = Payload> {
    let json = "null|true|-1.50|\\[1, 2\\]|\\{\"a\":null,\"a\":[ ]\\}|\"[a-z\u{e9}\u{1f600}]*\"";
    prop_oneof![
        4 => json.prop_map(Payload::json),
        1 => any::<String>().prop_map(Payload::json),
        1 => any::<String>().prop_map(|text| Payload::json(serde_json::to_string(&text).unwrap())),
        1 => Just(Payload::json(" 1 ")),
        1 => (any::<u8>(), any::<Vec<u8>>())
            .prop_map(|(tag, bytes)| Payload::new(Encoding(tag), &bytes)),
    ]
}

fn kind_of_failure() -> impl Strategy<Value = FailureKind> {
    let names = "application|cancelled|timeout|nondeterminism|limit|invalid|poison|unregistered|terminated|corrupt";
    names.prop_map(|name| kind_of(&name).unwrap())
}

fn failure() -> impl Strategy<Value = Failure> {
    let text = any::<String>;
    let one = (
        (kind_of_failure(), text()),
        (proptest::option::of(text()), proptest::option::of(text()), proptest::option::of(text())),
        proptest::option::of(any::<u32>()),
        proptest::option::of((proptest::option::of(text()), proptest::option::of(text()))),
    );
    let one = one.prop_map(|((kind, message), (name, source, instance), attempt, details)| {
        let mut failure = Failure::new(kind, message);
        failure.name = name;
        failure.source = source;
        failure.instance = instance.map(Into::into);
        failure.attempt = attempt;
        failure.details = details.map(|(stack, worker)| Box::new(FailureDetails { stack, worker }));
        failure
    });
    proptest::collection::vec(one, 1..4).prop_map(|chain| {
        let link = |cause: Option<Box<Failure>>, mut failure: Failure| {
            failure.cause = cause;
            Some(Box::new(failure))
        };
        *chain.into_iter().fold(None, link).unwrap()
    })
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_is_listed_is_read_back_as_it_was(
        text in any::<String>(),
        payload in payload(),
        failure in failure(),
        number in any::<u64>(),
        some in any::<bool>(),
    ) {
        let stuff = Stuff { text, payload, failure, number, some };
        let kinds = kinds(&stuff);
        let ordinals: BTreeSet<_> = kinds.iter().map(ordinal).collect();
        prop_assert_eq!(ordinals, (0..KINDS).collect());
        let events: Vec<Event> = (1..).zip(kinds).map(|(id, kind)| Event {
            id: EventId(id), turn: TurnNo(id), at: TimeMs(number), split: some, kind,
        }).collect();
        let text = listed(&"i".into(), ExecutionId(3), &events).unwrap();
        let (identity, read) = super::events(&text).unwrap();
        prop_assert_eq!(identity, Some((Some("i".to_owned()), Some(3))));
        prop_assert_eq!(read, events);
    }

    #[test]
    fn data_is_always_json_text(payload in payload(), failure in failure()) {
        let stuff = Stuff { text: "t".into(), payload, failure, number: 1, some: true };
        let event = |kind| Event {
            id: EventId(1), turn: TurnNo(1), at: TimeMs(1), split: false, kind,
        };
        let events: Vec<Event> = kinds(&stuff).into_iter().map(event).collect();
        let rows: Vec<Row> = serde_json::from_str(
            &listed(&"i".into(), ExecutionId(1), &events).unwrap()).unwrap();
        for data in rows.into_iter().filter_map(|row| row.data) {
            prop_assert!(serde_json::from_str::<&RawValue>(&data).is_ok(), "{}", data);
        }
    }
}

/// Every message of a malformed history names its row.
#[test]
fn what_is_malformed_names_the_row_and_what_is_wrong_with_it() {
    let started = r#"{"eventId":1,"turn":1,"timestampMs":1,"kind":"OrchestrationStarted","data":"{\"name\":\"N\",\"version\":\"1.0.0\",\"input\":null,\"nonce\":\"00\",\"flags\":0,\"instanceId\":\"i\",\"executionId\":1}"}"#;
    let second =
        |rest: &str| format!(r#"[{started},{{"eventId":2,"turn":1,"timestampMs":1,{rest}}}]"#);
    let wrong = [
        ("5".to_owned(), "invalid type"),
        ("[]".to_owned(), "it has no rows"),
        ("[7]".to_owned(), "row 1: "),
        (format!("[{started},{{}}]"), "row 2: missing field `eventId`"),
        (second(r#""kind":"Odd""#), "row 2 (Odd): `Odd` is no kind"),
        (second(r#""kind":"TimerCreated","data":"{\"delayMs\":1}""#), "data has no `fireAtMs`"),
        (second(r#""kind":"TimerCreated","data":"{""#), "row 2 (TimerCreated): EOF"),
        (second(r#""kind":"TimerFired","data":"{\"fireAtMs\":1}""#), "no `sourceEventId`"),
        (
            second(r#""kind":"OrchestrationCompleted""#),
            "row 2 (OrchestrationCompleted): it has no data",
        ),
        (
            second(r#""kind":"OrchestrationFailed","data":"{\"kind\":\"odd\",\"message\":\"\"}""#),
            "`odd` is no kind of failure",
        ),
        (
            second(r#""kind":"ActivityScheduled","data":{"name":"A"}"#),
            "row 2: invalid type: map, expected a string",
        ),
        (
            second(r#""kind":"ActivityCompleted","sourceEventId":9,"data":"1""#),
            "malformed history at event #2: ",
        ),
    ];
    for (text, problem) in wrong {
        let told = recorded(&text).unwrap_err();
        assert!(told.contains(problem), "{text}\n{told}");
    }
    assert!(recorded(&format!("[{started}]")).is_ok());
}
