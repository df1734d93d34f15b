//! The custom status and its version.

use super::prelude::*;

pub(crate) async fn a_new_instance_has_no_status(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let info = fx.info("a").await?;
    expect_eq!("the status", info.custom_status, None);
    expect_eq!("its version", info.custom_status_version, 0);
    Ok(())
}

pub(crate) async fn a_status_is_set_by_its_commit(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().status(Some("half \"way\"")).keep().commit().await?;
    let info = fx.info("a").await?;
    expect_eq!("the status", info.custom_status.as_deref(), Some("half \"way\""));
    expect_eq!("its version", info.custom_status_version, 1);
    Ok(())
}

pub(crate) async fn a_reset_clears_the_status_and_raises_its_version(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().status(Some("one")).keep().commit().await?;
    a.turn().status(None).keep().commit().await?;
    let info = fx.info("a").await?;
    expect_eq!("the status", info.custom_status, None);
    expect_eq!("its version", info.custom_status_version, 2);
    Ok(())
}

pub(crate) async fn a_commit_without_status_leaves_it(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().status(Some("one")).keep().commit().await?;
    a.turn().activity("Greet").keep().commit().await?;
    let info = fx.info("a").await?;
    expect_eq!("the status", info.custom_status.as_deref(), Some("one"));
    expect_eq!("its version", info.custom_status_version, 1);
    Ok(())
}

pub(crate) async fn the_same_status_again_raises_its_version(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().status(Some("one")).keep().commit().await?;
    a.turn().status(Some("one")).keep().commit().await?;
    expect_eq!("the version", fx.info("a").await?.custom_status_version, 2);
    Ok(())
}

pub(crate) async fn a_refused_commit_leaves_the_status(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().status(Some("one")).keep().expecting(9).refused().await?;
    expect_eq!("the version", fx.info("a").await?.custom_status_version, 0);
    Ok(())
}

pub(crate) async fn the_status_stays_after_the_end(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().status(Some("last")).complete("1").commit().await?;
    let info = fx.info("a").await?;
    expect_eq!("the status", info.custom_status.as_deref(), Some("last"));
    expect_eq!("its version", info.custom_status_version, 1);
    Ok(())
}

pub(crate) async fn a_base_has_the_status_as_of_the_execution_s_start(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().status(Some("one")).keep().commit().await?;
    let base = a.history().await?.base.unwrap_or_default();
    expect_eq!("the status at its start", base.status, None);
    Ok(())
}
