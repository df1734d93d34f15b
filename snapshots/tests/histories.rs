//! Histories of the scenarios, and of what goes wrong.

use duroxide_core::Event;
use duroxide_scenarios::{Scenario, no_effects};
use duroxide_sdk::testing::{ByHand, kinds};
use duroxide_sdk::{OrchestrationContext, Registry};
use duroxide_snapshots::text;
use insta::assert_snapshot;
use serde_json::json;

/// A scenario after its first turn.
fn started(scenario: &Scenario) -> ByHand {
    let registry = (scenario.registry)(&no_effects()).expect("it registers");
    let mut run = ByHand::start(&registry, scenario.orchestration, &scenario.input);
    run.turn();
    run
}

/// The kinds of events, by execution.
fn kinds_of(run: &ByHand) -> Vec<Vec<String>> {
    run.executions().iter().map(|history: &Vec<Event>| kinds(history)).collect()
}

/// 1. `OrchestrationStarted` HelloWorkflow with {"name":"World"}
/// 2. `ActivityScheduled` SayHello with "World"
/// 3. `ActivityCompleted` of 2: "Hello, World!"
/// 4. `OrchestrationCompleted` with the same
#[test]
fn the_minimal_example() {
    let mut run = started(&duroxide_scenarios::hello::scenario());
    run.activity_completes("SayHello", &"Hello, World!").turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "ActivityScheduled",
            "ActivityCompleted",
            "OrchestrationCompleted"
        ]]
    );
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` BookSeat
/// 2. `ActivityScheduled` Reserve, 3. `ActivityCompleted`
/// 4. `ActivityScheduled` Charge, 5. `ActivityFailed`: card declined, attempt 1
/// 6. `ActivityScheduled` Release (the clean-up), 7. `ActivityCompleted`
/// 8. `OrchestrationFailed`: card declined
#[test]
fn a_failure_with_clean_up() {
    let mut run = started(&duroxide_scenarios::clean_up::scenario());
    run.activity_completes("Reserve", &"12A").turn();
    run.activity_fails("Charge", "card declined").turn();
    run.activity_completes("Release", &()).turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "ActivityScheduled",
            "ActivityCompleted",
            "ActivityScheduled",
            "ActivityFailed",
            "ActivityScheduled",
            "ActivityCompleted",
            "OrchestrationFailed",
        ]]
    );
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` Race
/// 2. `ActivityScheduled` FastService, 3. `TimerCreated` one hour
/// 4. `ActivityCompleted` of 2
/// 5. `TimerCancelled` of 3: the loser
/// 6. `OrchestrationCompleted`: answered
#[test]
fn a_race_that_the_activity_wins() {
    let mut run = started(&duroxide_scenarios::race::scenario());
    run.activity_completes("FastService", &"answered").turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "ActivityScheduled",
            "TimerCreated",
            "ActivityCompleted",
            "TimerCancelled",
            "OrchestrationCompleted",
        ]]
    );
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` Race
/// 2. `ActivityScheduled` SlowService, 3. `TimerCreated` 20 ms
/// 4. `TimerFired` of 3
/// 5. `ActivityCancelRequested` of 2: the loser
/// 6. `OrchestrationCompleted`: timed out
///
/// The activity's result comes in the same turn behind the timer: too late, no event.
#[test]
fn a_race_that_the_timer_wins() {
    let mut run = started(&duroxide_scenarios::race::timeout_scenario());
    run.timer_fires().activity_completes("SlowService", &"too late").turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "ActivityScheduled",
            "TimerCreated",
            "TimerFired",
            "ActivityCancelRequested",
            "OrchestrationCompleted",
        ]]
    );
    assert_snapshot!(text(&run));
}

/// Executions 1 and 2:
/// 1. `OrchestrationStarted` Monitor with the round and the count so far
/// 2. `ActivityScheduled` CheckHealth, 3. `ActivityCompleted`
/// 4. `CustomStatusUpdated`: round N done
/// 5. `TimerCreated` 10 ms, 6. `TimerFired`
/// 7. `OrchestrationContinuedAsNew` with the next round
///
/// Execution 3: 1. to 3. likewise, then 4. `OrchestrationCompleted`
#[test]
fn continue_as_new() {
    let mut run = started(&duroxide_scenarios::continue_as_new::scenario());
    for healthy in [true, false] {
        run.activity_completes("CheckHealth", &healthy).turn();
        run.timer_fires().turn();
        run.turn();
    }
    run.activity_completes("CheckHealth", &true).turn();
    let round = [
        "OrchestrationStarted",
        "ActivityScheduled",
        "ActivityCompleted",
        "CustomStatusUpdated",
        "TimerCreated",
        "TimerFired",
        "OrchestrationContinuedAsNew",
    ];
    let last = [
        "OrchestrationStarted",
        "ActivityScheduled",
        "ActivityCompleted",
        "OrchestrationCompleted",
    ];
    assert_eq!(kinds_of(&run), [&round[..], &round[..], &last[..]]);
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` Lease
/// 2. `ActivityScheduled` Acquire, 3. `ActivityCompleted`
/// 4. `CustomStatusUpdated`: leased machine-7
/// 5. `MailSubscribed` event returned
/// 6. `OrchestrationCancelRequested`: no longer needed
/// 7. `MailUnsubscribed` of 5: the pending await is cancelled
/// 8. `ActivityScheduled` GiveBack (the clean-up), 9. `ActivityCompleted`
/// 10. `OrchestrationFailed`: canceled: no longer needed
#[test]
fn a_cancellation_with_clean_up() {
    let mut run = started(&duroxide_scenarios::cancellation::scenario());
    run.activity_completes("Acquire", &"machine-7").turn();
    run.cancel("no longer needed").turn();
    run.activity_completes("GiveBack", &()).turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "ActivityScheduled",
            "ActivityCompleted",
            "CustomStatusUpdated",
            "MailSubscribed",
            "OrchestrationCancelRequested",
            "MailUnsubscribed",
            "ActivityScheduled",
            "ActivityCompleted",
            "OrchestrationFailed",
        ]]
    );
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` Nested
/// 2. `ActivityScheduled` Read (near), 3. `TimerCreated` (far), depth first, left to right
/// 4. `ActivityScheduled` Unit, 5. `TimerCreated` (the deadline of all of it)
/// 6. `ActivityCompleted` of 4: nothing follows from it yet
/// 7. `ActivityCompleted` of 2: decides both races
/// 8. `TimerCancelled` of 3, 9. `TimerCancelled` of 5: losers in leaf order
/// 10. `OrchestrationCompleted`
#[test]
fn nested_all_and_race() {
    let mut run = started(&duroxide_scenarios::nested::scenario());
    run.activity_completes("Unit", &"EUR").turn();
    run.activity_completes("Read", &"price=42").turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "ActivityScheduled",
            "TimerCreated",
            "ActivityScheduled",
            "TimerCreated",
            "ActivityCompleted",
            "ActivityCompleted",
            "TimerCancelled",
            "TimerCancelled",
            "OrchestrationCompleted",
        ]]
    );
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` Parent
/// 2. `SubOrchestrationScheduled` Child with a derived id, 3. another with an id of its own
/// 4. `SubOrchestrationCompleted` of 2, 5. of 3
/// 6. `OrchestrationCompleted`
#[test]
fn children() {
    let mut run = started(&duroxide_scenarios::child::scenario());
    run.child_completes("Child", &40).turn();
    run.child_completes("Child", &42).turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "SubOrchestrationScheduled",
            "SubOrchestrationScheduled",
            "SubOrchestrationCompleted",
            "SubOrchestrationCompleted",
            "OrchestrationCompleted",
        ]]
    );
    assert_snapshot!(text(&run));
}

/// Each execution takes one message, the first from what came before the start:
/// 1. `OrchestrationStarted` WorkProcessor
/// 2. `MailSubscribed` queue tasks, 3. `MailDelivered` with the oldest message
/// 4. `ActivityScheduled` ProcessTask, 5. `ActivityCompleted`
/// 6. `OrchestrationContinuedAsNew`, and in the third `OrchestrationCompleted`
#[test]
fn a_queue_consumer() {
    let scenario = duroxide_scenarios::queue::scenario();
    let registry = (scenario.registry)(&no_effects()).expect("it registers");
    let mut run = ByHand::start(&registry, scenario.orchestration, &scenario.input);
    for id in 1..=3 {
        run.enqueue("tasks", &json!({ "id": id, "last": id == 3 }));
    }
    for result in [10, 20, 30] {
        run.turn();
        run.activity_completes("ProcessTask", &result).turn();
    }
    let round = |end| {
        [
            "OrchestrationStarted",
            "MailSubscribed",
            "MailDelivered",
            "ActivityScheduled",
            "ActivityCompleted",
            end,
        ]
    };
    let next = round("OrchestrationContinuedAsNew");
    assert_eq!(kinds_of(&run), [next, next, round("OrchestrationCompleted")]);
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` Order
/// 2. `ActivityScheduled` Reserve, 3. `ActivityCompleted`
/// 4. `TimerCreated` one hour, 5. `MailSubscribed` event confirm
/// 6. `MailDelivered` of 5: the client is quick
/// 7. `TimerFired` of 4, an hour after 4
/// 8. `ActivityScheduled` Charge, 9. `ActivityCompleted`
/// 10. `ActivityScheduled` Ship, 11. `ActivityCompleted`
/// 12. `OrchestrationCompleted`
#[test]
fn an_order_with_a_timer_of_an_hour_and_an_event() {
    let mut run = started(&duroxide_scenarios::twenty::scenario(1));
    run.activity_completes("Reserve", &"reserved").turn();
    run.raise("confirm", &"client 1").turn();
    run.timer_fires().turn();
    run.activity_completes("Charge", &"charged").turn();
    run.activity_completes("Ship", &"shipped").turn();
    assert_eq!(
        kinds_of(&run),
        [[
            "OrchestrationStarted",
            "ActivityScheduled",
            "ActivityCompleted",
            "TimerCreated",
            "MailSubscribed",
            "MailDelivered",
            "TimerFired",
            "ActivityScheduled",
            "ActivityCompleted",
            "ActivityScheduled",
            "ActivityCompleted",
            "OrchestrationCompleted",
        ]]
    );
    assert_snapshot!(text(&run));
}

/// 1. `OrchestrationStarted` It
/// 2. `ActivityScheduled` Old, by the first build
/// 3. `OrchestrationFailed`: nondeterministic; the second build asks for New at 2
///
/// The activity's result, which arrived with the turn, is not recorded.
#[test]
fn code_that_disagrees_with_history() {
    let build = |activity: &'static str| {
        let code = move |ctx: OrchestrationContext, (): ()| async move {
            ctx.activity::<()>(activity, &()).await
        };
        Registry::builder().register_orchestration("It", code).build().expect("it registers")
    };
    let mut run = ByHand::start(&build("Old"), "It", &());
    run.turn();
    run.deploy(&build("New")).evict().activity_completes("Old", &()).turn();
    assert_eq!(
        kinds_of(&run),
        [["OrchestrationStarted", "ActivityScheduled", "OrchestrationFailed"]]
    );
    assert_snapshot!(text(&run));
}
