//! Which activities are for a node: by name and by tag.

use super::prelude::*;
use duroxide_provider::TagFilter;
use std::collections::BTreeSet;

/// An instance with one queued activity without a tag, one `gpu`, one `eu`: #2, #3, #4.
async fn tagged(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").tagged("Greet", "gpu");
    turn.tagged("Greet", "eu").commit().await?;
    Ok(())
}

fn tags(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

async fn events(node: &Node) -> CheckResult<Vec<u64>> {
    Ok(node.tasks(10).await?.iter().map(|t| t.event().0).collect())
}

pub(crate) async fn default_only_takes_what_has_no_tag(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    expect_eq!("leased", events(&fx.node("w").tags(TagFilter::DefaultOnly)).await?, [2]);
    Ok(())
}

pub(crate) async fn any_takes_every_tag(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    expect_eq!("leased", events(&fx.node("w").tags(TagFilter::Any)).await?, [2, 3, 4]);
    Ok(())
}

pub(crate) async fn none_takes_nothing(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    fx.node("w").tags(TagFilter::None).finds_no_activity("it takes no tags").await
}

pub(crate) async fn named_tags_take_only_those(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    let node = fx.node("w").tags(TagFilter::Tags(tags(&["gpu", "us"])));
    expect_eq!("leased", events(&node).await?, [3]);
    Ok(())
}

pub(crate) async fn several_tags_are_taken_together(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    let node = fx.node("w").tags(TagFilter::Tags(tags(&["gpu", "eu"])));
    expect_eq!("leased", events(&node).await?, [3, 4]);
    Ok(())
}

pub(crate) async fn default_and_takes_both(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    let node = fx.node("w").tags(TagFilter::DefaultAnd(tags(&["eu"])));
    expect_eq!("leased", events(&node).await?, [2, 4]);
    Ok(())
}

pub(crate) async fn a_tag_is_given_with_the_activity(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    let leased = fx.node("w").lease_activities(10).await?.activities;
    let got: Vec<_> = leased.iter().map(|a| a.tag.as_deref()).collect();
    expect_eq!("tags", got, [None, Some("gpu"), Some("eu")]);
    Ok(())
}

pub(crate) async fn a_tag_stays_after_a_release(fx: &Fixture) -> CheckResult {
    tagged(fx).await?;
    let node = fx.node("w").tags(TagFilter::Tags(tags(&["gpu"])));
    node.task().await?.release(false, 0).await?;
    expect_eq!("leased again", events(&node).await?, [3]);
    Ok(())
}

pub(crate) async fn a_node_gets_only_names_it_runs(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Unknown").activity("Greet").commit().await?;
    expect_eq!("leased", events(&fx.node("w").works(&["Greet"])).await?, [3]);
    fx.node("w").works(&[]).finds_no_activity("it runs none").await?;
    expect_eq!("leased later", events(&fx.node("w").works(&["Unknown"])).await?, [2]);
    Ok(())
}

pub(crate) async fn work_for_others_blocks_nobody(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = (0..200).fold(a.turn().admit_all(), |turn, _| turn.activity("Unknown"));
    turn.activity("Greet").commit().await?;
    let task = fx.node("w").works(&["Greet"]).task().await?;
    expect_eq!("leased", task.event(), EventId(202));
    Ok(())
}
