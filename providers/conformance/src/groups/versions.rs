//! Which instances are for a node: by name, version and compat flags.

use super::prelude::*;

pub(crate) async fn a_node_gets_only_orchestrations_it_runs(fx: &Fixture) -> CheckResult {
    fx.submit("a", start("Unknown", None)).await?;
    fx.node("n1").finds_no_instance("it does not run `Unknown`").await?;
    fx.node("n1").runs("Unknown", &["1.0.0"]).lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn an_instance_for_others_blocks_nobody(fx: &Fixture) -> CheckResult {
    for n in 0..60 {
        fx.submit(&format!("u{n}"), start("Unknown", None)).await?;
    }
    fx.start("a").await?;
    let leased = fx.node("n1").lease(1).await?;
    expect_eq!("leased", leased.iter().map(Tenure::id).collect::<Vec<_>>(), ["a"]);
    Ok(())
}

pub(crate) async fn what_a_filter_skips_stays_free(fx: &Fixture) -> CheckResult {
    fx.submit("a", start("Flow", Some("2.0.0"))).await?;
    fx.node("n1").finds_no_instance("it runs 1.0.0").await?;
    let a = fx.node("n2").runs("Flow", &["2.0.0"]).lease_instance("a").await?;
    expect_eq!("the attempt", a.got.attempt, 1);
    Ok(())
}

pub(crate) async fn a_node_without_orchestrations_gets_none(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").runs_nothing().finds_no_instance("it runs none").await
}

pub(crate) async fn latest_goes_to_every_version_until_it_is_resolved(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1").runs("Flow", &["7.7.7"]);
    let a = node.lease_instance("a").await?;
    expect_eq!("the version", a.got.version, None);
    Ok(())
}

pub(crate) async fn the_version_of_the_first_turn_is_kept(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    expect_eq!("the version", fx.info("a").await?.version.as_deref(), Some("1.0.0"));
    fx.event("a", "go", "1").await?;
    fx.node("n2").runs("Flow", &["2.0.0"]).finds_no_instance("it runs as 1.0.0").await?;
    let a = fx.node("n2").runs("Flow", &["1.0.0", "2.0.0"]).lease_instance("a").await?;
    expect_eq!("the version", a.got.version.as_deref(), Some("1.0.0"));
    Ok(())
}

pub(crate) async fn a_version_asked_for_needs_a_node_that_runs_it(fx: &Fixture) -> CheckResult {
    fx.submit("a", start("Flow", Some("2.0.0"))).await?;
    expect_eq!("the version", fx.info("a").await?.version.as_deref(), Some("2.0.0"));
    fx.node("n1").runs("Flow", &["1.0.0", "3.0.0"]).finds_no_instance("not its version").await?;
    let a = fx.node("n1").runs("Flow", &["2.0.0"]).lease_instance("a").await?;
    expect_eq!("the version", a.got.version.as_deref(), Some("2.0.0"));
    Ok(())
}

pub(crate) async fn a_node_that_lost_the_version_may_not_take_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(10).keep_ms(10).commit().await?;
    fx.advance(30).await;
    fx.node("n2").runs("Flow", &["2.0.0"]).finds_no_instance("it runs as 1.0.0").await?;
    fx.node("n2").lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn unknown_flags_keep_a_node_away(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().flags(0b101).admit_all().commit().await?;
    fx.event("a", "go", "1").await?;
    fx.node("n2").finds_no_instance("it knows no flags").await?;
    fx.node("n2").knows_flags(0b1).finds_no_instance("it knows one of two flags").await?;
    let a = fx.node("n2").knows_flags(0b111).lease_instance("a").await?;
    expect_eq!("the flags", a.got.flags.0, 0b101);
    Ok(())
}

pub(crate) async fn a_turn_may_add_a_flag(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().flags(0b10).status(Some("s")).commit().await?;
    fx.event("a", "go", "1").await?;
    fx.node("n2").finds_no_instance("it does not know the new flag").await?;
    let a = fx.node("n2").knows_flags(0b10).lease_instance("a").await?;
    expect_eq!("the flags", a.got.flags.0, 0b10);
    Ok(())
}
