//! What a commit says that the execution waits on.

use crate::bench::*;
use duroxide_core::*;

/// What is told while this is awaited, from time 1 000 on.
fn told(tree: Await) -> Option<String> {
    let mut code = awaits(tree);
    let mut bench = Bench::new();
    let told = bench.turn(vec![(1_000, start())], &mut code).commit.waiting;
    if bench.history.last().unwrap().kind.role() != Role::End {
        assert_eq!(bench.cold().turn(vec![], &mut code).commit.waiting, told, "from cold");
    }
    told
}

fn queue(name: &str) -> Await {
    Await::Leaf(Leaf::Mail { channel: Channel::Queue, name: name.into() })
}

#[test]
fn each_thing_is_told_by_its_kind_and_name() {
    let told = |tree| told(tree).unwrap();
    assert_eq!(told(activity("Charge")), "activity 'Charge'");
    assert_eq!(told(event("approval")), "event 'approval'");
    assert_eq!(told(queue("inbox")), "queue 'inbox'");
    assert_eq!(told(child(Some("child-7"))), "orchestration 'Child' (child-7)");
    assert_eq!(told(timer(500)), "timer until 1970-01-01T00:00:01.500Z");
}

#[test]
fn times_are_told_as_iso_8601_in_utc() {
    for (ms, expected) in [
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
        (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(told(timer(ms - 1_000)).unwrap(), format!("timer until {expected}"));
    }
    assert!(told(timer(u64::MAX)).unwrap().starts_with("timer until 584"), "it saturates");
}

#[test]
fn of_many_things_the_first_three_are_told_and_how_many_more() {
    let three: Vec<Await> = ["a", "b", "c"].map(activity).into();
    let all = "activity 'a', activity 'b', activity 'c'";
    assert_eq!(told(Await::All(three.clone())).unwrap(), all);
    let many = Await::All(three.into_iter().chain((0..900).map(|_| timer(1))).collect());
    assert_eq!(told(many).unwrap(), format!("{all} and 900 more"));
}

#[test]
fn long_names_are_cut_between_characters() {
    for name in ["x".repeat(250), "é".repeat(125), "é".repeat(124) + "x", "€".repeat(80)] {
        let text = told(Await::All(vec![activity(&name), event(&name)])).unwrap();
        assert!(text.ends_with('…') && (295..=300).contains(&text.len()), "{} {text}", text.len());
    }
}

#[test]
fn nothing_is_told_of_what_has_ended_or_goes_on_at_once() {
    assert_eq!(told(Await::All(vec![])), None);

    let mut opening = opening(vec![]);
    opening.limits.turn_events = 2;
    let mut bench = Bench::open(opening);
    let mut code = awaits(Await::All((0..2).map(|_| activity("a")).collect()));
    let split = bench.turn(vec![(1, start())], &mut code).commit;
    assert!(split.split);
    assert_eq!(split.waiting, None);
    let rest = bench.turn(vec![], &mut code).commit;
    assert_eq!(rest.waiting.as_deref(), Some("activity 'a', activity 'a'"));
}

#[test]
fn a_retried_call_tells_what_its_timers_are_for() {
    let Await::Leaf(activity) = activity("Charge") else { panic!("a leaf") };
    let policy = RetryPolicy { timeout_ms: Some(500), ..RetryPolicy::new(3) };
    let mut code = awaits(Await::Retry { activity, policy });
    let mut bench = Bench::new();
    let attempt = bench.turn(vec![(1_000, start())], &mut code).commit.waiting.unwrap();
    let expected = "activity 'Charge', time limit of activity 'Charge' at 1970-01-01T00:00:01.500Z";
    assert_eq!(attempt, expected);
    let boom = Err(Failure::application("boom"));
    let failed = ArrivalBody::ActivityDone { source: EventId(2), outcome: boom };
    let wait = bench.turn(vec![(2_000, failed)], &mut code).commit.waiting.unwrap();
    assert_eq!(wait, "next attempt of activity 'Charge' at 1970-01-01T00:00:02.100Z");
    assert_eq!(bench.cold().turn(vec![], &mut code).commit.waiting.unwrap(), wait);
}
