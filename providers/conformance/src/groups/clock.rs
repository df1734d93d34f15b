//! The store's clock is the only clock: it never goes back.

use super::prelude::*;
use std::time::Duration;

async fn now(fx: &Fixture) -> CheckResult<TimeMs> {
    Ok(fx
        .store()
        .lease_orchestrations(fx.node("clock").runs_nothing().ask_instances(0))
        .await?
        .store_now)
}

pub(crate) async fn every_answer_has_a_time_that_is_not_earlier(fx: &Fixture) -> CheckResult {
    let mut times = vec![now(fx).await?];
    fx.start("a").await?;
    let leased = fx.store().lease_orchestrations(fx.node("n1").ask_instances(1)).await?;
    times.push(leased.store_now);
    let mut tenures = fx.node("n1").tenures(leased);
    let turn = tenures[0].turn().admit_all().activity("Greet").keep();
    times.push(turn.commit().await?.store_now);
    times.push(fx.node("w").lease_activities(1).await?.store_now);
    fx.advance(5).await;
    times.push(now(fx).await?);
    ensure!(times.is_sorted(), "the times must not go back: {times:?}");
    Ok(())
}

pub(crate) async fn time_passes(fx: &Fixture) -> CheckResult {
    let before = now(fx).await?;
    fx.advance(20).await;
    let after = now(fx).await?;
    ensure!(after >= before.plus(20), "20 ms after {before:?} it is {after:?}");
    Ok(())
}

pub(crate) async fn an_arrival_is_stamped_between_its_neighbours(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let before = now(fx).await?;
    fx.event("a", "go", "1").await?;
    let after = now(fx).await?;
    let a = fx.node("n2").lease_instance("a").await?;
    let at = a.arrivals.first().map_or(TimeMs(0), |arrival| arrival.at);
    ensure!((before..=after).contains(&at), "{at:?} is not between {before:?} and {after:?}");
    Ok(())
}

pub(crate) async fn a_wall_clock_set_back_hands_out_no_earlier_time(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let before = now(fx).await?;
    fx.set_wall_clock_back(Duration::from_hours(24)).await?;
    let after = now(fx).await?;
    ensure!(after >= before, "the clock went back from {before:?} to {after:?}");
    fx.event("a", "go", "1").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "event go 1"]);
    Ok(())
}

pub(crate) async fn a_wall_clock_set_back_stalls_no_timer_and_no_lease(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(2_000).commit().await?;
    // Of another name, so that the timer is in nobody's way however soon it is due.
    fx.submit("b", start("Child", None)).await?;
    let children = fx.node("n1").runs_nothing().runs("Child", &["1.0.0"]);
    children.lease_ms(2_000).lease_instance("b").await?;
    fx.set_wall_clock_back(Duration::from_hours(24)).await?;
    fx.advance(2_500).await;
    let leased = fx.node("n2").lease(5).await?;
    let ids: std::collections::BTreeSet<_> = leased.iter().map(Tenure::id).collect();
    expect_eq!("ready after the step", ids.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    Ok(())
}
