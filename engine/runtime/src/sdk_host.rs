//! The host of code written in Rust: runs the turns and activities of a
//! [`Registry`](duroxide_sdk::Registry) on the thread that asks.
//!
//! It keeps resident what it is told to run and drops what it is told to evict; how many
//! may stay is the caller's business. Not here: leases, commits, retries.

use crate::host::{
    ActivityHost, ActivityTask, OrchestrationHost, ResidentKey, TurnReply, TurnRequest,
};
use crate::{Runtime, RuntimeOptions};
use async_trait::async_trait;
use duroxide_core::{Failure, FailureKind, Payload};
use duroxide_provider::env::Env;
use duroxide_provider::{LeasedActivity, ProviderError, Store};
use duroxide_sdk::{ActivityContext, ActivityFacts, Coroutine, OrchestrationFn, Registry};
use futures_util::FutureExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Runs what a registry holds.
pub struct SdkHost {
    registry: Registry,
    residents: Mutex<BTreeMap<ResidentKey, Resident>>,
}

/// A resident copy, or that it is out for a turn.
enum Resident {
    Waiting(Box<Coroutine>),
    Running,
}

impl SdkHost {
    /// A host of this code.
    pub fn new(registry: Registry) -> Self {
        Self { registry, residents: Mutex::default() }
    }

    fn function(&self, request: &TurnRequest) -> Option<&OrchestrationFn> {
        let version = request.version.parse().ok()?;
        self.registry.orchestration(&request.name, &version)
    }

    /// The copy to run this turn on; it stays out until [`put_back`](Self::put_back).
    fn take_out(&self, request: &mut TurnRequest) -> Result<Box<Coroutine>, Missing> {
        let opened = match request.opening.take() {
            None => None,
            Some(opening) => {
                let function = self.function(request).ok_or(Missing::Code)?;
                Some(Box::new(Coroutine::open(*opening, function.clone())))
            }
        };
        let mut residents = self.residents();
        match (opened, residents.insert(request.resident, Resident::Running)) {
            (Some(fresh), replaced) => {
                drop(residents);
                drop(replaced); // user code's destructors run outside the lock
                Ok(fresh)
            }
            (None, Some(Resident::Waiting(coroutine))) => Ok(coroutine),
            (None, Some(Resident::Running) | None) => {
                residents.remove(&request.resident);
                Err(Missing::Resident)
            }
        }
    }

    /// Keeps the copy, unless it is over or was evicted while it ran.
    fn put_back(&self, key: ResidentKey, coroutine: Box<Coroutine>) {
        let mut residents = self.residents();
        match residents.get_mut(&key) {
            Some(slot @ Resident::Running) if !coroutine.is_over() => {
                *slot = Resident::Waiting(coroutine);
            }
            Some(Resident::Running) => {
                residents.remove(&key);
            }
            Some(Resident::Waiting(_)) | None => {}
        }
    }

    fn residents(&self) -> MutexGuard<'_, BTreeMap<ResidentKey, Resident>> {
        // Nothing that can panic runs under the lock.
        self.residents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why no turn can be run.
enum Missing {
    Resident,
    Code,
}

impl fmt::Debug for SdkHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkHost")
            .field("registry", &self.registry)
            .field("residents", &self.residents().len())
            .finish()
    }
}

impl Runtime {
    /// Start taking work for the code of a registry; see [`start`](Self::start) for other
    /// hosts.
    pub fn start_registry(
        env: Env,
        store: Arc<dyn Store>,
        registry: Registry,
        options: RuntimeOptions,
    ) -> Result<Self, ProviderError> {
        let host = Arc::new(SdkHost::new(registry));
        Self::start(env, store, Arc::clone(&host) as _, host, options)
    }
}

#[async_trait]
impl OrchestrationHost for SdkHost {
    fn registered(&self) -> BTreeMap<String, BTreeSet<semver::Version>> {
        self.registry
            .orchestrations()
            .map(|(name, versions)| (name.to_owned(), versions.cloned().collect()))
            .collect()
    }

    async fn run_turn(&self, mut request: TurnRequest) -> TurnReply {
        let mut coroutine = match self.take_out(&mut request) {
            Ok(coroutine) => coroutine,
            Err(Missing::Resident) => return TurnReply::NotResident(request.input),
            Err(Missing::Code) => {
                let TurnRequest { name, version, .. } = request;
                return TurnReply::Unavailable(format!("{name} {version} is not registered"));
            }
        };
        let outcome = Box::new(coroutine.run_turn(request.input));
        let fingerprint = request.fingerprint.then(|| Box::new(coroutine.fingerprint()));
        self.put_back(request.resident, coroutine);
        TurnReply::Ran { outcome, fingerprint }
    }

    fn evict(&self, resident: ResidentKey) {
        let evicted = self.residents().remove(&resident);
        drop(evicted); // user code's destructors run outside the lock
    }
}

#[async_trait]
impl ActivityHost for SdkHost {
    fn registered(&self) -> BTreeSet<String> {
        self.registry.activities().map(str::to_owned).collect()
    }

    async fn run_activity(&self, task: ActivityTask) -> Result<Payload, Failure> {
        let ActivityTask { activity, attempt, worker, cancelled } = task;
        let name = activity.name.clone();
        let Some(code) = self.registry.activity(&name) else {
            let message = format!("activity {name:?} is not registered");
            return Err(Failure::new(FailureKind::Unregistered, message));
        };
        let input = activity.input.clone();
        let ctx = ActivityContext::new(facts(activity, attempt, worker.clone()), cancelled);
        let outcome = AssertUnwindSafe(code(ctx, input)).catch_unwind().await;
        let result = outcome.unwrap_or_else(|panic| Err(duroxide_sdk::panic_failure(&*panic)));
        result.map_err(|mut failure| {
            failure.source = Some(name);
            failure.attempt = Some(attempt);
            failure.details.get_or_insert_default().worker = Some(worker);
            failure
        })
    }
}

fn facts(activity: LeasedActivity, attempt: u32, worker: String) -> ActivityFacts {
    ActivityFacts {
        instance: activity.key.id,
        execution: activity.activity.execution,
        orchestration_name: activity.orchestration,
        orchestration_version: activity.version,
        activity_name: activity.name,
        activity: activity.activity.event,
        attempt,
        worker,
        session: activity.session,
        tag: activity.tag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duroxide_core::{
        Arrival, ArrivalBody, ArrivalId, Base, CompatFlags, EventId, ExecutionId, Headers, History,
        InstanceId, Limits, Nonce, Opening, Origin, TimeMs, TurnInput,
    };
    use duroxide_provider::{ActivityKey, Incarnation, InstanceKey};
    use duroxide_sdk::{OrchestrationContext, OrchestrationError};
    use tokio_util::sync::CancellationToken;

    fn host() -> SdkHost {
        let code = |ctx: OrchestrationContext, (): ()| async move {
            ctx.activity::<()>("Work", &()).await?;
            Ok::<_, OrchestrationError>(())
        };
        let panics = |_: ActivityContext, fine: bool| async move {
            assert!(fine, "no way");
            Ok::<_, String>(())
        };
        let registry = Registry::builder()
            .register_orchestration("It", code)
            .register_activity("Work", panics)
            .build();
        SdkHost::new(registry.unwrap())
    }

    fn request(opened: bool, version: &str) -> TurnRequest {
        let start = ArrivalBody::Start {
            name: "It".to_owned(),
            version: Some("1.0.0".to_owned()),
            input: Payload::null(),
            parent: None,
            headers: Headers::new(),
        };
        let opening = Opening {
            instance: InstanceId::from("test"),
            execution: ExecutionId::FIRST,
            history: History::default(),
            base: Base::default(),
            unread: Vec::new(),
            more_mail: Vec::new(),
            limits: Limits::default(),
        };
        TurnRequest {
            key: InstanceKey::new("test"),
            resident: ResidentKey { incarnation: Incarnation(1), execution: ExecutionId::FIRST },
            name: "It".to_owned(),
            version: version.to_owned(),
            opening: opened.then(|| Box::new(opening)),
            input: TurnInput {
                arrivals: vec![Arrival {
                    origin: Origin::Inbox(ArrivalId(1)),
                    at: TimeMs(1),
                    body: start,
                }],
                unread: Vec::new(),
                mail_read: Vec::new(),
                more_mail: Vec::new(),
                nonce: Nonce(1),
                flags: CompatFlags::NONE,
                raise: CompatFlags::NONE,
            },
            fingerprint: true,
        }
    }

    #[tokio::test]
    async fn what_is_not_resident_is_asked_for_and_the_input_handed_back() {
        let host = host();
        let TurnReply::NotResident(input) = host.run_turn(request(false, "1.0.0")).await else {
            panic!("there is nothing resident yet")
        };
        assert_eq!(input.arrivals.len(), 1);
        assert!(matches!(
            host.run_turn(request(true, "1.0.0")).await,
            TurnReply::Ran { fingerprint: Some(_), .. }
        ));
        assert!(matches!(host.run_turn(request(false, "1.0.0")).await, TurnReply::Ran { .. }));
        host.evict(request(false, "1.0.0").resident);
        assert!(matches!(host.run_turn(request(false, "1.0.0")).await, TurnReply::NotResident(_)));
    }

    #[tokio::test]
    async fn code_that_is_not_registered_is_unavailable() {
        let reply = host().run_turn(request(true, "2.0.0")).await;
        assert!(
            matches!(reply, TurnReply::Unavailable(why) if why == "It 2.0.0 is not registered")
        );
    }

    #[tokio::test]
    async fn a_panic_of_an_activity_is_its_failure() {
        let activity = LeasedActivity {
            activity: ActivityKey {
                incarnation: Incarnation(1),
                execution: ExecutionId::FIRST,
                event: EventId(2),
            },
            key: InstanceKey::new("test"),
            orchestration: "It".to_owned(),
            version: "1.0.0".to_owned(),
            name: "Work".to_owned(),
            input: Payload::json("false"),
            session: None,
            tag: None,
            headers: Headers::new(),
            attempt: 1,
            ready_at: duroxide_core::TimeMs(0),
        };
        let cancelled = CancellationToken::new();
        let task = ActivityTask { activity, attempt: 3, worker: "node/1".to_owned(), cancelled };
        let failure = host().run_activity(task).await.unwrap_err();
        assert_eq!(failure.message, "panicked: no way");
        assert_eq!((failure.source.as_deref(), failure.attempt), (Some("Work"), Some(3)));
        assert_eq!(failure.details.unwrap().worker.as_deref(), Some("node/1"));
    }
}
