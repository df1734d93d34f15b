//! Rules 15 to 18: cancelling, terminating, ending.

use crate::bench::*;
use duroxide_core::*;

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
fn rule_17_terminated_before_the_first_turn_replays_without_code_too() {
    let mut bench = Bench::new();
    let mut code = |_: &mut Execution, _: Activation| panic!("no code runs");
    let stop = ArrivalBody::Terminate { reason: "now".into() };
    bench.turn(vec![(1, start()), (2, stop)], &mut code);
    assert_eq!(bench.kinds(), ["OrchestrationStarted", "OrchestrationTerminated"]);
    let mut cold = bench.cold();
    assert!(cold.turn(vec![], &mut code).commit.is_empty());
    assert_eq!(cold.execution.fingerprint(), bench.execution.fingerprint());
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
