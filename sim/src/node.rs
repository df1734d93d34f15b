//! A host that runs orchestrations and activities: the production runtime, with the code
//! of the workload's build, reaching the store through the production client. Around each
//! attempt of an activity: some time, an effect on the outside world, some more time, and
//! whatever is planned there. Not here: dispatch, leases, replay; those are production code.

use crate::counts::sometimes;
use crate::dice::Dice;
use crate::fault::Then;
use crate::host::Host;
use crate::oracle::Ledger;
use crate::outside::Arm;
use crate::point::Boundary;
use crate::store::reach;
use crate::sync::lock;
use crate::workload::Workload;
use crate::wrong::{Verdict, Wrong};
use async_trait::async_trait;
use duroxide_core::{Failure, FailureKind, Payload};
use duroxide_provider::ActivityKey;
use duroxide_provider::env::Env;
use duroxide_runtime::host::{ActivityHost, ActivityTask};
use duroxide_runtime::{CommittedTurn, Runtime, RuntimeOptions, SdkHost, TurnObserver};
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex};
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
        env: env.clone(),
        code: Arc::clone(&sdk),
        arms: Mutex::default(),
        dice: Mutex::new(dice),
    };
    let mut options = workload.options(host.build());
    options.node_id = Some(host.name().to_owned());
    options.observer = Some(Arc::new(Watcher { host: Arc::clone(&host), ledger }));
    let store = reach(&host, &env)?;
    let _runtime = start(env, store, sdk, bench, options)?;
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
        let result = self.code.run_activity(task).await;
        self.spend_time().await;
        self.host.pass().await;
        result.map(|result| self.flipped(&name, result))
    }
}

impl Bench {
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
