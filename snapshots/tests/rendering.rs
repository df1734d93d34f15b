//! What is rendered can be read back: any event, whatever stands in it.

use duroxide_core::{
    ArrivalId, Channel, CompatFlags, Encoding, Event, EventId, EventKind, ExecutionId, Failure,
    FailureDetails, FailureKind, Headers, InstanceId, Nonce, Parent, Payload, TimeMs, TurnNo,
};
use duroxide_scenarios::by_hand::Recording;
use duroxide_snapshots::{parse, text};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

/// Text that is a word, text that looks like something else, and any other.
fn some_text() -> BoxedStrategy<String> {
    let awkward = [
        "", " ", "null", "true", "-5", "1e9", "#7", "(", ")", "a=b", "a b", "\"", "\\", "…", " …",
        "~", "{}", "[1", "x\ny", "\u{2028}", "\u{7f}", "00", "1.0", "Ä.ß",
    ];
    prop_oneof![
        "[a-zA-Z0-9_:./@-]{1,12}",
        proptest::sample::select(awkward.to_vec()).prop_map(str::to_owned),
        any::<String>(),
    ]
    .boxed()
}

fn payload() -> BoxedStrategy<Payload> {
    let json = [
        "null",
        "0",
        "-1.5e3",
        "\"a b\"",
        "[]",
        "{\"a\": [1, 2]}",
        "{\"name\":\"World\"}",
        " 1",
        "1 ",
        "1\n",
        "[\n1\n]",
        "",
        "1 2",
        "\"…\"",
        "{\"a\":1} b=2",
    ];
    prop_oneof![
        proptest::sample::select(json.to_vec()).prop_map(Payload::json),
        some_text().prop_map(Payload::json),
        some_text().prop_map(|text| Payload::json(format!("{text:?}"))),
        (any::<u8>(), vec(any::<u8>(), 0..9))
            .prop_map(|(encoding, bytes)| Payload::new(Encoding(encoding), &bytes)),
    ]
    .boxed()
}

fn failure() -> BoxedStrategy<Failure> {
    use FailureKind as K;
    let kinds = [
        K::Application,
        K::Cancelled,
        K::Timeout,
        K::Nondeterminism,
        K::Limit,
        K::Invalid,
        K::Poison,
        K::Unregistered,
        K::Terminated,
        K::Corrupt,
    ];
    let details = (of(some_text()), of(some_text()))
        .prop_map(|(stack, worker)| Box::new(FailureDetails { stack, worker }));
    let one = (
        proptest::sample::select(kinds.to_vec()),
        some_text(),
        of(some_text()),
        of(some_text()),
        of(any::<u32>()),
        of(details),
    );
    let one = one.prop_map(|(kind, message, name, source, attempt, details)| {
        let mut failure = Failure::new(kind, message);
        (failure.name, failure.source) = (name, source);
        (failure.attempt, failure.details) = (attempt, details);
        failure
    });
    vec(one, 1..4)
        .prop_map(|chain| {
            let link = |cause: Option<Failure>, mut failure: Failure| {
                failure.cause = cause.map(Box::new);
                Some(failure)
            };
            chain.into_iter().fold(None, link).expect("there is at least one")
        })
        .boxed()
}

fn started() -> BoxedStrategy<EventKind> {
    let parent =
        (some_text(), any::<u64>(), any::<u64>()).prop_map(|(instance, execution, event)| {
            let (execution, event) = (ExecutionId(execution), EventId(event));
            Parent { instance: InstanceId(instance), execution, event }
        });
    let headers = btree_map(some_text(), some_text(), 0..3).prop_map(Headers::from);
    (some_text(), some_text(), payload(), of(parent), any::<u128>(), any::<u64>(), headers)
        .prop_map(|(name, version, input, parent, nonce, flags, headers)| {
            EventKind::OrchestrationStarted {
                name,
                version,
                input,
                parent,
                nonce: Nonce(nonce),
                flags: CompatFlags(flags),
                headers,
            }
        })
        .boxed()
}

fn ended() -> BoxedStrategy<EventKind> {
    use EventKind as K;
    prop_oneof![
        payload().prop_map(|output| K::OrchestrationCompleted { output }),
        (failure(), any::<bool>())
            .prop_map(|(failure, by_engine)| K::OrchestrationFailed { failure, by_engine }),
        (payload(), of(some_text()))
            .prop_map(|(input, version)| K::OrchestrationContinuedAsNew { input, version }),
        some_text().prop_map(|reason| K::OrchestrationTerminated { reason }),
        (some_text(), any::<bool>(), any::<bool>()).prop_map(|(reason, from_parent, unstarted)| {
            K::OrchestrationCancelRequested { reason, from_parent, unstarted }
        }),
        any::<u64>().prop_map(|flags| K::CompatFlagsAdded { flags: CompatFlags(flags) }),
    ]
    .boxed()
}

fn worked() -> BoxedStrategy<EventKind> {
    use EventKind as K;
    let source = || any::<u64>().prop_map(EventId);
    let time = || any::<u64>().prop_map(TimeMs);
    let channel = || prop_oneof![Just(Channel::Event), Just(Channel::Queue)];
    prop_oneof![
        (some_text(), payload(), of(some_text()), of(some_text()), 1_u32..9).prop_map(
            |(name, input, session, tag, attempt)| {
                K::ActivityScheduled { name, input, session, tag, attempt }
            }
        ),
        (source(), payload()).prop_map(|(source, result)| K::ActivityCompleted { source, result }),
        (source(), failure()).prop_map(|(source, failure)| K::ActivityFailed { source, failure }),
        source().prop_map(|source| K::ActivityCancelRequested { source }),
        (any::<u64>(), time())
            .prop_map(|(delay_ms, fire_at)| K::TimerCreated { delay_ms, fire_at }),
        (source(), time()).prop_map(|(source, fire_at)| K::TimerFired { source, fire_at }),
        source().prop_map(|source| K::TimerCancelled { source }),
        (channel(), some_text()).prop_map(|(channel, name)| K::MailSubscribed { channel, name }),
        (source(), any::<u64>(), channel(), some_text(), payload()).prop_map(
            |(source, mail, channel, name, data)| {
                K::MailDelivered { source, mail: ArrivalId(mail), channel, name, data }
            }
        ),
        source().prop_map(|source| K::MailUnsubscribed { source }),
    ]
    .boxed()
}

fn others() -> BoxedStrategy<EventKind> {
    use EventKind as K;
    let source = || any::<u64>().prop_map(EventId);
    let start = || (some_text(), of(some_text()), some_text().prop_map(InstanceId), payload());
    prop_oneof![
        start().prop_map(|(name, version, instance, input)| K::SubOrchestrationScheduled {
            name,
            version,
            instance,
            input
        }),
        start().prop_map(|(name, version, instance, input)| K::OrchestrationChained {
            name,
            version,
            instance,
            input
        }),
        (source(), payload())
            .prop_map(|(source, result)| K::SubOrchestrationCompleted { source, result }),
        (source(), failure())
            .prop_map(|(source, failure)| K::SubOrchestrationFailed { source, failure }),
        (source(), some_text().prop_map(InstanceId)).prop_map(|(source, instance)| {
            K::SubOrchestrationCancelRequested { source, instance }
        }),
        of(some_text()).prop_map(|status| K::CustomStatusUpdated { status }),
        (some_text(), some_text()).prop_map(|(key, value)| K::KeyValueSet { key, value }),
        of(some_text()).prop_map(|key| K::KeyValueCleared { key }),
        (any::<u64>(), vec(some_text(), 0..3))
            .prop_map(|(before, keys)| K::KeyValuePruned { before: TimeMs(before), keys }),
    ]
    .boxed()
}

fn event() -> BoxedStrategy<Event> {
    let kind = prop_oneof![started(), ended(), worked(), others()];
    (any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>(), kind)
        .prop_map(|(id, turn, at, split, kind)| {
            let (id, turn, at) = (EventId(id), TurnNo(turn), TimeMs(at));
            Event { id, turn, at, split, kind }
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_event_that_is_rendered_reads_back_as_the_same(event in event()) {
        let recordings = vec![Recording { instance: "a b".to_owned(), executions: vec![vec![event]] }];
        let rendered = text(&recordings);
        prop_assert_eq!(rendered.lines().count(), 3, "one line an event: {}", &rendered);
        prop_assert_eq!(parse(&rendered), Ok(recordings), "{}", rendered);
    }
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let problem = |line: &str| {
        let text = format!("instance test\nexecution 1\n{line}\n");
        let error = parse(&text).expect_err(line);
        assert_eq!(error.line, 3, "{error}");
        error.problem
    };
    assert_eq!(problem("execution 3"), "execution 2 is next");
    assert!(problem("  #x turn 1 @1 TimerCancelled source=#2").contains("\"x\" is no number"));
    assert!(problem("  #2 turn 1 @1 TimerCanceled source=#2").contains("TimerCanceled"));
    assert!(problem("  #2 turn 1 @1 TimerCancelled").contains("`TimerCancelled`"));
    assert!(problem("  #2 turn 1 @1 ActivityCompleted source=#2 result={").contains("no JSON"));
    assert!(problem("  #2 turn 1 @1 ActivityCompleted source=#2 result=1trailing").contains("no"));
    let error = parse("execution 1\n").expect_err("there is no instance");
    assert_eq!(error.to_string(), "line 1: it stands before the first instance");
}
