//! Rules 1 to 7: events, turns, what replay compares, time and guids.

use crate::bench::*;
use duroxide_core::*;

#[test]
fn rule_01_an_arrival_is_one_event_and_its_commands_stand_directly_behind_it() {
    let mut bench = Bench::new();
    let mut step = 0;
    let mut code = |execution: &mut Execution, _: Activation| {
        step += 1;
        execution.await_tree(activity(&format!("step{step}"))).unwrap();
    };
    bench.turn(vec![(1, start())], &mut code);
    // Both arrive in one turn; the second meets the wait that the first one opened.
    bench.turn(vec![(2, done(2)), (3, done(4))], &mut code);
    assert_eq!(
        bench.kinds(),
        [
            "OrchestrationStarted",
            "ActivityScheduled",
            "ActivityCompleted",
            "ActivityScheduled",
            "ActivityCompleted",
            "ActivityScheduled"
        ]
    );
}

#[test]
fn rule_02_events_carry_turn_and_time_and_a_commit_holds_whole_activations_unless_split() {
    let mut opening = opening(vec![]);
    opening.limits.turn_events = 3;
    let mut bench = Bench::open(opening);
    let mut code = awaits(Await::All(vec![activity("a"), activity("b"), activity("c")]));
    let first = bench.turn(vec![(7, start())], &mut code).commit;
    assert!(first.split && first.events.last().unwrap().split);
    let second = bench.turn(vec![], &mut code).commit;
    assert!(!second.split);
    let turns: Vec<u64> = bench.history.iter().map(|event| event.turn.0).collect();
    assert_eq!(turns, [1, 1, 1, 2]);
    assert!(bench.history.iter().all(|event| event.at == TimeMs(7)));
}

#[test]
fn rule_03_an_early_end_and_an_extra_command_are_seen_in_replay() {
    let mut bench = Bench::new();
    bench.turn(vec![(1, start())], &mut awaits(Await::All(vec![activity("a"), activity("b")])));
    for (mut code, expected) in [
        (awaits(activity("a")), "+ code:    nothing more"),
        (awaits(Await::All(vec![activity("a"), activity("b"), activity("c")])), "it ends here"),
        (awaits(Await::All(vec![])), "- history: ActivityScheduled"),
    ] {
        let commit = bench.cold().turn(vec![], &mut code).commit;
        let Some(End::Failed { failure }) = commit.end else { panic!("{commit:?}") };
        assert_eq!(failure.kind, FailureKind::Nondeterminism);
        assert!(failure.message.contains(expected), "{failure}");
    }
}

#[test]
fn rule_03_a_report_holds_the_failure_that_the_code_ended_with_and_no_stack_of_it() {
    let mut bench = Bench::new();
    bench.turn(vec![(1, start())], &mut awaits(activity("a")));
    let failure = Failure {
        details: Some(Box::new(FailureDetails { stack: Some("at /a/path".into()), worker: None })),
        ..Failure::application("no such order")
    };
    let mut code = |execution: &mut Execution, _: Activation| {
        let _ = execution.end(Ending::Threw(failure.clone()));
    };
    let commit = bench.cold().turn(vec![], &mut code).commit;
    let Some(End::Failed { failure }) = commit.end else { panic!("{commit:?}") };
    assert!(failure.message.contains("\"no such order\""), "{failure}");
    assert!(!failure.message.contains("/a/path"), "{failure}");
}

#[test]
fn rule_03_after_a_split_replay_goes_live_in_the_middle_of_the_activation() {
    let mut opening = opening(vec![]);
    opening.limits.turn_events = 2;
    let mut bench = Bench::open(opening);
    let mut code = awaits(Await::All(vec![activity("a"), activity("b")]));
    bench.turn(vec![(1, start())], &mut code);
    assert_eq!(bench.history.len(), 2);
    let mut cold = bench.cold();
    let commit = cold.turn(vec![], &mut code).commit;
    assert_eq!(commit.activities.len(), 1, "only what was not committed before: {commit:?}");
    assert_eq!(commit.activities[0].name, "b");
}

#[test]
fn rule_04_name_version_child_id_tag_session_delay_and_order_are_compared() {
    let leaf = |name: &str, tag: Option<&str>, session: Option<&str>| {
        Await::Leaf(Leaf::Activity {
            name: name.into(),
            input: Payload::null(),
            session: session.map(str::to_owned),
            tag: tag.map(str::to_owned),
        })
    };
    let versioned = |version: Option<&str>| {
        Await::Leaf(Leaf::Child {
            name: "C".into(),
            version: version.map(str::to_owned),
            instance: None,
            input: Payload::null(),
        })
    };
    let pairs = [
        (leaf("a", None, None), leaf("b", None, None)),
        (leaf("a", None, None), leaf("a", Some("t"), None)),
        (leaf("a", None, None), leaf("a", None, Some("s"))),
        (timer(5), timer(6)),
        (event("e"), event("f")),
        (child(Some("x")), child(Some("y"))),
        (versioned(None), versioned(Some("2.0.0"))),
        (Await::All(vec![activity("a"), timer(1)]), Await::All(vec![timer(1), activity("a")])),
        (activity("a"), timer(5)),
    ];
    for (recorded, asked) in pairs {
        let mut bench = Bench::new();
        bench.turn(vec![(1, start())], &mut awaits(recorded.clone()));
        let commit = bench.cold().turn(vec![], &mut awaits(asked.clone())).commit;
        let Some(End::Failed { failure }) = commit.end else { panic!("{recorded:?} {asked:?}") };
        assert!(failure.message.contains("nondeterministic"), "{failure}");
        assert_eq!(failure.message.lines().count(), 3, "a cause and a two-line diff: {failure}");
    }
}

#[test]
fn rule_04_another_input_is_remarked_and_fails_nothing() {
    let with = |json: &str| {
        Await::Leaf(Leaf::Activity {
            name: "a".into(),
            input: Payload::json(json),
            session: None,
            tag: None,
        })
    };
    let mut bench = Bench::new();
    bench.turn(vec![(1, start())], &mut awaits(with("1")));
    let outcome = bench.cold().turn(vec![], &mut awaits(with("2")));
    assert!(outcome.commit.is_empty());
    assert_eq!(outcome.input_changes.len(), 1);
    assert_eq!(outcome.input_changes[0].event, EventId(2));
}

#[test]
fn rule_05_time_is_the_arrivals_and_never_goes_back() {
    let mut bench = Bench::new();
    let mut times = vec![];
    let mut code = |execution: &mut Execution, _: Activation| {
        let now = execution.await_tree(Await::Leaf(Leaf::UtcNow)).unwrap();
        times.push(now);
        execution.await_tree(activity("a")).unwrap();
    };
    bench.turn(vec![(50, start())], &mut code);
    bench.turn(vec![(40, done(2))], &mut code);
    bench.turn(vec![(60, done(4))], &mut code);
    let at: Vec<u64> = bench.history.iter().map(|event| event.at.0).collect();
    assert_eq!(at, [50, 50, 50, 50, 60, 60]);
    let now = |ms| Awaited::Ready(Ok(Value::Time(TimeMs(ms))));
    assert_eq!(times, [now(50), now(50), now(60)]);
}

#[test]
fn rule_06_the_same_history_arrivals_and_flags_give_the_same_bytes() {
    let tree =
        Await::Race(vec![activity("a"), timer(3), Await::All(vec![event("e"), child(None)])]);
    let run = || {
        let mut bench = Bench::new();
        let mut code = awaits(tree.clone());
        let first = bench.turn(vec![(1, start()), (2, mail("x", "1"))], &mut code).commit;
        let second = bench.turn(vec![(4, due(3)), (4, done(2))], &mut code).commit;
        serde_json::to_vec(&(first, second)).unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn rule_07_a_guid_is_derived_from_the_nonce_and_a_counter() {
    let guids = |nonce: u128| {
        let mut execution = Execution::open(opening(vec![]));
        let arrival = Arrival { origin: Origin::Inbox(ArrivalId(1)), at: TimeMs(1), body: start() };
        execution.begin_turn(TurnInput {
            arrivals: vec![arrival],
            unread: vec![],
            mail_read: vec![],
            more_mail: vec![],
            nonce: Nonce(nonce),
            flags: CompatFlags::NONE,
            raise: CompatFlags::NONE,
        });
        execution.next_activation().unwrap();
        let mut next = || match execution.schedule(Leaf::NewGuid).unwrap() {
            Scheduled::Ready(Value::Text(guid)) => guid,
            other => panic!("{other:?}"),
        };
        [next(), next()]
    };
    let [first, second] = guids(1);
    assert_ne!(first, second);
    assert_eq!([first.clone(), second], guids(1));
    assert_ne!(first, guids(2)[0]);
    assert_eq!(&first[14..15], "4", "the version digit of {first}");
    assert_eq!(first.len(), 36);
}

#[test]
fn rule_03_the_end_of_a_turn_that_was_split_and_then_terminated_replays_as_it_was() {
    let mut opening = opening(vec![]);
    opening.limits.turn_events = 2;
    let mut bench = Bench::open(opening);
    let mut code = awaits(Await::All(vec![activity("a"), activity("b"), activity("c")]));
    bench.turn(vec![(1, start())], &mut code);
    let stop = ArrivalBody::Terminate { reason: "now".into() };
    bench.turn(vec![(2, stop)], &mut code);
    let mut cold = bench.cold();
    assert!(cold.turn(vec![], &mut code).commit.is_empty());
    assert_eq!(cold.execution.fingerprint(), bench.execution.fingerprint());
}

#[test]
fn rule_05_a_timer_is_due_its_delay_after_the_time_of_the_activation() {
    let mut bench = Bench::new();
    bench.turn(vec![(50, start())], &mut awaits(timer(7)));
    let created = EventKind::TimerCreated { delay_ms: 7, fire_at: TimeMs(57) };
    assert_eq!(bench.history[1].kind, created);
}

#[test]
fn rule_05_code_sees_no_timer_fire_before_its_whole_delay_has_passed() {
    let mut bench = Bench::new();
    // A runtime estimated the time, and was ahead of the store.
    bench.turn(vec![(50, start())], &mut awaits(timer(7)));
    bench.turn(vec![(55, due(2))], &mut awaits(timer(7)));
    let fired = &bench.history[2];
    assert_eq!(fired.kind, EventKind::TimerFired { source: EventId(2), fire_at: TimeMs(55) });
    assert_eq!(fired.at, TimeMs(57));
}
