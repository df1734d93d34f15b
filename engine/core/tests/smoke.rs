//! A walk through one execution in both modes, for people.
#![expect(clippy::unwrap_used, reason = "a test may fail by panic")]
use duroxide_core::*;

fn open(history: Vec<Event>) -> Execution {
    Execution::open(Opening {
        instance: "i".into(),
        execution: ExecutionId::FIRST,
        history: History::parse(history).unwrap(),
        base: Base::default(),
        unread: vec![],
        more_mail: vec![],
        limits: Limits::default(),
    })
}
fn turn(arrivals: Vec<Arrival>) -> TurnInput {
    TurnInput {
        arrivals,
        unread: vec![],
        mail_read: vec![],
        more_mail: vec![],
        nonce: Nonce(7),
        flags: CompatFlags::NONE,
        raise: CompatFlags::NONE,
    }
}
fn start() -> Arrival {
    Arrival {
        origin: Origin::Inbox(ArrivalId(1)),
        at: TimeMs(10),
        body: ArrivalBody::Start {
            name: "Hello".into(),
            version: Some("1.0.0".into()),
            input: Payload::json("1"),
            parent: None,
            headers: Headers::new(),
        },
    }
}
fn activity(name: &str) -> Leaf {
    Leaf::Activity { name: name.into(), input: Payload::null(), session: None, tag: None }
}

#[test]
fn a_race_of_an_activity_and_a_timer_cancels_the_loser_and_replays() {
    let tree =
        || Await::Race(vec![Await::Leaf(activity("A")), Await::Leaf(Leaf::Timer { delay_ms: 5 })]);
    let mut live = open(vec![]);
    live.begin_turn(turn(vec![start()]));
    assert!(matches!(live.next_activation(), Some(Activation::Start { .. })));
    assert_eq!(live.await_tree(tree()), Ok(Awaited::Pending));
    assert_eq!(live.next_activation(), None);
    let first = live.finish_turn().commit;
    assert_eq!(first.activities.len(), 1);
    assert_eq!(first.timers.len(), 1);
    let due = Arrival {
        origin: Origin::Inbox(ArrivalId(2)),
        at: TimeMs(15),
        body: ArrivalBody::TimerDue { source: EventId(3) },
    };
    live.begin_turn(turn(vec![due]));
    let resumed = live.next_activation();
    assert_eq!(
        resumed,
        Some(Activation::Resume(Ok(Value::Race { index: 1, value: Box::new(Value::Null) })))
    );
    live.end(Ending::Returned(Payload::null())).unwrap();
    assert_eq!(live.next_activation(), None);
    let second = live.finish_turn().commit;
    assert_eq!(second.cancelled_activities, vec![EventId(2)]);
    assert_eq!(second.expect_event, EventId(4));
    let mut all = first.events;
    all.extend(second.events);
    print!("{}", render(&all));

    let mut cold = open(all.clone());
    cold.begin_turn(turn(vec![]));
    cold.next_activation();
    cold.await_tree(tree()).unwrap();
    assert!(matches!(cold.next_activation(), Some(Activation::Resume(_))));
    cold.end(Ending::Returned(Payload::null())).unwrap();
    assert_eq!(cold.next_activation(), None);
    assert_eq!(cold.fingerprint(), live.fingerprint());

    let mut other = open(all);
    other.begin_turn(turn(vec![]));
    other.next_activation();
    assert_eq!(other.await_tree(Await::Leaf(activity("B"))), Err(Refused::Stopped));
    assert_eq!(other.next_activation(), None);
    let failed = other.finish_turn().commit;
    println!("{}", render(&failed.events));
}
