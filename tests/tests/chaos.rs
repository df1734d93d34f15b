//! The oracles of the chaos, each shown to fire on evidence with one thing wrong in it, and none
//! on evidence that is right; and the plan. Not here: a run, which takes the Node package.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use duroxide_core::{
    ArrivalId, Channel, CompatFlags, Event, EventId, EventKind, InstanceId, Nonce, Payload, TimeMs,
    TurnNo, encode_event,
};
use duroxide_tests::chaos::oracle::{RULES, check};
use duroxide_tests::chaos::{
    Commit, Counted, Cut, Effect, End, Evidence, Histories, Instance, Kill, Message, Order, Plan,
    Snapshot, StoreKind, Strikes, Summary, Told, What,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PARENT: u64 = 1;
const CHILD: u64 = 2;
const ID: &str = "order";
const CHILD_ID: &str = "order::sub::8";
const DELAY_MS: u64 = 50;

fn number(n: u64) -> Payload {
    Payload::json(n.to_string())
}

fn started(name: &str) -> EventKind {
    EventKind::OrchestrationStarted {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        input: Payload::null(),
        parent: None,
        nonce: Nonce(7),
        flags: CompatFlags::default(),
        headers: BTreeMap::new(),
    }
}

fn scheduled() -> EventKind {
    EventKind::ActivityScheduled {
        name: "Work".to_owned(),
        input: Payload::null(),
        session: None,
        tag: None,
        attempt: 1,
    }
}

fn waiting() -> EventKind {
    EventKind::MailSubscribed { channel: Channel::Queue, name: "inbox".to_owned() }
}

fn delivered(source: u64, mail: u64, mid: &str) -> EventKind {
    EventKind::MailDelivered {
        source: EventId(source),
        mail: ArrivalId(mail),
        channel: Channel::Queue,
        name: "inbox".to_owned(),
        data: Payload::json(format!("{{\"mid\":\"{mid}\"}}")),
    }
}

/// An order: two activities of a session, a timer, a child, two messages.
fn parent() -> Vec<EventKind> {
    let completed =
        |source| EventKind::ActivityCompleted { source, result: Payload::json("{\"attempt\":1}") };
    vec![
        started("Order"),
        scheduled(),
        completed(EventId(2)),
        scheduled(),
        completed(EventId(4)),
        EventKind::TimerCreated { delay_ms: DELAY_MS, fire_at: TimeMs(650) },
        EventKind::TimerFired { source: EventId(6), fire_at: TimeMs(650) },
        EventKind::SubOrchestrationScheduled {
            name: "Child".to_owned(),
            version: None,
            instance: InstanceId(CHILD_ID.to_owned()),
            input: Payload::null(),
        },
        EventKind::SubOrchestrationCompleted { source: EventId(8), result: number(5) },
        waiting(),
        delivered(10, 101, "order/0"),
        waiting(),
        delivered(12, 102, "order/1"),
        EventKind::OrchestrationCompleted { output: number(9) },
    ]
}

fn child() -> Vec<EventKind> {
    vec![started("Child"), EventKind::OrchestrationCompleted { output: number(5) }]
}

fn commit(kinds: Vec<EventKind>) -> Commit {
    let last_event = kinds.len() as u64;
    let mut bytes = Vec::new();
    for (id, kind) in (1..).zip(kinds) {
        let at = TimeMs(id * 100);
        let event = Event { id: EventId(id), turn: TurnNo(1), at, split: false, kind };
        bytes.extend(encode_event(&event));
        bytes.push(b'\n');
    }
    Commit { last_event, bytes }
}

fn instance(id: &str, events: u64) -> Instance {
    let id = id.to_owned();
    Instance { id, running: false, execution: 1, next_event: events + 1, status_version: 0 }
}

fn message(n: u32) -> Message {
    Message {
        mid: format!("{ID}/{n}"),
        to: ID.to_owned(),
        name: "inbox".to_owned(),
        by_client: true,
        acknowledged: true,
    }
}

fn effect(event: u64, pid: u32) -> Effect {
    let session = Some("session".to_owned());
    Effect { instance: ID.to_owned(), execution: 1, event, attempt: 1, pid, session, at: event }
}

/// What a client is told of them.
fn told() -> Told {
    let events = (parent().len() + child().len()) as u64;
    let counted = Counted { instances: 2, running: 0, executions: 2, events, waiting: 0 };
    let end = |output: u64| Some(End::Completed { output: output.into() });
    let ends = BTreeMap::from([(ID.to_owned(), end(9)), (CHILD_ID.to_owned(), end(5))]);
    Told { ends, counted, replayed: 2, divergent: Vec::new() }
}

/// What a run leaves in which all is as it must be.
fn sound() -> Evidence {
    with(parent(), child())
}

fn with(parent: Vec<EventKind>, child: Vec<EventKind>) -> Evidence {
    let mut stored = Snapshot::default();
    stored.instances.insert(PARENT, instance(ID, parent.len() as u64));
    stored.instances.insert(CHILD, instance(CHILD_ID, child.len() as u64));
    stored.commits.insert((PARENT, 1, 1), commit(parent));
    stored.commits.insert((CHILD, 1, 1), commit(child));
    let ends = End::Completed { output: 9.into() };
    Evidence {
        wanted: 1,
        orders: vec![Order { id: ID.to_owned(), ends, others: BTreeMap::new() }],
        mail: vec![message(0), message(1)],
        effects: vec![effect(2, 10), effect(4, 10)],
        histories: Histories::of(&stored),
        stored,
        told: told(),
        ..Evidence::default()
    }
}

/// With another history of the order.
fn rewritten(rewrite: impl FnOnce(&mut Vec<EventKind>)) -> Evidence {
    let mut events = parent();
    rewrite(&mut events);
    with(events, child())
}

fn spoilt(spoil: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut evidence = sound();
    spoil(&mut evidence);
    evidence
}

/// For each rule, evidence that breaks it.
fn broken() -> Vec<(&'static str, Evidence)> {
    vec![
        ("every workflow is asked for", spoilt(|all| all.wanted = 2)),
        ("nothing hangs", spoilt(|all| all.hung.push("the clients".to_owned()))),
        ("a client is told how everything ended", spoilt(|all| drop(all.told.ends.remove(ID)))),
        ("a client is told how everything ended", rewritten(|events| events[13] = end(8))),
        ("a client is told how everything ended", spoilt(|all| tell(all, CHILD_ID, None))),
        ("the store counts what there is", spoilt(|all| all.told.counted.events += 1)),
        ("the store counts what there is", spoilt(|all| all.told.counted.waiting = 1)),
        ("the row of an instance is where its history is", spoilt(ahead)),
        ("no process panics or finds the file locked", spoilt(complain)),
        ("every workflow ends as it must", rewritten(|events| events[13] = end(8))),
        ("every workflow ends as it must", spoilt(|all| running(all, PARENT))),
        ("nothing exists that nobody asked for", spoilt(|all| add(all, "stranger"))),
        ("nothing exists that nobody asked for", spoilt(|all| add(all, ID))),
        ("what was started exists", spoilt(|all| drop(all.stored.instances.remove(&CHILD)))),
        ("a parent hears how its child ended", with(parent(), vec![started("Child"), end(6)])),
        ("every history is well-formed and ends", rewritten(|events| drop(events.pop()))),
        ("every history is well-formed and ends", rewritten(|events| events.push(end(9)))),
        ("every history is well-formed and ends", spoilt(gap)),
        ("no command is completed twice", rewritten(|events| events[4] = events[2].clone())),
        ("no timer fires early", rewritten(|events| events[5] = timer(101))),
        ("no acknowledged message is lost", spoilt(|all| all.mail.push(message(2)))),
        ("no message is delivered twice", rewritten(|events| events[12] = delivered(12, 101, "x"))),
        (
            "no message is delivered twice",
            rewritten(|events| events[12] = delivered(12, 102, "order/0")),
        ),
        ("nobody gets what nobody sent", spoilt(|all| drop(all.mail.pop()))),
        ("the messages of a queue keep their order", spoilt(|all| all.mail.reverse())),
        ("what is recorded as done was done", spoilt(|all| drop(all.effects.pop()))),
        ("nothing is done that is not scheduled", spoilt(|all| all.effects.push(effect(6, 10)))),
        ("no attempt is given out twice", spoilt(|all| all.effects.push(effect(4, 11)))),
        (
            "what is recorded is what the last attempt gave",
            spoilt(|all| all.effects.push(Effect { attempt: 2, ..effect(4, 10) })),
        ),
        (
            "what is recorded is what the last attempt gave",
            rewritten(|events| events[4] = nameless(4)),
        ),
        (
            "a session stays where it is while its process lives",
            spoilt(|all| all.effects[1].pid = 11),
        ),
        ("what was committed stays as it is", spoilt(|all| all.unlike = rewritten_history())),
        ("what was committed stays as it is", spoilt(|all| all.unlike = forgotten_commit())),
        ("nothing is left in the tables", spoilt(|all| all.left.push("1 messages".to_owned()))),
        ("nothing is left in the tables", spoilt(|all| all.unsound.push("a page".to_owned()))),
        ("every history replays", spoilt(|all| all.told.replayed = 1)),
        ("every history replays", spoilt(|all| all.told.divergent.push(ID.to_owned()))),
    ]
}

fn end(output: u64) -> EventKind {
    EventKind::OrchestrationCompleted { output: number(output) }
}

fn timer(delay_ms: u64) -> EventKind {
    EventKind::TimerCreated { delay_ms, fire_at: TimeMs(600 + delay_ms) }
}

fn running(evidence: &mut Evidence, incarnation: u64) {
    evidence.stored.instances.get_mut(&incarnation).unwrap().running = true;
}

/// The row of the order says that there is another event.
fn ahead(evidence: &mut Evidence) {
    evidence.stored.instances.get_mut(&PARENT).unwrap().next_event += 1;
}

fn tell(evidence: &mut Evidence, id: &str, end: Option<End>) {
    evidence.told.ends.insert(id.to_owned(), end);
}

fn complain(evidence: &mut Evidence) {
    evidence.complaints.push("worker-0.log: database is locked".to_owned());
}

/// A result that does not say which attempt gave it.
fn nameless(source: u64) -> EventKind {
    EventKind::ActivityCompleted { source: EventId(source), result: number(1) }
}

fn add(evidence: &mut Evidence, id: &str) {
    evidence.stored.instances.insert(3, instance(id, 1));
}

/// A commit in the middle is gone.
fn gap(evidence: &mut Evidence) {
    let (_, mut commit) = evidence.stored.commits.pop_first().unwrap();
    commit.last_event += 1;
    evidence.stored.commits.insert((PARENT, 1, 2), commit);
    evidence.histories = Histories::of(&evidence.stored);
}

fn rewritten_history() -> Vec<String> {
    rewritten(|events| events[13] = end(8)).stored.unlike(&sound().stored)
}

fn forgotten_commit() -> Vec<String> {
    spoilt(|all| drop(all.stored.commits.pop_first())).stored.unlike(&sound().stored)
}

#[test]
fn no_rule_is_broken_where_all_is_as_it_must_be() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn every_rule_fires_when_what_it_forbids_has_happened() {
    let mut fired = BTreeSet::new();
    for (rule, evidence) in broken() {
        let broken = check(&evidence);
        assert!(broken.iter().any(|broken| broken.rule == rule), "`{rule}`: {broken:?}");
        fired.insert(rule);
    }
    assert_eq!(fired, RULES.iter().map(|(rule, _)| *rule).collect());
}

#[test]
fn a_message_that_was_not_acknowledged_may_be_lost_or_arrive() {
    let sending = Message { acknowledged: false, ..message(2) };
    assert_eq!(check(&spoilt(|all| all.mail.push(sending))), []);
    assert_eq!(check(&spoilt(|all| all.mail[1].acknowledged = false)), []);
}

#[test]
fn a_session_may_move_when_its_process_has_died_or_lost_its_connection_or_it_idled() {
    let moved = |all: &mut Evidence| all.effects[1].pid = 11;
    let died = spoilt(|all| {
        moved(all);
        all.deaths.insert(10, 3);
    });
    assert_eq!(check(&died), []);
    let idled = spoilt(|all| {
        moved(all);
        all.effects[1].at = 1_002;
    });
    assert_eq!(check(&idled), []);
    let was_cut = spoilt(|all| {
        moved(all);
        all.cuts.extend([Cut { at: 3, pid: Some(10) }]);
    });
    assert_eq!(check(&was_cut), []);
    let another_was_cut = spoilt(|all| {
        moved(all);
        all.cuts.extend([Cut { at: 3, pid: Some(11) }]);
    });
    assert_eq!(check(&another_was_cut).len(), 1);
}

#[test]
fn a_server_that_stopped_as_in_a_crash_may_forget_the_attempt_it_counted_last() {
    let again = |all: &mut Evidence| all.effects.push(Effect { at: 9, ..effect(4, 11) });
    let mut forgotten = spoilt(again);
    assert_eq!(check(&forgotten).len(), 2, "the attempt, and the session");
    forgotten.restarts.push(7);
    forgotten.cuts.push(Cut { at: 7, pid: None });
    assert_eq!(check(&forgotten), []);
}

#[test]
fn an_observer_sees_what_went_back() {
    let earlier = sound().stored;
    let unlike = |spoil: fn(&mut Snapshot)| {
        let mut now = sound().stored;
        spoil(&mut now);
        now.unlike(&earlier).join(", ")
    };
    assert_eq!(unlike(|_| {}), "");
    assert!(unlike(|now| drop(now.instances.pop_first())).contains("is gone"));
    assert!(
        unlike(|now| now.instances.get_mut(&PARENT).unwrap().next_event = 2).contains("went back")
    );
    assert!(
        unlike(|now| now.instances.get_mut(&PARENT).unwrap().running = true).contains("runs again")
    );
    assert!(
        unlike(|now| now.instances.get_mut(&PARENT).unwrap().status_version = 1)
            .contains("had ended and changed")
    );
}

#[test]
fn a_plan_kills_once_a_second_and_a_third_of_the_kills_are_at_a_mark() {
    for seed in 0..20 {
        let plan = Plan::draw(seed, StoreKind::Sqlite, 60);
        let mut marked = 0;
        for (second, strike) in (0..).zip(&plan.strikes) {
            let What::Kill { place, when } = strike.what else { panic!("{strike:?}") };
            assert_eq!(strike.at.as_secs(), second);
            assert!(place < plan.places);
            marked += u64::from(when != Kill::Anytime);
        }
        assert_eq!((plan.strikes.len(), plan.places, marked), (60, 4, 20));
    }
}

#[test]
fn a_plan_on_a_server_strikes_the_server_and_its_connections_too() {
    for seed in 0..20 {
        for seconds in [10, 60] {
            let plan = Plan::draw(seed, StoreKind::Postgres, seconds);
            let count = |wanted: fn(&What) -> bool| {
                plan.strikes.iter().filter(|strike| wanted(&strike.what)).count() as u64
            };
            assert_eq!(count(|what| matches!(what, What::Kill { .. })), seconds);
            assert!(count(|what| matches!(what, What::RestartServer)) >= 1, "{plan}");
            assert!(count(|what| matches!(what, What::EndConnections)) >= seconds / 4, "{plan}");
            assert!(count(|what| matches!(what, What::CutAnswer { .. })) >= seconds / 3, "{plan}");
            assert!(count(|what| matches!(what, What::CutOff { .. })) >= seconds / 6, "{plan}");
            assert!(plan.strikes.iter().all(|strike| strike.at < Duration::from_secs(seconds)));
        }
    }
}

#[test]
fn a_seed_gives_the_same_plan_again_and_another_seed_another() {
    let draw = |seed| Plan::draw(seed, StoreKind::Postgres, 60);
    assert_eq!(draw(5), draw(5));
    assert_ne!(draw(5), draw(6));
}

#[test]
fn a_run_in_which_most_of_what_was_planned_struck_nothing_shows_nothing() {
    let run = |struck: u64, in_vain: u64, at_marks: u64| {
        let mut summary = Summary { marks: 20, ..Summary::default() };
        summary.kills.insert(Kill::AfterCommit, at_marks);
        let strikes = Strikes { struck, in_vain, ..Strikes::default() };
        summary.struck.insert("commits cut", strikes);
        summary.in_vain().map(|broken| broken.wrong.join(", ")).unwrap_or_default()
    };
    assert_eq!(run(10, 5, 15), "");
    assert_eq!(run(5, 10, 15), "commits cut: 5, and 10 in vain");
    assert_eq!(run(10, 5, 3), "kills at a mark: 3, and 17 in vain");
}

#[test]
fn an_activity_that_a_death_interrupted_is_told_from_one_that_was_taken_from_the_living() {
    let again = |at| Effect { attempt: 2, at, ..effect(4, 11) };
    let mut all = spoilt(|all| all.effects.push(again(90)));
    all.deaths.insert(10, 40);
    assert_eq!(all.taken_over(), [(10, Duration::from_millis(50))]);
    all.deaths.insert(10, 100);
    assert_eq!(all.taken_over(), []);
}
