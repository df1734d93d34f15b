//! A Runtime as JavaScript holds it: the engine, and the calls by which the JavaScript
//! thread answers its jobs. Not here: the queue between them (`host`).

use crate::client::NativeClient;
use crate::errors::{internal, of_provider, told};
use crate::execution::NativeExecution;
use crate::host::{JsHost, Registered};
use crate::log::{self, LogSettings};
use crate::store::NativeStore;
use duroxide_core::Payload;
use duroxide_provider::env::Env;
use duroxide_provider::{Store, TagFilter};
use duroxide_runtime::host::TurnReply;
use duroxide_runtime::{Determinism, Runtime, RuntimeOptions};
use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Calls JavaScript without keeping Node alive.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

#[derive(Deserialize)]
struct Config {
    options: Options,
    orchestrations: Vec<(String, Vec<String>)>,
    activities: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    orchestration_concurrency: Option<usize>,
    worker_concurrency: Option<usize>,
    dispatcher_poll_interval_ms: Option<u64>,
    worker_lock_timeout_ms: Option<u64>,
    #[serde(flatten)]
    log: LogSettings,
    service_name: Option<String>,
    service_version: Option<String>,
    max_sessions_per_runtime: Option<usize>,
    session_idle_timeout_ms: Option<u64>,
    worker_node_id: Option<String>,
    worker_tag_filter: Option<Tags>,
    max_attempts: Option<u32>,
    unregistered_timeout_ms: Option<u64>,
    resident_instances: Option<usize>,
    determinism: Option<OnInputChange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Tags {
    DefaultOnly,
    Any,
    None,
    #[serde(rename = "tags")]
    Only(BTreeSet<String>),
    DefaultAnd(BTreeSet<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum OnInputChange {
    Throw,
    Warn,
    Off,
}

impl From<OnInputChange> for Determinism {
    fn from(wanted: OnInputChange) -> Self {
        match wanted {
            OnInputChange::Throw => Self::Fail,
            OnInputChange::Warn => Self::Warn,
            OnInputChange::Off => Self::Off,
        }
    }
}

impl From<Tags> for TagFilter {
    fn from(tags: Tags) -> Self {
        match tags {
            Tags::DefaultOnly => Self::DefaultOnly,
            Tags::Any => Self::Any,
            Tags::None => Self::None,
            Tags::Only(tags) => Self::Tags(tags),
            Tags::DefaultAnd(tags) => Self::DefaultAnd(tags),
        }
    }
}

impl From<Options> for RuntimeOptions {
    fn from(given: Options) -> Self {
        let default = Self::default();
        let ms = |ms: Option<u64>, default| ms.map_or(default, Duration::from_millis);
        let worker_lease = ms(given.worker_lock_timeout_ms, default.worker_lease);
        Self {
            orchestration_concurrency: given
                .orchestration_concurrency
                .unwrap_or(default.orchestration_concurrency),
            worker_concurrency: given.worker_concurrency.unwrap_or(default.worker_concurrency),
            poll_interval: ms(given.dispatcher_poll_interval_ms, default.poll_interval),
            // A short activity lease is asked for to notice stopped processes soon: a turn's
            // is not to be longer than it.
            turn_lease: default.turn_lease.min(worker_lease),
            worker_lease,
            max_sessions: given.max_sessions_per_runtime.unwrap_or(default.max_sessions),
            session_idle: ms(given.session_idle_timeout_ms, default.session_idle),
            node_id: given.worker_node_id,
            tags: given.worker_tag_filter.map_or_else(|| default.tags.clone(), TagFilter::from),
            max_attempts: given.max_attempts.unwrap_or(default.max_attempts),
            unregistered_timeout: match given.unregistered_timeout_ms {
                None => default.unregistered_timeout,
                Some(0) => None,
                Some(ms) => Some(Duration::from_millis(ms)),
            },
            resident_instances: given.resident_instances.unwrap_or(default.resident_instances),
            determinism: given.determinism.map_or(default.determinism, Determinism::from),
            ..default
        }
    }
}

fn registered(config: &Config) -> Result<Registered, semver::Error> {
    let mut orchestrations = BTreeMap::new();
    for (name, versions) in &config.orchestrations {
        let versions = versions.iter().map(|version| semver::Version::parse(version));
        orchestrations.insert(name.clone(), versions.collect::<Result<BTreeSet<_>, _>>()?);
    }
    Ok(Registered { orchestrations, activities: config.activities.clone() })
}

/// The engine of one Runtime, and its host.
#[napi]
pub struct NativeRuntime {
    env: Env,
    store: Arc<dyn Store>,
    host: Arc<JsHost>,
    options: RuntimeOptions,
    /// Name and version, for the log.
    service: (Option<String>, Option<String>),
    engine: Mutex<Option<Arc<Runtime>>>,
}

impl NativeRuntime {
    /// Whoever names a service wants to see it; others want silence.
    fn tell_start(&self) {
        let (name, version) = &self.service;
        let node = &self.options.node_id;
        if name.is_some() || version.is_some() {
            tracing::info!(
                target: "duroxide::runtime",
                service_name = name, service_version = version, worker_node_id = node,
                "a Runtime takes work"
            );
        } else {
            tracing::debug!(
                target: "duroxide::runtime", worker_node_id = node, "a Runtime takes work"
            );
        }
    }

    fn engine(&self) -> Option<Arc<Runtime>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[napi]
impl NativeRuntime {
    /// A runtime that has not been started. `wake` is called when there is something to drain.
    #[napi(constructor)]
    pub fn new(store: &NativeStore, config: String, wake: Wake) -> napi::Result<Self> {
        let mut config: Config =
            serde_json::from_str(&config).map_err(|e| internal("config", &e))?;
        let service = (config.options.service_name.take(), config.options.service_version.take());
        log::set_up(&config.options.log);
        let registered =
            registered(&config).map_err(|error| told("INVALID", &error.to_string()))?;
        let wake = move || {
            // The queue of a threadsafe function has no bound, and a closing environment
            // needs no wake-up.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        };
        Ok(Self {
            env: store.env.clone(),
            store: Arc::clone(&store.store),
            host: JsHost::new(registered, Box::new(wake)),
            options: config.options.into(),
            service,
            engine: Mutex::new(None),
        })
    }

    /// Start; resolves when work is being taken.
    #[napi]
    pub async fn start(&self) -> napi::Result<()> {
        // A store that cannot be used is an error of the start, not of every later call.
        self.store.depths().await.map_err(|error| of_provider(&error))?;
        let (env, store, host) = (self.env.clone(), self.store.clone(), self.host.clone());
        let engine = Runtime::start(env, store, host.clone(), host, self.options.clone())
            .map_err(|error| of_provider(&error))?;
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(engine));
        self.tell_start();
        Ok(())
    }

    /// Stop taking work, wait for what runs at most this long, hand leases back.
    #[napi]
    pub async fn shutdown(&self, timeout_ms: f64) -> napi::Result<()> {
        if let Some(engine) = self.engine() {
            engine.shutdown(Duration::from_millis(timeout_ms as u64)).await;
        }
        self.host.detach();
        Ok(())
    }

    /// A client of this runtime: what an activity sends to its own instance through it is
    /// not overtaken by the activity's result.
    #[napi]
    pub fn client(&self) -> Option<NativeClient> {
        self.engine().map(|engine| NativeClient::of(engine.client()))
    }

    /// Everything that waits for the JavaScript thread, as a JSON array.
    #[napi]
    pub fn drain(&self) -> napi::Result<String> {
        self.host.drain().map_err(|error| internal("jobs", &error))
    }

    /// The state machine for a turn that brings its history.
    #[napi(catch_unwind)]
    pub fn open(&self, turn: f64) -> napi::Result<NativeExecution> {
        let opening = self.host.with_turn(turn as u64, |turn| turn.request.opening.take());
        let opening = opening.flatten().ok_or_else(|| told("INTERNAL", "no history to open"))?;
        Ok(NativeExecution::of_host(Arc::clone(&self.host), *opening))
    }

    /// There is no resident copy for this turn.
    #[napi]
    pub fn not_resident(&self, turn: f64) {
        if let Some(pending) = self.host.take_turn(turn as u64) {
            // Nobody waits when the engine gave the turn up.
            let _ = pending.reply.send(TurnReply::NotResident(pending.request.input));
        }
    }

    /// This turn cannot be run here.
    #[napi]
    pub fn refuse(&self, turn: f64, reason: String) {
        if let Some(pending) = self.host.take_turn(turn as u64) {
            let _ = pending.reply.send(TurnReply::Unavailable(reason));
        }
    }

    /// An activity returned.
    #[napi]
    pub fn complete_activity(&self, id: f64, output: String) {
        self.host.settle_activity(id as u64, Ok(Payload::json(output)));
    }

    /// An activity threw.
    #[napi]
    pub fn fail_activity(&self, id: f64, failure: String) -> napi::Result<()> {
        let failure = serde_json::from_str(&failure).map_err(|e| internal("failure", &e))?;
        self.host.settle_activity(id as u64, Err(failure));
        Ok(())
    }

    /// Whether an activity's result is no longer wanted.
    #[napi]
    pub fn is_cancelled(&self, id: f64) -> bool {
        self.host.is_cancelled(id as u64)
    }

    /// What the engine counted, as JSON; nothing before the start.
    #[napi]
    pub fn metrics(&self) -> Option<String> {
        let counted = self.engine()?.metrics();
        Some(
            json!({
                "orchStarts": counted.orch_starts,
                "orchCompletions": counted.orch_completions,
                "orchFailures": counted.orch_failures,
                "orchApplicationErrors": counted.orch_application_errors,
                "orchInfrastructureErrors": counted.orch_infrastructure_errors,
                "orchConfigurationErrors": counted.orch_configuration_errors,
                "orchPoison": counted.orch_poison,
                "activitySuccess": counted.activity_success,
                "activityAppErrors": counted.activity_app_errors,
                "activityInfraErrors": counted.activity_infra_errors,
                "activityConfigErrors": counted.activity_config_errors,
                "activityPoison": counted.activity_poison,
                "orchDispatcherItemsFetched": counted.orch_dispatcher_items_fetched,
                "workerDispatcherItemsFetched": counted.worker_dispatcher_items_fetched,
                "orchContinueAsNew": counted.orch_continue_as_new,
                "suborchestrationCalls": counted.suborchestration_calls,
                "providerErrors": counted.provider_errors,
            })
            .to_string(),
        )
    }
}
