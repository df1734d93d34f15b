//! Histories of what goes on for ever: the monitor, and the subscription.

mod common;

reviewed! {
    /// Execution 1:
    /// 1. `OrchestrationStarted` Watch, round 1 of 3
    /// 2. `ActivityScheduled` Probe
    /// 3. `ActivityCompleted`: true
    /// 4. `MailSubscribed` event stop
    /// 5. `TimerCreated` 10 ms
    /// 6. `TimerFired` of 5
    /// 7. `MailUnsubscribed` of 4
    /// 8. `OrchestrationContinuedAsNew` with round 2
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` Watch, round 2 of 3
    /// 2. `ActivityScheduled` Probe
    /// 3. `ActivityCompleted`: true
    /// 4. `MailSubscribed` event stop
    /// 5. `TimerCreated` 10 ms
    /// 6. `TimerFired` of 5
    /// 7. `MailUnsubscribed` of 4
    /// 8. `OrchestrationContinuedAsNew` with round 3
    ///
    /// Execution 3:
    /// 1. `OrchestrationStarted` Watch, round 3 of 3
    /// 2. `ActivityScheduled` Probe
    /// 3. `ActivityCompleted`: true
    /// 4. `OrchestrationCompleted`
    a_watch_ends_after_its_rounds: "watch";

    /// Execution 1:
    /// 1. `OrchestrationStarted` Watch, round 1
    /// 2. `ActivityScheduled` Probe
    /// 3. `ActivityCompleted`: true
    /// 4. `MailSubscribed` event stop
    /// 5. `TimerCreated` 10 ms
    /// 6. `TimerFired` of 5
    /// 7. `MailUnsubscribed` of 4
    /// 8. `OrchestrationContinuedAsNew` with round 2
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` Watch, round 2
    /// 2. `ActivityScheduled` Probe
    /// 3. `ActivityCompleted`: false
    /// 4. `ActivityScheduled` Alert
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: the mill is down
    /// 7. `MailSubscribed` event stop
    /// 8. `TimerCreated` 10 ms
    /// 9. `MailDelivered` of 7: Ada
    /// 10. `TimerCancelled` of 8
    /// 11. `OrchestrationCompleted`: stopped by Ada
    a_watch_is_stopped_by_an_event: "watch-stopped";

    /// Execution 1:
    /// 1. `OrchestrationStarted` Billing of Ada
    /// 2. `ActivityScheduled` ChargeMonth: attempt 1
    /// 3. `ActivityFailed`
    /// 4. `TimerCreated` 100 ms: linear
    /// 5. `TimerFired`
    /// 6. `ActivityScheduled` ChargeMonth: attempt 2
    /// 7. `ActivityFailed`
    /// 8. `TimerCreated` 200 ms
    /// 9. `TimerFired`
    /// 10. `ActivityScheduled` ChargeMonth: attempt 3
    /// 11. `ActivityCompleted`
    /// 12. `CustomStatusUpdated`: paid for 1 of 2
    /// 13. `MailSubscribed` event cancel
    /// 14. `TimerCreated` thirty days
    /// 15. `TimerFired` of 14
    /// 16. `MailUnsubscribed` of 13
    /// 17. `OrchestrationContinuedAsNew`
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` Billing of Ada
    /// 2. `ActivityScheduled` ChargeMonth
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: paid for 2 of 2
    /// 5. `OrchestrationCompleted`
    a_month_is_charged_by_policy_and_the_next_is_an_execution: "billing";

    /// 1. `OrchestrationStarted` Billing of Eve
    /// 2. `ActivityScheduled` ChargeMonth
    /// 3. `ActivityFailed`
    /// 4. `TimerCreated` 100 ms
    /// 5. `TimerFired`
    /// 6. `ActivityScheduled` ChargeMonth: attempt 2
    /// 7. `ActivityFailed`: as attempt 2
    /// 8. `TimerCreated` 200 ms
    /// 9. `TimerFired`
    /// 10. `ActivityScheduled` ChargeMonth: attempt 3, the last the policy allows
    /// 11. `ActivityFailed`
    /// 12. `ActivityScheduled` Remind
    /// 13. `ActivityCompleted`
    /// 14. `TimerCreated` a quarter of a month
    /// 15. `TimerFired`
    /// 16. `ActivityScheduled` ChargeMonth: the policy once more, from attempt 1
    /// 17. `ActivityFailed`
    /// 18. `TimerCreated` 100 ms
    /// 19. `TimerFired`
    /// 20. `ActivityScheduled` ChargeMonth: attempt 2
    /// 21. `ActivityFailed`
    /// 22. `TimerCreated` 200 ms
    /// 23. `TimerFired`
    /// 24. `ActivityScheduled` ChargeMonth: attempt 3
    /// 25. `ActivityFailed`
    /// 26. `OrchestrationFailed`: Eve does not pay
    who_does_not_pay_is_reminded_and_suspended: "billing-dunning";

    /// 1. `OrchestrationStarted` Billing of Bob
    /// 2. `ActivityScheduled` ChargeMonth
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: paid for 1 of 2
    /// 5. `MailSubscribed` event cancel
    /// 6. `TimerCreated` thirty days
    /// 7. `MailDelivered` of 5
    /// 8. `TimerCancelled` of 6
    /// 9. `OrchestrationCompleted`: Bob has paid for 1 of 2 months
    a_subscription_ends_when_the_customer_says_so: "billing-cancelled";
}
