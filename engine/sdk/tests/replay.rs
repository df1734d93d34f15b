//! `testing::replay`: which changes of code recorded histories allow, and what is said about
//! the others.

use duroxide_core::{Event, EventId, ExecutionId};
use duroxide_sdk::testing::{ByHand, Incompatible, replay, replay_instance};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry};
use std::time::Duration;

type Outcome<T> = Result<T, OrchestrationError>;

/// A registry of one orchestration, named `It`.
macro_rules! it {
    ($code:expr) => {
        Registry::builder().register_orchestration("It", $code).build().unwrap()
    };
}

/// What is recorded here: two steps and what they gave, or only the first of them.
fn two_steps() -> Registry {
    it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("First", &1).await?;
        ctx.activity::<()>("Second", &2).await
    })
}

fn recorded(whole: bool) -> Vec<Event> {
    let mut run = ByHand::start(&two_steps(), "It", &());
    run.turn();
    run.activity_completes("First", &()).turn();
    if whole {
        run.activity_completes("Second", &()).turn();
    }
    run.history().to_vec()
}

/// Event, what history holds and what the code asked for.
fn divergence(history: &[Event], registry: &Registry) -> (u64, String, String) {
    match replay(history, registry) {
        Err(Incompatible::Diverged { divergence, .. }) => {
            (divergence.event.0, divergence.history, divergence.code)
        }
        other => panic!("it should diverge: {other:?}"),
    }
}

fn says(event: u64, history: &str, code: &str) -> (u64, String, String) {
    (event, history.to_owned(), code.to_owned())
}

#[test]
fn the_same_code_is_compatible_with_a_finished_and_an_unfinished_history() {
    let whole = replay(&recorded(true), &two_steps()).unwrap();
    assert_eq!((whole.name.as_str(), whole.version.as_str(), whole.ended), ("It", "1.0.0", true));
    let half = replay(&recorded(false), &two_steps()).unwrap();
    assert!(!half.ended && half.remarks.is_empty());
}

#[test]
fn a_changed_name_is_reported_with_its_event() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("First", &1).await?;
        ctx.activity::<()>("Other", &2).await
    });
    let second = "ActivityScheduled name=Second input=2";
    let other = "ActivityScheduled name=Other input=2";
    assert_eq!(divergence(&recorded(true), &registry), says(4, second, other));
    assert_eq!(divergence(&recorded(false), &registry), says(4, second, other));
}

#[test]
fn a_removed_step_is_reported() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("Second", &2).await
    });
    let first = "ActivityScheduled name=First input=1";
    let second = "ActivityScheduled name=Second input=2";
    assert_eq!(divergence(&recorded(true), &registry), says(2, first, second));
}

#[test]
fn an_extra_step_is_reported() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("First", &1).await?;
        let extra = ctx.activity::<()>("Extra", &()).await;
        ctx.activity::<()>("Second", &2).await.and(extra)
    });
    let second = "ActivityScheduled name=Second input=2";
    let extra = "ActivityScheduled name=Extra input=null";
    assert_eq!(divergence(&recorded(true), &registry), says(4, second, extra));
    let parallel = it!(|ctx: OrchestrationContext, (): ()| async move {
        let first = ctx.activity::<()>("First", &1);
        ctx.join((first, ctx.activity::<()>("Extra", &()))).await.0
    });
    let nothing = "no further command of this step";
    assert_eq!(divergence(&recorded(true), &parallel), says(3, nothing, extra));
}

#[test]
fn an_early_end_is_reported() {
    let registry =
        it!(
            |ctx: OrchestrationContext, (): ()| async move { ctx.activity::<()>("First", &1).await }
        );
    let second = "ActivityScheduled name=Second input=2";
    let end = "OrchestrationCompleted output=null";
    assert_eq!(divergence(&recorded(true), &registry), says(4, second, end));
    let waits = it!(|ctx: OrchestrationContext, (): ()| async move {
        let never = ctx.wait_event::<()>("never").await;
        ctx.activity::<()>("First", &1).await.and(never)
    });
    assert_eq!(divergence(&recorded(true), &waits).0, 2);
}

#[test]
fn a_later_end_is_reported() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("First", &1).await?;
        ctx.activity::<()>("Second", &2).await?;
        ctx.timer(Duration::from_secs(1)).await
    });
    let timer = "TimerCreated delay_ms=1000 fire_at=1003000";
    let end = "OrchestrationCompleted output=null";
    assert_eq!(divergence(&recorded(true), &registry), says(6, end, timer));
    assert!(replay(&recorded(false), &registry).is_ok(), "the end was not recorded yet");
}

#[test]
fn a_long_value_is_cut_in_the_report() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("Other", &"x".repeat(1_000)).await
    });
    let (event, _, code) = divergence(&recorded(true), &registry);
    assert_eq!(event, 2);
    assert_eq!(
        code,
        format!("ActivityScheduled name=Other input=\"{}… (1002 bytes)", "x".repeat(199))
    );
}

#[test]
fn another_input_is_compatible_and_remarked() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("First", &100).await?;
        ctx.activity::<()>("Second", &2).await
    });
    let remarks = replay(&recorded(true), &registry).unwrap().remarks;
    assert_eq!(remarks.len(), 1);
    assert_eq!(remarks[0].event, EventId(2));
    assert!(remarks[0].message.contains("input=100"), "{}", remarks[0].message);
}

#[test]
fn what_is_no_history_or_not_registered_is_said() {
    let history = recorded(true);
    assert_eq!(replay(&[], &two_steps()), Err(Incompatible::Empty));
    assert!(matches!(replay(&history[1..], &two_steps()), Err(Incompatible::Malformed(_))));
    let nothing = Registry::builder().build().unwrap();
    let unregistered = replay(&history, &nothing).unwrap_err();
    assert_eq!(
        unregistered.to_string(),
        "orchestration \"It\" is not registered in version \"1.0.0\""
    );
}

#[test]
fn executions_take_over_status_and_values_from_those_before() {
    async fn rounds(ctx: OrchestrationContext, round: u32) -> Outcome<u32> {
        // What is asked for depends on what the execution before left.
        let left = ctx.get_value("round")?.unwrap_or_default();
        let status = ctx.custom_status().unwrap_or_default();
        ctx.activity::<()>(&format!("Step{left}{status}"), &()).await?;
        ctx.set_value("round", &round.to_string())?;
        ctx.set_value("gone", "")?;
        ctx.clear_value("gone")?;
        ctx.set_custom_status("s")?;
        if round == 2 { Ok(round) } else { ctx.continue_as_new(&(round + 1)).await }
    }
    let registry = it!(rounds);
    let mut run = ByHand::start(&registry, "It", &1);
    run.turn();
    run.activity_completes("Step", &()).turn();
    run.turn();
    run.activity_completes("Step1s", &()).turn();
    assert_eq!(run.output::<u32>(), Ok(2));
    let found = replay_instance("test", run.executions(), &registry).unwrap();
    assert!(found.iter().all(|execution| execution.ended && execution.remarks.is_empty()));
    let alone = replay(&run.executions()[1], &registry).unwrap_err();
    assert!(matches!(alone, Incompatible::Diverged { .. }), "{alone}");
}

#[test]
fn the_instance_is_told_by_the_id_of_a_derived_child() {
    async fn parent(ctx: OrchestrationContext, round: u32) -> Outcome<()> {
        ctx.child::<()>("It", &9).await?;
        if round == 2 { Ok(()) } else { ctx.continue_as_new(&(round + 1)).await }
    }
    let registry = it!(parent);
    let mut run = ByHand::start(&registry, "It", &1);
    run.turn();
    let child = run.children()[0].clone();
    let mut child = run.child(&child);
    assert_eq!(child.instance_id().as_str(), "test::sub::2");
    child.turn();
    run.child_completes("It", &()).turn();
    run.turn();
    let second = run.history();
    assert!(replay(second, &registry).is_ok(), "test::sub::2.2 says execution 2");
    assert!(replay(child.history(), &registry).is_ok());
    let grandchild = replay_instance("another", &[child.history().to_vec()], &registry);
    let Err(Incompatible::Diverged { execution, divergence }) = grandchild else {
        panic!("the child has another id in another instance")
    };
    assert_eq!((execution, divergence.event), (ExecutionId(1), EventId(2)));
}
