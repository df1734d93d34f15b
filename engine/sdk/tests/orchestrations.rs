//! Each thing an orchestration can ask for, driven by hand.

use duroxide_core::{End, FailureKind, TimeMs};
use duroxide_sdk::testing::{ByHand, EPOCH};
use duroxide_sdk::{OneOf2, OrchestrationContext, OrchestrationError, Registry};
use serde::{Deserialize, Serialize};
use std::time::Duration;

type Outcome<T> = Result<T, OrchestrationError>;

/// A registry of one orchestration, named `It`.
macro_rules! it {
    ($code:expr) => {
        Registry::builder().register_orchestration("It", $code).build().unwrap()
    };
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[test]
fn a_typed_activity_gives_its_result() {
    let registry = it!(|ctx: OrchestrationContext, order: Order| async move {
        let price: u32 = ctx.activity("Price", &order).await?;
        Ok::<_, OrchestrationError>(price * order.count)
    });
    let mut run = ByHand::start(&registry, "It", &Order { item: "cup".into(), count: 3 });
    run.turn();
    run.activity_completes("Price", &7).turn();
    assert_eq!(run.output::<u32>(), Ok(21));
    assert_eq!(
        run.kinds(),
        [
            "OrchestrationStarted",
            "ActivityScheduled",
            "ActivityCompleted",
            "OrchestrationCompleted"
        ]
    );
}

#[test]
fn an_activity_carries_its_session_and_tag() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("Render", "x").on_session("gpu-1").with_tag("gpu").await
    });
    let mut run = ByHand::start(&registry, "It", &());
    let commit = run.turn().commit;
    assert_eq!(commit.activities[0].session.as_deref(), Some("gpu-1"));
    assert_eq!(commit.activities[0].tag.as_deref(), Some("gpu"));
}

#[test]
fn a_failed_activity_is_an_error_that_can_be_handled() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        match ctx.activity::<()>("Charge", &1).await {
            Ok(()) => Ok("charged".to_owned()),
            Err(error) => {
                assert_eq!(error.failed_name(), Some("Charge"));
                assert_eq!(error.kind(), FailureKind::Application);
                ctx.activity::<()>("Refund", error.message()).await?;
                Ok::<_, OrchestrationError>(format!("refunded: {error}"))
            }
        }
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.activity_fails("Charge", "card declined").turn();
    run.activity_completes("Refund", &()).turn();
    assert_eq!(run.output::<String>(), Ok("refunded: card declined".to_owned()));
}

#[test]
fn an_error_of_any_type_fails_the_orchestration_with_its_message() {
    #[derive(Debug, thiserror::Error)]
    #[error("nothing left of {0}")]
    struct SoldOut(&'static str);
    let registry =
        it!(|_: OrchestrationContext, (): ()| async move { Err::<(), _>(SoldOut("cups")) });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert_eq!(run.output::<()>(), Err("nothing left of cups".to_owned()));
}

#[test]
fn a_timer_rounds_up_to_whole_milliseconds() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.timer(Duration::from_micros(1_500)).await
    });
    let mut run = ByHand::start(&registry, "It", &());
    assert_eq!(run.turn().commit.timers[0].delay_ms, 2);
    run.timer_fires().turn();
    assert_eq!(run.output::<()>(), Ok(()));
}

#[test]
fn an_event_raised_before_its_wait_is_kept() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("Prepare", &()).await?;
        ctx.wait_event::<String>("go").await
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.raise("go", &"early").turn();
    run.evict().activity_completes("Prepare", &()).turn();
    assert_eq!(run.output::<String>(), Ok("early".to_owned()));
}

#[test]
fn a_queue_gives_its_messages_in_order() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let first: u32 = ctx.dequeue("numbers").await?;
        let second: u32 = ctx.dequeue("numbers").await?;
        Ok::<_, OrchestrationError>((first, second))
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.enqueue("numbers", &1).enqueue("numbers", &2).turn();
    assert_eq!(run.output::<(u32, u32)>(), Ok((1, 2)));
}

#[test]
fn a_child_is_named_versioned_and_awaited() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.child::<u32>("Child", &5).with_id("kid").version("1.2.0").await
    });
    let mut run = ByHand::start(&registry, "It", &());
    let start = run.turn().commit.starts.remove(0);
    assert_eq!((start.instance.as_str(), start.version.as_deref()), ("kid", Some("1.2.0")));
    assert!(!start.detached);
    run.child_fails("Child", "broke").turn();
    assert_eq!(run.output::<u32>(), Err("broke".to_owned()));
}

#[test]
fn a_detached_start_does_not_wait() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.start_detached("Monitor", "monitor-1", &1)?;
        ctx.start_detached_versioned("Monitor", "2.0.0", "monitor-2", &2)
    });
    let mut run = ByHand::start(&registry, "It", &());
    let starts = run.turn().commit.starts;
    assert!(starts.iter().all(|start| start.detached));
    assert_eq!(starts[1].version.as_deref(), Some("2.0.0"));
    assert_eq!(run.output::<()>(), Ok(()));
}

#[test]
fn continue_as_new_carries_status_and_values_and_unread_mail() {
    let registry = it!(|ctx: OrchestrationContext, round: u32| async move {
        let message: String = ctx.dequeue("inbox").await?;
        ctx.set_custom_status(format!("round {round}: {message}"))?;
        ctx.set_value("last", &message)?;
        if round == 2 {
            return ctx.get_value("last");
        }
        ctx.continue_as_new(&(round + 1)).await
    });
    let mut run = ByHand::start(&registry, "It", &1);
    run.enqueue("inbox", &"one").enqueue("inbox", &"two").turn();
    assert_eq!(run.executions()[0].len(), 6);
    assert_eq!(run.custom_status(), Some("round 1: one"));
    run.turn();
    assert_eq!(run.output::<Option<String>>(), Ok(Some("two".to_owned())));
    assert_eq!(run.custom_status(), Some("round 2: two"));
}

#[test]
fn continue_as_new_goes_on_in_the_latest_version_or_in_the_one_it_names() {
    let one = |ctx: OrchestrationContext, version: String| async move {
        let version = Some(version).filter(|version| !version.is_empty());
        match version {
            None => ctx.continue_as_new::<String>("x").await,
            Some(version) => ctx.continue_as_new_versioned::<String>(version, "x").await,
        }
    };
    let other =
        |ctx: OrchestrationContext, _: String| async move { Ok::<_, String>(ctx.version()) };
    let registry = Registry::builder()
        .register_orchestration("It", one)
        .register_orchestration_versioned("It", "2.0.0", other)
        .register_orchestration_versioned("It", "3.0.0", other)
        .build()
        .unwrap();
    for (asked, run_in) in [("", "3.0.0"), ("2.0.0", "2.0.0")] {
        let mut run = ByHand::start_version(&registry, "It", "1.0.0", &asked);
        run.turn();
        run.turn();
        assert_eq!(run.output::<String>(), Ok(run_in.to_owned()));
    }
}

#[test]
fn the_custom_status_is_set_read_and_reset() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.set_custom_status("busy")?;
        assert_eq!(ctx.custom_status().as_deref(), Some("busy"));
        ctx.wait_event::<()>("go").await?;
        ctx.reset_custom_status()?;
        Ok::<_, OrchestrationError>(ctx.custom_status())
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert_eq!(run.custom_status(), Some("busy"));
    run.raise("go", &()).turn();
    assert_eq!(run.output::<Option<String>>(), Ok(None));
    assert_eq!(run.custom_status(), None);
}

#[test]
fn continue_as_new_inside_a_combinator_is_refused() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let next = ctx.continue_as_new::<()>(&());
        match ctx.select((next, ctx.timer(Duration::from_secs(1)))).await {
            OneOf2::First(refused) => refused,
            OneOf2::Second(fired) => fired,
        }
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert!(run.output::<()>().unwrap_err().contains("inside join or select"));
}

#[test]
fn time_and_guids_are_those_of_history() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let before = ctx.utc_now()?;
        ctx.timer(Duration::from_mins(1)).await?;
        Ok::<_, OrchestrationError>((before, ctx.utc_now()?, ctx.new_guid()?, ctx.new_guid()?))
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.evict().timer_fires().turn();
    let (before, after, one, two): (TimeMs, TimeMs, String, String) = run.output().unwrap();
    assert_eq!((before, after), (EPOCH, EPOCH.plus(60_000)));
    assert_ne!(one, two);
}

#[test]
fn values_read_their_own_writes() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.set_value("a", "1")?;
        ctx.set_value("b", "2")?;
        ctx.clear_value("a")?;
        let pruned = ctx.prune_values_updated_before(ctx.utc_now()?)?;
        assert_eq!((ctx.get_value("a")?, ctx.get_value("b")?.as_deref()), (None, Some("2")));
        assert_eq!((pruned, ctx.all_values()?.len()), (0, 1));
        ctx.timer(Duration::from_secs(1)).await?;
        let pruned = ctx.prune_values_updated_before(ctx.utc_now()?)?;
        ctx.set_value("c", "3")?;
        ctx.clear_all_values()?;
        assert_eq!(ctx.all_values()?.len(), 0);
        Ok::<_, OrchestrationError>(pruned)
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert_eq!(run.value("b"), Some("2"));
    run.timer_fires().turn();
    assert_eq!(run.output::<usize>(), Ok(1));
    assert_eq!((run.value("b"), run.value("c")), (None, None));
}

#[test]
fn a_broken_limit_is_an_error_at_the_call_and_writes_nothing() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let error = ctx.set_custom_status("x".repeat(300_000)).unwrap_err();
        assert!(error.is_limit(), "{error}");
        Ok::<_, OrchestrationError>(ctx.custom_status())
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert_eq!(run.output::<Option<String>>(), Ok(None));
    assert_eq!(run.kinds(), ["OrchestrationStarted", "OrchestrationCompleted"]);
}

#[test]
fn another_instances_value_is_a_recorded_read() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.value_from_instance("other", "key").await
    });
    let mut run = ByHand::start(&registry, "It", &());
    let read = run.turn().commit.activities.remove(0);
    assert_eq!(read.input.as_json(), Some(r#"["other","key"]"#));
    run.activity_completes(&read.name, &"value").turn();
    assert_eq!(run.output::<Option<String>>(), Ok(Some("value".to_owned())));
}

#[test]
fn a_cancel_fails_the_pending_await_once_and_clean_up_runs() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let error = ctx.activity::<()>("Work", &()).await.unwrap_err();
        assert!(error.is_cancelled());
        ctx.activity::<()>("CleanUp", &()).await?;
        Err::<(), _>(error)
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.cancel("enough").turn();
    assert_eq!(run.open_activities(), ["CleanUp"]);
    run.evict().activity_completes("CleanUp", &()).turn();
    assert_eq!(run.output::<()>(), Err("canceled: enough".to_owned()));
    assert_eq!(
        run.kinds()[2..],
        [
            "OrchestrationCancelRequested",
            "ActivityCancelRequested",
            "ActivityScheduled",
            "ActivityCompleted",
            "OrchestrationFailed"
        ]
    );
}

#[test]
fn after_a_cancel_continue_as_new_fails() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let _ = ctx.wait_event::<()>("never").await;
        ctx.continue_as_new::<()>(&()).await
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.cancel("enough").turn();
    assert_eq!(run.output::<()>(), Err("canceled: enough".to_owned()));
}

#[test]
fn a_second_cancel_terminates_without_running_code() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let _ = ctx.wait_event::<()>("a").await;
        ctx.wait_event::<()>("b").await
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.cancel("first").turn();
    run.cancel("second").turn();
    assert!(matches!(run.end(), Some(End::Terminated { reason }) if reason == "second"));
}

#[test]
fn a_panic_is_a_failure_of_the_run_only() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("Work", &()).await?;
        assert!(ctx.name().is_empty(), "the roof is on fire");
        Ok::<_, OrchestrationError>(())
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    run.activity_completes("Work", &()).turn();
    assert_eq!(run.output::<()>(), Err("panicked: the roof is on fire".to_owned()));
}

#[test]
fn awaiting_a_foreign_future_fails_instead_of_hanging() {
    let registry = it!(|_: OrchestrationContext, (): ()| async move {
        std::future::pending::<Outcome<()>>().await
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert!(run.output::<()>().unwrap_err().contains("may only await what its context gives"));
}

#[test]
fn an_input_that_cannot_be_read_fails_the_run_naming_it() {
    let registry = it!(|_: OrchestrationContext, n: u32| async move { Ok::<_, String>(n) });
    let mut run = ByHand::start(&registry, "It", &"text");
    run.turn();
    let message = run.output::<u32>().unwrap_err();
    assert!(message.starts_with("the input of orchestration \"It\" cannot be read"), "{message}");
}

#[test]
fn an_input_that_is_not_json_fails_the_call_that_passed_it() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let keys_are_not_text = std::collections::BTreeMap::from([((1, 2), 3)]);
        ctx.activity::<()>("Work", &keys_are_not_text).await
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert!(
        run.output::<()>().unwrap_err().starts_with("the input of activity \"Work\" is not JSON")
    );
    assert_eq!(run.kinds(), ["OrchestrationStarted", "OrchestrationFailed"]);
}

#[test]
fn other_code_than_history_was_made_by_is_reported() {
    let old =
        it!(
            |ctx: OrchestrationContext, (): ()| async move { ctx.activity::<()>("Old", &()).await }
        );
    let new =
        it!(
            |ctx: OrchestrationContext, (): ()| async move { ctx.activity::<()>("New", &()).await }
        );
    let mut run = ByHand::start(&old, "It", &());
    run.turn();
    run.deploy(&new).evict().activity_completes("Old", &()).turn();
    let message = run.output::<()>().unwrap_err();
    assert!(message.contains("nondeterministic"), "{message}");
}

#[test]
fn facts_of_the_execution_are_readable() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let facts = (ctx.instance_id(), ctx.execution_id(), ctx.name(), ctx.version());
        ctx.trace_info("facts were read");
        Ok::<_, OrchestrationError>((facts, ctx.is_replaying()))
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    let output: serde_json::Value = run.output().unwrap();
    assert_eq!(output, serde_json::json!([["test", 1, "It", "1.0.0"], false]));
}
