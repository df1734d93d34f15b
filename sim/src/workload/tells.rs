//! Activities that send a message to their own instance, and then return: the message comes
//! first, whatever else the instance is busy with.
//!
//! What went wrong elsewhere: a result that took a shorter way than the message before it.

use super::parts::{INSTANCES, instance, same};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_provider::LeasedActivity;
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

const LISTEN: &str = "Listen";
const TELL: &str = "Tell";
const CHAT: &str = "Chat";

/// Instances that listen to their own activities.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tells;

#[derive(Debug, Serialize, Deserialize)]
struct Listening {
    /// How many messages, one after the other.
    times: u64,
    /// How many other activities, at the same time.
    chats: u64,
}

impl Workload for Tells {
    fn name(&self) -> &'static str {
        "tells"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        let said = |_: ActivityContext, what: u64| async move { Ok::<_, String>(what) };
        Registry::builder()
            .register_orchestration(LISTEN, listen)
            .register_activity(TELL, said)
            .register_activity(CHAT, said)
            .build()
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES / 2)
            .map(|number| {
                let (times, chats) = (dice.within(1..=5), dice.within(0..=12));
                let listening = Listening { times, chats };
                instance(format!("tells-{number}"), LISTEN, &listening, dice)
            })
            .collect()
    }

    fn sends(&self, activity: &LeasedActivity) -> Option<(String, Value)> {
        let what: u64 = serde_json::from_slice(activity.input.bytes()).ok()?;
        (activity.name == TELL).then(|| (event_of(what), Value::from(what)))
    }

    fn lasts(&self) -> Duration {
        Duration::from_mins(30)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let listening: Listening =
            serde_json::from_value(ended.plan.input.clone()).map_err(|error| error.to_string())?;
        let expected: Vec<_> = (1..=listening.times).collect();
        same("what it was told before the result", &ended.output()?, &expected)
    }
}

fn event_of(what: u64) -> String {
    format!("told-{what}")
}

async fn listen(
    ctx: OrchestrationContext,
    listening: Listening,
) -> Result<Vec<u64>, OrchestrationError> {
    let Listening { times, chats } = listening;
    let (heard, chatted) = ctx.join((hear(&ctx, times), chat(&ctx, chats))).await;
    chatted?;
    heard
}

/// Which messages came before the results of those that sent them.
async fn hear(ctx: &OrchestrationContext, times: u64) -> Result<Vec<u64>, OrchestrationError> {
    let mut heard = Vec::new();
    for what in 1..=times {
        let told = ctx.wait_event::<u64>(&event_of(what));
        match ctx.select((told, ctx.activity::<u64>(TELL, &what))).await {
            OneOf2::First(told) => heard.push(told?),
            OneOf2::Second(returned) => drop(returned?),
        }
    }
    Ok(heard)
}

/// Keeps the instance busy.
async fn chat(ctx: &OrchestrationContext, times: u64) -> Result<(), OrchestrationError> {
    for what in 1..=times {
        ctx.activity::<u64>(CHAT, &what).await?;
    }
    Ok(())
}
