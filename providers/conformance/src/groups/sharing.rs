//! Two handles on one store, as two processes have.

use super::prelude::*;
use futures_util::future::join;

pub(crate) async fn what_one_writes_the_other_reads(fx: &Fixture) -> CheckResult {
    let other = fx.another().await?;
    fx.start("a").await?;
    let mut a = other.node("n2").lease_instance("a").await?;
    a.turn().admit_all().status(Some("s")).keep().commit().await?;
    expect_eq!("the status", fx.info("a").await?.custom_status.as_deref(), Some("s"));
    Ok(())
}

pub(crate) async fn a_lease_of_one_keeps_the_other_away(fx: &Fixture) -> CheckResult {
    let other = fx.another().await?;
    fx.start("a").await?;
    fx.node("n1").lease(5).await?;
    other.node("n2").finds_no_instance("n1 holds it").await
}

pub(crate) async fn a_request_is_applied_once_over_both(fx: &Fixture) -> CheckResult {
    let other = fx.another().await?;
    let request = fx.request("a", start("Flow", None));
    expect_eq!("one", fx.store().submit(request.clone()).await?, Submitted::Created);
    expect_eq!("the other", other.store().submit(request).await?, Submitted::Created);
    let a = other.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn work_from_one_wakes_the_other(fx: &Fixture) -> CheckResult {
    let other = fx.another().await?;
    let node = other.node("n2");
    let after = node.wake_seq().await?;
    let (woken, started) = join(node.is_woken(after, "a start elsewhere"), fx.start("a")).await;
    started?;
    woken?;
    node.lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn the_end_in_one_is_watched_by_the_other(fx: &Fixture) -> CheckResult {
    let other = fx.another().await?;
    let mut a = fx.begun("a").await?;
    let request = duroxide_provider::WatchRequest {
        key: InstanceKey::new("a"),
        seen: Some(other.info("a").await?.revision),
        max: std::time::Duration::from_hours(1),
    };
    let watching = other.soon("a watch", other.store().watch(request));
    let (watched, committed) = join(watching, a.turn().complete("1").commit()).await;
    committed?;
    ensure!(watched??.is_some_and(|info| info.state.is_terminal()), "the end is seen");
    Ok(())
}

pub(crate) async fn both_lease_each_instance_once(fx: &Fixture) -> CheckResult {
    let other = fx.another().await?;
    for n in 0..30 {
        fx.start(&format!("i{n}")).await?;
    }
    let (one, two) = (fx.node("n1"), other.node("n2"));
    let mut leased = 0;
    loop {
        let (a, b) = join(one.lease(2), two.lease(2)).await;
        let (a, b) = (a?.len(), b?.len());
        leased += a + b;
        if a + b == 0 {
            break;
        }
    }
    expect_eq!("leases given", leased, 30);
    Ok(())
}

pub(crate) async fn a_commit_of_one_is_fenced_by_the_other(fx: &Fixture) -> CheckResult {
    let other = fx.another().await?;
    fx.start("a").await?;
    let mut late = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    fx.advance(30).await;
    let mut a = other.node("n2").lease_instance("a").await?;
    let refusal = late.turn().admit_all().complete("1").refused().await?;
    expect_eq!("the late commit", refusal, CommitRefusal::LeaseLost);
    a.turn().admit_all().complete("2").commit().await?;
    Ok(())
}
