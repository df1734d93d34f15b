//! `join` and `select`: order of scheduling, losers, nesting, and branches that are whole
//! blocks of code; and what dropping futures does.

use duroxide_core::{Failure, render};
use duroxide_sdk::testing::ByHand;
use duroxide_sdk::{OneOf2, OneOf3, OrchestrationContext, OrchestrationError, Registry};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

macro_rules! it {
    ($code:expr) => {
        Registry::builder().register_orchestration("It", $code).build().unwrap()
    };
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_join_keeps_the_order_of_its_branches_whatever_completes_first() {
    let registry = it!(|ctx: OrchestrationContext, names: Vec<String>| async move {
        let calls: Vec<_> = names.iter().map(|name| ctx.activity::<u32>(name, &())).collect();
        ctx.join(calls).await.into_iter().collect::<Result<Vec<_>, _>>()
    });
    let mut run = ByHand::start(&registry, "It", &["A", "B", "C"]);
    run.turn();
    assert_eq!(run.open_activities(), ["A", "B", "C"]);
    run.activity_completes("C", &3).turn();
    run.evict().activity_completes("A", &1).activity_completes("B", &2).turn();
    assert_eq!(run.output::<Vec<u32>>(), Ok(vec![1, 2, 3]));
}

#[test]
fn a_failed_branch_leaves_the_others_of_a_join_alone() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let (a, b) = ctx.join((ctx.activity::<u32>("A", &()), ctx.activity::<u32>("B", &()))).await;
        Ok::<_, OrchestrationError>((a.map_err(|e| e.to_string()), b.map_err(|e| e.to_string())))
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.activity_fails("A", "broke").turn();
    run.activity_completes("B", &2).turn();
    assert_eq!(
        run.output::<(Result<u32, String>, Result<u32, String>)>(),
        Ok((Err("broke".into()), Ok(2)))
    );
}

#[test]
fn the_losers_of_a_select_are_cancelled_and_their_late_results_ignored() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let race =
            (ctx.activity::<String>("Slow", &()), ctx.wait_event::<String>("e"), ctx.timer(HOUR));
        match ctx.select(race).await {
            OneOf3::First(answer) | OneOf3::Second(answer) => answer,
            OneOf3::Third(fired) => {
                fired?;
                ctx.wait_event("e").await
            }
        }
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.timer_fires();
    // The event comes in the same turn behind the timer: its wait has lost by then.
    run.raise("e", &"kept for the next wait").turn();
    assert_eq!(run.output::<String>(), Ok("kept for the next wait".to_owned()));
    assert_eq!(
        run.kinds()[5..],
        [
            "ActivityCancelRequested",
            "MailUnsubscribed",
            "MailSubscribed",
            "MailDelivered",
            "OrchestrationCompleted"
        ]
    );
}

#[test]
fn a_select_of_many_of_one_type_says_which_won() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let replicas: Vec<_> = (0..4).map(|n| ctx.activity::<u32>(&format!("R{n}"), &())).collect();
        let (index, value) = ctx.select(replicas).await;
        Ok::<_, OrchestrationError>((index, value?))
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.activity_completes("R2", &22).turn();
    assert_eq!(run.output::<(usize, u32)>(), Ok((2, 22)));
    assert!(run.open_activities().is_empty());
}

#[test]
fn branches_may_be_blocks_of_several_steps() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let steps = async {
            let a: u32 = ctx.activity("A", &()).await?;
            let b: u32 = ctx.activity("B", &a).await?;
            Ok::<_, OrchestrationError>(b)
        };
        let limit = async {
            ctx.timer(HOUR).await?;
            ctx.activity::<u32>("GiveUp", &()).await
        };
        match ctx.select((steps, limit)).await {
            OneOf2::First(done) | OneOf2::Second(done) => done,
        }
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.activity_completes("A", &1).turn();
    run.evict().timer_fires().turn();
    run.activity_completes("B", &2).activity_completes("GiveUp", &0).turn();
    assert_eq!(run.output::<u32>(), Ok(2), "the one that arrived first");
}

#[test]
fn a_select_over_nothing_fails_instead_of_hanging() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let nothing: Vec<std::future::Ready<()>> = Vec::new();
        let (_, ()) = ctx.select(nothing).await;
        Ok::<_, OrchestrationError>(())
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert!(run.output::<()>().unwrap_err().contains("at least one"));
}

#[test]
fn a_leaf_that_is_dropped_unpolled_leaves_no_trace() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        drop(ctx.activity::<()>("Never", &()).into_future());
        let _also_never = ctx.timer(HOUR);
        Ok::<_, OrchestrationError>(())
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert_eq!(run.kinds(), ["OrchestrationStarted", "OrchestrationCompleted"]);
}

#[test]
fn a_leaf_may_be_raced_by_reference_and_awaited_later() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let mut work = ctx.activity::<u32>("Work", &()).into_future();
        if let OneOf2::Second(fired) = ctx.select((&mut work, ctx.timer(HOUR))).await {
            fired?;
            ctx.set_custom_status("it takes long")?;
            return work.await;
        }
        Ok::<_, OrchestrationError>(0)
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.timer_fires().turn();
    assert_eq!((run.custom_status(), run.open_activities()), (Some("it takes long"), vec!["Work"]));
    run.activity_completes("Work", &9).turn();
    assert_eq!(run.output::<u32>(), Ok(9));
}

#[test]
fn a_cancel_reaches_every_branch_of_a_join_at_once() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let calls: Vec<_> = (0..3).map(|n| ctx.activity::<u32>("A", &n)).collect();
        let outcomes = ctx.join(calls).await;
        assert!(outcomes.iter().all(|o| o.as_ref().is_err_and(OrchestrationError::is_cancelled)));
        Ok::<_, OrchestrationError>("stopped in my own way".to_owned())
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.cancel("enough").turn();
    assert_eq!(run.output::<String>(), Ok("stopped in my own way".to_owned()));
}

#[test]
fn combinators_of_others_work_too() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let calls = (0..3).map(|n| ctx.activity::<u32>(&format!("A{n}"), &()).into_future());
        let mut pending: FuturesUnordered<_> = calls.collect();
        let mut order = Vec::new();
        while let Some(value) = pending.next().await {
            order.push(value?);
        }
        Ok::<_, OrchestrationError>(order)
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.activity_completes("A2", &2).turn();
    run.evict().activity_completes("A0", &0).activity_completes("A1", &1).turn();
    assert_eq!(run.output::<Vec<u32>>(), Ok(vec![2, 0, 1]));
}

#[test]
fn branches_may_wake_each_other() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let reader = async { receiver.await.unwrap_or(0) };
        let writer = async {
            let value: u32 = ctx.activity("A", &()).await?;
            let _ = sender.send(value);
            Ok::<_, OrchestrationError>(())
        };
        let (read, written) = ctx.join((reader, writer)).await;
        written.map(|()| read)
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.activity_completes("A", &5).turn();
    assert_eq!(run.output::<u32>(), Ok(5));
}

#[test]
fn dropping_a_resident_copy_has_no_durable_effect() {
    /// Tries to change the world when it is dropped, and counts how often it was refused.
    struct Meddler(OrchestrationContext, Arc<AtomicU32>);
    impl Drop for Meddler {
        fn drop(&mut self) {
            let refused = self.0.set_custom_status("dropped").is_err();
            self.1.fetch_add(u32::from(refused), Ordering::Relaxed);
        }
    }
    let refusals = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&refusals);
    let registry = it!(move |ctx: OrchestrationContext, (): ()| {
        let seen = Arc::clone(&seen);
        async move {
            let _meddler = Meddler(ctx.clone(), seen);
            ctx.join((ctx.activity::<u32>("A", &()), ctx.timer(HOUR))).await.0
        }
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    let before = (render(run.history()), refusals.load(Ordering::Relaxed));
    run.evict();
    let after = (render(run.history()), refusals.load(Ordering::Relaxed));
    assert_eq!(after, (before.0, before.1 + 1));
    assert!(run.turn().commit.is_empty());
    assert_eq!(run.custom_status(), None);
}

#[test]
fn a_panic_in_a_branch_closes_its_group() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let bomb = async {
            ctx.timer(HOUR).await?;
            assert!(ctx.is_replaying(), "boom");
            Err::<(), _>(OrchestrationError::from(Failure::application("replayed")))
        };
        ctx.join((ctx.activity::<()>("A", &()), bomb)).await.0
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.timer_fires().turn();
    assert_eq!(run.output::<()>(), Err("panicked: boom".to_owned()));
    // Unwinding drops the open leaf while the code still runs.
    assert_eq!(run.kinds()[4..], ["ActivityCancelRequested", "OrchestrationFailed"]);
}

#[test]
fn a_turn_too_long_for_one_commit_goes_on_in_the_next() {
    let registry = it!(|ctx: OrchestrationContext, n: u32| async move {
        let calls: Vec<_> = (0..n).map(|n| ctx.activity::<u32>("A", &n)).collect();
        ctx.join(calls).await.into_iter().sum::<Result<u32, _>>()
    });
    let mut run = ByHand::start(&registry, "It", &2_500);
    assert!(run.turn().commit.split);
    // What was not committed is asked for again, by a copy that replays what was.
    assert!(run.evict().turn().commit.split);
    assert!(!run.turn().commit.split);
    assert_eq!(run.activities().len(), 2_500);
    for _ in 0..2_500 {
        run.activity_completes("A", &1);
    }
    while run.end().is_none() {
        assert!(!run.evict().turn().commit.is_empty());
    }
    assert_eq!(run.output::<u32>(), Ok(2_500));
}

#[test]
fn code_that_wakes_itself_without_end_fails() {
    let registry = it!(|_: OrchestrationContext, (): ()| {
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            std::task::Poll::<Result<(), String>>::Pending
        })
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert!(run.output::<()>().unwrap_err().contains("wakes itself without end"));
}
