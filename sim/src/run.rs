//! One run: the world of a plan, from its first step to the verdict. Not here: how the world
//! goes on (`world`), what its hosts run (`node`, `store`, `clients`), what must hold
//! (`oracle`), many runs (`batch`).

use crate::clients::{Desk, see_through};
use crate::counts::{Counts, sometimes};
use crate::env::text_of;
use crate::host::Host;
use crate::node;
use crate::oracle::{self, Checked, Cold, Ended, Ledger};
use crate::outside::Outside;
use crate::plan::{InstancePlan, OUTSIDE, Plan, STORE};
use crate::stage::Stage;
use crate::store::{Backend, reach};
use crate::sync::lock;
use crate::trace::Entry;
use crate::workload::Workload;
use crate::world::World;
use crate::wrong::{Verdict, Wrong};
use duroxide_core::Limits;
use duroxide_provider::env::Env;
use duroxide_runtime::Client;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long it may take, beyond what the workload and the faults take, until all is done.
const GRACE: Duration = Duration::from_hours(2);

/// How a run ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What ran.
    pub workload: String,
    /// The hash over everything that happened.
    pub hash: String,
    /// How many entries the hash covers.
    pub entries: u64,
    /// Faults that met work in flight, and points that were reached.
    pub counts: Counts,
    /// Virtual time, in ms.
    pub virtual_ms: u64,
    /// Steps of the driver.
    pub steps: u64,
    /// Events recorded.
    pub events: u64,
    /// States compared between a resident copy and a cold replay.
    pub compared: u64,
    /// Effects of activities on the outside world.
    pub effects: u64,
    /// Of these: repeated ones.
    pub repeated: u64,
    /// What went wrong, if anything did.
    pub failure: Option<Wrong>,
}

/// What the hosts of one run share beside the stage.
struct Props {
    stage: Arc<Stage>,
    workload: Arc<dyn Workload>,
    outside: Arc<Outside>,
    ledger: Arc<Ledger>,
    backend: Arc<Backend>,
    desk: Arc<Desk>,
    checked: Mutex<Checked>,
}

/// Run a plan of this workload.
pub fn run(plan: &Plan, workload: &Arc<dyn Workload>) -> Outcome {
    run_traced(plan, workload, false).0
}

/// Run a plan; gives the entries of the trace too, if asked.
pub fn run_traced(
    plan: &Plan,
    workload: &Arc<dyn Workload>,
    keep_trace: bool,
) -> (Outcome, Vec<Entry>) {
    let workload = &workload.fresh().unwrap_or_else(|| Arc::clone(workload));
    let stage = Stage::new(plan.clone(), keep_trace);
    let played =
        catch_unwind(AssertUnwindSafe(|| play(&stage, workload))).unwrap_or_else(|panic| {
            let sentence = format!("the run panicked: {}", text_of(&*panic));
            Err(Wrong::of("panic", sentence))
        });
    let (mut outcome, kept) = outcome_of(&stage);
    match played {
        Ok(props) => {
            let checked = *lock(&props.checked);
            outcome.events = checked.events;
            outcome.compared = checked.compared;
            (outcome.effects, outcome.repeated) = props.outside.totals();
            outcome.counts.add_many(sometimes::EFFECT_REPEATED, outcome.repeated);
        }
        Err(wrong) => outcome.failure = Some(wrong),
    }
    (outcome, kept)
}

/// What there is to say of a run, passed or not.
fn outcome_of(stage: &Stage) -> (Outcome, Vec<Entry>) {
    let (hash, entries, kept) = stage.trace.finish();
    let outcome = Outcome {
        seed: stage.plan.seed,
        workload: stage.plan.workload.clone(),
        hash,
        entries,
        counts: stage.counts(),
        virtual_ms: stage.timeline.now().as_millis() as u64,
        steps: stage.steps(),
        events: 0,
        compared: 0,
        effects: 0,
        repeated: 0,
        failure: None,
    };
    (outcome, kept)
}

fn play(stage: &Arc<Stage>, workload: &Arc<dyn Workload>) -> Verdict<Arc<Props>> {
    let code = workload.registry(workload.builds().max(1) - 1)?;
    let outside = Arc::<Outside>::default();
    let props = Arc::new(Props {
        stage: Arc::clone(stage),
        workload: Arc::clone(workload),
        ledger: Arc::new(Ledger::new(
            Cold::new(code, Limits::default()),
            oracle::all(stage, Arc::clone(&outside)),
        )),
        outside,
        backend: Arc::new(Backend::new(stage.plan.seed)),
        desk: Arc::default(),
        checked: Mutex::default(),
    });
    let mut world = World::new(stage);
    let shared = Arc::clone(&props);
    world.host(STORE, move |host, env| {
        Arc::clone(&shared.backend).serve(Arc::clone(&shared.ledger), host, env)
    });
    // Each host costs time in every step: who looks at what is left has none of his own.
    let (outside, shared) = (Arc::clone(&props.outside), Arc::clone(&props));
    world.client(OUTSIDE, move |host, env| async move {
        tokio::select! {
            biased;
            ended = outside.serve(host, env.clone()) => ended,
            verdict = verify(shared, env) => verdict,
        }
    });
    for node in &stage.plan.nodes {
        let (workload, ledger) = (Arc::clone(workload), Arc::clone(&props.ledger));
        world.host(&node.name, move |host, env| {
            node::run(Arc::clone(&workload), Arc::clone(&ledger), host, env)
        });
    }
    let names: Vec<_> = stage.plan.client_names().collect();
    for (place, name) in names.iter().enumerate() {
        let instances = share(&stage.plan.instances, place, names.len());
        let shared = Arc::clone(&props);
        world.client(name, move |host, env| clients(shared, instances, host, env));
    }
    world.run(workload.lasts() + Duration::from_millis(stage.plan.chaos_ms) + GRACE)?;
    Ok(props)
}

/// The instances of one of so many hosts.
fn share(instances: &[InstancePlan], place: usize, of: usize) -> Vec<InstancePlan> {
    instances.iter().skip(place).step_by(of).cloned().collect()
}

async fn clients(
    props: Arc<Props>,
    instances: Vec<InstancePlan>,
    host: Arc<Host>,
    env: Env,
) -> Verdict {
    let client = Client::new(env.clone(), reach(&host, &env)?);
    see_through(host, env, client, instances, Arc::clone(&props.desk)).await
}

/// The verdict, when all clients have their answers.
async fn verify(props: Arc<Props>, env: Env) -> Verdict {
    let seen = props.desk.all(props.stage.plan.instances.len()).await;
    props.stage.heal();
    let store = props.backend.open()?;
    let ended = Ended {
        env: &env,
        store: &*store,
        workload: &*props.workload,
        ledger: &props.ledger,
        seen: &seen,
    };
    *lock(&props.checked) = ended.check().await?;
    props.backend.check_file(props.stage.plan.store.kind)
}
