//! A host that runs orchestrations and activities: the production runtime, with the code
//! of the workload's build, reaching the store through the production client. Around each
//! attempt of an activity: some time, an effect on the outside world, some more time, and
//! whatever is planned there. Not here: dispatch, leases, replay; those are production code.

use crate::counts::{IDLE, sometimes};
use crate::dice::Dice;
use crate::fault::Then;
use crate::host::{Death, Host};
use crate::oracle::{Attempt, Fact, Ledger, Moment};
use crate::outside::Arm;
use crate::point::Boundary;
use crate::store::reach;
use crate::sync::lock;
use crate::workload::Workload;
use crate::wrong::{Verdict, Wrong};
use async_trait::async_trait;
use duroxide_core::{Failure, FailureKind, InstanceId, Payload};
use duroxide_provider::env::Env;
use duroxide_provider::{ActivityKey, InstanceKey};
use duroxide_runtime::host::{ActivityHost, ActivityTask};
use duroxide_runtime::{
    Client, ClientError, CommittedTurn, Runtime, RuntimeOptions, SdkHost, TurnObserver,
};
use futures_util::future::{Either, select};
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// What runs on such a host, in each of its lives.
pub(crate) async fn run(
    workload: Arc<dyn Workload>,
    ledger: Arc<Ledger>,
    host: Arc<Host>,
    env: Env,
) -> Verdict {
    let registry = workload
        .registry(host.build())
        .map_err(|error| Wrong::of("workload", error.to_string()))?;
    let sdk = Arc::new(SdkHost::new(registry));
    let dice = Dice::new(host.stage().plan.seed, &format!("activities of {host:?}"));
    let bench = Bench {
        host: Arc::clone(&host),
        ledger: Arc::clone(&ledger),
        workload: Arc::clone(&workload),
        client: Arc::default(),
        env: env.clone(),
        code: Arc::clone(&sdk),
        arms: Mutex::default(),
        dice: Mutex::new(dice),
    };
    let client = Arc::clone(&bench.client);
    let mut options = workload.options(host.build());
    options.node_id = Some(host.name().to_owned());
    options.observer =
        Some(Arc::new(Watcher { host: Arc::clone(&host), ledger: Arc::clone(&ledger) }));
    let store = reach(&host, &env)?;
    let runtime = start(env, store, sdk, bench, options)?;
    let _ = client.set(runtime.client());
    let how = host.told_to_stop().await;
    ledger.asked(&Fact::NodeStops(&format!("{host:?}")));
    runtime.shutdown(Duration::from_millis(how.within_ms)).await;
    host.die(&Death { name: IDLE, down_ms: how.down_ms, ..Death::default() });
    pending().await
}

fn start(
    env: Env,
    store: Arc<dyn duroxide_provider::Store>,
    code: Arc<SdkHost>,
    bench: Bench,
    options: RuntimeOptions,
) -> Verdict<Runtime> {
    Ok(Runtime::start(env, store, code, Arc::new(bench), options)?)
}

/// Where activities run.
struct Bench {
    host: Arc<Host>,
    ledger: Arc<Ledger>,
    workload: Arc<dyn Workload>,
    /// That of the runtime itself, for what activities send.
    client: Arc<OnceLock<Client>>,
    env: Env,
    code: Arc<SdkHost>,
    /// Ways to the outside world that nobody uses now.
    arms: Mutex<Vec<Arm>>,
    dice: Mutex<Dice>,
}

#[async_trait]
impl ActivityHost for Bench {
    fn registered(&self) -> BTreeSet<String> {
        ActivityHost::registered(&*self.code)
    }

    async fn run_activity(&self, task: ActivityTask) -> Result<Payload, Failure> {
        let cancelled = task.cancelled.clone();
        let watched = Watched::begin(self, &task);
        let attempt = pin!(self.attempt(task));
        match select(attempt, pin!(cancelled.cancelled())).await {
            Either::Left((result, _)) => result,
            Either::Right(((), attempt)) => {
                watched.tell(Moment::IsTold);
                attempt.await
            }
        }
    }
}

impl Bench {
    async fn attempt(&self, task: ActivityTask) -> Result<Payload, Failure> {
        let (activity, name) = (task.activity.activity, task.activity.name.clone());
        for then in self.host.strike(Boundary::Began) {
            if let Then::Wait { lasting } = then {
                self.env.sleep(lasting).await;
            } else if matches!(then, Then::Throw) {
                return Err(thrown());
            }
        }
        self.spend_time().await;
        self.host.pass().await;
        self.touch(&activity).await;
        for then in self.host.strike(Boundary::Effect) {
            if let Then::Wait { lasting } = then {
                self.env.sleep(lasting).await;
            }
        }
        self.host.pass().await;
        let sends = self.workload.sends(&task.activity);
        let instance = task.activity.key.id.clone();
        let result = self.code.run_activity(task).await;
        if let Some((name, data)) = sends {
            self.send(&instance, &name, &data).await?;
        }
        self.spend_time().await;
        self.host.pass().await;
        result.map(|result| self.flipped(&name, result))
    }

    /// Have an effect on the outside world, and know that it was had.
    async fn touch(&self, activity: &ActivityKey) {
        loop {
            let idle = lock(&self.arms).pop();
            let arm = match idle {
                Some(arm) => Ok(arm),
                None => Arm::reach(&self.env).await,
            };
            if let Ok(mut arm) = arm
                && arm.touch(activity).await.is_ok()
            {
                lock(&self.arms).push(arm);
                return;
            }
            // The connection broke: nobody knows whether it was had.
            self.env.sleep(Duration::from_millis(100)).await;
        }
    }

    /// Send the instance an event, as its activities do, and know that it was taken.
    async fn send(&self, to: &InstanceId, name: &str, data: &Value) -> Result<(), Failure> {
        let Some(client) = self.client.get() else { return Ok(()) };
        loop {
            let data = Payload::json(data.to_string());
            match client.raise_event(to.clone(), name, data).await {
                Ok(()) => {
                    self.host.pass().await;
                    return Ok(());
                }
                Err(ClientError::Store { error }) if error.is_transient() => {
                    self.env.sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(Failure::application(error.to_string())),
            }
        }
    }

    /// Mostly a moment; sometimes longer than a lease, so that leases are prolonged.
    async fn spend_time(&self) {
        let ms = {
            let mut dice = lock(&self.dice);
            if dice.percent(2) { 45_000 } else { dice.pick(&[0, 0, 3, 40, 250]) }
        };
        if ms > 0 {
            self.env.sleep(Duration::from_millis(ms)).await;
        }
    }

    /// The result, changed if the plan says so.
    fn flipped(&self, name: &str, result: Payload) -> Payload {
        if self.host.stage().plan.flip.as_deref() != Some(name) {
            return result;
        }
        match serde_json::from_slice(result.bytes()) {
            Ok(Value::String(mut text)) => {
                let last = text.pop().map_or('?', |last| if last == '?' { '!' } else { '?' });
                text.push(last);
                Payload::json(Value::String(text).to_string())
            }
            _ => result,
        }
    }
}

/// An attempt that runs; tells the ledger what becomes of it.
struct Watched<'a> {
    bench: &'a Bench,
    key: InstanceKey,
    attempt: Attempt,
}

impl<'a> Watched<'a> {
    fn begin(bench: &'a Bench, task: &ActivityTask) -> Self {
        let (key, activity) = (task.activity.key.clone(), task.activity.activity);
        let watched =
            Self { bench, key, attempt: Attempt { activity, on: format!("{:?}", bench.host) } };
        watched.tell(Moment::Begins);
        watched
    }

    fn tell(&self, moment: Moment) {
        let Bench { host, ledger, .. } = self.bench;
        // What is dead may go on for a moment, and hears nothing.
        if host.is_alive() || moment == Moment::Ends {
            ledger.asked(&Fact::Attempt(&self.key, &self.attempt, moment));
            ledger.report(host.stage());
        }
    }
}

impl Drop for Watched<'_> {
    /// However it ends: with an outcome, or with its process.
    fn drop(&mut self) {
        self.tell(Moment::Ends);
    }
}

fn thrown() -> Failure {
    Failure::new(FailureKind::Application, "the simulation threw")
}

/// Tells the ledger in which state each turn left a node's copy.
struct Watcher {
    host: Arc<Host>,
    ledger: Arc<Ledger>,
}

impl TurnObserver for Watcher {
    fn wants_fingerprint(&self) -> bool {
        true
    }

    fn turn_committed(&self, turn: &CommittedTurn) {
        if turn.cold {
            self.host.stage().count(self.host.name(), sometimes::COLD_TURN);
        }
        if let Some(fingerprint) = &turn.fingerprint {
            self.ledger.resident(&turn.key, turn.commit, fingerprint);
        }
    }
}
