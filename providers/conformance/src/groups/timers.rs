//! Timers: durations in, due times out; never early, in the order they are due.

use super::prelude::*;

/// An instance whose first turn set these timers; nobody holds it.
async fn with_timers(fx: &Fixture, id: &str, delays_ms: &[u64]) -> CheckResult<Tenure> {
    fx.start(id).await?;
    let mut a = fx.node("n1").lease_instance(id).await?;
    delays_ms.iter().fold(a.turn().admit_all(), |turn, ms| turn.timer(*ms)).commit().await?;
    Ok(a)
}

pub(crate) async fn a_timer_is_not_early(fx: &Fixture) -> CheckResult {
    with_timers(fx, "a", &[600_000]).await?;
    fx.advance(20).await;
    fx.node("n2").finds_no_instance("its timer is not due").await?;
    expect_eq!("timers not due", fx.store().depths().await?.timers, 1);
    Ok(())
}

pub(crate) async fn a_due_timer_makes_its_instance_ready(fx: &Fixture) -> CheckResult {
    with_timers(fx, "a", &[20]).await?;
    fx.advance(30).await;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["timer #2"]);
    Ok(())
}

pub(crate) async fn a_timer_without_delay_is_due_at_once(fx: &Fixture) -> CheckResult {
    with_timers(fx, "a", &[0]).await?;
    fx.advance(1).await;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["timer #2"]);
    Ok(())
}

pub(crate) async fn a_stamp_is_the_time_of_the_commit_plus_the_delay(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let leased = fx.store().lease_orchestrations(fx.node("n1").ask_instances(1)).await?;
    let before = leased.store_now;
    let mut tenures = fx.node("n1").tenures(leased);
    let applied = tenures[0].turn().admit_all().timer(5_000).timer(7_000).commit().await?;
    let (earliest, latest) = (before.0, applied.store_now.0);
    let due: Vec<_> = applied.timers.iter().map(|(event, due)| (event.0, due.0)).collect();
    expect_matches!("the stamps", due.as_slice(), [(2, _), (3, _)]);
    for (due, delay) in [(due[0].1, 5_000), (due[1].1, 7_000)] {
        let set_at = due.saturating_sub(delay);
        ensure!(
            (earliest..=latest).contains(&set_at),
            "a delay of {delay} ms set between {earliest} and {latest} cannot be due at {due}"
        );
    }
    Ok(())
}

pub(crate) async fn a_timer_arrives_with_its_due_time(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let applied = a.turn().admit_all().timer(20).commit().await?;
    fx.advance(60).await;
    let a = fx.node("n2").lease_instance("a").await?;
    let arrived: Vec<_> = a.arrivals.iter().map(|arrival| arrival.at).collect();
    let due: Vec<_> = applied.timers.iter().map(|(_, due)| *due).collect();
    expect_eq!("the time of the arrival", arrived, due);
    Ok(())
}

pub(crate) async fn timers_arrive_in_the_order_they_are_due(fx: &Fixture) -> CheckResult {
    with_timers(fx, "a", &[40, 10, 30, 20]).await?;
    fx.advance(60).await;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["timer #3", "timer #5", "timer #4", "timer #2"]);
    Ok(())
}

pub(crate) async fn timers_and_mail_arrive_in_the_order_of_their_times(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(30).commit().await?;
    fx.advance(60).await;
    fx.event("a", "late", "1").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["timer #2", "event late 1"]);
    Ok(())
}

pub(crate) async fn mail_before_a_timer_is_due_comes_before_it(fx: &Fixture) -> CheckResult {
    let before = fx.store().unclaimed().await?.store_now;
    with_timers(fx, "a", &[300]).await?;
    fx.event("a", "early", "1").await?;
    let after = fx.store().unclaimed().await?.store_now;
    fx.advance(310).await;
    let a = fx.node("n2").lease_instance("a").await?;
    let times: Vec<_> = a.arrivals.iter().map(|arrival| arrival.at).collect();
    ensure!(times.len() == 2 && times.is_sorted(), "in the order of their times: {times:?}");
    // A store that takes longer for it may have taken it in later.
    if after < before.plus(300) {
        expect_eq!("the inbox", a.inbox(), ["event early 1", "timer #2"]);
    }
    Ok(())
}

pub(crate) async fn a_consumed_timer_fires_once(fx: &Fixture) -> CheckResult {
    with_timers(fx, "a", &[10]).await?;
    fx.advance(20).await;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().admit_all().commit().await?;
    fx.advance(20).await;
    fx.node("n2").finds_no_instance("its timer has fired").await
}

pub(crate) async fn a_due_timer_waits_until_it_is_consumed(fx: &Fixture) -> CheckResult {
    with_timers(fx, "a", &[10]).await?;
    fx.advance(20).await;
    fx.node("n2").lease_instance("a").await?.release(true, 0).await?;
    let a = fx.node("n3").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["timer #2"]);
    Ok(())
}

pub(crate) async fn a_cancelled_timer_does_not_fire(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(30).timer(600_000).keep().commit().await?;
    let timers = a.scheduled.clone();
    a.turn().cancel_timer(timers[0]).cancel_timer(timers[1]).commit().await?;
    expect_eq!("timers", fx.store().depths().await?.timers, 0);
    fx.advance(50).await;
    fx.node("n2").finds_no_instance("its timers were cancelled").await
}

pub(crate) async fn cancelling_a_timer_leaves_the_others(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(20).timer(20).keep().commit().await?;
    let first = a.scheduled[0];
    a.turn().cancel_timer(first).commit().await?;
    fx.advance(40).await;
    let a = fx.node("n2").lease_instance("a").await?;
    ensure!(a.inbox().contains(&"timer #3".to_owned()), "the other timer fires: {:?}", a.inbox());
    Ok(())
}

pub(crate) async fn a_due_timer_of_a_held_instance_goes_to_its_holder(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(20).keep().commit().await?;
    fx.advance(40).await;
    fx.node("n2").finds_no_instance("n1 holds it").await?;
    let given = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the lease it is held under", given.got.lease, a.got.lease);
    expect_eq!("the inbox", given.inbox(), ["timer #2"]);
    Ok(())
}

pub(crate) async fn a_commit_gives_the_timers_due_by_now(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(10).keep().commit().await?;
    fx.advance(30).await;
    a.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("what the commit gives", a.inbox(), ["timer #2"]);
    Ok(())
}

pub(crate) async fn the_end_removes_timers(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(10).timer(600_000).keep().commit().await?;
    a.turn().complete("1").commit().await?;
    expect_eq!("timers", fx.store().depths().await?.timers, 0);
    fx.advance(30).await;
    fx.node("n2").finds_no_instance("it has ended").await
}

pub(crate) async fn a_timer_may_be_a_century_away(fx: &Fixture) -> CheckResult {
    let century = 100 * 366 * 86_400_000;
    with_timers(fx, "a", &[century]).await?;
    fx.node("n2").finds_no_instance("its timer is not due").await?;
    expect_eq!("timers", fx.store().depths().await?.timers, 1);
    Ok(())
}

pub(crate) async fn many_far_timers_hide_no_near_one(fx: &Fixture) -> CheckResult {
    for n in 0..20 {
        with_timers(fx, &format!("far{n}"), &[600_000]).await?;
    }
    with_timers(fx, "near", &[10]).await?;
    fx.advance(30).await;
    fx.node("n2").lease_instance("near").await?;
    Ok(())
}
