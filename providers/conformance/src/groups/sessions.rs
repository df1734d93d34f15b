//! Sessions: their activities go to one node, which changes only when it is idle or newer.

use super::prelude::*;

/// An instance with so many queued activities of one session.
async fn in_session(fx: &Fixture, id: &str, session: &str, count: usize) -> CheckResult {
    fx.start(id).await?;
    let mut a = fx.node("n1").lease_instance(id).await?;
    let turn = (0..count).fold(a.turn().admit_all(), |turn, _| turn.in_session("Greet", session));
    turn.commit().await?;
    Ok(())
}

/// Let an instance take what has arrived.
async fn settle(fx: &Fixture, id: &str) -> CheckResult {
    let mut a = fx.node("n1").lease_instance(id).await?;
    a.turn().admit_all().commit().await?;
    Ok(())
}

pub(crate) async fn a_session_belongs_to_the_node_that_took_it_first(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 3).await?;
    expect_eq!("leased", fx.node("w1").tasks(1).await?.len(), 1);
    fx.node("w2").finds_no_activity("the session is w1's").await?;
    expect_eq!("left for w1", fx.node("w1").tasks(5).await?.len(), 2);
    Ok(())
}

pub(crate) async fn a_session_stays_with_its_node_between_activities(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w1").task().await?.complete("1").await?;
    settle(fx, "a").await?;
    in_session(fx, "b", "s", 1).await?;
    fx.node("w2").finds_no_activity("the session is w1's").await?;
    fx.node("w1").task().await?;
    Ok(())
}

pub(crate) async fn sessions_go_to_different_nodes(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s1", 2).await?;
    in_session(fx, "b", "s2", 2).await?;
    let first = fx.node("w1").sessions(1, 600_000).tasks(10).await?;
    let second = fx.node("w2").sessions(1, 600_000).tasks(10).await?;
    let of = |tasks: &[Task]| tasks.iter().map(|t| t.instance.clone()).collect::<Vec<_>>();
    expect_eq!("w1's", of(&first), ["a", "a"]);
    expect_eq!("w2's", of(&second), ["b", "b"]);
    Ok(())
}

pub(crate) async fn a_node_owns_no_more_sessions_than_its_limit(fx: &Fixture) -> CheckResult {
    for (id, session) in [("a", "s1"), ("b", "s2"), ("c", "s3")] {
        in_session(fx, id, session, 1).await?;
    }
    let node = fx.node("w1").sessions(2, 600_000);
    expect_eq!("leased", node.tasks(10).await?.len(), 2);
    node.finds_no_activity("the node owns as many sessions as it may").await?;
    fx.node("w2").task().await?;
    Ok(())
}

pub(crate) async fn a_full_node_still_gets_what_its_sessions_bring(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s1", 1).await?;
    let node = fx.node("w1").sessions(1, 600_000);
    node.task().await?;
    in_session(fx, "b", "s2", 1).await?;
    in_session(fx, "c", "s1", 1).await?;
    expect_eq!("whose activity", node.task().await?.instance.as_str(), "c");
    Ok(())
}

pub(crate) async fn a_node_without_sessions_gets_plain_activities(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.with_activity("b").await?;
    let task = fx.node("w1").sessions(0, 600_000).task().await?;
    expect_eq!("whose activity", task.instance.as_str(), "b");
    Ok(())
}

pub(crate) async fn plain_activities_go_to_every_node(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w1").task().await?;
    fx.with_activity("b").await?;
    fx.node("w2").task().await?;
    Ok(())
}

pub(crate) async fn an_idle_session_moves(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w1").sessions(10, 20).task().await?.complete("1").await?;
    settle(fx, "a").await?;
    in_session(fx, "b", "s", 1).await?;
    fx.advance(40).await;
    fx.node("w2").sessions(10, 20).task().await?;
    Ok(())
}

pub(crate) async fn a_session_that_may_not_idle_is_free_when_its_work_ends(
    fx: &Fixture,
) -> CheckResult {
    in_session(fx, "a", "s", 2).await?;
    fx.node("w1").sessions(10, 0).one_task().await?.complete("1").await?;
    fx.node("w2").sessions(10, 0).task().await?.release(true, 0).await?;
    fx.node("w3").task().await?;
    Ok(())
}

pub(crate) async fn a_session_keeps_the_longest_idle_time_its_node_asked_for(
    fx: &Fixture,
) -> CheckResult {
    in_session(fx, "a", "s", 3).await?;
    for idle_ms in [600_000, 0] {
        fx.node("w1").sessions(10, idle_ms).one_task().await?.complete("1").await?;
    }
    fx.node("w2").finds_no_activity("the session is w1's").await?;
    Ok(())
}

pub(crate) async fn a_session_does_not_move_while_its_activity_runs(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 2).await?;
    let running = fx.node("w1").sessions(10, 20).one_task().await?;
    fx.advance(40).await;
    fx.node("w2").sessions(10, 20).finds_no_activity("w1 runs one of it").await?;
    expect_eq!("the running one", running.complete("1").await?, ActivityFate::Applied);
    Ok(())
}

pub(crate) async fn a_newer_run_of_a_node_takes_its_sessions(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 3).await?;
    fx.node("w").run(1).tasks(1).await?;
    expect_eq!("the newer run's", fx.node("w").run(2).tasks(1).await?.len(), 1);
    fx.node("w").run(1).finds_no_activity("a newer run owns the session").await?;
    expect_eq!("the newer run's", fx.node("w").run(2).tasks(5).await?.len(), 1);
    Ok(())
}

pub(crate) async fn an_older_run_may_take_an_idle_session(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w").run(2).sessions(10, 20).task().await?.complete("1").await?;
    settle(fx, "a").await?;
    in_session(fx, "b", "s", 1).await?;
    fx.advance(40).await;
    fx.node("w").run(1).task().await?;
    Ok(())
}

pub(crate) async fn a_session_moves_when_its_owner_lets_a_lease_run_out(
    fx: &Fixture,
) -> CheckResult {
    in_session(fx, "a", "s", 2).await?;
    fx.node("w1").lease_ms(10).one_task().await?;
    fx.advance(30).await;
    expect_eq!("w2's", fx.node("w2").tasks(5).await?.len(), 2);
    Ok(())
}

pub(crate) async fn a_session_moves_when_its_owner_lets_a_claim_run_out(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let turn = a.turn().admit_all().in_session("Greet", "s").in_session("Greet", "s");
    let claim = node.lease_ms(10).claim(1);
    expect_eq!("claims", turn.keep().claim(claim).commit().await?.claimed.len(), 1);
    fx.advance(30).await;
    expect_eq!("w2's", fx.node("w2").tasks(5).await?.len(), 2);
    Ok(())
}

pub(crate) async fn an_earlier_owner_s_lease_that_runs_out_takes_no_session_from_its_owner(
    fx: &Fixture,
) -> CheckResult {
    in_session(fx, "a", "s", 3).await?;
    let late = fx.node("w1").one_task().await?;
    fx.node("w1").lease_ms(10).one_task().await?;
    fx.advance(30).await;
    fx.node("w2").one_task().await?;
    expect_eq!("what w1 still has", late.renew(10).await?, LeaseState::Held);
    fx.advance(30).await;
    fx.node("w3").finds_no_activity("the session is w2's, which lives").await?;
    let attempts: Vec<_> = fx.node("w2").tasks(5).await?.iter().map(|t| t.attempt).collect();
    expect_eq!("w2's attempts", attempts, [2, 1]);
    expect_eq!("the late completion", late.complete("1").await?, ActivityFate::LeaseLost);
    Ok(())
}

pub(crate) async fn an_older_run_s_lease_that_runs_out_takes_no_session_from_the_newer(
    fx: &Fixture,
) -> CheckResult {
    in_session(fx, "a", "s", 3).await?;
    let late = fx.node("w").run(1).one_task().await?;
    fx.node("w").run(2).one_task().await?;
    expect_eq!("what the older run still has", late.renew(10).await?, LeaseState::Held);
    fx.advance(30).await;
    fx.node("w2").finds_no_activity("the session is the newer run's, which lives").await?;
    expect_eq!("the newer run's", fx.node("w").run(2).tasks(5).await?.len(), 2);
    Ok(())
}

pub(crate) async fn a_released_activity_stays_in_its_session(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w1").task().await?.release(false, 0).await?;
    fx.node("w2").finds_no_activity("the session is w1's").await?;
    expect_eq!("the attempt", fx.node("w1").task().await?.attempt, 2);
    Ok(())
}

pub(crate) async fn an_expired_activity_goes_back_to_the_node_of_its_session(
    fx: &Fixture,
) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    let late = fx.node("w1").lease_ms(10).task().await?;
    fx.advance(30).await;
    let again = fx.node("w1").task().await?;
    expect_eq!("the attempt", again.attempt, 2);
    expect_eq!("the late completion", late.complete("1").await?, ActivityFate::LeaseLost);
    Ok(())
}

pub(crate) async fn activities_of_a_session_are_leased_oldest_first(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 4).await?;
    let events: Vec<_> = fx.node("w").tasks(10).await?.iter().map(|t| t.event().0).collect();
    expect_eq!("the events", events, [2, 3, 4, 5]);
    Ok(())
}

pub(crate) async fn instances_share_a_session_by_its_name(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w1").task().await?;
    in_session(fx, "b", "s", 1).await?;
    fx.node("w2").finds_no_activity("the session is w1's").await?;
    expect_eq!("whose activity", fx.node("w1").task().await?.instance.as_str(), "b");
    Ok(())
}

pub(crate) async fn a_session_outlives_the_execution(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w1").task().await?.complete("1").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().continue_as_new().keep().commit().await?;
    a.turn().admit_all().in_session("Greet", "s").commit().await?;
    fx.node("w2").finds_no_activity("the session is w1's").await?;
    fx.node("w1").task().await?;
    Ok(())
}

pub(crate) async fn a_claim_takes_the_session(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let turn = a.turn().admit_all().in_session("Greet", "s").in_session("Greet", "s");
    let applied = turn.keep().claim(node.claim(1)).commit().await?;
    expect_eq!("claims", applied.claimed.len(), 1);
    fx.node("n2").finds_no_activity("the session is n1's").await?;
    node.task().await?;
    Ok(())
}

pub(crate) async fn a_claim_respects_the_session_s_node(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 1).await?;
    fx.node("w1").task().await?;
    fx.start("b").await?;
    let node = fx.node("n1");
    let mut b = node.lease_instance("b").await?;
    let turn = b.turn().admit_all().in_session("Greet", "s").keep().claim(node.claim(5));
    expect_eq!("claims", turn.commit().await?.claimed, []);
    fx.node("w1").task().await?;
    Ok(())
}

pub(crate) async fn a_session_is_claimed_by_one_of_many(fx: &Fixture) -> CheckResult {
    in_session(fx, "a", "s", 8).await?;
    let nodes: Vec<_> = (0..8).map(|n| fx.node(&format!("w{n}"))).collect();
    let leased = futures_util::future::join_all(nodes.iter().map(|node| node.tasks(1))).await;
    let mut owners = 0;
    for tasks in leased {
        owners += tasks?.len();
    }
    expect_eq!("nodes that got an activity of the session", owners, 1);
    Ok(())
}
