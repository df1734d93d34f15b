//! Rules 8 to 11: what resolves at once, trees and leaves, losers.

use crate::bench::*;
use duroxide_core::*;

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
        Await::Retry { .. } | Await::All(_) | Await::Race(_) => panic!("a leaf"),
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
