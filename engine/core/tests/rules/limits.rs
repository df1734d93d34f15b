//! Every limit that user code can break: one below and at it the call is recorded, one above
//! it is refused by name and nothing is written.

use crate::bench::*;
use duroxide_core::*;

/// A call that is so large, and the words its refusal has.
struct Row {
    what: &'static str,
    limit: fn(&mut Limits) -> &mut usize,
    call: fn(&mut Execution, usize) -> Result<(), Refused>,
}

fn text(bytes: usize) -> String {
    "n".repeat(bytes)
}

fn payload(bytes: usize) -> Payload {
    Payload::json("1".repeat(bytes))
}

fn schedule(execution: &mut Execution, leaf: Leaf) -> Result<(), Refused> {
    execution.schedule(leaf).map(drop)
}

fn call(name: &str, input: Payload, session: Option<String>, tag: Option<String>) -> Leaf {
    Leaf::Activity { name: name.to_owned(), input, session, tag }
}

fn child(name: String, version: Option<String>, id: &str, input: Payload) -> Leaf {
    Leaf::Child { name, version, instance: Some(id.into()), input }
}

fn detached(name: String, version: Option<String>, id: &str, input: Payload) -> Leaf {
    Leaf::Detached { name, version, instance: id.into(), input }
}

fn version(bytes: usize) -> String {
    format!("1.0.0-{}", text(bytes - 6))
}

fn next(input: Payload, version: Option<String>) -> Leaf {
    Leaf::ContinueAsNew { input, version }
}

/// Continue-as-new that was recorded stops the code.
fn stopped(outcome: Result<(), Refused>) -> Result<(), Refused> {
    match outcome {
        Err(Refused::Stopped) => Ok(()),
        other => other,
    }
}

macro_rules! rows {
    ($($what:literal, $limit:ident, $size:ident, $execution:ident => $call:expr;)*) => {
        [$(Row {
            what: $what,
            limit: |limits| &mut limits.$limit,
            call: |$execution, $size| $call,
        }),*]
    };
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    rows! {
        "the activity name", name_bytes, n, x => schedule(x, call(&text(n), Payload::null(), None, None));
        "the session id", name_bytes, n, x => schedule(x, call("a", Payload::null(), Some(text(n)), None));
        "the tag", tag_bytes, n, x => schedule(x, call("a", Payload::null(), None, Some(text(n))));
        "the input of activity `a`", payload_bytes, n, x => schedule(x, call("a", payload(n), None, None));
        "the event or queue name", name_bytes, n, x => schedule(x, Leaf::Mail { channel: Channel::Queue, name: text(n) });
        "the orchestration name", name_bytes, n, x => schedule(x, child(text(n), None, "i", Payload::null()));
        "the version", name_bytes, n, x => schedule(x, child("o".into(), Some(version(n)), "i", Payload::null()));
        "the instance id", instance_id_bytes, n, x => schedule(x, child("o".into(), None, &text(n), Payload::null()));
        "the input of orchestration `o`", payload_bytes, n, x => schedule(x, child("o".into(), None, "i", payload(n)));
        "the orchestration name", name_bytes, n, x => schedule(x, detached(text(n), None, "i", Payload::null()));
        "the version", name_bytes, n, x => schedule(x, detached("o".into(), Some(version(n)), "i", Payload::null()));
        "the instance id", instance_id_bytes, n, x => schedule(x, detached("o".into(), None, &text(n), Payload::null()));
        "the input of orchestration `o`", payload_bytes, n, x => schedule(x, detached("o".into(), None, "i", payload(n)));
        "continueAsNew: the input", payload_bytes, n, x => stopped(schedule(x, next(payload(n), None)));
        "the version", name_bytes, n, x => stopped(schedule(x, next(Payload::null(), Some(version(n)))));
        "setCustomStatus: ", status_bytes, n, x => x.set_status(Some(text(n)));
        "the key of setValue", kv_key_bytes, n, x => x.kv_set(&text(n), "v");
        "the value of setValue(`k`)", kv_value_bytes, n, x => x.kv_set("k", &text(n));
    }
    .into()
}

/// What a call of this size comes to, and the kinds of the events it leaves behind the start.
fn outcome(row: &Row, limit: usize, size: usize) -> (Result<(), Refused>, Vec<String>) {
    let mut opening = opening(vec![]);
    *(row.limit)(&mut opening.limits) = limit;
    let mut bench = Bench::open(opening);
    let mut outcome = Ok(());
    bench.turn(vec![(1, start())], &mut |execution: &mut Execution, _: Activation| {
        outcome = (row.call)(execution, size);
    });
    (outcome, bench.kinds().split_off(1))
}

#[test]
fn a_call_at_its_limit_is_recorded_and_one_above_it_is_refused_and_leaves_nothing() {
    const LIMIT: usize = 20;
    for row in rows() {
        for size in [LIMIT - 1, LIMIT] {
            let (made, events) = outcome(&row, LIMIT, size);
            assert_eq!(made, Ok(()), "{} of {size}", row.what);
            assert_eq!(events.len(), 1, "{} of {size}: {events:?}", row.what);
        }
        let (refused, events) = outcome(&row, LIMIT, LIMIT + 1);
        let Err(Refused::Failed(failure)) = refused else { panic!("{}: {refused:?}", row.what) };
        assert_eq!(failure.kind, FailureKind::Limit, "{failure}");
        let said = &failure.message;
        assert!(said.starts_with(row.what), "{said}");
        assert!(said.contains("21 bytes") && said.contains("at most 20"), "{said}");
        assert_eq!(events, [""; 0], "{}: nothing is written", row.what);
    }
}

#[test]
fn an_ending_above_the_limit_is_a_failure_that_says_so() {
    for (ending, what) in [
        (Ending::Returned(payload(21)), "the output has 21 bytes, at most 20 are allowed"),
        (
            Ending::Threw(Failure::application(text(21))),
            "the failure has 21 bytes, at most 20 are allowed",
        ),
    ] {
        let mut opening = opening(vec![]);
        opening.limits.payload_bytes = 20;
        let mut bench = Bench::open(opening);
        bench.turn(vec![(1, start())], &mut |execution: &mut Execution, _: Activation| {
            execution.end(ending.clone()).unwrap();
        });
        match &bench.history.last().unwrap().kind {
            EventKind::OrchestrationFailed { failure, .. } => {
                assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Limit, what));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_failure_is_as_large_as_all_its_texts() {
    let mut failure = Failure::application("message");
    failure.name = Some("name".to_owned());
    failure.cause = Some(Box::new(Failure::application("cause")));
    let stack = Some("stack".to_owned());
    failure.details = Some(Box::new(FailureDetails { stack, worker: None }));
    let limits = |payload_bytes| Limits { payload_bytes, ..Limits::default() };
    assert_eq!(validate_failure("it", &failure, &limits(21)), Ok(()));
    assert!(validate_failure("it", &failure, &limits(20)).is_err());
}

#[test]
fn a_name_id_or_key_with_a_nul_is_refused_for_not_every_store_can_keep_it() {
    let limits = Limits::default();
    for failure in [
        validate_name("tag", "a\0b", &limits).unwrap_err(),
        validate_instance_id("\0", &limits).unwrap_err(),
    ] {
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(failure.message.contains("NUL"), "{failure}");
    }
    let mut bench = Bench::new();
    bench.turn(vec![(1, start())], &mut |execution: &mut Execution, _: Activation| {
        let refused = execution.kv_set("a\0", "v");
        assert!(matches!(refused, Err(Refused::Failed(_))), "{refused:?}");
        // A value is text of the user's own, and may be any.
        assert_eq!(execution.kv_set("a", "\0"), Ok(()));
    });
}
