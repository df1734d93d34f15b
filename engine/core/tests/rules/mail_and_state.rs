//! Rules 12 to 14: mail and waits, status and key-value pairs.

use crate::bench::*;
use duroxide_core::*;

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
