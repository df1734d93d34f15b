//! One run: the world of a plan, from its first step to the verdict.

use crate::clients::{Order, place_orders};
use crate::cold::Cold;
use crate::dice::Dice;
use crate::env::text_of;
use crate::fault::Counts;
use crate::host::Host;
use crate::ledger::Ledger;
use crate::oracle::{Checked, Ended};
use crate::plan::{CLIENT, NODES, Plan, STORE};
use crate::stage::Stage;
use crate::sync::lock;
use crate::tap::{Edge, Inside, StoreTap};
use crate::workload::{self, Outside};
use crate::world::World;
use crate::wrong::{Verdict, Wrong};
use duroxide_core::Limits;
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_remote::{ClientOptions, RemoteProvider, ServerOptions, Token};
use duroxide_runtime::{Client, CommittedTurn, Runtime, RuntimeOptions, SdkHost, TurnObserver};
use duroxide_sqlite::{BeforeCommit, SqliteOptions, SqliteProvider};
use serde::{Deserialize, Serialize};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

const ADDRESS: &str = "store:7070";
const SECRET: &str = "the simulation";
/// An order takes an hour and what its faults cost; whoever needs longer hangs.
const AT_MOST: Duration = Duration::from_hours(4);

/// How a run ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The hash over everything that happened.
    pub hash: String,
    /// How many entries the hash covers.
    pub entries: u64,
    /// Faults that met work in flight.
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
    pub failure: Option<String>,
}

/// What the hosts of one run share beside the stage.
struct Props {
    stage: Arc<Stage>,
    outside: Arc<Outside>,
    ledger: Arc<Ledger>,
    store: OnceLock<Arc<dyn Store>>,
    checked: Mutex<Checked>,
}

/// Run a plan.
pub fn run(plan: &Plan) -> Outcome {
    run_traced(plan, false).0
}

/// Run a plan; gives the entries of the trace as text too, if asked.
pub fn run_traced(plan: &Plan, keep_trace: bool) -> (Outcome, Vec<String>) {
    let stage = Stage::new(plan.clone(), keep_trace);
    let played = catch_unwind(AssertUnwindSafe(|| play(&stage))).unwrap_or_else(|panic| {
        Err(Wrong::that(format!("the run panicked: {}", text_of(&*panic))))
    });
    let (mut outcome, lines) = outcome_of(&stage);
    match played {
        Ok(props) => {
            let checked = *lock(&props.checked);
            outcome.events = checked.events;
            outcome.compared = checked.compared;
            (outcome.effects, outcome.repeated) = props.outside.totals();
        }
        Err(wrong) => outcome.failure = Some(wrong.to_string()),
    }
    (outcome, lines)
}

/// What there is to say of a run, passed or not.
fn outcome_of(stage: &Stage) -> (Outcome, Vec<String>) {
    let (hash, entries, lines) = stage.trace.finish();
    let outcome = Outcome {
        seed: stage.plan.seed,
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
    (outcome, lines)
}

fn play(stage: &Arc<Stage>) -> Verdict<Arc<Props>> {
    let props = Arc::new(Props {
        stage: Arc::clone(stage),
        outside: Arc::default(),
        ledger: Arc::new(Ledger::new(Cold::new(workload::orchestrations()?, Limits::default()))),
        store: OnceLock::new(),
        checked: Mutex::default(),
    });
    let mut world = World::new(stage);
    let shared = Arc::clone(&props);
    world.host(STORE, move |host, env| store(Arc::clone(&shared), host, env));
    for name in NODES {
        let shared = Arc::clone(&props);
        world.host(name, move |host, env| node(Arc::clone(&shared), host, env));
    }
    let shared = Arc::clone(&props);
    world.client(CLIENT, move |host, env| clients(shared, host, env));
    world.run(AT_MOST)?;
    Ok(props)
}

/// The production provider behind the production server.
async fn store(props: Arc<Props>, host: Arc<Host>, env: Env) -> Verdict {
    let mut options = SqliteOptions::new(":memory:");
    options.before_commit = Some(seeded_sync(&props.stage, &env));
    let sqlite = SqliteProvider::open(env.clone(), options).await?;
    let sqlite: Arc<dyn Store> = Arc::new(sqlite);
    let _ = props.store.set(Arc::clone(&sqlite));
    let ledger = Arc::clone(&props.ledger);
    let tap = StoreTap(Arc::new(Inside { host, env: env.clone(), store: sqlite, ledger }));
    let listener = env.network.listen("0.0.0.0:7070").await?;
    let options = ServerOptions::new(Token::new(SECRET)?);
    duroxide_remote::serve(env, listener, Arc::new(tap), options).await;
    Ok(())
}

/// How long each batch takes to reach the disk.
fn seeded_sync(stage: &Arc<Stage>, env: &Env) -> BeforeCommit {
    let dice = Mutex::new(Dice::new(stage.plan.seed, "sync"));
    let (env, most) = (env.clone(), stage.plan.sync_ms);
    Arc::new(move || {
        let latency = lock(&dice).within(0..=most);
        let env = env.clone();
        Box::pin(async move {
            if latency > 0 {
                env.sleep(Duration::from_millis(latency)).await;
            }
        })
    })
}

/// The production runtime, reaching the store through the production client.
async fn node(props: Arc<Props>, host: Arc<Host>, env: Env) -> Verdict {
    let code = workload::registry(&host, &env, &props.outside)?;
    let sdk = Arc::new(SdkHost::new(code));
    let options = RuntimeOptions {
        node_id: Some(host.name().to_owned()),
        observer: Some(Arc::new(Watcher { ledger: Arc::clone(&props.ledger) })),
        ..RuntimeOptions::default()
    };
    let store = reach_store(&host, &env)?;
    let _runtime = Runtime::start(env, store, Arc::clone(&sdk) as _, sdk, options)?;
    pending().await
}

fn reach_store(host: &Arc<Host>, env: &Env) -> Verdict<Arc<dyn Store>> {
    let token = Token::new(SECRET)?;
    let remote = RemoteProvider::new(env, ADDRESS, token, ClientOptions::default());
    Ok(Arc::new(Edge::new(Arc::clone(host), Arc::new(remote))))
}

/// Clients, and then the verdict.
async fn clients(props: Arc<Props>, host: Arc<Host>, env: Env) -> Verdict {
    let client = Client::new(env.clone(), reach_store(&host, &env)?);
    let orders: Vec<Order> = place_orders(&env, &client, &props.stage.plan).await?;
    let store = props.store.get().ok_or_else(|| Wrong::that("the store never opened"))?;
    let ended =
        Ended { env: &env, store: &**store, ledger: &props.ledger, outside: &props.outside };
    *lock(&props.checked) = ended.check(&orders).await?;
    Ok(())
}

/// Tells the ledger in which state each turn left a node's copy.
struct Watcher {
    ledger: Arc<Ledger>,
}

impl TurnObserver for Watcher {
    fn wants_fingerprint(&self) -> bool {
        true
    }

    fn turn_committed(&self, turn: &CommittedTurn) {
        if let Some(fingerprint) = &turn.fingerprint {
            self.ledger.resident(turn.commit, fingerprint);
        }
    }
}
