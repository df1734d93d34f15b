//! Many at once: each thing is given to one, each request applied once, nothing is lost.

use super::prelude::*;
use futures_util::future::{join, join_all};
use std::collections::BTreeSet;

pub(crate) async fn many_nodes_lease_each_instance_once(fx: &Fixture) -> CheckResult {
    for n in 0..50 {
        fx.start(&format!("i{n}")).await?;
    }
    let nodes: Vec<_> = (0..10).map(|n| fx.node(&format!("n{n}"))).collect();
    let drain = |node: Node| async move {
        let mut got = Vec::new();
        loop {
            let leased = node.lease(3).await?;
            if leased.is_empty() {
                return Ok::<_, crate::Stop>(got);
            }
            got.extend(leased.iter().map(|t| t.id().to_owned()));
        }
    };
    let mut all = Vec::new();
    for got in join_all(nodes.into_iter().map(drain)).await {
        all.extend(got?);
    }
    let distinct: BTreeSet<_> = all.iter().collect();
    expect_eq!("leases given", all.len(), 50);
    expect_eq!("instances leased", distinct.len(), 50);
    Ok(())
}

pub(crate) async fn many_workers_lease_each_activity_once(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    (0..60).fold(a.turn().admit_all(), |turn, _| turn.activity("Greet")).commit().await?;
    let nodes: Vec<_> = (0..20).map(|n| fx.node(&format!("w{n}"))).collect();
    let mut events = Vec::new();
    for tasks in join_all(nodes.iter().map(|node| node.tasks(6))).await {
        events.extend(tasks?.iter().map(Task::event));
    }
    let distinct: BTreeSet<_> = events.iter().collect();
    expect_eq!("leases given", events.len(), 60);
    expect_eq!("activities leased", distinct.len(), 60);
    Ok(())
}

pub(crate) async fn of_many_commits_on_one_base_one_is_applied(fx: &Fixture) -> CheckResult {
    let a = fx.begun("a").await?;
    let requests: Vec<_> =
        (0..10).map(|n| a.clone().turn().set("k", &n.to_string()).keep().build()).collect();
    let sent = requests.into_iter().map(|request| fx.store().commit_turn(request));
    let mut applied = 0;
    for outcome in join_all(sent).await {
        match outcome? {
            CommitOutcome::Applied(_) => applied += 1,
            CommitOutcome::Refused(why) => {
                expect_eq!("a refusal", why, CommitRefusal::Conflict);
            }
        }
    }
    expect_eq!("commits applied", applied, 1);
    expect_eq!("events", fx.events("a", 1).await?.len(), 2);
    Ok(())
}

pub(crate) async fn the_same_commit_many_times_is_applied_once(fx: &Fixture) -> CheckResult {
    let a = fx.begun("a").await?;
    let request = a.clone().turn().activity("Greet").status(Some("s")).keep().build();
    let sent = (0..10).map(|_| fx.store().commit_turn(request.clone()));
    for outcome in join_all(sent).await {
        expect_matches!("an answer", outcome?, CommitOutcome::Applied(_));
    }
    expect_eq!("events", fx.events("a", 1).await?.len(), 3);
    expect_eq!("the status version", fx.info("a").await?.custom_status_version, 1);
    expect_eq!("activities", fx.store().depths().await?.activities, 1);
    Ok(())
}

pub(crate) async fn commits_of_many_instances_do_not_disturb_each_other(
    fx: &Fixture,
) -> CheckResult {
    let mut tenures = Vec::new();
    for n in 0..30 {
        tenures.push(fx.begun(&format!("i{n}")).await?);
    }
    // Every third commit is a bad one: its failure must be its own.
    let commit = |(n, tenure): (usize, &mut Tenure)| {
        let turn = tenure.turn().set("k", &n.to_string()).keep();
        if n % 3 == 0 { turn.expecting(9).build() } else { turn.build() }
    };
    let requests: Vec<_> = tenures.iter_mut().enumerate().map(commit).collect();
    let sent = requests.into_iter().map(|request| fx.store().commit_turn(request));
    for (n, outcome) in join_all(sent).await.into_iter().enumerate() {
        let applied = matches!(outcome?, CommitOutcome::Applied(_));
        expect_eq!(format!("commit {n} applied"), applied, n % 3 != 0);
        let keys = usize::from(n % 3 != 0);
        expect_eq!(format!("keys of i{n}"), fx.kv(&format!("i{n}")).await?.len(), keys);
    }
    Ok(())
}

pub(crate) async fn of_many_starts_of_one_id_one_creates(fx: &Fixture) -> CheckResult {
    let sent = (0..10).map(|_| fx.submit("a", start("Flow", None)));
    let mut created = 0;
    for submitted in join_all(sent).await {
        match submitted? {
            Submitted::Created => created += 1,
            Submitted::AlreadyExists => {}
            other @ (Submitted::Accepted | Submitted::Ended | Submitted::NotFound) => {
                return Err(crate::Stop::Failed(format!("a start was answered {other:?}")));
            }
        }
    }
    expect_eq!("starts that created", created, 1);
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn many_events_at_once_all_arrive_once(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let data: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    for sent in join_all(data.iter().map(|d| fx.event("a", "go", d))).await {
        sent?;
    }
    let mut got = BTreeSet::new();
    let mut count = 0;
    while let Some(mut a) = fx.node("n2").lease(1).await?.pop() {
        count += a.arrivals.len();
        got.extend(a.inbox());
        a.turn().admit_all().commit().await?;
    }
    expect_eq!("arrivals", count, 40);
    expect_eq!("distinct ones", got.len(), 40);
    Ok(())
}

pub(crate) async fn of_many_completions_of_one_activity_one_counts(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    let mut applied = 0;
    for fate in join_all((0..8).map(|_| task.complete("1"))).await {
        match fate? {
            ActivityFate::Applied => applied += 1,
            ActivityFate::Gone => {}
            ActivityFate::LeaseLost => {
                return Err(crate::Stop::Failed("the holder lost its lease".to_owned()));
            }
        }
    }
    expect_eq!("completions that counted", applied, 1);
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["done #2 ok 1"]);
    Ok(())
}

pub(crate) async fn mail_during_commits_is_never_lost(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let sending = async {
        for n in 0..40 {
            fx.event("a", "go", &n.to_string()).await?;
        }
        Ok::<_, crate::Stop>(())
    };
    let taking = async {
        let mut got = Vec::new();
        let mut idle = 0;
        while got.len() < 40 && idle < 2_000 {
            let Some(mut a) = fx.node("n2").lease(1).await?.pop() else {
                idle += 1;
                fx.advance(1).await;
                continue;
            };
            got.extend(a.inbox());
            a.turn().admit_all().commit().await?;
        }
        Ok::<_, crate::Stop>(got)
    };
    let (sent, got) = futures_util::future::join(sending, taking).await;
    sent?;
    let want: Vec<_> = (0..40).map(|n| format!("event go {n}")).collect();
    expect_eq!("all that arrived", got?, want);
    Ok(())
}

pub(crate) async fn two_instances_starting_each_other_s_children_do_not_block(
    fx: &Fixture,
) -> CheckResult {
    let mut requests = Vec::new();
    for n in 0..10 {
        let mut p = fx.begun(&format!("p{n}")).await?;
        let turn = p.turn().child("Child", "c1").child("Child", "c2");
        let turn =
            if n % 2 == 0 { turn } else { p.turn().child("Child", "c2").child("Child", "c1") };
        requests.push(turn.keep().build());
    }
    let sent = requests.into_iter().map(|request| fx.store().commit_turn(request));
    let outcomes = fx.soon("commits that cross", join_all(sent)).await?;
    let mut refused = 0;
    for outcome in outcomes {
        match outcome? {
            CommitOutcome::Applied(applied) => refused += applied.arrivals.len(),
            CommitOutcome::Refused(why) => {
                return Err(crate::Stop::Failed(format!("a commit was refused: {why}")));
            }
        }
    }
    expect_eq!("children refused", refused, 18);
    Ok(())
}

pub(crate) async fn parents_and_children_that_end_at_once_do_not_block(
    fx: &Fixture,
) -> CheckResult {
    let mut requests = Vec::new();
    for n in 0..8 {
        let mut parent = fx.family(&format!("p{n}")).await?;
        let mut child = fx.node("n2").lease_instance(&format!("p{n}-child")).await?;
        // The child tells its parent, the parent cancels its child.
        requests.push(parent.turn().complete("1").build());
        requests.push(child.turn().admit_all().complete("5").build());
    }
    let sent = requests.into_iter().map(|request| fx.store().commit_turn(request));
    for outcome in fx.soon("ends that cross", join_all(sent)).await? {
        expect_matches!("an answer", outcome?, CommitOutcome::Applied(_));
    }
    expect_eq!("instances that run", fx.store().metrics().await?.running, 0);
    fx.node("n3").finds_no_instance("all have ended").await
}

pub(crate) async fn of_a_commit_and_a_take_over_at_once_one_counts(fx: &Fixture) -> CheckResult {
    for n in 0..10 {
        let id = format!("i{n}");
        fx.start(&id).await?;
        let mut late = fx.node("n1").lease_ms(10).lease_instance(&id).await?;
        fx.advance(20).await;
        let request = late.turn().admit_all().complete("1").build();
        let node = fx.node("n2");
        let (taken, committed) = join(node.lease(1), fx.store().commit_turn(request)).await;
        let (taken, applied) = (taken?.len(), matches!(committed?, CommitOutcome::Applied(_)));
        ensure!(
            (taken == 0) == applied,
            "take-overs: {taken}, and the commit of the former holder applied: {applied}"
        );
    }
    Ok(())
}

pub(crate) async fn of_a_completion_and_a_commit_that_fuses_it_one_counts(
    fx: &Fixture,
) -> CheckResult {
    for n in 0..10 {
        let mut a = fx.begun(&format!("i{n}")).await?;
        a.turn().activity("Greet").keep().commit().await?;
        let task = fx.node("n1").task().await?;
        let request = a.turn().finishing(&task, "1").keep().build();
        let (fate, committed) = join(task.complete("1"), fx.store().commit_turn(request)).await;
        let (applied, fused) =
            (fate? == ActivityFate::Applied, matches!(committed?, CommitOutcome::Applied(_)));
        ensure!(applied != fused, "completed on its own: {applied}, with the commit: {fused}");
        a.release(true, 0).await?;
        let mail = fx.node("n2").lease(1).await?.len();
        expect_eq!("instances with a message", mail, usize::from(applied));
    }
    Ok(())
}

pub(crate) async fn a_deletion_and_a_commit_at_once_leave_nothing_behind(
    fx: &Fixture,
) -> CheckResult {
    for n in 0..10 {
        let id = format!("i{n}");
        fx.start(&id).await?;
        let mut a = fx.node("n1").lease_instance(&id).await?;
        let turn = a.turn().admit_all().activity("Greet").child("Child", &format!("c{n}"));
        let request = turn.timer(600_000).set("k", "v").keep().build();
        let deleting = fx.store().delete(InstanceKey::new(id.as_str()), true);
        let (deleted, committed) = join(deleting, fx.store().commit_turn(request)).await;
        deleted?;
        expect_matches!(
            "the commit",
            committed?,
            CommitOutcome::Applied(_) | CommitOutcome::Refused(CommitRefusal::Gone)
        );
        expect_eq!("keys left", fx.kv(&id).await?, []);
    }
    let depths = fx.store().depths().await?;
    expect_eq!("what waits", depths, duroxide_provider::QueueDepths::default());
    expect_eq!("instances left", fx.store().metrics().await?.instances, 0);
    Ok(())
}

pub(crate) async fn of_a_client_s_start_and_a_parent_s_one_creates(fx: &Fixture) -> CheckResult {
    for n in 0..10 {
        let (id, child) = (format!("p{n}"), format!("c{n}"));
        let mut parent = fx.begun(&id).await?;
        let request = parent.turn().child("Child", &child).keep().build();
        let starting = fx.submit(&child, start("Flow", None));
        let (started, committed) = join(starting, fx.store().commit_turn(request)).await;
        let CommitOutcome::Applied(applied) = committed? else {
            return Err(crate::Stop::Failed("the parent's commit was refused".to_owned()));
        };
        let (client, parent) = (started? == Submitted::Created, applied.arrivals.is_empty());
        ensure!(client != parent, "created by the client: {client}, by the parent: {parent}");
        let name = if client { "Flow" } else { "Child" };
        expect_eq!("the name", fx.info(&child).await?.name, name);
        fx.node("n2").lease_instance(&child).await?;
    }
    Ok(())
}
