//! Sessions and tags: activities pinned to a node, of more sessions than the nodes have
//! room for, with few slots; and work with a tag that no node takes.
//!
//! What went wrong elsewhere: two sessions' limits that lock a pool of workers, a session
//! that moved while its activity ran.

use super::parts::{INSTANCES, instance, same};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_provider::TagFilter;
use duroxide_runtime::RuntimeOptions;
use duroxide_sdk::{
    ActivityContext, OneOf2, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
    RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const VISIT: &str = "Visit";
const SIT: &str = "Sit";
/// The tag that every node takes beside work without one.
const VELVET: &str = "velvet";
/// The tag that no node takes.
const THORNS: &str = "thorns";
/// Some sessions are shared by several instances.
const SHARED: u64 = 4;

/// Instances that sit down in sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sessions;

/// What an instance does.
#[derive(Debug, Serialize, Deserialize)]
struct Visiting {
    /// The sessions, side by side.
    seats: Vec<Seat>,
    /// It also asks for what nobody gives, for so long.
    thorns_ms: Option<u64>,
}

/// Activities in one session, one after the other.
#[derive(Debug, Serialize, Deserialize)]
struct Seat {
    session: String,
    times: u64,
    tag: Option<String>,
    /// So long nothing happens in between: a session may move then.
    pause_ms: u64,
}

/// Where somebody sat: the session that the activity was told, and its tag.
type Sat = (Option<String>, Option<String>);

impl Workload for Sessions {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        register(Registry::builder()).build()
    }

    fn options(&self, _: u32) -> RuntimeOptions {
        RuntimeOptions {
            worker_concurrency: 3,
            max_sessions: 2,
            session_idle: Duration::from_secs(5),
            tags: TagFilter::DefaultAnd([VELVET.to_owned()].into()),
            ..RuntimeOptions::default()
        }
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        (1..=INSTANCES)
            .map(|number| {
                let id = format!("sessions-{number}");
                let seats = (1..=dice.pick(&[1, 1, 2, 3])).map(|place| seat(&id, place, dice));
                let seats = seats.collect();
                let thorns_ms = dice.percent(30).then(|| dice.pick(&[1, 400, 30_000]));
                instance(id, VISIT, &Visiting { seats, thorns_ms }, dice)
            })
            .collect()
    }

    fn lasts(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let visiting: Visiting =
            serde_json::from_value(ended.plan.input.clone()).map_err(|error| error.to_string())?;
        let sat: Vec<Vec<Sat>> = ended.output()?;
        let expected: Vec<Vec<Sat>> = visiting
            .seats
            .into_iter()
            .map(|seat| vec![(Some(seat.session), seat.tag); seat.times as usize])
            .collect();
        same("where they sat", &sat, &expected)
    }
}

pub(super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
    builder.register_orchestration(VISIT, visit).register_activity(
        SIT,
        |ctx: ActivityContext, (): ()| async move {
            if ctx.tag() == Some(THORNS) {
                return Err("no node takes this".to_owned());
            }
            Ok((ctx.session_id().map(str::to_owned), ctx.tag().map(str::to_owned)))
        },
    )
}

fn seat(id: &str, place: u64, dice: &mut Dice) -> Seat {
    let own = format!("{id}/{place}");
    let session =
        if dice.percent(50) { format!("shared-{}", dice.within(1..=SHARED)) } else { own };
    Seat {
        session,
        times: dice.within(1..=4),
        tag: dice.percent(30).then(|| VELVET.to_owned()),
        pause_ms: dice.pick(&[0, 0, 100, 7_000]),
    }
}

async fn visit(
    ctx: OrchestrationContext,
    visiting: Visiting,
) -> Result<Vec<Vec<Sat>>, OrchestrationError> {
    let each: Vec<_> = visiting.seats.iter().map(|seat| sit(&ctx, seat)).collect();
    let (sat, ()) = {
        let (sat, spared) = ctx.join((ctx.join(each), thorns(&ctx, visiting.thorns_ms))).await;
        (sat, spared?)
    };
    sat.into_iter().collect()
}

async fn sit(ctx: &OrchestrationContext, seat: &Seat) -> Result<Vec<Sat>, OrchestrationError> {
    let mut taken = Vec::new();
    for _ in 0..seat.times {
        let call = ctx.activity(SIT, &()).on_session(seat.session.as_str());
        let call = match &seat.tag {
            Some(tag) => call.with_tag(tag.as_str()),
            None => call,
        };
        taken.push(call.await?);
        if seat.pause_ms > 0 {
            ctx.timer(Duration::from_millis(seat.pause_ms)).await?;
        }
    }
    Ok(taken)
}

/// Nobody takes the tag: the timer is the first.
async fn thorns(ctx: &OrchestrationContext, ms: Option<u64>) -> Result<(), OrchestrationError> {
    let Some(ms) = ms else { return Ok(()) };
    let taken = ctx.activity::<Sat>(SIT, &()).with_tag(THORNS);
    match ctx.select((taken, ctx.timer(Duration::from_millis(ms)))).await {
        OneOf2::First(taken) => Err(format!("somebody took it: {taken:?}").into()),
        OneOf2::Second(fired) => fired,
    }
}
