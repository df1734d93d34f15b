//! Retried activities: which attempts there are, what stands between them, how they end.

use crate::bench::*;
use duroxide_core::*;

fn retry(policy: RetryPolicy) -> Await {
    let Await::Leaf(activity) = activity("Charge") else { panic!("a leaf") };
    Await::Retry { activity, policy }
}

fn at_once(max_attempts: u32) -> RetryPolicy {
    RetryPolicy { backoff: Backoff::None, ..RetryPolicy::new(max_attempts) }
}

fn fails_as(source: u64, failure: Failure) -> ArrivalBody {
    ArrivalBody::ActivityDone { source: EventId(source), outcome: Err(failure) }
}

fn fails(source: u64) -> ArrivalBody {
    fails_as(source, Failure::application(format!("boom {source}")))
}

/// Start it; then each body arrives at its time, at a copy that was evicted before.
fn run(tree: Await, arrivals: Vec<(u64, ArrivalBody)>) -> Bench {
    let mut code = awaits(tree);
    let mut bench = Bench::new();
    bench.turn(vec![(0, start())], &mut code);
    for arrival in arrivals {
        bench = bench.cold();
        let outcome = bench.turn(vec![arrival], &mut code);
        assert_eq!(outcome.dropped, 0, "{}", render(&bench.history));
    }
    bench
}

/// Name and arguments of each event after the first `skip`, in short.
fn told(bench: &Bench, skip: usize) -> Vec<String> {
    let told = |event: &Event| match &event.kind {
        EventKind::ActivityScheduled { .. } => "activity".to_owned(),
        EventKind::ActivityFailed { .. } => "failed".to_owned(),
        EventKind::ActivityCompleted { .. } => "completed".to_owned(),
        EventKind::ActivityCancelRequested { source } => format!("cancel activity {source}"),
        EventKind::TimerCreated { delay_ms, .. } => format!("timer {delay_ms}"),
        EventKind::TimerFired { .. } => "fired".to_owned(),
        EventKind::TimerCancelled { source } => format!("cancel timer {source}"),
        EventKind::MailDelivered { .. } => "mail".to_owned(),
        EventKind::OrchestrationCancelRequested { .. } => "cancel".to_owned(),
        EventKind::OrchestrationCompleted { .. } => "end".to_owned(),
        EventKind::OrchestrationFailed { failure, .. } => format!("throws {failure}"),
        other => format!("{other:?}"),
    };
    bench.history[skip..].iter().map(told).collect()
}

fn thrown(bench: &Bench) -> &Failure {
    match &bench.history.last().unwrap().kind {
        EventKind::OrchestrationFailed { failure, by_engine: false } => failure,
        _ => panic!("it goes on: {}", render(&bench.history)),
    }
}

/// The delays between so many attempts that all fail.
fn delays(backoff: Backoff, attempts: u32) -> Vec<u64> {
    let mut code = awaits(retry(RetryPolicy { backoff, ..RetryPolicy::new(attempts) }));
    let mut bench = Bench::new();
    bench.turn(vec![(0, start())], &mut code);
    let mut delays = vec![];
    loop {
        let last = bench.history.last().unwrap().clone();
        let arrival = match last.kind {
            EventKind::ActivityScheduled { .. } => fails(last.id.0),
            EventKind::TimerCreated { delay_ms, .. } => {
                delays.push(delay_ms);
                due(last.id.0)
            }
            _ => return delays,
        };
        bench = bench.cold();
        bench.turn(vec![(last.at.0 + 1, arrival)], &mut code);
    }
}

#[test]
fn a_failed_attempt_is_followed_by_a_durable_timer_and_the_next_attempt() {
    let arrivals =
        vec![(1, fails(2)), (101, due(4)), (102, fails(6)), (302, due(8)), (303, done(10))];
    let bench = run(retry(RetryPolicy::new(4)), arrivals);
    let expected = [
        "activity",
        "failed",
        "timer 100",
        "fired",
        "activity",
        "failed",
        "timer 200",
        "fired",
        "activity",
        "completed",
        "end",
    ];
    assert_eq!(told(&bench, 1), expected);
}

#[test]
fn each_back_off_waits_as_long_as_it_says() {
    let exponential = [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000];
    assert_eq!(delays(Backoff::Exponential, 12), exponential);
    assert_eq!(delays(Backoff::Linear, 4), [100, 200, 300]);
    assert_eq!(delays(Backoff::Fixed, 4), [1_000, 1_000, 1_000]);
    assert_eq!(delays(Backoff::None, 4), [0; 0]);
    let custom = |initial_ms, max_ms, factor| {
        delays(Backoff::Custom { initial_ms, max_ms, factor, jitter: 0.0 }, 5)
    };
    assert_eq!(custom(10, 70, 2.0), [10, 20, 40, 70]);
    assert_eq!(custom(10, 70, 1.5), [10, 15, 22, 33]);
    assert_eq!(custom(10, 10, 1e300), [10, 10, 10, 10]);
    assert_eq!(custom(0, 10, 1e300), [0; 0]);
    assert_eq!(custom(8, 10, 0.25), [8, 2]);
}

#[test]
fn without_a_wait_the_next_attempt_follows_its_failure_directly() {
    let bench = run(retry(at_once(2)), vec![(1, fails(2)), (2, done(4))]);
    assert_eq!(told(&bench, 1), ["activity", "failed", "activity", "completed", "end"]);
}

#[test]
fn an_attempt_that_takes_too_long_is_cancelled_and_tried_again() {
    let policy = RetryPolicy { timeout_ms: Some(50), ..at_once(3) };
    let mut code = awaits(retry(policy));
    let mut bench = Bench::new();
    bench.turn(vec![(0, start())], &mut code);
    let commit = bench.turn(vec![(50, due(3))], &mut code).commit;
    assert_eq!(commit.cancelled_activities, [EventId(2)], "its signal aborts");
    assert_eq!(commit.activities.len(), 1, "and it is tried again");
    let mut late = bench.cold();
    assert_eq!(late.turn(vec![(51, done(2))], &mut code).dropped, 1, "its result is too late");
    late.turn(vec![(52, done(5))], &mut code);
    let expected = [
        "activity",
        "timer 50",
        "fired",
        "activity",
        "timer 50",
        "cancel activity #2",
        "completed",
        "cancel timer #6",
        "end",
    ];
    assert_eq!(told(&late, 1), expected);
}

#[test]
fn attempts_that_all_take_too_long_end_in_a_timeout_that_names_the_last() {
    let policy = RetryPolicy { timeout_ms: Some(5_000), ..at_once(3) };
    let arrivals = vec![(5_000, due(3)), (10_000, due(6)), (15_000, due(10))];
    let bench = run(retry(policy), arrivals);
    assert_eq!(
        thrown(&bench),
        &Failure {
            kind: FailureKind::Timeout,
            message: "activity `Charge` timed out after 5000 ms (attempt 3 of 3)".into(),
            name: Some("TimeoutError".into()),
            source: Some("Charge".into()),
            attempt: Some(3),
            ..Failure::application("")
        }
    );
    assert!(told(&bench, 1).contains(&"cancel activity #9".to_owned()), "the last one aborts too");
}

#[test]
fn the_total_never_overwrites_the_limit_of_an_attempt_but_cuts_the_last_one_short() {
    let policy =
        RetryPolicy { timeout_ms: Some(1_000), total_timeout_ms: Some(2_500), ..at_once(9) };
    let arrivals = vec![(1_000, due(3)), (2_000, due(6)), (2_500, due(10))];
    let bench = run(retry(policy), arrivals);
    let timers = told(&bench, 0);
    let timers: Vec<_> = timers.iter().filter(|told| told.starts_with("timer")).collect();
    assert_eq!(timers, ["timer 1000", "timer 1000", "timer 500"]);
    let message = "activity `Charge` timed out after 500 ms (attempt 3 of 9)";
    assert_eq!(thrown(&bench).message, message);
}

#[test]
fn a_total_alone_limits_the_attempt() {
    let policy = RetryPolicy { total_timeout_ms: Some(2_500), ..at_once(9) };
    let bench = run(retry(policy), vec![(700, fails(2))]);
    assert_eq!(
        told(&bench, 1),
        ["activity", "timer 2500", "failed", "activity", "timer 1800", "cancel timer #3"]
    );
}

#[test]
fn it_gives_up_at_once_when_the_next_wait_would_pass_the_total() {
    let policy = RetryPolicy {
        backoff: Backoff::Fixed,
        total_timeout_ms: Some(1_500),
        ..RetryPolicy::new(9)
    };
    let bench = run(retry(policy.clone()), vec![(500, fails(2))]);
    assert_eq!(thrown(&bench).message, "boom 2", "the last error, not a time-out");
    assert_eq!(thrown(&bench).attempt, Some(1));
    let bench = run(retry(policy), vec![(499, fails(2))]);
    assert_eq!(told(&bench, 3), ["failed", "timer 1000", "cancel timer #3"]);
}

#[test]
fn a_wait_that_ends_after_the_total_is_followed_by_no_attempt() {
    let policy = RetryPolicy { total_timeout_ms: Some(1_000), ..RetryPolicy::new(9) };
    let bench = run(retry(policy), vec![(1, fails(2)), (9_000, due(5))]);
    assert_eq!(told(&bench, 6), ["fired", "throws boom 2"]);
}

#[test]
fn the_last_failure_is_thrown_with_the_number_of_its_attempt() {
    let thrown_after = |attempts: [Option<u32>; 2]| {
        let [first, second] = attempts;
        let boom = |source, attempt| {
            fails_as(source, Failure { attempt, ..Failure::application("no funds") })
        };
        let bench = run(retry(at_once(2)), vec![(1, boom(2, first)), (2, boom(4, second))]);
        assert_eq!(
            (&*thrown(&bench).message, thrown(&bench).source.as_deref()),
            ("no funds", Some("Charge"))
        );
        thrown(&bench).attempt
    };
    assert_eq!(thrown_after([Some(1), Some(2)]), Some(2));
    assert_eq!(thrown_after([Some(4), Some(7)]), Some(7), "its redeliveries count");
    assert_eq!(thrown_after([Some(1), Some(1)]), Some(2), "from before each attempt was told");
    assert_eq!(thrown_after([None, None]), Some(2));
}

/// The attempts of the activities that were scheduled.
fn attempts(bench: &Bench) -> Vec<u32> {
    let attempt = |event: &Event| match &event.kind {
        EventKind::ActivityScheduled { attempt, .. } => Some(*attempt),
        _ => None,
    };
    bench.history.iter().filter_map(attempt).collect()
}

#[test]
fn each_attempt_is_scheduled_with_its_number_and_its_activity_is_told() {
    let mut code = awaits(retry(at_once(3)));
    let mut bench = Bench::new();
    let trace = Headers::from([("trace".to_owned(), "7".to_owned())]);
    let mut start = start();
    let ArrivalBody::Start { headers, .. } = &mut start else { panic!("a start") };
    headers.clone_from(&trace);
    for (number, arrival) in [(1, start), (2, fails(2)), (3, fails(4))] {
        let commit = bench.turn(vec![(number.into(), arrival)], &mut code).commit;
        let [activity] = &*commit.activities else { panic!("{commit:?}") };
        assert_eq!(policy_attempt(&activity.headers), number);
        assert_eq!(activity.headers.get("trace").map(String::as_str), Some("7"));
        assert_eq!(activity.headers == trace, number == 1, "the first needs no telling");
        bench = bench.cold();
    }
    assert_eq!(attempts(&bench), [1, 2, 3]);
    let lines = render(&bench.history);
    assert!(lines.contains(" ActivityScheduled name=Charge input=null\n"), "{lines}");
    assert!(lines.contains(" ActivityScheduled name=Charge attempt=3 input=null\n"), "{lines}");
}

#[test]
fn a_history_from_before_attempts_had_numbers_replays_without_a_remark() {
    let arrivals = vec![(1, fails(2)), (2, fails(4))];
    let mut bench = run(retry(at_once(4)), arrivals);
    assert_eq!(attempts(&bench), [1, 2, 3]);
    for event in &mut bench.history {
        let written = encode_event(event);
        let mut json: serde_json::Value = serde_json::from_slice(&written).unwrap();
        if let Some(scheduled) = json["kind"].get_mut("ActivityScheduled") {
            scheduled.as_object_mut().unwrap().remove("attempt");
        }
        *event = decode_event(json.to_string().as_bytes()).unwrap();
    }
    assert_eq!(attempts(&bench), [1, 1, 1]);
    let mut code = awaits(retry(at_once(4)));
    let mut cold = bench.cold();
    let outcome = cold.turn(vec![(3, fails(6))], &mut code);
    assert_eq!((outcome.input_changes, outcome.commit.end), (vec![], None));
    assert_eq!(attempts(&cold), [1, 1, 1, 4], "from here on they have numbers");
}

#[test]
fn only_errors_of_the_activity_and_timeouts_are_retried() {
    use FailureKind as K;
    let never = [
        K::Cancelled,
        K::Nondeterminism,
        K::Limit,
        K::Invalid,
        K::Poison,
        K::Unregistered,
        K::Terminated,
        K::Corrupt,
    ];
    for kind in never {
        let bench = run(retry(at_once(3)), vec![(1, fails_as(2, Failure::new(kind, "no")))]);
        assert_eq!(thrown(&bench).kind, kind);
    }
    for kind in [K::Application, K::Timeout] {
        let bench = run(retry(at_once(3)), vec![(1, fails_as(2, Failure::new(kind, "no")))]);
        assert_eq!(told(&bench, 2), ["failed", "activity"], "{kind:?}");
    }
}

#[test]
fn an_error_named_as_not_retryable_is_thrown_at_once() {
    let policy = RetryPolicy { non_retryable: vec!["Declined".into()], ..at_once(3) };
    let named = |name: &str| Failure { name: Some(name.into()), ..Failure::application("no") };
    let arrivals = vec![(1, fails_as(2, named("Busy"))), (2, fails_as(4, named("Declined")))];
    let bench = run(retry(policy), arrivals);
    assert_eq!(told(&bench, 2), ["failed", "activity", "failed", "throws no"]);
    assert_eq!(thrown(&bench).name.as_deref(), Some("Declined"));
}

#[test]
fn a_cancel_during_an_attempt_or_a_wait_is_thrown_and_retries_nothing() {
    let policy = RetryPolicy { timeout_ms: Some(50), ..RetryPolicy::new(3) };
    let bench = run(retry(policy.clone()), vec![(1, cancel())]);
    let expected = ["cancel", "cancel activity #2", "cancel timer #3", "throws canceled: enough"];
    assert_eq!(told(&bench, 3), expected);
    assert_eq!((thrown(&bench).kind, thrown(&bench).attempt), (FailureKind::Cancelled, None));

    let bench = run(retry(policy), vec![(1, fails(2)), (2, cancel())]);
    assert_eq!(told(&bench, 6), ["cancel", "cancel timer #5", "throws canceled: enough"]);
}

#[test]
fn a_call_that_loses_its_race_during_an_attempt_or_a_wait_cancels_what_is_open_of_it() {
    let policy = RetryPolicy { timeout_ms: Some(50), ..RetryPolicy::new(3) };
    let race = || Await::Race(vec![retry(policy.clone()), event("stop")]);
    let stop = || (9, mail("stop", "1"));
    let bench = run(race(), vec![stop()]);
    assert_eq!(told(&bench, 4), ["mail", "cancel activity #2", "cancel timer #3", "end"]);
    let bench = run(race(), vec![(1, fails(2)), stop()]);
    let wait = ["failed", "timer 100", "cancel timer #3", "mail", "cancel timer #6", "end"];
    assert_eq!(told(&bench, 4), wait);
}

#[test]
fn in_a_tree_the_next_attempt_comes_before_what_is_cancelled_and_others_go_on() {
    let policy = RetryPolicy { timeout_ms: Some(50), ..at_once(2) };
    let call = || retry(policy.clone());
    let tree = Await::All(vec![Await::Race(vec![call(), timer(90)]), call()]);
    let arrivals = vec![(1, fails(2)), (2, done(8)), (3, fails(5)), (4, done(15))];
    let bench = run(tree, arrivals);
    let expected = [
        "activity",
        "timer 50",
        "timer 90",
        "activity",
        "timer 50", // 2 to 6
        "failed",
        "activity",
        "timer 50",
        "cancel timer #3", // 7 to 10
        "completed",
        "cancel timer #4",
        "cancel timer #9", // 11 to 13
        "failed",
        "activity",
        "timer 50",
        "cancel timer #6",
        "completed",
        "cancel timer #16",
        "end",
    ];
    assert_eq!(told(&bench, 1), expected);
}

#[test]
fn jitter_shortens_a_wait_by_at_most_its_share_and_is_the_same_on_replay() {
    let backoff = Backoff::Custom { initial_ms: 1_000, max_ms: 1_000, factor: 1.0, jitter: 0.5 };
    // Every attempt is reached by replaying those before it from cold.
    let waits = delays(backoff.clone(), 40);
    assert_eq!(waits, delays(backoff, 40));
    assert!(waits.iter().all(|wait| (500..=1_000).contains(wait)), "{waits:?}");
    assert!(waits.iter().min() < Some(&600) && waits.iter().max() > Some(&900), "{waits:?}");
}

#[test]
fn a_wrong_policy_is_refused_at_the_call_and_nothing_is_recorded() {
    let custom = |initial_ms, factor, jitter| RetryPolicy {
        backoff: Backoff::Custom { initial_ms, max_ms: 10, factor, jitter },
        ..RetryPolicy::new(3)
    };
    let wrong = [
        (RetryPolicy::new(0), "max_attempts is 0, at least 1 was expected"),
        (RetryPolicy { timeout_ms: Some(0), ..RetryPolicy::new(1) }, "timeout_ms is 0"),
        (RetryPolicy { total_timeout_ms: Some(0), ..RetryPolicy::new(1) }, "total_timeout_ms is 0"),
        (custom(11, 1.0, 0.0), "initial_ms is 11, more than max_ms (10)"),
        (custom(1, f64::NAN, 0.0), "factor is NaN, a finite number from 0 on was expected"),
        (custom(1, f64::INFINITY, 0.0), "factor is inf"),
        (custom(1, -1.0, 0.0), "factor is -1"),
        (custom(1, 1.0, 1.1), "jitter is 1.1, a number from 0 to 1 was expected"),
        (custom(1, 1.0, f64::NAN), "jitter is NaN"),
    ];
    let wrong = wrong.map(|(policy, expected)| (retry(policy), expected));
    let not_one = Leaf::Timer { delay_ms: 1 };
    let other = Await::Retry { activity: not_one, policy: RetryPolicy::new(1) };
    let mut code = |execution: &mut Execution, _: Activation| {
        for (tree, expected) in wrong.iter().chain([&(other.clone(), "only an activity")]) {
            let tree = Await::All(vec![activity("before"), tree.clone()]);
            let Err(Refused::Failed(failure)) = execution.await_tree(tree) else {
                panic!("{expected}");
            };
            assert_eq!(failure.kind, FailureKind::Invalid);
            assert!(failure.message.contains(expected), "{failure}");
        }
        returns(execution, "1");
    };
    let mut bench = Bench::new();
    bench.turn(vec![(1, start())], &mut code);
    assert_eq!(bench.kinds(), ["OrchestrationStarted", "OrchestrationCompleted"]);
}

#[test]
fn a_limit_that_was_changed_under_a_running_call_is_reported_as_that_of_a_policy() {
    let limited = |ms| retry(RetryPolicy { timeout_ms: Some(ms), ..RetryPolicy::new(3) });
    let bench = run(limited(5_000), vec![]);
    let mut cold = bench.cold();
    let outcome = cold.turn(vec![(1, fails(2))], &mut awaits(limited(10_000)));
    let Some(End::Failed { failure }) = outcome.commit.end else { panic!("{outcome:?}") };
    for part in ["retry policy was changed", "delay_ms=5000", "delay_ms=10000"] {
        assert!(failure.message.contains(part), "{failure}");
    }
    // How often it is tried may be changed while it has not come to that.
    let more = RetryPolicy { timeout_ms: Some(5_000), ..RetryPolicy::new(9) };
    let outcome = bench.cold().turn(vec![(1, fails(2))], &mut awaits(retry(more)));
    assert_eq!(outcome.commit.end, None);
}

#[test]
fn a_policy_is_written_in_snake_case_and_all_but_the_attempts_may_be_left_out() {
    let read = |json: &str| serde_json::from_str::<RetryPolicy>(json).unwrap();
    assert_eq!(read(r#"{"max_attempts":3}"#), RetryPolicy::new(3));
    let full = r#"{"max_attempts":3,"backoff":{"custom":{"initial_ms":10,"max_ms":70,
        "factor":2,"jitter":0.1}},"timeout_ms":5,"total_timeout_ms":6,"non_retryable":["A"]}"#;
    let backoff = Backoff::Custom { initial_ms: 10, max_ms: 70, factor: 2.0, jitter: 0.1 };
    let expected = RetryPolicy {
        max_attempts: 3,
        backoff,
        timeout_ms: Some(5),
        total_timeout_ms: Some(6),
        non_retryable: vec!["A".into()],
    };
    assert_eq!(read(full), expected);
    for (name, backoff) in [
        ("exponential", Backoff::Exponential),
        ("linear", Backoff::Linear),
        ("fixed", Backoff::Fixed),
        ("none", Backoff::None),
    ] {
        let json = format!(r#"{{"max_attempts":1,"backoff":"{name}"}}"#);
        assert_eq!(read(&json), RetryPolicy { backoff, ..RetryPolicy::new(1) });
    }
    let tree = r#"{"Retry":{"activity":{"Activity":{"name":"Charge","input":"null"}},
        "policy":{"max_attempts":3}}}"#;
    assert_eq!(serde_json::from_str::<Await>(tree).unwrap(), retry(RetryPolicy::new(3)));
}
