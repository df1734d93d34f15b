//! Key-value pairs: as the latest commit left them, and as of the execution's start.

use super::prelude::*;

fn kv(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

pub(crate) async fn a_key_is_set_and_overwritten(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "1").keep().commit().await?;
    expect_eq!("the keys", fx.kv("a").await?, kv(&[("k", "1")]));
    a.turn().set("k", "2").keep().commit().await?;
    expect_eq!("the keys", fx.kv("a").await?, kv(&[("k", "2")]));
    Ok(())
}

pub(crate) async fn a_key_is_cleared(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "1").set("l", "2").keep().commit().await?;
    a.turn().clear("k").clear("never there").keep().commit().await?;
    expect_eq!("the keys", fx.kv("a").await?, kv(&[("l", "2")]));
    Ok(())
}

pub(crate) async fn every_key_is_cleared(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "1").set("l", "2").keep().commit().await?;
    a.turn().clear_all().keep().commit().await?;
    expect_eq!("the keys", fx.kv("a").await?, []);
    Ok(())
}

pub(crate) async fn changes_are_made_in_their_order(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "1").set("gone", "1").keep().commit().await?;
    let turn = a.turn().set("x", "1").clear_all().set("k", "2").clear("k").set("k", "3");
    turn.set("l", "1").clear("l").keep().commit().await?;
    expect_eq!("the keys", fx.kv("a").await?, kv(&[("k", "3")]));
    Ok(())
}

pub(crate) async fn keys_are_given_in_their_order(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("b", "1").set("a", "2").set("B", "3").set("", "4").keep().commit().await?;
    let want = kv(&[("", "4"), ("B", "3"), ("a", "2"), ("b", "1")]);
    expect_eq!("the keys", fx.kv("a").await?, want);
    Ok(())
}

pub(crate) async fn instances_have_keys_of_their_own(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let mut b = fx.begun("b").await?;
    a.turn().set("k", "a").keep().commit().await?;
    b.turn().set("k", "b").keep().commit().await?;
    a.turn().clear_all().keep().commit().await?;
    expect_eq!("the keys of a", fx.kv("a").await?, []);
    expect_eq!("the keys of b", fx.kv("b").await?, kv(&[("k", "b")]));
    Ok(())
}

pub(crate) async fn a_base_hides_what_this_execution_wrote(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().set("k", "1").set("gone", "1").continue_as_new().keep().commit().await?;
    let turn = a.turn().admit_all().set("k", "2").set("new", "2").clear("gone");
    turn.keep().commit().await?;
    let base = a.history().await?.base.unwrap_or_default();
    expect_eq!("the keys at its start", pairs(&base.kv), kv(&[("gone", "1"), ("k", "1")]));
    expect_eq!("the keys now", fx.kv("a").await?, kv(&[("k", "2"), ("new", "2")]));
    Ok(())
}

pub(crate) async fn a_first_execution_has_an_empty_base(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "1").keep().commit().await?;
    let base = a.history().await?.base;
    ensure!(base.is_some(), "the first page is expected to give the base");
    expect_eq!("the keys at its start", base.unwrap_or_default().kv, []);
    Ok(())
}

pub(crate) async fn a_base_hides_a_clear_of_all_of_this_execution(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().set("k", "1").set("l", "1").continue_as_new().keep().commit().await?;
    a.turn().admit_all().clear_all().set("l", "2").keep().commit().await?;
    let base = a.history().await?.base.unwrap_or_default();
    expect_eq!("the keys at its start", pairs(&base.kv), kv(&[("k", "1"), ("l", "1")]));
    expect_eq!("the keys now", fx.kv("a").await?, kv(&[("l", "2")]));
    Ok(())
}

pub(crate) async fn a_base_unites_all_earlier_executions(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().set("a", "1").set("b", "1").continue_as_new().keep().commit().await?;
    a.turn().admit_all().set("b", "2").set("c", "2").continue_as_new().keep().commit().await?;
    let base = a.history().await?.base.unwrap_or_default();
    expect_eq!("the keys", pairs(&base.kv), kv(&[("a", "1"), ("b", "2"), ("c", "2")]));
    Ok(())
}

pub(crate) async fn a_key_keeps_the_time_of_its_writing(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let request = a.turn().set("k", "1").keep().build();
    let want = request.turn.kv.iter().find_map(|change| match change {
        duroxide_core::KvChange::Set { at, .. } => Some(*at),
        duroxide_core::KvChange::Clear { .. } | duroxide_core::KvChange::ClearAll => None,
    });
    a.apply(&request).await?;
    fx.advance(5).await;
    a.turn().set("l", "1").keep().commit().await?;
    let entries = fx.store().kv(InstanceKey::new("a")).await?;
    expect_eq!("the time", entries.first().map(|e| e.updated_at), want);
    Ok(())
}

pub(crate) async fn values_may_be_empty_and_large_and_odd(fx: &Fixture) -> CheckResult {
    let large = "x".repeat(64 << 10);
    let mut a = fx.begun("a").await?;
    a.turn().set("a b/ü'\"%", "").set("large", &large).set("z", "日本\n\0").keep().commit().await?;
    let want = kv(&[("a b/ü'\"%", ""), ("large", &large), ("z", "日本\n\0")]);
    ensure!(fx.kv("a").await? == want, "the values are expected as they were set");
    Ok(())
}

pub(crate) async fn keys_stay_after_the_end(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "1").keep().commit().await?;
    a.turn().set("l", "2").complete("1").commit().await?;
    expect_eq!("the keys", fx.kv("a").await?, kv(&[("k", "1"), ("l", "2")]));
    Ok(())
}

pub(crate) async fn an_unknown_instance_has_no_keys(fx: &Fixture) -> CheckResult {
    expect_eq!("the keys", fx.kv("ghost").await?, []);
    Ok(())
}
