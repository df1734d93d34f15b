//! A rolling upgrade: three builds of one code base run side by side, nodes go forward and
//! back. Each build has versions and activities that others do not have, or not any more;
//! work waits for a node that has its names, and nothing fails for want of one.
//!
//! What went wrong elsewhere: turns that ran the latest version instead of the recorded
//! one, work poisoned by nodes that did not know its name.

use super::parts::{INSTANCES, instance, same};
use super::{Finished, Workload};
use crate::dice::Dice;
use crate::plan::{Action, InstancePlan};
use duroxide_core::{CompatFlags, EventKind};
use duroxide_runtime::RuntimeOptions;
use duroxide_sdk::{
    ActivityContext, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const GROW: &str = "Grow";
/// The versions: of every build, from the second, only of the last.
const V1: &str = "1.0.0";
const V1_1: &str = "1.1.0";
const V2: &str = "2.0.0";
/// In all builds but the last.
const OLD: &str = "OldStep";
/// From the second build on.
const CHECKED: &str = "CheckedStep";
/// Only in the last.
const NEW: &str = "NewStep";
const BUILDS: u32 = 3;
/// When no fault sends a node back to an older build any more.
const CALM_MS: u64 = 660_000;
/// How long each of the last deployments stays.
const STAY_MS: u64 = 1_200_000;

/// Instances that outlive builds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upgrades;

/// What an instance has become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Tree {
    /// So many executions follow, each in what is the latest version then.
    seasons: u64,
    /// It grows a branch, in the first version.
    branch: bool,
    height: u64,
    /// The version of each season.
    rings: Vec<String>,
}

impl Workload for Upgrades {
    fn name(&self) -> &'static str {
        "upgrade"
    }

    fn registry(&self, build: u32) -> Result<Registry, RegistryError> {
        let step = |add: u64| {
            move |_: ActivityContext, height: u64| async move { Ok::<_, String>(height + add) }
        };
        let mut code = Registry::builder().register_orchestration_versioned(GROW, V1, grow_plainly);
        if build + 1 < BUILDS {
            code = code.register_activity(OLD, step(1));
        }
        if build > 0 {
            code = code.register_orchestration_versioned(GROW, V1_1, grow_checked);
            code = code.register_activity(CHECKED, step(10));
        }
        if build + 1 == BUILDS {
            code = code.register_orchestration_versioned(GROW, V2, grow_anew);
            code = code.register_activity(NEW, step(100));
        }
        code.build()
    }

    fn builds(&self) -> u32 {
        BUILDS
    }

    fn options(&self, build: u32) -> RuntimeOptions {
        RuntimeOptions {
            // The first build does not know how newer ones record.
            flags: if build > 0 { CompatFlags(1) } else { CompatFlags::NONE },
            // No name is missing for longer than it takes to deploy.
            unregistered_timeout: Some(Duration::from_hours(48)),
            ..RuntimeOptions::default()
        }
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        let mut plans: Vec<_> =
            (1..=INSTANCES).map(|number| plan(format!("upgrade-{number}"), dice)).collect();
        if let Some(last) = plans.pop() {
            plans.push(deployed(last, dice));
        }
        plans
    }

    fn lasts(&self) -> Duration {
        Duration::from_hours(4)
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let first: Tree =
            serde_json::from_value(ended.plan.input.clone()).map_err(|error| error.to_string())?;
        let tree: Tree = ended.output()?;
        same("seasons", &(tree.rings.len() as u64), &(first.seasons + 1))?;
        // It grew as each of the versions grows, whichever build ran them.
        let branch = if first.branch { height_of(V1) } else { 0 };
        let height = tree.rings.iter().map(|version| height_of(version)).sum::<u64>() + branch;
        same("height", &tree.height, &height)?;
        if let Some(version) = &ended.plan.version {
            same("first version", &tree.rings.first(), &Some(version))?;
        }
        let recorded = ended.history.first().map(|event| &event.kind);
        let Some(EventKind::OrchestrationStarted { version, .. }) = recorded else {
            return Err("its history has no beginning".to_owned());
        };
        same("last version", &tree.rings.last(), &Some(version))
    }
}

fn plan(id: String, dice: &mut Dice) -> InstancePlan {
    let seasons = dice.within(0..=3);
    let tree = Tree { seasons, branch: dice.percent(40), height: 0, rings: Vec::new() };
    let mut plan = instance(id, GROW, &tree, dice);
    plan.version = dice.pick(&[None, None, None, Some(V1), Some(V2)]).map(str::to_owned);
    plan.starts_ms = dice.within(0..=240_000);
    plan
}

/// With an operator who tries builds, and goes back; and who, once nothing else happens,
/// gives each name its time.
fn deployed(mut plan: InstancePlan, dice: &mut Dice) -> InstancePlan {
    for _ in 0..3 {
        let build = dice.within(0..=u64::from(BUILDS) - 1) as u32;
        plan = plan.then(dice.pick(&[20_000, 60_000]), Action::Deploy { build });
    }
    for (round, build) in [1, 2, 1, 2].into_iter().enumerate() {
        let after_ms = if round == 0 { CALM_MS } else { STAY_MS };
        plan = plan.then(after_ms, Action::Deploy { build });
    }
    plan
}

/// How much a version grows in a season.
fn height_of(version: &str) -> u64 {
    match version {
        V1 => 1,
        V1_1 => 11,
        _ => 100,
    }
}

async fn grow_plainly(
    ctx: OrchestrationContext,
    mut tree: Tree,
) -> Result<Tree, OrchestrationError> {
    tree.height = ctx.activity(OLD, &tree.height).await?;
    season(ctx, tree).await
}

async fn grow_checked(
    ctx: OrchestrationContext,
    mut tree: Tree,
) -> Result<Tree, OrchestrationError> {
    let height: u64 = ctx.activity(OLD, &tree.height).await?;
    tree.height = ctx.activity(CHECKED, &height).await?;
    ctx.set_custom_status("checked")?;
    season(ctx, tree).await
}

async fn grow_anew(ctx: OrchestrationContext, mut tree: Tree) -> Result<Tree, OrchestrationError> {
    let timer = ctx.timer(Duration::from_millis(500));
    let (height, rested) = ctx.join((ctx.activity(NEW, &tree.height), timer)).await;
    rested?;
    tree.height = height?;
    season(ctx, tree).await
}

async fn season(ctx: OrchestrationContext, mut tree: Tree) -> Result<Tree, OrchestrationError> {
    tree.rings.push(ctx.version());
    if std::mem::take(&mut tree.branch) {
        let twig = Tree { seasons: 0, branch: false, height: 0, rings: Vec::new() };
        let grown: Tree = ctx.child(GROW, &twig).version(V1).await?;
        tree.height += grown.height;
    }
    ctx.timer(Duration::from_secs(3)).await?;
    match tree.seasons.checked_sub(1) {
        None => Ok(tree),
        Some(seasons) => ctx.continue_as_new(&Tree { seasons, ..tree }).await,
    }
}
