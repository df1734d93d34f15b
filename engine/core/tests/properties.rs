//! Properties of the core over random programs in a random world.
//! `DUROXIDE_CASES=N` runs N programs per property (default 2 000).
#![expect(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    clippy::redundant_pub_crate,
    reason = "tests: a panic is a failure, and only some kinds matter"
)]

mod support;

use duroxide_core::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::collections::BTreeMap;
use support::program::{Coroutine, Program, program};
use support::world::{Dice, Run, TurnEnd, World, live, opening, turn, unbatched};

type Case = (Program, Vec<u32>, bool, u64);

/// A program, the dice of its world, whether turns are split early, and one more number.
fn cases() -> impl Strategy<Value = Case> {
    (program(), proptest::collection::vec(any::<u32>(), 0..200), any::<bool>(), any::<u64>())
}

fn limits(small: bool) -> Limits {
    let mut limits = Limits::default();
    if small {
        limits.turn_events = 2;
    }
    limits
}

fn check(property: impl Fn(&Case) -> Result<(), TestCaseError>) {
    let cases_wanted =
        std::env::var("DUROXIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    let config = Config { cases: cases_wanted, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&cases(), |case| property(&case));
    if let Err(error) = run {
        panic!("{error}");
    }
}

/// Run code over a history from cold, with nothing new arriving.
fn replay(
    program: &Program,
    events: Vec<Event>,
    unread: Vec<UnreadMail>,
    limits: &Limits,
) -> (Execution, Coroutine, TurnOutcome) {
    let mut execution = Execution::open(opening(events, unread, limits));
    let mut coroutine = Coroutine::default();
    execution.begin_turn(turn(Vec::new()));
    coroutine.run(program, &mut execution);
    let outcome = execution.finish_turn();
    (execution, coroutine, outcome)
}

#[test]
fn a_cold_replay_gives_the_same_commands_and_state_as_the_resident_instance_had() {
    check(|(program, dice, small, _)| {
        let limits = limits(*small);
        let run = live(program, dice, &limits);
        for end in run.turns.iter().filter(|end| !end.cut) {
            let events = run.history[..end.events].to_vec();
            let split = events.last().is_some_and(|event| event.split);
            let (execution, coroutine, outcome) =
                replay(program, events, end.unread.clone(), &limits);
            prop_assert_eq!(&execution.fingerprint(), &end.fingerprint);
            prop_assert_eq!(&coroutine.seen, &end.seen);
            prop_assert!(split || outcome.commit.waiting == end.waiting, "{:?}", end.waiting);
            prop_assert!(outcome.commit.events.is_empty() || split, "{:?}", outcome.commit);
            prop_assert!(outcome.input_changes.is_empty());
        }
        Ok(())
    });
}

#[test]
fn every_prefix_of_a_history_is_valid_and_can_be_continued() {
    check(|(program, dice, small, _)| {
        let limits = limits(*small);
        let run = live(program, dice, &limits);
        let full = unbatched(&run.history);
        for count in 1..run.history.len() {
            let mut prefix = run.history[..count].to_vec();
            let next = &run.history[count];
            let unstarted = matches!(
                next.kind,
                EventKind::OrchestrationCancelRequested { unstarted: true, .. }
            );
            let goes_on = next.is_command() || unstarted;
            let inside = next.turn == prefix[count - 1].turn && goes_on;
            prefix[count - 1].split |= inside;
            prop_assert!(History::parse(prefix.clone()).is_ok());
            let unread = run.turns.iter().find(|end| end.events >= count);
            let unread = unread.map(|end| end.unread.clone()).unwrap_or_default();
            let (_, _, outcome) = replay(program, prefix, unread, &Limits::default());
            let failed = matches!(outcome.commit.end, Some(End::Failed { ref failure })
                if failure.kind == FailureKind::Nondeterminism);
            prop_assert!(!failed, "{:?}", outcome.commit.end);
            let rest = unbatched(&outcome.commit.events);
            let same = rest.iter().zip(&full[count..]).take_while(|(a, b)| a == b).count();
            let until_arrival = full[count..].iter().take_while(|e| e.is_command()).count();
            prop_assert!(
                same >= until_arrival.min(rest.len()) && rest.len() >= until_arrival,
                "from {}: {} then {}",
                count,
                render(&rest),
                render(&full[count..])
            );
        }
        Ok(())
    });
}

/// The same arrivals in turns of random length.
fn rebatched(
    program: &Program,
    arrivals: &[Arrival],
    first: usize,
    mut numbers: u64,
    limits: &Limits,
) -> Run {
    let mut world = World::new(program, limits);
    let mut rest = arrivals;
    // A cancel in the first turn means that no code runs at all, which is a rule of its
    // own (15): the first turn is what it was.
    let mut length = first;
    while !rest.is_empty() && world.run.end.is_none() {
        // A termination goes before what arrived with it, by its own rule (17): it comes alone.
        let stops = |arrival: &Arrival| matches!(arrival.body, ArrivalBody::Terminate { .. });
        let until = rest.iter().position(stops).map_or(rest.len(), |at| at.max(1));
        let (batch, after) = rest.split_at(length.min(until));
        world.turn(batch.to_vec());
        rest = after;
        length = 1 + (numbers % 7) as usize;
        numbers = numbers.rotate_right(3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    world.run
}

#[test]
fn any_batching_of_the_same_arrivals_gives_the_same_history_and_outcome() {
    check(|(program, dice, small, numbers)| {
        let one_by_one = live(program, dice, &limits(*small));
        let batched =
            rebatched(program, &one_by_one.arrivals, one_by_one.first, *numbers, &limits(!small));
        prop_assert_eq!(unbatched(&one_by_one.history), unbatched(&batched.history));
        prop_assert_eq!(one_by_one.end, batched.end);
        Ok(())
    });
}

#[test]
fn duplicated_and_late_arrivals_change_nothing() {
    check(|(program, dice, small, numbers)| {
        let limits = limits(*small);
        let plain = live(program, dice, &limits);
        let mut arrivals = Vec::new();
        let echo = [*numbers as u32, (*numbers >> 32) as u32, 7, 3, 11, 13, 1, 5, 2];
        let mut dice = Dice::new(&echo);
        for (place, arrival) in plain.arrivals.iter().enumerate() {
            arrivals.push(arrival.clone());
            if dice.roll(2) == 0 && place + 1 >= plain.first {
                let back = dice.roll(arrivals.len());
                let earlier = arrivals[arrivals.len() - 1 - back].clone();
                // A cancel is consumed with the commit that records it: a copy of it can only
                // come in the same turn, which has a test of its own.
                if !matches!(earlier.body, ArrivalBody::Cancel { .. }) {
                    arrivals.push(Arrival { at: arrival.at, ..earlier });
                }
            }
            if dice.is_used_up() {
                dice = Dice::new(&echo);
            }
        }
        let doubled = rebatched(program, &arrivals, plain.first, *numbers, &limits);
        prop_assert_eq!(unbatched(&plain.history), unbatched(&doubled.history));
        prop_assert_eq!(plain.end, doubled.end);
        Ok(())
    });
}

#[test]
fn events_survive_encoding_and_decoding() {
    check(|(program, dice, small, _)| {
        let run = live(program, dice, &limits(*small));
        for event in &run.history {
            let decoded = decode_event(&encode_event(event));
            prop_assert_eq!(decoded.as_ref(), Ok(event));
        }
        Ok(())
    });
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn payloads_of_any_encoding_survive_encoding_and_decoding(
        encoding in any::<u8>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        text in any::<String>(),
    ) {
        for data in [Payload::new(Encoding(encoding), &bytes), Payload::json(text)] {
            let kind = EventKind::OrchestrationCompleted { output: data };
            let event =
                Event { id: EventId(1), turn: TurnNo(1), at: TimeMs(1), split: false, kind };
            prop_assert_eq!(decode_event(&encode_event(&event)), Ok(event));
        }
    }
}

#[test]
fn the_generator_reaches_every_operator_in_a_tenth_of_the_programs() {
    let operators: std::cell::RefCell<BTreeMap<&str, usize>> = std::cell::RefCell::default();
    let depths: std::cell::RefCell<BTreeMap<usize, usize>> = std::cell::RefCell::default();
    let facts: std::cell::RefCell<BTreeMap<&str, usize>> = std::cell::RefCell::default();
    let programs = std::cell::Cell::new(0_usize);
    check(|(program, dice, small, _)| {
        programs.set(programs.get() + 1);
        let (seen, depth) = program.operators();
        let run = live(program, dice, &limits(*small));
        for operator in seen {
            *operators.borrow_mut().entry(operator).or_default() += 1;
        }
        *depths.borrow_mut().entry(depth).or_default() += 1;
        let add = |fact, n| *facts.borrow_mut().entry(fact).or_default() += n;
        add("turns", run.turns.len());
        add("events", run.history.len());
        add("late or duplicate arrivals", run.dropped);
        add("cancels", run.cancels);
        add("programs cancelled", usize::from(run.cancels > 0));
        let unstarted = |e: &Event| {
            matches!(e.kind, EventKind::OrchestrationCancelRequested { unstarted: true, .. })
        };
        add("programs cancelled before they ran", usize::from(run.history.iter().any(unstarted)));
        let terminated = matches!(run.end, Some(End::Terminated { .. }));
        add("programs terminated", usize::from(terminated));
        add(
            "programs that went on as new",
            usize::from(matches!(run.end, Some(End::ContinuedAsNew { .. }))),
        );
        add("programs ended", usize::from(run.end.is_some()));
        let waits = |what| {
            let said = |end: &&TurnEnd| end.waiting.iter().any(|text| text.contains(what));
            run.turns.iter().filter(said).count()
        };
        add("turns that end before a next attempt", waits("next attempt"));
        add("turns that end within a limited attempt", waits("time limit"));
        add("split turns", run.history.iter().filter(|e| e.split).count());
        Ok(())
    });
    let programs = programs.get();
    println!("{programs} programs; facts {:?}", facts.borrow());
    println!("depth of trees: {:?}", depths.borrow());
    println!("programs with each operator: {:?}", operators.borrow());
    let wanted = [
        "activity",
        "retry",
        "timer",
        "event",
        "queue",
        "child",
        "detached",
        "utcNow",
        "newGuid",
        "all",
        "race",
        "nested",
        "sequence",
        "branch",
        "status",
        "kv",
        "clean-up",
        "continue-as-new",
    ];
    for operator in wanted {
        let count = operators.borrow().get(operator).copied().unwrap_or(0);
        assert!(count * 10 >= programs, "{operator} is in {count} of {programs} programs only");
    }
    let cancelled = facts.borrow().get("programs cancelled").copied().unwrap_or(0);
    assert!(cancelled * 10 >= programs, "only {cancelled} of {programs} programs were cancelled");
}
