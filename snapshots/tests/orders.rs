//! Histories of goods and money: the order with compensation, and the bank transfer.

mod common;

reviewed! {
    /// 1. `OrchestrationStarted` PlaceOrder
    /// 2. `ActivityScheduled` Reserve
    /// 3. `ActivityCompleted`
    /// 4. `ActivityScheduled` Charge
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: packing
    /// 7. `MailSubscribed` event packed
    /// 8. `MailDelivered` of 7: box 7
    /// 9. `ActivityScheduled` Ship
    /// 10. `ActivityCompleted`
    /// 11. `OrchestrationCompleted`
    an_order_is_paid_packed_and_shipped: "order";

    /// 1. `OrchestrationStarted` PlaceOrder
    /// 2. `ActivityScheduled` Reserve
    /// 3. `ActivityCompleted`
    /// 4. `ActivityScheduled` Charge
    /// 5. `ActivityFailed`: card 0000 is declined
    /// 6. `ActivityScheduled` Release: only the reservation is undone
    /// 7. `ActivityCompleted`
    /// 8. `OrchestrationFailed`: card 0000 is declined
    a_declined_card_releases_the_goods: "order-declined";

    /// 1. `OrchestrationStarted` PlaceOrder
    /// 2. `ActivityScheduled` Reserve
    /// 3. `ActivityCompleted`
    /// 4. `ActivityScheduled` Charge
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: packing
    /// 7. `MailSubscribed` event packed
    /// 8. `MailDelivered` of 7: box 7
    /// 9. `ActivityScheduled` Ship
    /// 10. `ActivityFailed`: no road to Atlantis
    /// 11. `ActivityScheduled` Refund: the newest is undone first
    /// 12. `ActivityCompleted`
    /// 13. `ActivityScheduled` Release
    /// 14. `ActivityCompleted`
    /// 15. `OrchestrationFailed`: no road to Atlantis
    a_parcel_that_nobody_takes_is_refunded_and_released: "order-no-courier";

    /// 1. `OrchestrationStarted` PlaceOrder
    /// 2. `ActivityScheduled` Reserve
    /// 3. `ActivityCompleted`
    /// 4. `ActivityScheduled` Charge
    /// 5. `ActivityCompleted`
    /// 6. `CustomStatusUpdated`: packing
    /// 7. `MailSubscribed` event packed
    /// 8. `OrchestrationCancelRequested`: changed my mind
    /// 9. `MailUnsubscribed` of 7
    /// 10. `ActivityScheduled` Refund
    /// 11. `ActivityCompleted`
    /// 12. `ActivityScheduled` Release
    /// 13. `ActivityCompleted`
    /// 14. `OrchestrationFailed`: canceled: changed my mind
    a_cancelled_order_is_refunded_and_released: "order-cancelled";

    /// 1. `OrchestrationStarted` Transfer
    /// 2. `ActivityScheduled` Debit from Ada
    /// 3. `ActivityCompleted`
    /// 4. `ActivityScheduled` Credit to Bob, under the same guid
    /// 5. `ActivityCompleted`
    /// 6. `OrchestrationCompleted`
    a_transfer_debits_and_credits: "transfer";

    /// 1. `OrchestrationStarted` Transfer
    /// 2. `ActivityScheduled` Debit from Eve
    /// 3. `ActivityFailed`: Eve has less than 100
    /// 4. `OrchestrationFailed` with the same
    a_refused_debit_leaves_nothing_to_undo: "transfer-refused";

    /// 1. `OrchestrationStarted` Transfer
    /// 2. `ActivityScheduled` Debit from Ada
    /// 3. `ActivityCompleted`
    /// 4. `ActivityScheduled` Credit to Mallory
    /// 5. `ActivityFailed`: the account is closed
    /// 6. `ActivityScheduled` Credit to Ada: what was taken goes back
    /// 7. `ActivityCompleted`
    /// 8. `OrchestrationFailed`: the account is closed
    a_refused_credit_takes_the_debit_back: "transfer-reverted";
}
