//! What a history refuses, and what else a user could break.

use crate::bench::*;
use duroxide_core::*;

#[test]
fn a_malformed_history_is_refused_naming_the_event() {
    let mut bench = Bench::new();
    bench.turn(vec![(1, start())], &mut awaits(Await::All(vec![activity("a"), timer(1)])));
    let good = bench.history;
    let broken = |change: &dyn Fn(&mut Vec<Event>)| {
        let mut events = good.clone();
        change(&mut events);
        History::parse(events).unwrap_err()
    };
    assert_eq!(broken(&|e| drop(e.remove(1))).event, EventId(3));
    assert_eq!(broken(&|e| drop(e.remove(0))).event, EventId(2));
    assert_eq!(broken(&|e| e[2].at = TimeMs(0)).event, EventId(3));
    assert_eq!(broken(&|e| e[2].turn = TurnNo(9)).event, EventId(3));
    let fired = EventKind::TimerFired { source: EventId(2), fire_at: TimeMs(1) };
    let error = broken(&|e| {
        e.push(Event {
            id: EventId(4),
            turn: TurnNo(2),
            at: TimeMs(9),
            split: false,
            kind: fired.clone(),
        });
    });
    assert_eq!((error.event, error.to_string().contains("Activity")), (EventId(4), true));
}

#[test]
fn a_history_that_no_execution_can_have_is_refused_naming_the_event() {
    let event = |id: u64, kind: EventKind| Event {
        id: EventId(id),
        turn: TurnNo(1),
        at: TimeMs(1),
        split: false,
        kind,
    };
    let history = |kinds: Vec<EventKind>| {
        let start = start();
        let ArrivalBody::Start { name, input, headers, .. } = start else { panic!("a start") };
        let (version, nonce, flags) = ("1.0.0".to_owned(), Nonce(1), CompatFlags::NONE);
        let parent = None;
        let first =
            EventKind::OrchestrationStarted { name, version, input, parent, nonce, flags, headers };
        let kinds = std::iter::once(first).chain(kinds);
        kinds.zip(1..).map(|(kind, id)| event(id, kind)).collect::<Vec<_>>()
    };
    let cancelled = |unstarted| EventKind::OrchestrationCancelRequested {
        reason: "r".into(),
        from_parent: false,
        unstarted,
    };
    let wait = || EventKind::MailSubscribed { channel: Channel::Event, name: "e".into() };
    let delivered = |source| EventKind::MailDelivered {
        source: EventId(source),
        mail: ArrivalId(7),
        channel: Channel::Event,
        name: "e".into(),
        data: Payload::null(),
    };
    let child = EventKind::SubOrchestrationScheduled {
        name: "C".into(),
        version: None,
        instance: "x".into(),
        input: Payload::null(),
    };
    let other_child =
        EventKind::SubOrchestrationCancelRequested { source: EventId(2), instance: "y".into() };
    let completed = || EventKind::OrchestrationCompleted { output: Payload::null() };
    let again = EventKind::OrchestrationContinuedAsNew { input: Payload::null(), version: None };
    let refused = [
        (history(vec![cancelled(true), wait()]), 3, "only the end"),
        (history(vec![cancelled(true), completed()]), 3, "only the end"),
        (history(vec![wait(), wait(), delivered(2), delivered(3)]), 5, "delivered before"),
        (history(vec![child, other_child]), 3, "Child"),
        (history(vec![cancelled(false), again]), 3, "after a cancel"),
    ];
    for (events, at, why) in refused {
        let error = History::parse(events).unwrap_err();
        assert_eq!(error.event, EventId(at), "{error}");
        assert!(error.problem.contains(why), "{error}");
    }
    let mut split_end = history(vec![completed()]);
    split_end[1].split = true;
    assert_eq!(History::parse(split_end).unwrap_err().event, EventId(2));
}

#[test]
fn a_failure_with_endless_causes_is_stored_with_the_first_of_them_and_read_again() {
    let mut failure = Failure::application("innermost");
    for n in 0..500 {
        let cause = Some(Box::new(failure));
        failure = Failure { cause, ..Failure::application(n.to_string()) };
    }
    let mut bench = Bench::new();
    let mut code = awaits(activity("a"));
    bench.turn(vec![(1, start())], &mut code);
    let body = ArrivalBody::ActivityDone { source: EventId(2), outcome: Err(failure) };
    bench.turn(vec![(2, body)], &mut code);
    assert!(bench.execution.is_ended());
    for event in &bench.history {
        assert_eq!(decode_event(&encode_event(event)).as_ref(), Ok(event));
    }
}

#[test]
fn a_child_whose_derived_id_would_be_too_long_is_refused_at_the_call() {
    let mut opening = opening(vec![]);
    opening.instance = InstanceId("x".repeat(1020));
    let mut bench = Bench::open(opening);
    let mut code = |execution: &mut Execution, _: Activation| {
        let refused = execution.await_tree(child(None)).unwrap_err();
        let Refused::Failed(failure) = refused else { panic!("{refused:?}") };
        assert_eq!(failure.kind, FailureKind::Limit);
    };
    assert!(bench.turn(vec![(1, start())], &mut code).commit.starts.is_empty());
}

#[test]
fn a_run_that_fails_as_nondeterministic_takes_what_arrived_with_it() {
    let mut bench = Bench::new();
    bench.turn(vec![(1, start())], &mut awaits(activity("a")));
    let mut other = awaits(activity("b"));
    let commit = bench.cold().turn(vec![(2, done(2)), (3, mail("e", "1"))], &mut other).commit;
    assert!(matches!(commit.end, Some(End::Failed { .. })));
    assert_eq!(commit.consumed.len(), 2);
}
