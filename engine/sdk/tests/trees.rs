//! One rule, one history: the same await tree, run once by the core (as JavaScript does)
//! and once by `join` and `select` over leaf futures, records the same events and gives
//! the same values, for the same arrivals in the same turns. After every turn the futures
//! are replayed cold, give the same state, and every other time go on from there.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use duroxide_core::{
    Activation, Arrival, ArrivalBody, ArrivalId, Await, Awaited, Base, Channel, CompatFlags,
    Ending, Event, EventId, EventKind, Execution, ExecutionId, Failure, Headers, History,
    InstanceId, Leaf, Limits, Nonce, Opening, Origin, Payload, Refused, Settled, TimeMs, TurnInput,
    TurnOutcome, UnreadMail, Value,
};
use duroxide_sdk::{
    ActivityCall, Backoff, BoxFuture, Coroutine, OrchestrationContext, OrchestrationError,
    Registry, RetryPolicy,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Awaits its trees one after another and returns their outcomes, failures too.
type Program = Vec<Await>;

// --- The program as leaf futures.

async fn by_futures(ctx: OrchestrationContext, program: Program) -> Result<Json, String> {
    let mut outcomes = Vec::new();
    for tree in program {
        let cancelled = Arc::new(AtomicBool::new(false));
        let outcome = eval(ctx.clone(), tree, Arc::clone(&cancelled)).await;
        // The core throws a cancel at the root of the tree; here each leaf reports it.
        outcomes.push(match outcome {
            _ if cancelled.load(Ordering::Relaxed) => json!({ "err": "canceled: enough" }),
            outcome => outcome_json(outcome.map_err(|error| error.to_string())),
        });
    }
    Ok(Json::Array(outcomes))
}

type Evaluated = BoxFuture<Result<Json, OrchestrationError>>;

fn eval(ctx: OrchestrationContext, tree: Await, cancelled: Arc<AtomicBool>) -> Evaluated {
    let each = |branches: Vec<Await>| -> Vec<Evaluated> {
        let branch = |tree| eval(ctx.clone(), tree, Arc::clone(&cancelled));
        branches.into_iter().map(branch).collect()
    };
    match tree {
        Await::Leaf(leaf) => Box::pin(noted(eval_leaf(ctx, leaf), cancelled)),
        Await::Retry { activity, policy } => {
            Box::pin(noted(eval_retry(ctx, activity, policy), cancelled))
        }
        Await::All(branches) => {
            let all = ctx.join(each(branches));
            Box::pin(async move {
                let text = |outcome: Result<Json, OrchestrationError>| {
                    outcome_json(outcome.map_err(|error| error.to_string()))
                };
                Ok(Json::Array(all.await.into_iter().map(text).collect()))
            })
        }
        Await::Race(branches) => {
            let race = ctx.select(each(branches));
            Box::pin(async move {
                let (index, outcome) = race.await;
                outcome.map(|value| json!({ "index": index, "value": value }))
            })
        }
    }
}

async fn noted(
    outcome: impl Future<Output = Result<Json, OrchestrationError>>,
    cancelled: Arc<AtomicBool>,
) -> Result<Json, OrchestrationError> {
    let outcome = outcome.await;
    if outcome.as_ref().is_err_and(OrchestrationError::is_cancelled) {
        cancelled.store(true, Ordering::Relaxed);
    }
    outcome
}

fn json_of(payload: &Payload) -> Json {
    serde_json::from_slice(payload.bytes()).unwrap()
}

fn call(ctx: &OrchestrationContext, activity: Leaf) -> ActivityCall<Json> {
    let Leaf::Activity { name, input, session, tag } = activity else { panic!("{activity:?}") };
    let mut call = ctx.activity(&name, &json_of(&input));
    call = session.into_iter().fold(call, ActivityCall::on_session);
    tag.into_iter().fold(call, ActivityCall::with_tag)
}

async fn eval_retry(
    ctx: OrchestrationContext,
    activity: Leaf,
    policy: RetryPolicy,
) -> Result<Json, OrchestrationError> {
    call(&ctx, activity).with_retry(policy).await
}

async fn eval_leaf(ctx: OrchestrationContext, leaf: Leaf) -> Result<Json, OrchestrationError> {
    match leaf {
        Leaf::Activity { .. } => call(&ctx, leaf).await,
        Leaf::Timer { delay_ms } => {
            ctx.timer(Duration::from_millis(delay_ms)).await.map(|()| Json::Null)
        }
        Leaf::Mail { channel: Channel::Event, name } => ctx.wait_event(&name).await,
        Leaf::Mail { channel: Channel::Queue, name } => ctx.dequeue(&name).await,
        Leaf::Child { name, input, .. } => ctx.child(&name, &json_of(&input)).await,
        Leaf::Detached { name, instance, input, .. } => {
            ctx.start_detached(&name, instance, &json_of(&input)).map(|()| Json::Null)
        }
        Leaf::UtcNow => ctx.utc_now().map(|now| json!(now)),
        Leaf::NewGuid => ctx.new_guid().map(|guid| json!(guid)),
        Leaf::ContinueAsNew { input, .. } => ctx.continue_as_new(&json_of(&input)).await,
    }
}

// --- The program as trees, stepped as a generator is.

struct ByTrees {
    execution: Execution,
    program: std::vec::IntoIter<Await>,
    outcomes: Vec<Json>,
}

impl ByTrees {
    fn run_turn(&mut self, input: TurnInput) -> TurnOutcome {
        self.execution.begin_turn(input);
        while let Some(activation) = self.execution.next_activation() {
            match activation {
                Activation::Start { .. } => self.step(),
                Activation::Resume(settled) => {
                    self.outcomes.push(settled_json(settled));
                    self.step();
                }
                Activation::Poll => panic!("nobody polls a tree"),
            }
        }
        self.execution.finish_turn()
    }

    fn step(&mut self) {
        for tree in self.program.by_ref() {
            match self.execution.await_tree(tree) {
                Ok(Awaited::Ready(settled)) => self.outcomes.push(settled_json(settled)),
                Ok(Awaited::Pending) | Err(Refused::Stopped) => return,
                Err(Refused::Failed(failure)) => self.outcomes.push(settled_json(Err(failure))),
            }
        }
        let output = Payload::json(Json::Array(self.outcomes.clone()).to_string());
        self.execution.end(Ending::Returned(output)).unwrap();
    }
}

fn settled_json(settled: Settled) -> Json {
    outcome_json(settled.map(value_json).map_err(|failure| failure.message))
}

fn value_json(value: Value) -> Json {
    match value {
        Value::Payload(payload) => json_of(&payload),
        Value::Null => Json::Null,
        Value::Time(time) => json!(time),
        Value::Text(text) => json!(text),
        Value::All(each) => Json::Array(each.into_iter().map(settled_json).collect()),
        Value::Race { index, value } => json!({ "index": index, "value": value_json(*value) }),
    }
}

fn outcome_json(outcome: Result<Json, String>) -> Json {
    outcome.map_or_else(|err| json!({ "err": err }), |ok| json!({ "ok": ok }))
}

// --- What is generated.

fn any_activity() -> impl Strategy<Value = Leaf> {
    ("[AB]", any::<bool>()).prop_map(|(name, tagged)| Leaf::Activity {
        name,
        input: Payload::json("1"),
        session: tagged.then(|| "s".to_owned()),
        tag: tagged.then(|| "t".to_owned()),
    })
}

/// Turns are 1 000 ms apart.
fn policy() -> impl Strategy<Value = RetryPolicy> {
    let backoff = prop_oneof![
        Just(Backoff::None),
        Just(Backoff::Exponential),
        Just(Backoff::Custom { initial_ms: 900, max_ms: 4_000, factor: 1.7, jitter: 0.5 }),
    ];
    let limit = |ms: &'static [u64]| prop::option::of(prop::sample::select(ms));
    (1..5_u32, backoff, limit(&[900, 3_000]), limit(&[900, 2_500, 9_000]), any::<bool>()).prop_map(
        |(max, backoff, timeout_ms, total_timeout_ms, fatal)| RetryPolicy {
            backoff,
            timeout_ms,
            total_timeout_ms,
            non_retryable: fatal.then(|| "Fatal".to_owned()).into_iter().collect(),
            ..RetryPolicy::new(max)
        },
    )
}

fn leaf() -> impl Strategy<Value = Leaf> {
    let input = || Payload::json("1");
    prop_oneof![
        4 => any_activity(),
        2 => (0..5_000_u64).prop_map(|delay_ms| Leaf::Timer { delay_ms }),
        2 => "[ef]".prop_map(|name| Leaf::Mail { channel: Channel::Event, name }),
        1 => "[e]".prop_map(|name| Leaf::Mail { channel: Channel::Queue, name }),
        1 => Just(Leaf::Child { name: "C".into(), version: None, instance: None, input: input() }),
        1 => Just(Leaf::Detached {
            name: "D".into(),
            version: None,
            instance: InstanceId::from("d"),
            input: input(),
        }),
        1 => Just(Leaf::UtcNow),
        1 => Just(Leaf::NewGuid),
    ]
}

fn tree() -> impl Strategy<Value = Await> {
    let retry =
        (any_activity(), policy()).prop_map(|(activity, policy)| Await::Retry { activity, policy });
    let leaf = prop_oneof![4 => leaf().prop_map(Await::Leaf), 1 => retry];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Await::All),
            prop::collection::vec(inner, 1..4).prop_map(Await::Race),
        ]
    })
}

/// What arrives with one turn: each number picks something that is open, or mail.
type Arrivals = Vec<Vec<u8>>;

fn arrivals() -> impl Strategy<Value = Arrivals> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..4), 0..12)
}

fn body(pick: u8, open: &[(EventId, String)]) -> ArrivalBody {
    let mail = |channel, name: &str| ArrivalBody::Mail {
        channel,
        name: name.to_owned(),
        data: Payload::json(pick.to_string()),
    };
    match pick {
        0..8 => return ArrivalBody::Cancel { reason: "enough".into(), from_parent: true },
        8..16 => return mail(Channel::Event, "f"),
        16..20 => return ArrivalBody::TimerDue { source: EventId(u64::from(pick)) },
        20.. => {}
    }
    let outcome = match pick % 3 {
        0 if pick.is_multiple_of(5) => {
            Err(Failure { name: Some("Fatal".into()), ..Failure::application("broke for good") })
        }
        0 => Err(Failure::application("broke")),
        _ => Ok(Payload::json(pick.to_string())),
    };
    match open.get(usize::from(pick) % open.len().max(1)) {
        None => mail(Channel::Event, "e"),
        Some((source, what)) if what.starts_with("Activity") => {
            ArrivalBody::ActivityDone { source: *source, outcome }
        }
        Some((source, what)) if what.starts_with("Timer") => {
            ArrivalBody::TimerDue { source: *source }
        }
        Some((source, what)) if what.starts_with("Child") => {
            ArrivalBody::ChildDone { source: *source, outcome }
        }
        Some((_, what)) if what.contains("Queue") => mail(Channel::Queue, "e"),
        Some((_, what)) => mail(Channel::Event, if what.contains("\"f\"") { "f" } else { "e" }),
    }
}

fn opening(history: &[Event], unread: Vec<UnreadMail>) -> Opening {
    Opening {
        instance: InstanceId::from("test"),
        execution: ExecutionId::FIRST,
        history: History::parse(history.to_vec()).unwrap(),
        base: Base::default(),
        unread,
        more_mail: Vec::new(),
        limits: Limits::default(),
    }
}

fn turn_input(arrivals: Vec<Arrival>) -> TurnInput {
    TurnInput {
        arrivals,
        unread: Vec::new(),
        mail_read: Vec::new(),
        more_mail: Vec::new(),
        nonce: Nonce(7),
        flags: CompatFlags::NONE,
        raise: CompatFlags::NONE,
    }
}

fn as_mail(arrival: &Arrival) -> Option<UnreadMail> {
    let (Origin::Inbox(id), ArrivalBody::Mail { channel, name, data }) =
        (arrival.origin, arrival.body.clone())
    else {
        return None;
    };
    Some(UnreadMail { id, at: arrival.at, channel, name, data })
}

/// What a run met.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Met {
    turns: usize,
    /// Turns that ended while a retried call waited for its next attempt.
    waits: usize,
    /// Attempts that took too long.
    timeouts: usize,
}

/// Runs both; panics where they differ.
fn compare(program: Program, arrivals: &[Vec<u8>]) -> Met {
    let input = Payload::json(serde_json::to_string(&program).unwrap());
    let registry = Registry::builder().register_orchestration("P", by_futures).build().unwrap();
    let code = registry.orchestration("P", registry.latest("P").unwrap()).unwrap();
    let mut futures = Coroutine::open(opening(&[], Vec::new()), Arc::clone(code));
    let mut trees = ByTrees {
        execution: Execution::open(opening(&[], Vec::new())),
        program: program.into_iter(),
        outcomes: Vec::new(),
    };
    let mut bodies = vec![ArrivalBody::Start {
        name: "P".into(),
        version: Some("1.0.0".into()),
        input,
        parent: None,
        headers: Headers::new(),
    }];
    let (mut met, mut ids) = (Met::default(), 0);
    let (mut history, mut mail) = (Vec::new(), Vec::new());
    for picks in arrivals.iter().chain([&Vec::new()]) {
        let at = TimeMs(1_000 * (met.turns as u64 + 1));
        let number = |body| {
            ids += 1;
            Arrival { origin: Origin::Inbox(ArrivalId(ids)), at, body }
        };
        let arrived: Vec<Arrival> = bodies.into_iter().map(number).collect();
        mail.extend(arrived.iter().filter_map(as_mail));
        let one = futures.run_turn(turn_input(arrived.clone()));
        let other = trees.run_turn(turn_input(arrived));
        met.turns += 1;
        let Met { turns, .. } = met;
        met.waits += usize::from(one.commit.waiting.iter().any(|on| on.contains("next attempt")));
        met.timeouts += timeouts(&one.commit.events);
        assert_eq!(
            duroxide_core::render(&one.commit.events),
            duroxide_core::render(&other.commit.events),
            "turn {turns}"
        );
        assert_eq!(one, other, "turn {turns}");
        assert_eq!(futures.fingerprint(), trees.execution.fingerprint(), "turn {turns}");
        if futures.is_over() {
            break;
        }
        history.extend(one.commit.events);
        mail.retain(|mail: &UnreadMail| !one.commit.consumed.contains(&mail.id));
        let mut cold = Coroutine::open(opening(&history, mail.clone()), Arc::clone(code));
        assert!(cold.run_turn(turn_input(Vec::new())).commit.is_empty(), "turn {turns}");
        assert_eq!(cold.fingerprint(), futures.fingerprint(), "turn {turns}");
        if turns % 2 == 0 {
            futures = cold;
        }
        let open = futures.fingerprint().open;
        bodies = picks.iter().map(|pick| body(*pick, &open)).collect();
    }
    met
}

/// How often a timer fires, and behind it the activity scheduled directly before the timer is
/// cancelled.
fn timeouts(new: &[Event]) -> usize {
    let limits = |event: &&Event| {
        let EventKind::TimerFired { source, .. } = event.kind else { return false };
        let limited = EventKind::ActivityCancelRequested { source: EventId(source.0 - 1) };
        let behind = new.iter().skip_while(|other| other.id <= event.id);
        behind.take_while(|other| other.is_command()).any(|other| other.kind == limited)
    };
    new.iter().filter(limits).count()
}

fn activity(name: &str) -> Await {
    let (name, input) = (name.to_owned(), Payload::null());
    Await::Leaf(Leaf::Activity { name, input, session: None, tag: None })
}

#[test]
fn losers_below_several_levels_are_cancelled_in_leaf_order() {
    let race = |branches| Await::Race(branches);
    let now = || Await::Leaf(Leaf::UtcNow);
    // Decided while it is scheduled: every leaf is scheduled first, then all are cancelled.
    let program = vec![
        race(vec![
            Await::All(vec![activity("a"), race(vec![activity("b"), now()])]),
            now(),
            activity("c"),
        ]),
        activity("d"),
    ];
    assert_eq!(compare(program, &[vec![21]]).turns, 2);
}

#[test]
fn a_race_inside_all_cancels_before_the_whole_is_there() {
    let program =
        vec![Await::All(vec![Await::Race(vec![activity("a"), activity("b")]), activity("c")])];
    assert_eq!(compare(program, &[vec![20], vec![22], vec![22]]).turns, 3);
}

#[test]
fn a_retried_call_in_a_race_is_tried_again_and_then_loses() {
    let Await::Leaf(charge) = activity("a") else { panic!("a leaf") };
    let policy = RetryPolicy { timeout_ms: Some(900), ..RetryPolicy::new(4) };
    let retry = Await::Retry { activity: charge, policy };
    let program = vec![Await::Race(vec![retry, activity("b")]), activity("c")];
    // 2 and 3: the attempt and its limit; 4: b. The limit fires: 5 is the event, 6 the wait.
    let met = compare(program, &[vec![22], vec![20], vec![23], vec![22]]);
    assert!(met.timeouts == 1 && met.waits > 0, "{met:?}");
}

#[test]
fn a_wrong_policy_fails_the_await_and_nothing_is_scheduled() {
    let Await::Leaf(charge) = activity("a") else { panic!("a leaf") };
    let wrong = Await::Retry { activity: charge, policy: RetryPolicy::new(0) };
    assert_eq!(compare(vec![wrong, activity("b")], &[vec![22]]).turns, 2);
}

/// Each case prints nothing; the sum of what they met is printed at the end.
#[test]
fn trees_and_futures_record_the_same_history() {
    let cases = ProptestConfig::default().cases.max(2_000);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let met = std::cell::Cell::new((Met::default(), 0));
    let random = (prop::collection::vec(tree(), 1..4), arrivals());
    let run = TestRunner::new(config).run(&random, |(program, arrivals)| {
        let retried = format!("{program:?}").contains("Retry");
        let one = compare(program, &arrivals);
        let (Met { turns, waits, timeouts }, programs) = met.get();
        let sum = Met {
            turns: turns + one.turns,
            waits: waits + one.waits,
            timeouts: timeouts + one.timeouts,
        };
        met.set((sum, programs + u32::from(retried)));
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    let (met, retried) = met.get();
    println!("{cases} programs, {retried} of them with retries; {met:?}");
    assert!(retried * 4 > cases, "too few programs retry");
    assert!(met.waits * 50 > met.turns && met.timeouts * 100 > met.turns, "{met:?}");
}
