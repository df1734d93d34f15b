//! Families: children and grandchildren that end well, fail, go on as new, are given up or
//! stopped with their parents; ids that are in use; starts that nobody waits for.
//!
//! What went wrong elsewhere: parents that wait for ever for a child that failed in an
//! unusual way, children that outlive a terminated parent.

use super::parts::{INSTANCES, cancel, cancelled_for, instance, same, terminate};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_core::FailureKind;
use duroxide_provider::InstanceState;
use duroxide_sdk::{
    ActivityContext, BoxFuture, OneOf2, OrchestrationContext, OrchestrationError, Registry,
    RegistryBuilder, RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const PARENT: &str = "FamilyParent";
const CHILD: &str = "FamilyChild";
const LEARN: &str = "Learn";
const REASON: &str = "enough";

/// Parents of many kinds of children.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family;

/// What becomes of a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Kid {
    /// It learns something, and tells.
    Learns(u64),
    /// The same, after a while.
    Dawdles(u64),
    /// The same, in so many executions.
    GoesOn(u64),
    /// It fails.
    Fails,
    /// It has children itself, and tells what they told.
    HasKids(Vec<Kid>),
    /// It never ends by itself.
    Waits,
    /// It never ends by itself, and is not waited for to the end.
    IsGivenUp,
    /// It never ends by itself, and a client may terminate it.
    IsStopped,
    /// It has the id of its parent, which is in use.
    TakesAnId,
    /// It is started and left alone; a second one of its id is not started.
    IsSentAway(u64),
}

impl Workload for Family {
    fn name(&self) -> &'static str {
        "family"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES).map(|number| plan(format!("family-{number}"), dice)).collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_mins(30)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        match (ended.plan.part.as_str(), ended.state) {
            ("cancelled", _) => cancelled_for(ended, REASON),
            ("terminated", InstanceState::Terminated { reason }) => {
                same("terminated for", &reason.as_str(), &REASON)
            }
            ("terminated", other) => Err(format!("it was terminated, and ended with {other:?}")),
            _ => {
                let kids: Vec<Kid> = serde_json::from_value(ended.plan.input.clone())
                    .map_err(|error| error.to_string())?;
                let expected: Vec<_> = kids.iter().map(told).collect();
                same("what the children told", &ended.output()?, &expected)
            }
        }
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder
        .register_orchestration(PARENT, parent)
        .register_orchestration(CHILD, child)
        .register_activity(LEARN, |_: ActivityContext, what: u64| async move {
            Ok::<_, String>(3 * what)
        })
}

fn plan(id: String, dice: &mut Dice) -> InstancePlan {
    let mut kids: Vec<_> = (0..dice.within(1..=4)).map(|_| kid(dice, 2)).collect();
    let part = dice.pick(&["", "", "", "cancelled", "terminated"]);
    if !part.is_empty() {
        // So that it is sure to be stopped.
        kids.push(Kid::Waits);
    }
    let stopped = part.is_empty() && dice.percent(40);
    if stopped {
        kids.push(Kid::IsStopped);
    }
    let child = format!("{id}-{}", kids.len());
    let plan = instance(id, PARENT, &kids, dice).part(part);
    let after = dice.pick(&[0, 5, 60, 700, 9_000]);
    match part {
        "cancelled" => plan.then(after, cancel(REASON)),
        "terminated" => plan.then(after, terminate(REASON)),
        _ if stopped => {
            let action = Box::new(terminate(REASON));
            plan.then(after, Action::Other { id: child, action })
        }
        _ => plan,
    }
}

fn kid(dice: &mut Dice, generations: u64) -> Kid {
    let what = dice.within(1..=99);
    match dice.within(1..=10) {
        1 | 2 => Kid::Learns(what),
        3 => Kid::Dawdles(what),
        4 => Kid::GoesOn(dice.within(1..=4)),
        5 => Kid::Fails,
        6 | 7 if generations > 0 => {
            Kid::HasKids((0..dice.within(1..=3)).map(|_| kid(dice, generations - 1)).collect())
        }
        8 => Kid::TakesAnId,
        9 => Kid::IsSentAway(what),
        _ => Kid::IsGivenUp,
    }
}

/// What a parent hears of each of its children.
async fn parent(
    ctx: OrchestrationContext,
    kids: Vec<Kid>,
) -> Result<Vec<String>, OrchestrationError> {
    let each: Vec<_> =
        kids.into_iter().zip(1..).map(|(kid, place)| raise(&ctx, kid, place)).collect();
    ctx.join(each).await.into_iter().collect()
}

/// One child, to its end. Only a cancel of the parent is an error of it.
async fn raise(
    ctx: &OrchestrationContext,
    kid: Kid,
    place: u64,
) -> Result<String, OrchestrationError> {
    // Ids that were not chosen have a mark that chosen ones must not have.
    let id = format!("{}-{place}", ctx.instance_id().as_str().replace("::", "-"));
    let ended = match &kid {
        Kid::IsGivenUp => {
            let kid = ctx.child::<String>(CHILD, &kid);
            match ctx.select((kid, ctx.timer(Duration::from_millis(80)))).await {
                OneOf2::First(ended) => ended,
                OneOf2::Second(over) => over.map(|()| "given up".to_owned()),
            }
        }
        // Whoever stops it may come before it is there.
        Kid::IsStopped => {
            let kid = ctx.child::<String>(CHILD, &kid).with_id(id);
            match ctx.select((kid, ctx.timer(Duration::from_mins(2)))).await {
                OneOf2::First(Err(error)) if error.is_cancelled() => Err(error),
                OneOf2::First(_) => Ok("stopped".to_owned()),
                OneOf2::Second(over) => over.map(|()| "stopped".to_owned()),
            }
        }
        Kid::TakesAnId => {
            let refused = ctx.child::<String>(CHILD, &kid).with_id(ctx.instance_id()).await;
            refused.map_err(|error| match error.kind() {
                FailureKind::Invalid => "the id is in use".into(),
                _ => error,
            })
        }
        Kid::IsSentAway(what) => {
            let id = format!("{id}-free");
            ctx.start_detached(CHILD, id.clone(), &Kid::Learns(*what))?;
            ctx.start_detached(CHILD, id, &Kid::Fails)?;
            Ok("sent away".to_owned())
        }
        Kid::Learns(_) | Kid::GoesOn(_) => ctx.child(CHILD, &kid).with_id(id).await,
        Kid::Dawdles(_) | Kid::Fails | Kid::HasKids(_) | Kid::Waits => ctx.child(CHILD, &kid).await,
    };
    match ended {
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => Ok(format!("failed: {error}")),
        told => told,
    }
}

fn child(ctx: OrchestrationContext, kid: Kid) -> BoxFuture<Result<String, OrchestrationError>> {
    Box::pin(async move {
        match kid {
            Kid::Learns(what) => learn(&ctx, what).await,
            Kid::Dawdles(what) => {
                ctx.timer(Duration::from_secs(20)).await?;
                learn(&ctx, what).await
            }
            Kid::GoesOn(0) => learn(&ctx, 0).await,
            Kid::GoesOn(more) => {
                learn(&ctx, more).await?;
                ctx.continue_as_new(&Kid::GoesOn(more - 1)).await
            }
            Kid::Fails => Err("no luck".into()),
            Kid::HasKids(kids) => parent(ctx, kids).await.map(|told| told.join(", ")),
            Kid::Waits | Kid::IsGivenUp | Kid::IsStopped | Kid::TakesAnId | Kid::IsSentAway(_) => {
                let over = ctx.wait_event::<String>("nothing").await;
                // Who is stopped cleans up first.
                learn(&ctx, 1).await?;
                over
            }
        }
    })
}

async fn learn(ctx: &OrchestrationContext, what: u64) -> Result<String, OrchestrationError> {
    let learnt: u64 = ctx.activity(LEARN, &what).await?;
    Ok(format!("learnt {learnt}"))
}

/// What a parent must hear of a child.
fn told(kid: &Kid) -> String {
    match kid {
        Kid::Learns(what) | Kid::Dawdles(what) => format!("learnt {}", 3 * what),
        Kid::GoesOn(_) => "learnt 0".to_owned(),
        Kid::Fails => "failed: no luck".to_owned(),
        Kid::HasKids(kids) => {
            let each: Vec<_> = kids.iter().map(told).collect();
            each.join(", ")
        }
        Kid::Waits => "never".to_owned(),
        Kid::IsGivenUp => "given up".to_owned(),
        Kid::IsStopped => "stopped".to_owned(),
        Kid::TakesAnId => "failed: the id is in use".to_owned(),
        Kid::IsSentAway(_) => "sent away".to_owned(),
    }
}
