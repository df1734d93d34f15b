//! The core's rules, one test (or more) named after each of them.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests: a panic is a failure, and only some kinds matter"
)]

use duroxide_core::*;

/// An execution driven by hand.
struct Bench {
    execution: Execution,
    history: Vec<Event>,
    next_id: u64,
}

type Code<'a> = &'a mut dyn FnMut(&mut Execution, Activation);

fn opening(history: Vec<Event>) -> Opening {
    Opening {
        instance: "inst".into(),
        execution: ExecutionId::FIRST,
        history: History::parse(history).unwrap(),
        base: Base::default(),
        unread: vec![],
        more_mail: vec![],
        limits: Limits::default(),
    }
}

impl Bench {
    fn new() -> Self {
        Self::open(opening(vec![]))
    }

    fn open(opening: Opening) -> Self {
        Self {
            history: opening.history.events().to_vec(),
            execution: Execution::open(opening),
            next_id: 1,
        }
    }

    /// The same execution from cold.
    fn cold(&self) -> Self {
        Self::open(opening(self.history.clone()))
    }

    fn arrival(&mut self, at: u64, body: ArrivalBody) -> Arrival {
        self.next_id += 1;
        Arrival { origin: Origin::Inbox(ArrivalId(self.next_id)), at: TimeMs(at), body }
    }

    /// One turn: these bodies arrive at these times, and the code does that.
    fn turn(&mut self, arrivals: Vec<(u64, ArrivalBody)>, code: Code) -> TurnOutcome {
        let arrivals = arrivals.into_iter().map(|(at, body)| self.arrival(at, body)).collect();
        self.turn_of(arrivals, code)
    }

    fn turn_of(&mut self, arrivals: Vec<Arrival>, code: Code) -> TurnOutcome {
        self.execution.begin_turn(TurnInput {
            arrivals,
            unread: vec![],
            mail_read: vec![],
            more_mail: vec![],
            nonce: Nonce(42),
            flags: CompatFlags::NONE,
            raise: CompatFlags::NONE,
        });
        while let Some(activation) = self.execution.next_activation() {
            code(&mut self.execution, activation);
        }
        let outcome = self.execution.finish_turn();
        self.history.extend(outcome.commit.events.iter().cloned());
        History::parse(self.history.clone()).unwrap();
        outcome
    }

    fn kinds(&self) -> Vec<String> {
        let name = |event: &Event| format!("{:?}", event.kind);
        let word = |text: String| text.split([' ', '{']).next().unwrap_or_default().to_owned();
        self.history.iter().map(|event| word(name(event))).collect()
    }
}

fn start() -> ArrivalBody {
    ArrivalBody::Start {
        name: "Orch".into(),
        version: Some("1.0.0".into()),
        input: Payload::json("1"),
        parent: None,
        headers: Headers::new(),
    }
}

fn activity(name: &str) -> Await {
    Await::Leaf(Leaf::Activity {
        name: name.into(),
        input: Payload::null(),
        session: None,
        tag: None,
    })
}

fn timer(delay_ms: u64) -> Await {
    Await::Leaf(Leaf::Timer { delay_ms })
}

fn event(name: &str) -> Await {
    Await::Leaf(Leaf::Mail { channel: Channel::Event, name: name.into() })
}

fn child(id: Option<&str>) -> Await {
    Await::Leaf(Leaf::Child {
        name: "Child".into(),
        version: None,
        instance: id.map(Into::into),
        input: Payload::null(),
    })
}

fn done(source: u64) -> ArrivalBody {
    ArrivalBody::ActivityDone {
        source: EventId(source),
        outcome: Ok(Payload::json(source.to_string())),
    }
}

fn due(source: u64) -> ArrivalBody {
    ArrivalBody::TimerDue { source: EventId(source) }
}

fn mail(name: &str, data: &str) -> ArrivalBody {
    ArrivalBody::Mail { channel: Channel::Event, name: name.into(), data: Payload::json(data) }
}

fn cancel() -> ArrivalBody {
    ArrivalBody::Cancel { reason: "enough".into(), from_parent: false }
}

fn cancel_by_parent() -> ArrivalBody {
    ArrivalBody::Cancel { reason: "parent canceled".into(), from_parent: true }
}

fn returns(execution: &mut Execution, json: &str) {
    // Refused when code and history disagree, which some tests are about.
    let _ = execution.end(Ending::Returned(Payload::json(json)));
}

/// Code that awaits one tree and returns what it got.
fn awaits(tree: Await) -> impl FnMut(&mut Execution, Activation) {
    move |execution, activation| match activation {
        Activation::Start { .. } => {
            if let Ok(Awaited::Ready(settled)) = execution.await_tree(tree.clone()) {
                returns(execution, &serde_json::to_string(&format!("{settled:?}")).unwrap());
            }
        }
        Activation::Resume(Ok(value)) => {
            returns(execution, &serde_json::to_string(&format!("{value:?}")).unwrap());
        }
        Activation::Resume(Err(failure)) => execution.end(Ending::Threw(failure)).unwrap(),
        Activation::Poll => panic!("tree mode never polls"),
    }
}

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
fn rule_08_a_loop_that_waits_for_nothing_meets_a_limit_it_can_catch() {
    let mut bench = Bench::new();
    let mut yields = 0;
    let mut code = |execution: &mut Execution, activation: Activation| {
        if let Activation::Start { .. } = activation {
            let refused = loop {
                match execution.await_tree(Await::Leaf(Leaf::UtcNow)) {
                    Ok(_) => yields += 1,
                    Err(refused) => break refused,
                }
            };
            let Refused::Failed(failure) = refused else { panic!("{refused:?}") };
            assert_eq!(failure.kind, FailureKind::Limit);
            execution.await_tree(timer(1)).unwrap();
        }
    };
    bench.turn(vec![(1, start())], &mut code);
    assert_eq!(yields, 100_000);
    assert_eq!(bench.kinds().last().unwrap(), "TimerCreated", "it was caught and went on");
}

#[test]
fn rule_08_a_yield_counts_once_and_only_if_nothing_was_recorded() {
    let mut opening = opening(vec![]);
    opening.limits.instant_yields = 3;
    let mut bench = Bench::open(opening);
    let detached = |n: usize| {
        Await::Leaf(Leaf::Detached {
            name: "D".into(),
            version: None,
            instance: InstanceId(format!("d{n}")),
            input: Payload::null(),
        })
    };
    let mut code = |execution: &mut Execution, _: Activation| {
        for n in 0..10 {
            execution.await_tree(detached(n)).unwrap();
        }
        let now = || Await::Leaf(Leaf::UtcNow);
        for _ in 0..3 {
            execution.await_tree(Await::All(vec![now(), now()])).unwrap();
        }
        assert!(matches!(execution.await_tree(now()), Err(Refused::Failed(_))));
    };
    let commit = bench.turn(vec![(1, start())], &mut code).commit;
    assert_eq!(commit.starts.len(), 10);
}

#[test]
fn rule_09_trees_and_leaves_give_one_history() {
    let mut tree = Bench::new();
    let mut code = awaits(Await::Race(vec![activity("a"), Await::All(vec![timer(5), event("e")])]));
    tree.turn(vec![(1, start())], &mut code);
    tree.turn(vec![(2, done(2))], &mut code);

    let leaf = |tree: Await| match tree {
        Await::Leaf(leaf) => leaf,
        Await::All(_) | Await::Race(_) => panic!("a leaf"),
    };
    let mut leaves = Bench::new();
    let mut code = |execution: &mut Execution, activation: Activation| match activation {
        Activation::Start { .. } => {
            execution.enter_group();
            for leaf in [leaf(activity("a")), leaf(timer(5)), leaf(event("e"))] {
                execution.schedule(leaf).unwrap();
            }
            execution.leave_group();
        }
        Activation::Poll => {
            execution.enter_group();
            let won = execution.settled(EventId(2)).unwrap();
            execution.cancel(EventId(4));
            execution.cancel(EventId(3));
            execution.leave_group();
            let value = Value::Race { index: 0, value: Box::new(won.unwrap()) };
            returns(execution, &serde_json::to_string(&format!("{value:?}")).unwrap());
        }
        Activation::Resume(_) => panic!("leaf mode never resumes"),
    };
    leaves.turn(vec![(1, start())], &mut code);
    leaves.turn(vec![(2, done(2))], &mut code);
    assert_eq!(render(&tree.history), render(&leaves.history));
}

#[test]
fn rule_10_leaves_are_scheduled_depth_first_then_losers_are_cancelled_in_leaf_order() {
    let mut bench = Bench::new();
    let now = Await::Leaf(Leaf::UtcNow);
    let tree = Await::Race(vec![
        Await::All(vec![activity("x"), Await::Race(vec![now.clone(), activity("y")])]),
        activity("z"),
        now,
    ]);
    let commit = bench.turn(vec![(1, start())], &mut awaits(tree)).commit;
    assert_eq!(
        bench.kinds(),
        [
            "OrchestrationStarted",
            "ActivityScheduled",
            "ActivityScheduled",
            "ActivityScheduled",
            "ActivityCancelRequested",
            "ActivityCancelRequested",
            "ActivityCancelRequested",
            "OrchestrationCompleted"
        ]
    );
    let cancelled: Vec<_> = bench.history[4..7].iter().filter_map(|e| e.kind.source()).collect();
    assert_eq!(cancelled, [EventId(2), EventId(3), EventId(4)]);
    assert!(commit.activities.is_empty(), "scheduled and cancelled in one commit: no work row");
    assert!(commit.cancelled_activities.is_empty());
}

#[test]
fn rule_11_a_losers_late_completion_is_consumed_and_not_recorded() {
    let mut bench = Bench::new();
    let mut code = |execution: &mut Execution, activation: Activation| match activation {
        Activation::Start { .. } => {
            execution.await_tree(Await::Race(vec![activity("a"), timer(1)])).unwrap();
        }
        _ => drop(execution.await_tree(event("later"))),
    };
    bench.turn(vec![(1, start())], &mut code);
    let won = bench.turn(vec![(2, due(3))], &mut code).commit;
    assert_eq!(won.cancelled_activities, [EventId(2)]);
    let late = bench.turn(vec![(3, done(2))], &mut code);
    assert!(late.commit.events.is_empty());
    assert_eq!(late.commit.consumed.len(), 1);
    assert_eq!(late.dropped, 1);
}

#[test]
fn rule_12_the_oldest_wait_takes_the_oldest_mail_and_replay_never_matches_again() {
    let mut bench = Bench::new();
    let mut code = awaits(Await::All(vec![event("e"), event("e")]));
    bench.turn(vec![(1, start()), (2, mail("e", "1")), (3, mail("e", "2"))], &mut code);
    let taken: Vec<_> = bench
        .history
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::MailDelivered { source, data, .. } => Some((source.0, data.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(taken, [(2, Payload::json("1")), (3, Payload::json("2"))]);
    // The window of a cold copy holds other mail by now: history alone decides.
    let mut opening = opening(bench.history.clone());
    opening.unread = vec![UnreadMail {
        id: ArrivalId(99),
        at: TimeMs(0),
        channel: Channel::Event,
        name: "e".into(),
        data: Payload::json("3"),
    }];
    let mut cold = Bench::open(opening);
    assert!(cold.turn(vec![], &mut code).commit.events.is_empty());
    assert!(cold.execution.is_ended());
}

#[test]
fn rule_12_mail_is_examined_after_each_activation_before_the_next_arrival() {
    let mut bench = Bench::new();
    let mut step = 0;
    let mut code = |execution: &mut Execution, _: Activation| {
        step += 1;
        let tree = if step == 1 { activity("a") } else { Await::Race(vec![event("e"), timer(9)]) };
        let _ = execution.await_tree(tree);
    };
    // The mail came before the activity was done; the timer's turn must not come first.
    bench.turn(vec![(1, start()), (2, mail("e", "1")), (3, done(2)), (4, due(5))], &mut code);
    let kinds = bench.kinds();
    let delivered = kinds.iter().position(|kind| kind == "MailDelivered").unwrap();
    assert_eq!(kinds[delivered - 1], "TimerCreated");
    assert!(!kinds.contains(&"TimerFired".to_owned()), "it lost: {kinds:?}");
}

#[test]
fn rule_12_a_window_that_runs_dry_stops_the_turn_until_the_mail_was_read() {
    let mut opening = opening(vec![]);
    opening.more_mail = vec![MailName { channel: Channel::Event, name: "e".into() }];
    let mut bench = Bench::open(opening);
    let mut code = awaits(Await::Race(vec![event("e"), activity("a")]));
    let outcome = bench.turn(vec![(1, start()), (2, done(3))], &mut code);
    assert_eq!(outcome.wants_mail.len(), 1);
    assert_eq!(outcome.unadmitted.len(), 1, "older mail in the store goes first");
    assert!(outcome.commit.split, "and the instance stays ready, also after a crash");
}

#[test]
fn rule_12_the_size_of_the_window_does_not_decide_which_mail_comes_first() {
    let unread = |id: u64, name: &str| UnreadMail {
        id: ArrivalId(id),
        at: TimeMs(id),
        channel: Channel::Event,
        name: name.into(),
        data: Payload::null(),
    };
    let of_e = MailName { channel: Channel::Event, name: "e".into() };
    let delivered = |window: usize| {
        let stored = [unread(10, "e"), unread(11, "e"), unread(13, "e")];
        let mut opening = opening(vec![]);
        opening.unread = stored[..window].to_vec();
        opening.unread.push(unread(12, "f"));
        opening.more_mail = vec![of_e.clone()];
        let mut bench = Bench::open(opening);
        let mut code = awaits(Await::All(vec![event("e"), event("f"), event("e"), event("e")]));
        let wanted = bench.turn(vec![(20, start())], &mut code).wants_mail;
        assert_eq!(wanted, [(of_e.clone(), window.checked_sub(1).map(|last| stored[last].id))]);
        bench.execution.begin_turn(TurnInput {
            arrivals: vec![],
            unread: stored[window..].to_vec(),
            mail_read: vec![of_e.clone()],
            more_mail: vec![],
            nonce: Nonce(42),
            flags: CompatFlags::NONE,
            raise: CompatFlags::NONE,
        });
        while let Some(activation) = bench.execution.next_activation() {
            code(&mut bench.execution, activation);
        }
        bench.history.extend(bench.execution.finish_turn().commit.events);
        let mail = |event: &Event| match &event.kind {
            EventKind::MailDelivered { mail, .. } => Some(mail.0),
            _ => None,
        };
        bench.history.iter().filter_map(mail).collect::<Vec<_>>()
    };
    for window in 0..3 {
        assert_eq!(delivered(window), [10, 11, 12, 13]);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures, and nothing durable depends on it")]
fn rule_12_ten_thousand_waits_of_as_many_names_cost_no_more_each_than_a_few() {
    let names = 10_000;
    let mut opening = opening(vec![]);
    opening.limits.turn_events = 3 * names;
    let mut bench = Bench::open(opening);
    let waits = (0..names).map(|n| event(&format!("e{n}")));
    let mut code = awaits(Await::All(waits.collect()));
    let mut arrivals = vec![(1, start())];
    arrivals.extend((0..names).map(|n| (2, mail(&format!("e{n}"), "1"))));
    let begun = std::time::Instant::now();
    let commit = bench.turn(arrivals, &mut code).commit;
    assert!(commit.end.is_some());
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "it took a minute and more");
}

#[test]
fn rule_13_a_cancelled_wait_takes_nothing_and_unmatched_mail_stays_unread_but_seen() {
    let mut bench = Bench::new();
    let mut step = 0;
    let mut code = |execution: &mut Execution, _: Activation| {
        step += 1;
        let tree = match step {
            1 => Await::Race(vec![event("e"), timer(1)]),
            2 => activity("between"),
            _ => event("e"),
        };
        let _ = execution.await_tree(tree);
    };
    bench.turn(vec![(1, start())], &mut code);
    let commit = bench.turn(vec![(2, due(3)), (3, mail("e", "1"))], &mut code).commit;
    assert_eq!(commit.seen.len(), 1);
    assert!(!commit.consumed.contains(&commit.seen[0]));
    let commit = bench.turn(vec![(4, done(6))], &mut code).commit;
    assert!(
        bench.kinds().contains(&"MailDelivered".to_owned()),
        "kept for the wait that came later"
    );
    assert_eq!(commit.consumed.len(), 2);
}

#[test]
fn rule_14_status_and_kv_are_commands_with_read_your_writes_and_reads_are_not() {
    let mut opening = opening(vec![]);
    opening.base.kv = vec![KvEntry { key: "old".into(), value: "0".into(), updated_at: TimeMs(1) }];
    let mut bench = Bench::open(opening);
    let mut code = |execution: &mut Execution, _: Activation| {
        execution.set_status(Some("busy".into())).unwrap();
        assert_eq!(execution.status(), Some("busy"));
        execution.kv_set("new", "1").unwrap();
        assert_eq!(execution.kv_get("new").unwrap().as_deref(), Some("1"));
        assert_eq!(execution.kv_get("old").unwrap().as_deref(), Some("0"));
        assert_eq!(execution.kv_prune(TimeMs(100)).unwrap(), 1, "not what this activation wrote");
        execution.kv_clear(None).unwrap();
        assert_eq!(execution.kv_all().unwrap(), []);
        execution.await_tree(event("e")).unwrap();
    };
    let commit = bench.turn(vec![(10, start())], &mut code).commit;
    assert_eq!(
        bench.kinds()[1..],
        [
            "CustomStatusUpdated",
            "KeyValueSet",
            "KeyValuePruned",
            "KeyValueCleared",
            "MailSubscribed"
        ]
    );
    assert_eq!(commit.status, Some(StatusChange { status: Some("busy".into()) }));
    assert_eq!(
        commit.kv,
        [
            KvChange::Set { key: "new".into(), value: "1".into(), at: TimeMs(10) },
            KvChange::Clear { key: "old".into() },
            KvChange::ClearAll,
        ]
    );
}

#[test]
fn rule_15_a_cancel_throws_once_and_later_awaits_are_ordinary() {
    let mut bench = Bench::new();
    let mut seen = vec![];
    let mut code = |execution: &mut Execution, activation: Activation| match activation {
        Activation::Start { .. } => {
            let tree = Await::All(vec![activity("a"), timer(9), child(None)]);
            execution.await_tree(tree).unwrap();
        }
        Activation::Resume(settled) => {
            seen.push(settled.clone());
            if settled.is_err() {
                execution.await_tree(activity("clean up")).unwrap();
            } else {
                returns(execution, "\"cleaned\"");
            }
        }
        Activation::Poll => panic!("tree mode never polls"),
    };
    bench.turn(vec![(1, start())], &mut code);
    let commit = bench.turn(vec![(2, cancel())], &mut code).commit;
    assert_eq!(commit.cancelled_activities, [EventId(2)]);
    assert_eq!(commit.cancelled_timers, [EventId(3)]);
    assert_eq!(commit.sends.len(), 1);
    let commit = bench.turn(vec![(3, done(9))], &mut code).commit;
    assert_eq!(commit.end, Some(End::Completed { output: Payload::json("\"cleaned\"") }));
    assert!(matches!(&seen[0], Err(failure) if failure.kind == FailureKind::Cancelled
        && failure.message == "canceled: enough"));
    assert_eq!(seen.len(), 2);
    let before = seen.clone();
    let mut again = vec![];
    let mut replayed = |execution: &mut Execution, activation: Activation| match activation {
        Activation::Start { .. } => {
            let tree = Await::All(vec![activity("a"), timer(9), child(None)]);
            execution.await_tree(tree).unwrap();
        }
        Activation::Resume(settled) => {
            again.push(settled.clone());
            if settled.is_err() {
                execution.await_tree(activity("clean up")).unwrap();
            } else {
                returns(execution, "\"cleaned\"");
            }
        }
        Activation::Poll => panic!("tree mode never polls"),
    };
    bench.cold().turn(vec![], &mut replayed);
    assert_eq!(before, again, "the same position on replay");
}

#[test]
fn rule_15_cancelled_before_the_first_turn_no_code_runs() {
    let mut bench = Bench::new();
    let mut code = |_: &mut Execution, _: Activation| panic!("no code runs");
    let commit = bench.turn(vec![(1, start()), (2, cancel())], &mut code).commit;
    let Some(End::Failed { failure }) = commit.end else { panic!("{commit:?}") };
    assert_eq!(failure.message, "canceled: enough");
    bench.cold().turn(vec![], &mut code);
}

#[test]
fn rule_15_a_cancel_before_the_first_turn_is_never_parted_from_its_end_by_a_split() {
    let mut opening = opening(vec![]);
    opening.limits.turn_bytes = 1;
    let mut bench = Bench::open(opening);
    let mut code = |_: &mut Execution, _: Activation| panic!("no code runs");
    let commit = bench.turn(vec![(1, start()), (2, cancel())], &mut code).commit;
    assert_eq!(commit.consumed.len(), 2);
    assert!(!commit.split && commit.end.is_some(), "what was consumed is recorded: {commit:?}");
}

#[test]
fn rule_15_a_cancel_that_is_older_than_the_start_of_the_next_execution_is_kept() {
    let mut opening = opening(vec![]);
    opening.execution = ExecutionId(2);
    let mut bench = Bench::open(opening);
    let mut thrown = 0;
    let mut code = |execution: &mut Execution, activation: Activation| {
        thrown += usize::from(matches!(activation, Activation::Resume(Err(_))));
        let _ = execution.await_tree(timer(9));
    };
    let outcome = bench.turn(vec![(1, cancel()), (2, start())], &mut code);
    assert_eq!((thrown, outcome.dropped), (1, 0));
}

#[test]
fn rule_16_after_a_cancel_throwing_fails_returning_completes_and_continue_as_new_throws() {
    let run = |mut on_cancel: Box<dyn FnMut(&mut Execution)>| {
        let mut bench = Bench::new();
        let mut code = |execution: &mut Execution, activation: Activation| match activation {
            Activation::Start { .. } => drop(execution.await_tree(timer(9))),
            _ => on_cancel(execution),
        };
        bench.turn(vec![(1, start()), (2, mail("x", "1"))], &mut code);
        bench.turn(vec![(2, cancel()), (3, cancel_by_parent())], &mut code).commit.end.unwrap()
    };
    let threw = run(Box::new(|e| e.end(Ending::Threw(Failure::application("boom"))).unwrap()));
    assert!(
        matches!(threw, End::Failed { failure } if failure.message == "canceled: enough: boom")
    );
    let rethrew = run(Box::new(|e| e.end(Ending::Threw(Failure::cancelled("enough"))).unwrap()));
    assert!(matches!(rethrew, End::Failed { failure } if failure.message == "canceled: enough"));
    let returned = run(Box::new(|e| returns(e, "1")));
    assert_eq!(returned, End::Completed { output: Payload::json("1") });
    let went_on = run(Box::new(|execution| {
        let leaf = Leaf::ContinueAsNew { input: Payload::null(), version: None };
        let refused = execution.await_tree(Await::Leaf(leaf)).unwrap_err();
        let Refused::Failed(failure) = refused else { panic!("{refused:?}") };
        assert_eq!(failure.kind, FailureKind::Cancelled);
        execution.end(Ending::Threw(failure)).unwrap();
    }));
    assert!(matches!(went_on, End::Failed { .. }));
}

#[test]
fn rule_16_a_parents_cancel_never_counts_as_the_second_one() {
    let mut bench = Bench::new();
    let thrown = std::cell::Cell::new(0);
    let mut code = |execution: &mut Execution, activation: Activation| {
        thrown.set(thrown.get() + usize::from(matches!(activation, Activation::Resume(Err(_)))));
        let _ = execution.await_tree(activity("clean up"));
    };
    bench.turn(vec![(1, start())], &mut code);
    let arrivals = vec![(2, cancel_by_parent()), (3, cancel()), (4, cancel_by_parent())];
    let outcome = bench.turn(arrivals, &mut code);
    assert_eq!(thrown.get(), 1, "it is thrown once, whoever asks again");
    assert_eq!(outcome.commit.end, None, "still cleaning up");
    assert_eq!(outcome.dropped, 1);
    let end = bench.turn(vec![(5, cancel())], &mut code).commit.end;
    assert!(matches!(end, Some(End::Terminated { .. })), "the second of a client: {end:?}");
}

#[test]
fn rule_16_after_a_cancel_another_cancellations_message_is_kept() {
    let mut bench = Bench::new();
    let mut code = |execution: &mut Execution, activation: Activation| match activation {
        Activation::Start { .. } => drop(execution.await_tree(timer(9))),
        _ => execution.end(Ending::Threw(Failure::cancelled("the child's reason"))).unwrap(),
    };
    bench.turn(vec![(1, start())], &mut code);
    let end = bench.turn(vec![(2, cancel())], &mut code).commit.end;
    let Some(End::Failed { failure }) = end else { panic!("{end:?}") };
    assert_eq!(failure.message, "canceled: enough: canceled: the child's reason");
}

#[test]
fn rule_17_the_same_cancel_twice_is_not_a_second_one() {
    let mut bench = Bench::new();
    let mut code = |execution: &mut Execution, _: Activation| {
        let _ = execution.await_tree(timer(9));
    };
    bench.turn(vec![(1, start())], &mut code);
    let request = bench.arrival(2, cancel());
    let outcome = bench.turn_of(vec![request.clone(), request], &mut code);
    assert_eq!((outcome.commit.end, outcome.dropped), (None, 1));
}

#[test]
fn rule_17_children_that_were_cancelled_before_are_terminated_with_their_parent() {
    for same_turn in [true, false] {
        let mut bench = Bench::new();
        let mut code = |execution: &mut Execution, activation: Activation| match activation {
            Activation::Start { .. } => drop(execution.await_tree(child(Some("slow")))),
            _ => drop(execution.await_tree(timer(9))),
        };
        bench.turn(vec![(1, start())], &mut code);
        let commit = if same_turn {
            bench.turn(vec![(2, cancel()), (3, cancel())], &mut code).commit
        } else {
            bench.turn(vec![(2, cancel())], &mut code);
            bench.turn(vec![(3, cancel())], &mut code).commit
        };
        let last = commit.sends.last().unwrap();
        assert_eq!((last.to.as_str(), last.what), ("slow", ChildRequest::Terminate));
    }
}

#[test]
fn rule_17_a_second_cancel_or_a_terminate_stops_it_without_code_and_its_children_too() {
    for last in [cancel(), ArrivalBody::Terminate { reason: "now".into() }] {
        let mut bench = Bench::new();
        let mut code = |execution: &mut Execution, activation: Activation| match activation {
            Activation::Start { .. } => drop(execution.await_tree(timer(9))),
            Activation::Resume(Err(_)) => drop(execution.await_tree(child(None))),
            other => panic!("no code runs: {other:?}"),
        };
        bench.turn(vec![(1, start()), (2, mail("x", "1"))], &mut code);
        bench.turn(vec![(3, cancel())], &mut code);
        let commit = bench.turn(vec![(4, last)], &mut code).commit;
        assert!(matches!(commit.end, Some(End::Terminated { .. })));
        assert_eq!(commit.sends.len(), 1);
        assert_eq!(commit.sends[0].what, ChildRequest::Terminate);
        assert_eq!(bench.kinds().last().unwrap(), "OrchestrationTerminated");
    }
}

#[test]
fn rule_18_only_detached_starts_outlive_the_end_and_continue_as_new_is_a_root_yield() {
    let mut bench = Bench::new();
    let again = || Await::Leaf(Leaf::ContinueAsNew { input: Payload::json("2"), version: None });
    let mut code = |execution: &mut Execution, _: Activation| {
        let inside = execution.await_tree(Await::All(vec![again(), timer(1)])).unwrap_err();
        assert!(matches!(inside, Refused::Failed(_)));
        let detached = Leaf::Detached {
            name: "D".into(),
            version: None,
            instance: "d".into(),
            input: Payload::null(),
        };
        execution.schedule(detached).unwrap();
        execution.schedule(Leaf::Timer { delay_ms: 1 }).unwrap();
        let Await::Leaf(child) = child(None) else { panic!("a leaf") };
        execution.schedule(child).unwrap();
        assert_eq!(execution.await_tree(again()), Err(Refused::Stopped));
        assert!(execution.is_ended());
    };
    let commit = bench.turn(vec![(1, start())], &mut code).commit;
    let names: Vec<_> = commit.starts.iter().map(|start| start.name.as_str()).collect();
    assert_eq!(names, ["D"]);
    assert!(commit.timers.is_empty());
    assert!(matches!(commit.end, Some(End::ContinuedAsNew { .. })));
}

#[test]
fn rule_19_a_turn_is_split_by_count_and_bytes_and_never_fails_for_its_size() {
    let mut opening = opening(vec![]);
    opening.limits.turn_bytes = 1_000;
    let mut bench = Bench::open(opening);
    let mut code = |execution: &mut Execution, activation: Activation| {
        if let Activation::Start { .. } = activation {
            for n in 0..50 {
                execution.kv_set(&format!("k{n}"), &"v".repeat(200)).unwrap();
            }
            execution.await_tree(event("e")).unwrap();
        }
    };
    let mut turns = 0;
    let mut outcome = bench.turn(vec![(1, start())], &mut code);
    while outcome.commit.split {
        turns += 1;
        assert!(outcome.commit.events.len() < 8);
        outcome = bench.turn(vec![], &mut code);
    }
    assert!(turns > 5, "{turns}");
    assert_eq!(bench.history.len(), 52);
}

#[test]
fn rule_19_an_end_by_the_engine_is_never_parted_from_what_it_consumed_by_a_split() {
    for by_client in [true, false] {
        let mut opening = opening(vec![]);
        opening.limits.turn_events = 3;
        let mut bench = Bench::open(opening);
        let mut code = |execution: &mut Execution, activation: Activation| {
            let begins = matches!(activation, Activation::Start { .. });
            for n in 0..if begins { 0 } else { 9 } {
                execution.kv_set(&format!("k{n}"), "1").unwrap();
            }
            let name = if begins { "first" } else { "never" };
            execution.await_tree(child(Some(name))).unwrap();
        };
        bench.turn(vec![(1, start())], &mut code);
        let split = bench.turn(vec![(2, cancel())], &mut code).commit;
        assert!(split.split);
        let cold = bench.cold();
        let mut ends = vec![];
        for mut bench in [bench, cold] {
            let what = ArrivalBody::Terminate { reason: "now".into() };
            let arrival =
                Arrival { origin: Origin::Inbox(ArrivalId(9)), at: TimeMs(3), body: what };
            let commit = if by_client {
                bench.turn_of(vec![arrival], &mut code).commit
            } else {
                bench.execution.begin_turn(TurnInput {
                    arrivals: vec![],
                    unread: vec![],
                    mail_read: vec![],
                    more_mail: vec![],
                    nonce: Nonce(42),
                    flags: CompatFlags::NONE,
                    raise: CompatFlags::NONE,
                });
                bench.execution.fail_without_code(Failure::new(FailureKind::Poison, "poison"));
                bench.execution.finish_turn().commit
            };
            assert!(commit.end.is_some(), "ended with what it consumed: {commit:?}");
            assert!(commit.sends.iter().all(|send| send.to.as_str() == "first"), "{commit:?}");
            ends.push(commit);
        }
        assert_eq!(ends[0], ends[1], "the resident and the cold copy end alike");
    }
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
fn rule_20_the_flags_are_recorded_at_the_start_and_a_turn_may_add_one() {
    let mut bench = Bench::new();
    let mut code = |execution: &mut Execution, _: Activation| {
        let _ = execution.await_tree(event("e"));
    };
    let input = |arrivals, raise| TurnInput {
        arrivals,
        unread: vec![],
        mail_read: vec![],
        more_mail: vec![],
        nonce: Nonce(1),
        flags: CompatFlags(1),
        raise: CompatFlags(raise),
    };
    let arrival = bench.arrival(1, start());
    bench.execution.begin_turn(input(vec![arrival], 0));
    while let Some(activation) = bench.execution.next_activation() {
        code(&mut bench.execution, activation);
    }
    let first = bench.execution.finish_turn().commit;
    bench.execution.begin_turn(input(vec![], 2));
    while let Some(activation) = bench.execution.next_activation() {
        code(&mut bench.execution, activation);
    }
    let second = bench.execution.finish_turn().commit;
    assert!(matches!(first.events[0].kind, EventKind::OrchestrationStarted { flags, .. }
        if flags == CompatFlags(1)));
    assert_eq!(second.events[0].kind, EventKind::CompatFlagsAdded { flags: CompatFlags(2) });
    assert_eq!(bench.execution.flags(), CompatFlags(3));
    bench.execution.begin_turn(input(vec![], 2));
    assert_eq!(bench.execution.next_activation(), None);
    assert!(bench.execution.finish_turn().commit.is_empty(), "it is raised once");
    let all = first.events.into_iter().chain(second.events).collect();
    let mut cold = Bench::open(opening(all));
    cold.turn(vec![], &mut code);
    assert_eq!(cold.execution.flags(), CompatFlags(3));
}

#[test]
fn rule_21_a_refused_commit_is_computed_anew_from_history_and_gives_the_same() {
    let mut bench = Bench::new();
    let mut code = awaits(Await::Race(vec![activity("a"), timer(2)]));
    bench.turn(vec![(1, start())], &mut code);
    let before = bench.history.clone();
    let refused = bench.turn(vec![(2, done(2))], &mut code).commit;
    // The copy that computed it is dropped, not patched.
    let mut fresh = Bench::open(opening(before));
    let again = fresh.turn(vec![(2, done(2))], &mut code).commit;
    assert_eq!(again.events, refused.events);
}

#[test]
fn rule_22_resident_and_cold_have_the_same_fingerprint() {
    let mut bench = Bench::new();
    let mut step = 0;
    let mut code = |execution: &mut Execution, _: Activation| {
        step += 1;
        execution.kv_set("step", &step.to_string()).unwrap();
        execution.schedule(Leaf::NewGuid).unwrap();
        let _ = execution.await_tree(Await::All(vec![activity("a"), timer(5), event("e")]));
    };
    bench.turn(vec![(1, start()), (2, mail("other", "1"))], &mut code);
    bench.turn(vec![(3, done(3)), (4, due(4)), (5, mail("e", "1"))], &mut code);
    let mut opening = opening(bench.history.clone());
    opening.unread = vec![UnreadMail {
        id: ArrivalId(3),
        at: TimeMs(2),
        channel: Channel::Event,
        name: "other".into(),
        data: Payload::json("1"),
    }];
    let mut cold = Bench::open(opening);
    let mut step = 0;
    let mut replayed = |execution: &mut Execution, _: Activation| {
        step += 1;
        execution.kv_set("step", &step.to_string()).unwrap();
        execution.schedule(Leaf::NewGuid).unwrap();
        let _ = execution.await_tree(Await::All(vec![activity("a"), timer(5), event("e")]));
    };
    cold.turn(vec![], &mut replayed);
    assert_eq!(cold.execution.fingerprint(), bench.execution.fingerprint());
    let parts = bench.execution.fingerprint();
    assert_eq!((parts.guids, parts.open.len(), parts.unread.len()), (2, 3, 1));
}

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
fn rule_05_a_timer_is_due_its_delay_after_the_time_of_the_activation() {
    let mut bench = Bench::new();
    bench.turn(vec![(50, start())], &mut awaits(timer(7)));
    let created = EventKind::TimerCreated { delay_ms: 7, fire_at: TimeMs(57) };
    assert_eq!(bench.history[1].kind, created);
}

#[test]
fn rule_08_the_count_of_instant_yields_begins_again_with_each_activation() {
    let mut opening = opening(vec![]);
    opening.limits.instant_yields = 1;
    let mut bench = Bench::open(opening);
    let mut code = |execution: &mut Execution, _: Activation| {
        execution.await_tree(Await::Leaf(Leaf::UtcNow)).unwrap();
        execution.await_tree(activity("a")).unwrap();
    };
    bench.turn(vec![(1, start()), (2, done(2)), (3, done(4))], &mut code);
    assert_eq!(bench.history.len(), 6);
}

#[test]
fn rule_09_a_race_says_which_branch_won_and_code_sees_who_failed_but_no_stack() {
    let mut bench = Bench::new();
    let mut seen = vec![];
    let mut code = |execution: &mut Execution, activation: Activation| match activation {
        Activation::Start { .. } => {
            execution.await_tree(Await::Race(vec![timer(9), activity("a")])).unwrap();
        }
        Activation::Resume(settled) => {
            seen.push(settled);
            drop(execution.await_tree(activity("fails")));
        }
        Activation::Poll => panic!("tree mode never polls"),
    };
    bench.turn(vec![(1, start())], &mut code);
    let details = Some(Box::new(FailureDetails { stack: Some("/path".into()), worker: None }));
    let outcome = Err(Failure { details, ..Failure::application("boom") });
    let failed = ArrivalBody::ActivityDone { source: EventId(6), outcome };
    bench.turn(vec![(2, done(3)), (3, failed)], &mut code);
    assert!(matches!(&seen[0], Ok(Value::Race { index: 1, .. })), "{seen:?}");
    let source = Some("fails".to_owned());
    assert_eq!(seen[1], Err(Failure { source, ..Failure::application("boom") }));
}

#[test]
fn rule_12_mail_past_the_window_is_left_in_the_store_and_a_second_copy_is_dropped() {
    let mut bench = Bench::new();
    let mut code = awaits(Await::All(vec![timer(1), event("e")]));
    let first = bench.turn(vec![(1, start()), (1, mail("e", "0"))], &mut code).commit;
    assert_eq!(first.consumed.len(), 2);
    let copy = Arrival { origin: Origin::Inbox(ArrivalId(3)), at: TimeMs(1), body: mail("e", "0") };
    let commit = bench.turn_of(vec![copy], &mut code).commit;
    assert_eq!((commit.consumed.len(), commit.seen.len()), (1, 0));
    let flood = (0..300).map(|n| (2, mail("f", &n.to_string()))).collect();
    let commit = bench.turn(flood, &mut code).commit;
    assert_eq!(commit.seen.len(), 300, "all are seen");
    let held = |bench: &Bench| bench.execution.fingerprint().unread[0].1.len();
    assert_eq!(held(&bench), 256);
    bench.turn(vec![(3, mail("f", "301"))], &mut code);
    assert_eq!(held(&bench), 256, "what comes later is behind what the store has");
}

#[test]
fn rule_12_a_drained_window_asks_for_the_rest_and_nothing_overtakes_it() {
    let mut bench = Bench::new();
    let mut step = 0;
    let mut code = |execution: &mut Execution, _: Activation| {
        step += 1;
        let all = |n: usize| Await::All((0..n).map(|_| event("f")).collect());
        let _ = execution.await_tree(match step {
            1 | 3 => timer(1),
            2 => all(10),
            _ => all(260),
        });
    };
    bench.turn(vec![(1, start())], &mut code);
    bench.turn((0..258).map(|n| (2, mail("f", &n.to_string()))).collect(), &mut code);
    bench.turn(vec![(3, due(2))], &mut code);
    bench.turn(vec![(4, mail("f", "258"))], &mut code);
    assert_eq!(bench.execution.fingerprint().unread[0].1.len(), 246, "it is behind the store's");
    let second_timer = bench.history.last().unwrap().id.0;
    let outcome = bench.turn(vec![(5, due(second_timer)), (6, mail("f", "259"))], &mut code);
    let delivered = bench.kinds().iter().filter(|kind| *kind == "MailDelivered").count();
    assert_eq!(delivered, 256);
    assert_eq!((outcome.wants_mail.len(), outcome.unadmitted.len()), (1, 1));
}

#[test]
fn rule_14_the_limits_hold_at_the_call_and_nothing_is_written() {
    let mut opening = opening(vec![]);
    opening.base.status = Some("inherited".into());
    opening.base.kv = vec![KvEntry { key: "old".into(), value: "0".into(), updated_at: TimeMs(5) }];
    (opening.limits.kv_keys, opening.limits.status_bytes) = (2, 10);
    (opening.limits.kv_key_bytes, opening.limits.kv_value_bytes) = (3, 4);
    let mut bench = Bench::open(opening);
    let mut code = |execution: &mut Execution, activation: Activation| {
        if let Activation::Resume(_) = activation {
            assert_eq!(execution.kv_prune(TimeMs(9)).unwrap(), 1, "`k` is of 10, `old` of 5");
            return returns(execution, "1");
        }
        assert_eq!(execution.status(), Some("inherited"));
        execution.kv_set("k", "1234").unwrap();
        assert!(execution.kv_set("new", "1").is_err(), "a third key");
        assert!(execution.kv_set("k", "12345").is_err());
        assert!(execution.kv_set("long", "1").is_err());
        assert!(execution.set_status(Some("12345678901".into())).is_err());
        execution.await_tree(activity("a")).unwrap();
    };
    bench.turn(vec![(10, start())], &mut code);
    bench.turn(vec![(20, done(3))], &mut code);
    assert_eq!(bench.kinds()[1..3], ["KeyValueSet", "ActivityScheduled"]);
}

#[test]
fn rule_18_the_end_queues_no_activity_and_what_goes_on_carries_the_headers() {
    let headers = Headers::from([("trace".to_owned(), "7".to_owned())]);
    let mut opening = opening(vec![]);
    opening.execution = ExecutionId(2);
    let mut bench = Bench::open(opening);
    let mut code = |execution: &mut Execution, activation: Activation| {
        let _ = if let Activation::Start { .. } = activation {
            execution.await_tree(Await::All(vec![activity("a"), child(None)]))
        } else {
            let Await::Leaf(leaf) = activity("never") else { panic!("a leaf") };
            execution.schedule(leaf).unwrap();
            let (input, version) = (Payload::null(), None);
            execution.await_tree(Await::Leaf(Leaf::ContinueAsNew { input, version }))
        };
    };
    let ArrivalBody::Start { name, version, input, parent, .. } = start() else { panic!() };
    let begin = ArrivalBody::Start { name, version, input, parent, headers: headers.clone() };
    let commit = bench.turn(vec![(1, begin)], &mut code).commit;
    assert_eq!(commit.activities[0].headers, headers);
    assert_eq!(commit.starts[0].headers, headers);
    assert_eq!(commit.starts[0].instance.as_str(), "inst::sub::2.3", "not that of execution 1");
    let failed = ArrivalBody::ChildDone { source: EventId(3), outcome: Ok(Payload::null()) };
    let commit = bench.turn(vec![(2, done(2)), (2, failed)], &mut code).commit;
    assert!(commit.activities.is_empty());
    let Some(End::ContinuedAsNew { headers: carried, .. }) = commit.end else { panic!() };
    assert_eq!(carried, headers);
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
