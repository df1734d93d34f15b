//! What cannot be decoded is set apart and counted, and blocks nobody.

use super::prelude::*;
use crate::factory::Damage;

pub(crate) async fn an_undecodable_history_is_told_apart(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.waiting("b").await?;
    fx.damage(Damage::History(InstanceKey::new("a"))).await?;
    fx.event("a", "go", "1").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    let read = fx.store().read_history(a.ask_history(1, 10_000)).await;
    expect_matches!("reading it", read, Err(ProviderError::Corrupt { .. }));
    let read = fx.store().history(InstanceKey::new("a"), ExecutionId::FIRST).await;
    expect_matches!("a client reading it", read, Err(ProviderError::Corrupt { .. }));
    fx.event("b", "go", "1").await?;
    let mut b = fx.node("n2").lease_instance("b").await?;
    b.turn().admit_all().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn an_undecodable_history_can_be_terminated(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.damage(Damage::History(InstanceKey::new("a"))).await?;
    fx.terminate("a").await?;
    let mut a = fx.node("n1").runs_nothing().lease_instance("a").await?;
    a.turn().admit_all().terminate("at once").commit().await?;
    ensure!(fx.info("a").await?.state.is_terminal(), "it was terminated");
    Ok(())
}

pub(crate) async fn undecodable_mail_blocks_no_other_instance(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    fx.damage(Damage::Mail(InstanceKey::new("a"))).await?;
    fx.start("b").await?;
    let leased = fx.node("n1").lease(5).await?;
    let has_b = leased.iter().any(|t| t.id() == "b");
    ensure!(has_b, "`b` is to be leased although `a` cannot be decoded");
    ensure!(fx.info("a").await?.quarantined.is_some(), "`a` is expected to be quarantined");
    Ok(())
}

pub(crate) async fn an_undecodable_activity_blocks_no_other(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.damage(Damage::Activities(InstanceKey::new("a"))).await?;
    fx.with_activity("b").await?;
    let tasks = fx.node("w").tasks(1).await?;
    let from: Vec<_> = tasks.iter().map(|t| t.instance.as_str()).collect();
    expect_eq!("whose activity is leased", from, ["b"]);
    Ok(())
}

pub(crate) async fn an_instance_with_undecodable_mail_can_be_terminated(
    fx: &Fixture,
) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    fx.damage(Damage::Mail(InstanceKey::new("a"))).await?;
    fx.node("n1").lease(5).await?;
    fx.terminate("a").await?;
    // By a node that leases it for that, or by the store itself.
    for mut a in fx.node("n1").runs_nothing().lease(5).await? {
        a.turn().admit_all().terminate("at once").commit().await?;
    }
    ensure!(fx.info("a").await?.state.is_terminal(), "it was terminated");
    Ok(())
}

pub(crate) async fn an_undecodable_instance_can_be_deleted(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.event("a", "go", "1").await?;
    for what in [Damage::History, Damage::Mail, Damage::Activities] {
        fx.damage(what(InstanceKey::new("a"))).await?;
    }
    fx.node("n1").lease(5).await?;
    fx.node("w").tasks(5).await?;
    fx.store().delete(InstanceKey::new("a"), true).await?;
    ensure!(fx.find("a").await?.is_none(), "it is gone");
    fx.start("a").await?;
    expect_eq!("the new one's inbox", fx.node("n1").lease_instance("a").await?.inbox(), ["start"]);
    Ok(())
}
