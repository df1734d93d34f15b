//! Rolling upgrades: two builds in processes of their own, with different versions, names
//! and compat flags, on one file and on one server. Each takes what it knows; what no live one
//! knows waits, is told of, and is charged with nothing.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod build;
mod stage;

use build::{Build, LONG, NEWER};
use duroxide_core::{CompatFlags, FailureKind};
use duroxide_tests::PATIENCE;
use stage::{Node, Stage};
use std::time::Duration;

/// Each of these on a file and on a server.
macro_rules! on_each_store {
    ($($test:ident),* $(,)?) => {
        mod on_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Stage::on_file(stringify!($test)).await).await;
            })*
        }

        mod on_server {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Stage::on_server(stringify!($test)).await).await;
            })*
        }
    };
}

on_each_store!(
    each_build_takes_what_it_has_and_what_runs_stays_with_its_version,
    what_no_live_build_has_waits_visibly_is_warned_of_once_and_goes_on_when_one_has,
    what_no_live_build_has_for_too_long_fails_and_is_no_poison,
    what_runs_under_flags_that_a_build_does_not_know_is_never_taken_by_it,
);

/// Wait until a node has logged a line with all of these.
async fn until_logged(stage: &Stage, node: &Node, parts: &[&str]) {
    let look = async {
        while node.logged(parts) == 0 {
            stage.env.sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(stage.env.timeout(PATIENCE, look).await.is_some(), "never logged: {parts:?}");
}

async fn each_build_takes_what_it_has_and_what_runs_stays_with_its_version(stage: Stage) {
    let old = stage.node(Build::Old, LONG);
    stage.start("before", "Release", None).await;
    stage.waits("before").await;
    let new = stage.node(Build::New, LONG);
    stage.start("new", "Release", Some("2.0.0")).await;
    stage.start("old", "Release", Some("1.0.0")).await;
    stage.start("parade", "Parade", None).await;
    let latest: Vec<String> = (0..10).map(|n| format!("latest-{n}")).collect();
    for id in &latest {
        stage.start(id, "Release", None).await;
    }
    for id in ["before", "new", "old", "parade"].into_iter().chain(latest.iter().map(|id| &**id)) {
        stage.waits(id).await;
        stage.go(id).await;
    }
    for (id, version) in
        [("before", "1.0.0"), ("old", "1.0.0"), ("new", "2.0.0"), ("parade", "1.0.0")]
    {
        let (_, last) = stage.ran(id).await;
        assert_eq!(stage.version(id).await, version, "{id}");
        let announced = ["new", "parade"].contains(&id);
        assert!(!announced || last == new.pid(), "{id}: only the new build has that activity");
    }
    for id in &latest {
        // Whoever took it first said what is the latest; from then on it is that.
        let (_, last) = stage.ran(id).await;
        match stage.version(id).await.as_str() {
            "1.0.0" => assert!([old.pid(), new.pid()].contains(&last)),
            "2.0.0" => assert_eq!(last, new.pid(), "{id}"),
            other => panic!("{id}: {other}"),
        }
    }
    old.kill();
    stage.start("after", "Release", None).await;
    stage.go("after").await;
    assert_eq!(stage.ran("after").await, (new.pid(), new.pid()));
    assert_eq!(stage.version("after").await, "2.0.0");
}

async fn what_no_live_build_has_waits_visibly_is_warned_of_once_and_goes_on_when_one_has(
    stage: Stage,
) {
    let old = stage.node(Build::Old, LONG);
    for id in ["one", "two"] {
        stage.start(id, "Release", None).await;
        stage.waits(id).await;
    }
    old.kill();
    let new = stage.node(Build::New, LONG);
    for id in ["one", "two"] {
        stage.go(id).await;
        let said = stage.nobody_takes(id).await;
        assert!(said.contains("orchestration 'Release' (version 1.0.0)"), "{said}");
    }
    let warning = ["WARN", "orchestration `Release@1.0.0` is not registered here"];
    until_logged(&stage, &new, &warning).await;
    // Others are served meanwhile, and asking again and again charges nothing.
    for n in 0..5 {
        let id = format!("parade-{n}");
        stage.start(&id, "Parade", None).await;
        stage.go(&id).await;
        stage.ran(&id).await;
    }
    assert_eq!(new.logged(&warning), 1);
    let back = stage.node(Build::Old, LONG);
    for id in ["one", "two"] {
        let (first, last) = stage.ran(id).await;
        assert!(first != back.pid() && [back.pid(), new.pid()].contains(&last));
        assert_eq!(stage.version(id).await, "1.0.0");
    }
}

async fn what_no_live_build_has_for_too_long_fails_and_is_no_poison(stage: Stage) {
    let old = stage.node(Build::Old, LONG);
    stage.start("left", "Release", None).await;
    stage.waits("left").await;
    old.kill();
    stage.go("left").await;
    let _new = stage.node(Build::New, Duration::from_millis(1_500));
    stage.start("never", "Procession", None).await;
    stage.start("nowhere", "Release", Some("3.0.0")).await;
    for (id, shown, nearest) in [
        ("left", "Release@1.0.0", "Release@2.0.0"),
        ("never", "Procession", "Parade@1.0.0"),
        ("nowhere", "Release@3.0.0", "Release@2.0.0"),
    ] {
        let failure = stage.failure(id).await;
        assert_eq!(failure.kind, FailureKind::Unregistered, "{failure:?}");
        let said = format!("no running node has registered orchestration `{shown}`");
        assert!(failure.message.starts_with(&said), "{failure}");
        assert!(failure.message.contains(&format!("`{nearest}`")), "{failure}");
    }
    stage.start("next", "Release", None).await;
    stage.go("next").await;
    stage.ran("next").await;
}

async fn what_runs_under_flags_that_a_build_does_not_know_is_never_taken_by_it(stage: Stage) {
    let new = stage.node(Build::New, LONG);
    stage.start("newer", "Shared", None).await;
    stage.waits("newer").await;
    assert_eq!(stage.flags("newer").await, NEWER);
    // Nor by the way in which what waited too long is failed.
    stage.start("parade", "Parade", None).await;
    stage.waits("parade").await;
    new.kill();
    // The old build has the name and the version; what it would give up, it would at once.
    let old = stage.node(Build::Old, Duration::from_millis(100));
    stage.start("older", "Shared", None).await;
    stage.waits("older").await;
    assert_eq!(stage.flags("older").await, CompatFlags::KNOWN);
    stage.go("newer").await;
    stage.go("parade").await;
    let said = stage.nobody_takes("newer").await;
    assert!(said.contains("'Shared' (version 1.0.0)"), "{said}");
    until_logged(&stage, &old, &["WARN", "orchestration `Parade@1.0.0` is not registered here"])
        .await;
    for n in 0..5 {
        let id = format!("old-{n}");
        stage.start(&id, "Release", None).await;
        stage.go(&id).await;
        assert_eq!(stage.ran(&id).await, (old.pid(), old.pid()));
    }
    let depths = stage.store.depths().await.unwrap();
    assert_eq!(depths.orchestrations, 2, "they are ready, and held by nobody");
    assert_eq!(old.logged(&["orchestration `Shared"]), 0, "its name is no riddle");

    // The new build takes both: it knows what the old one does.
    let back = stage.node(Build::New, LONG);
    assert_eq!(stage.ran("parade").await.1, back.pid());
    let (_, last) = stage.ran("newer").await;
    assert!([old.pid(), back.pid()].contains(&last), "an activity has no flags");
    old.kill();
    stage.go("older").await;
    assert_eq!(stage.ran("older").await.1, back.pid());
    assert_eq!(stage.flags("older").await, CompatFlags::KNOWN, "it runs as it began");
}
