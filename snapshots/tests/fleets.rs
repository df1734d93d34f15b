//! Histories of many things at once or in turn: the import, the machine that is provisioned,
//! the batch of children, and the rolling upgrade.

mod common;

reviewed! {
    /// 1. `OrchestrationStarted` Import with three rows
    /// 2. `CustomStatusUpdated`: importing 3 rows
    /// 3. `ActivityScheduled` ImportRow
    /// 4. `ActivityScheduled` ImportRow
    /// 5. `ActivityScheduled` ImportRow
    /// 6. `ActivityCompleted` of 3
    /// 7. `ActivityCompleted` of 4
    /// 8. `ActivityCompleted` of 5
    /// 9. `OrchestrationCompleted`
    an_import_takes_all_rows_at_once: "import";

    /// 1. `OrchestrationStarted` Import with four rows
    /// 2. `CustomStatusUpdated`: importing 4 rows
    /// 3. `ActivityScheduled` ImportRow
    /// 4. `ActivityScheduled` ImportRow
    /// 5. `ActivityScheduled` ImportRow
    /// 6. `ActivityScheduled` ImportRow
    /// 7. `ActivityCompleted` of 3
    /// 8. `ActivityFailed` of 4: nothing follows from it yet
    /// 9. `ActivityCompleted` of 5
    /// 10. `ActivityFailed` of 6
    /// 11. `OrchestrationCompleted` with both failures
    rows_that_fail_are_collected: "import-partial";

    /// 1. `OrchestrationStarted` Import with two rows
    /// 2. `CustomStatusUpdated`: importing 2 rows
    /// 3. `ActivityScheduled` ImportRow
    /// 4. `ActivityScheduled` ImportSlowRow
    /// 5. `ActivityCompleted` of 3
    /// 6. `OrchestrationCancelRequested`: wrong file
    /// 7. `ActivityCancelRequested` of 4
    /// 8. `ActivityScheduled` Discard
    /// 9. `ActivityCompleted`
    /// 10. `OrchestrationFailed`: canceled: wrong file
    a_cancelled_import_is_discarded: "import-cancelled";

    /// 1. `OrchestrationStarted` Provision
    /// 2. `ActivityScheduled` Create
    /// 3. `ActivityCompleted`
    /// 4. `KeyValueSet` machine
    /// 5. `CustomStatusUpdated`: waiting for vm-7
    /// 6. `ActivityScheduled` IsReady: the first poll
    /// 7. `TimerCreated` one hour: the deadline
    /// 8. `ActivityCompleted` of 6: false
    /// 9. `TimerCreated` 10 ms
    /// 10. `TimerFired` of 9
    /// 11. `ActivityScheduled` IsReady: the second
    /// 12. `ActivityCompleted`: false
    /// 13. `TimerCreated` 10 ms
    /// 14. `TimerFired` of 13
    /// 15. `ActivityScheduled` IsReady: the third
    /// 16. `ActivityCompleted`: true
    /// 17. `TimerCancelled` of 7
    /// 18. `OrchestrationChained` MonitorMachine
    /// 19. `OrchestrationCompleted`
    a_machine_is_polled_until_it_is_ready: "provisioning";

    /// 1. `OrchestrationStarted` Provision
    /// 2. `ActivityScheduled` Create
    /// 3. `ActivityCompleted`
    /// 4. `KeyValueSet` machine
    /// 5. `CustomStatusUpdated`: waiting for vm-7
    /// 6. `ActivityScheduled` IsReady
    /// 7. `TimerCreated` 25 ms: the deadline
    /// 8. `ActivityCompleted` of 6: false
    /// 9. `TimerCreated` 10 ms
    /// 10. `TimerFired` of 7: the poll took longer than the deadline
    /// 11. `TimerCancelled` of 9
    /// 12. `ActivityScheduled` TearDown
    /// 13. `ActivityCompleted`
    /// 14. `KeyValueCleared` machine
    /// 15. `OrchestrationFailed`: vm-7 was not ready in time
    a_machine_that_is_late_is_torn_down: "provisioning-deadline";

    /// 1. `OrchestrationStarted` Provision
    /// 2. `ActivityScheduled` Create
    /// 3. `ActivityCompleted`
    /// 4. `KeyValueSet` machine
    /// 5. `CustomStatusUpdated`: waiting for vm-7
    /// 6. `ActivityScheduled` IsReady
    /// 7. `TimerCreated` one hour
    /// 8. `ActivityCompleted` of 6: false
    /// 9. `TimerCreated` 10 ms
    /// 10. `OrchestrationCancelRequested`: too expensive
    /// 11. `TimerCancelled` of 7
    /// 12. `TimerCancelled` of 9
    /// 13. `ActivityScheduled` TearDown
    /// 14. `ActivityCompleted`
    /// 15. `KeyValueCleared` machine
    /// 16. `OrchestrationFailed`: canceled: too expensive
    a_machine_that_is_not_wanted_any_more_is_torn_down: "provisioning-cancelled";

    /// 1. `OrchestrationStarted` Batch
    /// 2. `CustomStatusUpdated`: printing 3 pages
    /// 3. `SubOrchestrationScheduled` Page 1
    /// 4. `SubOrchestrationScheduled` Page 2
    /// 5. `SubOrchestrationScheduled` Page 3
    /// 6. `SubOrchestrationCompleted` of 3
    /// 7. `SubOrchestrationFailed` of 4: there is a stain on page 2
    /// 8. `SubOrchestrationCompleted` of 5
    /// 9. `OrchestrationCompleted` with two pages and one failure
    ///
    /// Instance test-page-1:
    /// 1. `OrchestrationStarted` Page
    /// 2. `ActivityScheduled` Print
    /// 3. `ActivityCompleted`
    /// 4. `OrchestrationCompleted`
    ///
    /// Instance test-page-2:
    /// 1. `OrchestrationStarted` Page
    /// 2. `ActivityScheduled` Print
    /// 3. `ActivityFailed`
    /// 4. `OrchestrationFailed`
    ///
    /// Instance test-page-3:
    /// 1. `OrchestrationStarted` Page
    /// 2. `ActivityScheduled` Print
    /// 3. `ActivityCompleted`
    /// 4. `OrchestrationCompleted`
    a_batch_collects_the_items_that_fail: "batch";

    /// 1. `OrchestrationStarted` Batch
    /// 2. `CustomStatusUpdated`: printing 2 pages
    /// 3. `SubOrchestrationScheduled` Page 1
    /// 4. `SubOrchestrationScheduled` Page 99
    /// 5. `SubOrchestrationCompleted` of 3
    /// 6. `OrchestrationCancelRequested`: no ink
    /// 7. `SubOrchestrationCancelRequested` of 4
    /// 8. `OrchestrationFailed`: canceled: no ink
    ///
    /// Instance test-page-1:
    /// 1. `OrchestrationStarted` Page
    /// 2. `ActivityScheduled` Print
    /// 3. `ActivityCompleted`
    /// 4. `OrchestrationCompleted`
    ///
    /// Instance test-page-99:
    /// 1. `OrchestrationStarted` Page
    /// 2. `MailSubscribed` event ink
    /// 3. `OrchestrationCancelRequested` by the parent
    /// 4. `MailUnsubscribed` of 2
    /// 5. `OrchestrationFailed`: canceled: parent canceled
    a_cancelled_batch_cancels_its_items: "batch-cancelled";

    /// Execution 1:
    /// 1. `OrchestrationStarted` Rollout 1.0.0
    /// 2. `ActivityScheduled` Upgrade n1
    /// 3. `ActivityCompleted`
    /// 4. `OrchestrationContinuedAsNew` as version 2.0.0
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` Rollout 2.0.0
    /// 2. `CustomStatusUpdated`: upgrading n2
    /// 3. `ActivityScheduled` Upgrade n2
    /// 4. `ActivityCompleted`
    /// 5. `TimerCreated` 10 ms
    /// 6. `TimerFired`
    /// 7. `ActivityScheduled` IsWell n2
    /// 8. `ActivityCompleted`: true
    /// 9. `CustomStatusUpdated`: upgrading n3
    /// 10. `ActivityScheduled` Upgrade n3
    /// 11. `ActivityCompleted`
    /// 12. `TimerCreated` 10 ms
    /// 13. `TimerFired`
    /// 14. `ActivityScheduled` IsWell n3
    /// 15. `ActivityCompleted`: true
    /// 16. `OrchestrationCompleted`
    a_rollout_goes_on_as_its_own_new_version: "rollout";

    /// 1. `OrchestrationStarted` Rollout 2.0.0
    /// 2. `CustomStatusUpdated`: upgrading n1
    /// 3. `ActivityScheduled` Upgrade n1
    /// 4. `ActivityCompleted`
    /// 5. `TimerCreated` 10 ms
    /// 6. `TimerFired`
    /// 7. `ActivityScheduled` IsWell n1
    /// 8. `ActivityCompleted`: true
    /// 9. `CustomStatusUpdated`: upgrading sick
    /// 10. `ActivityScheduled` Upgrade sick
    /// 11. `ActivityCompleted`
    /// 12. `TimerCreated` 10 ms
    /// 13. `TimerFired`
    /// 14. `ActivityScheduled` IsWell sick
    /// 15. `ActivityCompleted`: false
    /// 16. `CustomStatusUpdated`: rolling back
    /// 17. `ActivityScheduled` Downgrade sick: the newest first
    /// 18. `ActivityCompleted`
    /// 19. `ActivityScheduled` Downgrade n1
    /// 20. `ActivityCompleted`
    /// 21. `OrchestrationFailed`: sick is not well
    a_node_that_is_not_well_rolls_all_back: "rollout-rolled-back";
}
