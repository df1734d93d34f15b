//! Limits and odd requests: each a clear answer, nothing written, nothing stalled.

use super::prelude::*;
use duroxide_core::Headers;
use duroxide_provider::{ActivityKey, Held, Incarnation, Release, Renew, WaitForWork, WakeSeq};
use std::time::Duration;

pub(crate) async fn the_limits_are_told(fx: &Fixture) -> CheckResult {
    let limits = fx.store().limits();
    for (what, limit) in [
        ("name_bytes", limits.name_bytes),
        ("instance_id_bytes", limits.instance_id_bytes),
        ("payload_bytes", limits.payload_bytes),
        ("kv_keys", limits.kv_keys),
        ("turn_events", limits.turn_events),
    ] {
        ensure!(limit > 0, "the limit `{what}` must leave room for something");
    }
    Ok(())
}

pub(crate) async fn an_id_has_its_limit(fx: &Fixture) -> CheckResult {
    let most = "i".repeat(fx.store().limits().instance_id_bytes);
    fx.start(&most).await?;
    let refused = fx.store().submit(fx.request(&format!("{most}i"), start("Flow", None))).await;
    expect_matches!("one byte more", refused, Err(ProviderError::Invalid { .. }));
    expect_eq!("instances", fx.store().metrics().await?.instances, 1);
    Ok(())
}

pub(crate) async fn a_name_has_its_limit(fx: &Fixture) -> CheckResult {
    let most = "n".repeat(fx.store().limits().name_bytes);
    let submitted = fx.submit("a", start(&most, None)).await?;
    expect_eq!("the longest name", submitted, Submitted::Created);
    let refused = fx.store().submit(fx.request("b", start(&format!("{most}n"), None))).await;
    expect_matches!("one byte more", refused, Err(ProviderError::Invalid { .. }));
    ensure!(fx.find("b").await?.is_none(), "nothing is written");
    Ok(())
}

pub(crate) async fn a_mailbox_name_has_its_limit(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let most = "n".repeat(fx.store().limits().name_bytes);
    let refused = mail(Channel::Event, &format!("{most}n"), "1");
    let refused = fx.store().submit(fx.request("a", refused)).await;
    expect_matches!("one byte more", refused, Err(ProviderError::Invalid { .. }));
    fx.node("n2").finds_no_instance("nothing is written").await?;
    fx.event("a", &most, "1").await
}

pub(crate) async fn a_payload_has_its_limit(fx: &Fixture) -> CheckResult {
    let limit = fx.store().limits().payload_bytes;
    let input = Payload::json("1".repeat(limit + 1));
    let (name, headers) = ("Flow".to_owned(), Headers::new());
    let submission = Submission::Start { name, version: None, input, headers };
    let refused = fx.store().submit(fx.request("a", submission)).await;
    expect_matches!("one byte more", refused, Err(ProviderError::Invalid { .. }));
    ensure!(fx.find("a").await?.is_none(), "nothing is written");
    Ok(())
}

pub(crate) async fn a_refused_request_stalls_nothing(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let limit = fx.store().limits().payload_bytes;
    let large = mail(Channel::Queue, "go", &"1".repeat(limit + 1));
    let refused = fx.store().submit(fx.request("a", large)).await;
    expect_matches!("the answer", refused, Err(ProviderError::Invalid { .. }));
    fx.event("a", "go", "1").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 1"]);
    Ok(())
}

pub(crate) async fn a_large_payload_comes_back_whole(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let large = format!("\"{}\"", "ü".repeat(500_000));
    fx.event("a", "go", &large).await?;
    let a = fx.node("n2").lease_instance("a").await?;
    let body = a.arrivals.first().map(|arrival| arrival.body.clone());
    let whole =
        matches!(body, Some(ArrivalBody::Mail { data, .. }) if data == Payload::json(&large));
    ensure!(whole, "a payload of 1 MB is expected back as it was");
    Ok(())
}

pub(crate) async fn asking_for_nothing_gives_nothing(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.start("b").await?;
    expect_eq!("instances", fx.node("n1").lease(0).await?.len(), 0);
    expect_eq!("activities", fx.node("n1").tasks(0).await?.len(), 0);
    let renewed = fx.store().renew(Renew { held: vec![], duration: Duration::ZERO }).await?;
    expect_eq!("renewals", renewed, []);
    let delay = Duration::ZERO;
    fx.store().release(Release { held: vec![], commit: None, refund: false, delay }).await?;
    Ok(())
}

pub(crate) async fn what_was_never_held_is_lost_or_gone(fx: &Fixture) -> CheckResult {
    let lease = fx.lease_id();
    let incarnation = Incarnation(4711);
    let activity = ActivityKey { incarnation, execution: ExecutionId::FIRST, event: EventId(2) };
    let held = vec![Held::Instance { incarnation, lease }, Held::Activity { activity, lease }];
    let states = fx.store().renew(Renew { held: held.clone(), duration: Duration::ZERO }).await?;
    expect_eq!("answers", states.len(), 2);
    ensure!(!states.contains(&LeaseState::Held), "nothing of it is held: {states:?}");
    let commit = Some((incarnation, fx.commit_id()));
    let release = Release { held, commit, refund: true, delay: Duration::ZERO };
    fx.store().release(release).await?;
    let outcome = Ok(Payload::null());
    let request = duroxide_provider::CompleteActivity { activity, lease, outcome };
    expect_eq!("fate", fx.store().complete_activity(request).await?, ActivityFate::Gone);
    Ok(())
}

pub(crate) async fn a_closed_store_is_unusable(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.store().close().await?;
    let submitted = fx.store().submit(fx.request("b", start("Flow", None))).await;
    expect_matches!("a submit", submitted, Err(ProviderError::Unusable { .. }));
    let leased = fx.store().lease_orchestrations(fx.node("n1").ask_instances(1)).await;
    expect_matches!("a lease", leased, Err(ProviderError::Unusable { .. }));
    let read = fx.store().instance(InstanceKey::new("a")).await;
    expect_matches!("a read", read, Err(ProviderError::Unusable { .. }));
    Ok(())
}

pub(crate) async fn closing_wakes_who_waits(fx: &Fixture) -> CheckResult {
    let node = fx.node("n1").id().clone();
    let after: WakeSeq = fx.node("n1").wake_seq().await?;
    let request = WaitForWork { node, after, max: Duration::from_hours(1) };
    let waiting = fx.soon("a wait", fx.store().wait_for_work(request));
    let (woken, closed) = futures_util::future::join(waiting, fx.store().close()).await;
    closed?;
    // Whether the wait ends well or with `Unusable` is the provider's choice.
    woken.map(|_| ())
}

pub(crate) async fn closing_again_does_not_hang(fx: &Fixture) -> CheckResult {
    fx.store().close().await?;
    fx.soon("the second close", fx.store().close()).await.map(|_| ())
}

pub(crate) async fn an_error_names_its_method(fx: &Fixture) -> CheckResult {
    let refused = fx.store().delete(InstanceKey::new("ghost"), true).await;
    expect_matches!(
        "the answer",
        refused,
        Err(ProviderError::NotFound { operation, what })
            if operation.contains("delete") && what.contains("ghost")
    );
    Ok(())
}
