//! Rules 19 to 22: split turns, flags, refused commits, resident and cold.

use crate::bench::*;
use duroxide_core::*;

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
