//! Histories of the small scenarios, each of one thing, and of how an instance is stopped.

mod common;

reviewed! {
    /// The guide's minimal example:
    /// 1. `OrchestrationStarted` HelloWorkflow with {"name":"World"}
    /// 2. `ActivityScheduled` SayHello with "World"
    /// 3. `ActivityCompleted` of 2: "Hello, World!"
    /// 4. `OrchestrationCompleted` with the same
    hello_is_one_activity: "hello";

    /// Ten activities, each fed with the result of the one before:
    /// 1. `OrchestrationStarted` Sequence with 10
    /// 2. `ActivityScheduled` AddOne with 0
    /// 3. `ActivityCompleted`: 1
    /// 4. `ActivityScheduled`
    /// 5. `ActivityCompleted`
    /// 6. `ActivityScheduled`
    /// 7. `ActivityCompleted`
    /// 8. `ActivityScheduled`
    /// 9. `ActivityCompleted`
    /// 10. `ActivityScheduled`
    /// 11. `ActivityCompleted`
    /// 12. `ActivityScheduled`
    /// 13. `ActivityCompleted`
    /// 14. `ActivityScheduled`
    /// 15. `ActivityCompleted`
    /// 16. `ActivityScheduled`
    /// 17. `ActivityCompleted`
    /// 18. `ActivityScheduled`
    /// 19. `ActivityCompleted`
    /// 20. `ActivityScheduled` AddOne with 9
    /// 21. `ActivityCompleted`: 10
    /// 22. `OrchestrationCompleted`: 10
    a_sequence_waits_for_each_step: "sequence";

    /// Eight activities are scheduled before any is awaited:
    /// 1. `OrchestrationStarted` FanOut with the numbers from 0 to 7
    /// 2. `ActivityScheduled` Square of 0
    /// 3. `ActivityScheduled`
    /// 4. `ActivityScheduled`
    /// 5. `ActivityScheduled`
    /// 6. `ActivityScheduled`
    /// 7. `ActivityScheduled`
    /// 8. `ActivityScheduled`
    /// 9. `ActivityScheduled` Square of 7
    /// 10. `ActivityCompleted` of 2: 0
    /// 11. `ActivityCompleted`
    /// 12. `ActivityCompleted`
    /// 13. `ActivityCompleted`
    /// 14. `ActivityCompleted`
    /// 15. `ActivityCompleted`
    /// 16. `ActivityCompleted`
    /// 17. `ActivityCompleted` of 9: 49
    /// 18. `OrchestrationCompleted`: 140
    a_fan_out_schedules_all_at_once: "fan-out";

    /// An activity against an hour:
    /// 1. `OrchestrationStarted` Race
    /// 2. `ActivityScheduled` FastService
    /// 3. `TimerCreated` one hour
    /// 4. `ActivityCompleted` of 2
    /// 5. `TimerCancelled` of 3: the loser
    /// 6. `OrchestrationCompleted`: answered
    a_race_that_the_activity_wins_cancels_the_timer: "race";

    /// An activity that never answers against 20 ms:
    /// 1. `OrchestrationStarted` Race
    /// 2. `ActivityScheduled` SlowService
    /// 3. `TimerCreated` 20 ms
    /// 4. `TimerFired` of 3
    /// 5. `ActivityCancelRequested` of 2: the loser
    /// 6. `OrchestrationCompleted`: timed out
    a_race_that_the_timer_wins_cancels_the_activity: "timeout";

    /// The guide's approval:
    /// 1. `OrchestrationStarted` ApprovalWorkflow
    /// 2. `ActivityScheduled` RequestApproval
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: waiting for approval
    /// 5. `MailSubscribed` event approval
    /// 6. `MailDelivered` of 5: approved
    /// 7. `ActivityScheduled` Execute
    /// 8. `ActivityCompleted`
    /// 9. `OrchestrationCompleted`: bought
    an_approval_waits_for_its_event: "approval";

    /// 1. `OrchestrationStarted` BookSeat
    /// 2. `ActivityScheduled` Reserve
    /// 3. `ActivityCompleted`
    /// 4. `ActivityScheduled` Charge
    /// 5. `ActivityFailed`: card declined, attempt 1
    /// 6. `ActivityScheduled` Release: the clean-up
    /// 7. `ActivityCompleted`
    /// 8. `OrchestrationFailed`: card declined, by Charge
    a_failure_is_cleaned_up_after: "clean-up";

    /// All of (the faster of two replicas, and an activity), against a deadline:
    /// 1. `OrchestrationStarted` Nested
    /// 2. `ActivityScheduled` Read: the near replica; depth first, left to right
    /// 3. `TimerCreated` one hour: the far replica
    /// 4. `ActivityScheduled` Unit
    /// 5. `TimerCreated` one hour: the deadline of all of it
    /// 6. `ActivityCompleted` of 2: decides the inner race
    /// 7. `TimerCancelled` of 3: its loser
    /// 8. `ActivityCompleted` of 4: that is all, and decides the outer race
    /// 9. `TimerCancelled` of 5: its loser
    /// 10. `OrchestrationCompleted`: price=42 EUR
    nested_groups_cancel_their_own_losers: "nested";

    /// 1. `OrchestrationStarted` Parent with 20
    /// 2. `SubOrchestrationScheduled` Child with 20, under a derived id
    /// 3. `SubOrchestrationScheduled` Child with 21, under an id of its own
    /// 4. `SubOrchestrationCompleted` of 2: 40
    /// 5. `SubOrchestrationCompleted` of 3: 42
    /// 6. `OrchestrationCompleted`: 82
    ///
    /// Instance test::sub::2:
    /// 1. `OrchestrationStarted` Child, whose parent is event 2 of test
    /// 2. `ActivityScheduled` Double
    /// 3. `ActivityCompleted`
    /// 4. `OrchestrationCompleted`
    ///
    /// Instance test-second:
    /// 1. `OrchestrationStarted` Child, whose parent is event 3 of test
    /// 2. `ActivityScheduled` Double
    /// 3. `ActivityCompleted`
    /// 4. `OrchestrationCompleted`
    children_are_instances_of_their_own: "child";

    /// Execution 1:
    /// 1. `OrchestrationStarted` Monitor, round 1
    /// 2. `ActivityScheduled` CheckHealth
    /// 3. `ActivityCompleted`: true
    /// 4. `CustomStatusUpdated`: round 1 done
    /// 5. `TimerCreated` 10 ms
    /// 6. `TimerFired`
    /// 7. `OrchestrationContinuedAsNew` with round 2
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` Monitor, round 2
    /// 2. `ActivityScheduled` CheckHealth
    /// 3. `ActivityCompleted`: false
    /// 4. `CustomStatusUpdated`: round 2 done
    /// 5. `TimerCreated` 10 ms
    /// 6. `TimerFired`
    /// 7. `OrchestrationContinuedAsNew` with round 3
    ///
    /// Execution 3:
    /// 1. `OrchestrationStarted` Monitor, round 3
    /// 2. `ActivityScheduled` CheckHealth
    /// 3. `ActivityCompleted`: true
    /// 4. `OrchestrationCompleted`: healthy in 2 of 3 rounds
    continue_as_new_begins_a_history_of_its_own: "continue-as-new";

    /// Execution 1:
    /// 1. `OrchestrationStarted` WorkProcessor
    /// 2. `MailSubscribed` queue tasks
    /// 3. `MailDelivered` of 2: the oldest message
    /// 4. `ActivityScheduled` ProcessTask 1
    /// 5. `ActivityCompleted`
    /// 6. `OrchestrationContinuedAsNew`
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` WorkProcessor with what was done
    /// 2. `MailSubscribed` queue tasks
    /// 3. `MailDelivered` of 2: the next message
    /// 4. `ActivityScheduled` ProcessTask 2
    /// 5. `ActivityCompleted`
    /// 6. `OrchestrationContinuedAsNew`
    ///
    /// Execution 3:
    /// 1. `OrchestrationStarted` WorkProcessor with what was done
    /// 2. `MailSubscribed` queue tasks
    /// 3. `MailDelivered` of 2: the last message
    /// 4. `ActivityScheduled` ProcessTask 3
    /// 5. `ActivityCompleted`
    /// 6. `OrchestrationCompleted`: [10,20,30]
    a_queue_gives_one_message_an_execution: "queue";

    /// 1. `OrchestrationStarted` Lease
    /// 2. `ActivityScheduled` Acquire
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: leased machine-7
    /// 5. `MailSubscribed` event returned
    /// 6. `OrchestrationCancelRequested`: no longer needed
    /// 7. `MailUnsubscribed` of 5: the pending await is cancelled
    /// 8. `ActivityScheduled` GiveBack: the clean-up
    /// 9. `ActivityCompleted`
    /// 10. `OrchestrationFailed`: canceled: no longer needed
    a_cancellation_is_cleaned_up_after: "cancellation";

    /// 1. `OrchestrationStarted` Order
    /// 2. `ActivityScheduled` Reserve
    /// 3. `ActivityCompleted`
    /// 4. `TimerCreated` one hour
    /// 5. `MailSubscribed` event confirm
    /// 6. `MailDelivered` of 5: the client is quick
    /// 7. `TimerFired` of 4, an hour after it
    /// 8. `ActivityScheduled` Charge
    /// 9. `ActivityCompleted`
    /// 10. `ActivityScheduled` Ship
    /// 11. `ActivityCompleted`
    /// 12. `OrchestrationCompleted`
    an_order_waits_for_an_hour_and_an_event: "twenty";

    /// Two builds of one orchestration:
    /// 1. `OrchestrationStarted` It
    /// 2. `ActivityScheduled` Old, by the first
    /// 3. `OrchestrationFailed`: nondeterministic; the second asks for New at event 2
    ///
    /// The activity's result, which arrived with the turn, is not recorded.
    code_that_disagrees_with_history_is_reported: "nondeterminism";

    /// 1. `OrchestrationStarted` Lease
    /// 2. `OrchestrationCancelRequested`: never mind, before anything ran
    /// 3. `OrchestrationFailed` by the engine: canceled: never mind
    a_cancel_before_the_start_runs_no_code: "cancelled-before-its-start";

    /// 1. `OrchestrationStarted` Lease
    /// 2. `ActivityScheduled` Acquire
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: leased machine-7
    /// 5. `MailSubscribed` event returned
    /// 6. `OrchestrationCancelRequested`: once
    /// 7. `MailUnsubscribed` of 5
    /// 8. `ActivityScheduled` GiveBack: the clean-up
    /// 9. `OrchestrationTerminated`: twice, which is all that is recorded of it; the clean-up
    ///    goes with it
    a_second_cancel_terminates: "cancelled-twice";

    /// 1. `OrchestrationStarted` Lease
    /// 2. `ActivityScheduled` Acquire
    /// 3. `OrchestrationTerminated`: out of order; no code runs
    a_termination_runs_no_code: "terminated";
}
