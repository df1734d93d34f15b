//! What is played and kept: every scenario, and what no scenario shows.
//! Not here: the lists of events expected (`tests`).

use duroxide_core::ArrivalBody;
use duroxide_scenarios::by_hand::{Recording, play};
use duroxide_scenarios::{all, no_effects};
use duroxide_sdk::testing::ByHand;
use duroxide_sdk::{OrchestrationContext, Registry, RegistryError};

/// Something that is played and kept as a snapshot under its name.
#[derive(Debug)]
pub struct Case {
    /// Its name: the scenario's, if it is one.
    pub name: &'static str,
    /// The code that replays it.
    pub registry: Registry,
    /// What was recorded.
    pub recordings: Vec<Recording>,
}

/// Everything that is kept.
pub fn cases() -> Result<Vec<Case>, RegistryError> {
    let mut cases =
        vec![nondeterminism()?, cancelled_before_its_start()?, cancelled_twice()?, terminated()?];
    for scenario in all() {
        let recordings = play(&scenario)?.recordings();
        let registry = (scenario.registry)(&no_effects())?;
        cases.push(Case { name: scenario.name, registry, recordings });
    }
    Ok(cases)
}

fn case(name: &'static str, registry: Registry, run: &ByHand) -> Case {
    Case { name, registry, recordings: vec![Recording::of(run)] }
}

/// Two builds that disagree. What the first recorded is replayed by the first.
fn nondeterminism() -> Result<Case, RegistryError> {
    let build = |activity: &'static str| {
        let code = move |ctx: OrchestrationContext, (): ()| async move {
            ctx.activity::<()>(activity, &()).await
        };
        Registry::builder().register_orchestration("It", code).build()
    };
    let old = build("Old")?;
    let mut run = ByHand::start(&old, "It", &());
    run.turn();
    run.deploy(&build("New")?).evict().activity_completes("Old", &()).turn();
    Ok(case("nondeterminism", old, &run))
}

/// A lease, begun by a client and not yet by anybody else.
fn lease() -> Result<(Registry, ByHand), RegistryError> {
    let lease = duroxide_scenarios::cancellation::scenario();
    let registry = (lease.registry)(&no_effects())?;
    let run = ByHand::start(&registry, lease.orchestration, &lease.input);
    Ok((registry, run))
}

fn cancelled_before_its_start() -> Result<Case, RegistryError> {
    let (registry, mut run) = lease()?;
    run.cancel("never mind").turn();
    Ok(case("cancelled-before-its-start", registry, &run))
}

fn cancelled_twice() -> Result<Case, RegistryError> {
    let (registry, mut run) = lease()?;
    run.turn();
    run.perform_activity();
    run.turn();
    run.cancel("once").turn();
    run.cancel("twice").turn();
    Ok(case("cancelled-twice", registry, &run))
}

fn terminated() -> Result<Case, RegistryError> {
    let (registry, mut run) = lease()?;
    run.turn();
    run.arrives(ArrivalBody::Terminate { reason: "out of order".to_owned() }).turn();
    Ok(case("terminated", registry, &run))
}
