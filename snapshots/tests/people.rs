//! Histories of waiting for people: the escalating approval, and the chat.

mod common;

reviewed! {
    /// 1. `OrchestrationStarted` Approve
    /// 2. `ActivityScheduled` Ask Ada
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: waiting for Ada
    /// 5. `MailSubscribed` event decision
    /// 6. `TimerCreated` 10 ms: her patience
    /// 7. `TimerFired` of 6
    /// 8. `MailUnsubscribed` of 5
    /// 9. `ActivityScheduled` Ask Bob
    /// 10. `ActivityCompleted`
    /// 11. `CustomStatusUpdated`: waiting for Bob
    /// 12. `MailSubscribed` event decision
    /// 13. `TimerCreated` one day
    /// 14. `MailDelivered` of 12: true
    /// 15. `TimerCancelled` of 13
    /// 16. `OrchestrationCompleted`: approved by Bob
    silence_escalates_to_the_next_approver: "escalation";

    /// 1. `OrchestrationStarted` Approve
    /// 2. `ActivityScheduled` Ask Ada
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: waiting for Ada
    /// 5. `MailSubscribed` event decision
    /// 6. `TimerCreated` one day
    /// 7. `MailDelivered` of 5: false
    /// 8. `TimerCancelled` of 6
    /// 9. `OrchestrationCompleted`: rejected by Ada
    a_rejection_asks_nobody_else: "escalation-rejected";

    /// 1. `OrchestrationStarted` Approve
    /// 2. `ActivityScheduled` Ask Ada
    /// 3. `ActivityCompleted`
    /// 4. `CustomStatusUpdated`: waiting for Ada
    /// 5. `MailSubscribed` event decision
    /// 6. `TimerCreated` 10 ms
    /// 7. `TimerFired` of 6
    /// 8. `MailUnsubscribed` of 5
    /// 9. `ActivityScheduled` Ask Bob
    /// 10. `ActivityCompleted`
    /// 11. `CustomStatusUpdated`: waiting for Bob
    /// 12. `MailSubscribed` event decision
    /// 13. `TimerCreated` 10 ms
    /// 14. `TimerFired` of 13
    /// 15. `MailUnsubscribed` of 12
    /// 16. `OrchestrationFailed`: nobody decided
    silence_of_all_approvers_fails: "escalation-exhausted";

    /// Execution 1:
    /// 1. `OrchestrationStarted` Chat
    /// 2. `MailSubscribed` queue inbox
    /// 3. `MailDelivered` of 2: Hello!
    /// 4. `ActivityScheduled` Generate, on the session of this chat
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: the reply
    /// 7. `OrchestrationContinuedAsNew` with what was said
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` Chat
    /// 2. `MailSubscribed` queue inbox
    /// 3. `MailDelivered` of 2: How are you?
    /// 4. `ActivityScheduled` Generate
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: the reply
    /// 7. `OrchestrationContinuedAsNew` with what was said
    ///
    /// Execution 3:
    /// 1. `OrchestrationStarted` Chat
    /// 2. `MailSubscribed` queue inbox
    /// 3. `MailDelivered` of 2: bye
    /// 4. `ActivityScheduled` Generate
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: the reply
    /// 7. `OrchestrationCompleted`: 3 messages
    a_chat_answers_until_bye: "chat";

    /// Execution 1:
    /// 1. `OrchestrationStarted` Chat
    /// 2. `MailSubscribed` queue inbox
    /// 3. `MailDelivered` of 2: Hello!
    /// 4. `ActivityScheduled` Generate
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: the reply
    /// 7. `OrchestrationContinuedAsNew` with what was said
    ///
    /// Execution 2:
    /// 1. `OrchestrationStarted` Chat
    /// 2. `MailSubscribed` queue inbox
    /// 3. `OrchestrationCancelRequested`: the tab was closed
    /// 4. `MailUnsubscribed` of 2
    /// 5. `ActivityScheduled` SaveTranscript
    /// 6. `ActivityCompleted`
    /// 7. `OrchestrationFailed`: canceled: the tab was closed
    a_cancelled_chat_is_saved: "chat-cancelled";
}
