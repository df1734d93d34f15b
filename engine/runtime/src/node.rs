//! What every part of a running node shares, and the ways to call the store that more
//! than one part needs. Starting and stopping a node: `runtime`.

use crate::backoff::Backoff;
use crate::drivers::Drivers;
use crate::host::{ActivityHost, OrchestrationHost};
use crate::marks::Marks;
use crate::metrics::Metrics;
use crate::options::RuntimeOptions;
use crate::registry::Registry;
use crate::residents::Residents;
use crate::running::{HeldActivity, Running};
use crate::store_clock::StoreClock;
use crate::stranded::Stranded;
use crate::tasks::Tasks;
use crate::window::Window;
use duroxide_core::Limits;
use duroxide_provider::env::Env;
use duroxide_provider::{
    ActivityFilter, Held, NodeId, ProviderError, Release, SessionLimits, Store,
};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How many instances are worked on at once, for each turn stepped at once: while a
/// commit waits for the disk, others step. Those that only wait for activities do not
/// count.
const INSTANCES_PER_TURN: usize = 16;

/// With so few attempts allowed, one that was charged for nothing matters.
const FEW_ATTEMPTS: u32 = 2;

/// How many activities are claimed and not begun, for each that runs at once.
const CLAIMS_PER_WORKER: usize = 8;

/// How long a full store is not asked for work.
const PAUSE_WHEN_FULL: Duration = Duration::from_secs(1);

/// A running node.
pub(crate) struct Node {
    pub(crate) env: Env,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) orchestrations: Arc<dyn OrchestrationHost>,
    pub(crate) activities: Arc<dyn ActivityHost>,
    pub(crate) options: RuntimeOptions,
    pub(crate) id: NodeId,
    pub(crate) limits: Limits,
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) clock: StoreClock,
    pub(crate) marks: Arc<Marks>,
    pub(crate) residents: Residents,
    pub(crate) drivers: Drivers,
    pub(crate) running: Running,
    pub(crate) permits: Permits,
    pub(crate) stranded: Stranded,
    pub(crate) wakes: Wakes,
    /// Take no new work.
    pub(crate) stop: CancellationToken,
    /// Drop everything but the takers.
    pub(crate) kill: CancellationToken,
    /// Drop those too.
    pub(crate) gone: CancellationToken,
    /// What a shutdown waits for.
    pub(crate) work: Arc<Tasks>,
    /// The store said that it is full: take no new work for a while.
    full: AtomicBool,
    /// More activities wait in the store than this node can take. Then nothing is claimed
    /// past them, and to ask for it would only keep leases for nothing.
    backlog: AtomicBool,
}

/// What bounds concurrency. First come, first served.
pub(crate) struct Permits {
    /// Turns stepped at once.
    pub(crate) turns: Arc<Semaphore>,
    /// Instances worked on at once.
    pub(crate) instances: Arc<Semaphore>,
    /// Instances leased whose turn has not begun.
    pub(crate) unbegun: Window,
    /// Activities run at once.
    pub(crate) workers: Arc<Semaphore>,
    /// Activities claimed by commits that are under way or have just been answered, and that
    /// have not begun: more than can run at once, because a crowd of short ones shares a commit.
    pub(crate) claims: Arc<Semaphore>,
}

/// Told when the store may have something new.
#[derive(Default)]
pub(crate) struct Wakes {
    pub(crate) orchestrations: Notify,
    pub(crate) activities: Notify,
    pub(crate) keeper: Notify,
    pub(crate) stranded: Notify,
    /// Not by the store: this node holds something, where it may have held nothing.
    pub(crate) held: Notify,
}

impl Permits {
    fn new(options: &RuntimeOptions) -> Self {
        let turns = options.orchestration_concurrency.min(Semaphore::MAX_PERMITS);
        let instances = turns.saturating_mul(INSTANCES_PER_TURN).min(Semaphore::MAX_PERMITS);
        let workers = options.worker_concurrency.min(Semaphore::MAX_PERMITS);
        // Where one that never began may be the last, none is leased before its time.
        let few_attempts = options.max_attempts <= FEW_ATTEMPTS;
        let claims = workers
            .saturating_mul(if few_attempts { 1 } else { CLAIMS_PER_WORKER })
            .min(Semaphore::MAX_PERMITS);
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            instances: Arc::new(Semaphore::new(instances)),
            unbegun: Window::new(turns, if few_attempts { turns } else { instances }),
            workers: Arc::new(Semaphore::new(workers)),
            claims: Arc::new(Semaphore::new(claims)),
        }
    }
}

/// As many permits as are free now, at most so many.
pub(crate) fn reserve(from: &Arc<Semaphore>, at_most: usize) -> Vec<OwnedSemaphorePermit> {
    let mut permits = Vec::new();
    while permits.len() < at_most {
        let Ok(permit) = Arc::clone(from).try_acquire_owned() else { break };
        permits.push(permit);
    }
    permits
}

impl Node {
    pub(crate) fn new(
        env: Env,
        store: Arc<dyn Store>,
        orchestrations: Arc<dyn OrchestrationHost>,
        activities: Arc<dyn ActivityHost>,
        options: RuntimeOptions,
    ) -> Self {
        let registry = Registry::of(&*orchestrations, &*activities);
        Self {
            id: node_id(&env, options.node_id.as_deref()),
            limits: store.limits(),
            clock: StoreClock::new(&env),
            residents: Residents::new(Arc::clone(&orchestrations), options.resident_instances),
            permits: Permits::new(&options),
            metrics: Metrics::default(),
            marks: Arc::default(),
            drivers: Drivers::default(),
            running: Running::default(),
            stranded: Stranded::default(),
            wakes: Wakes::default(),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            gone: CancellationToken::new(),
            work: Arc::default(),
            full: AtomicBool::new(false),
            backlog: AtomicBool::new(false),
            env,
            store,
            orchestrations,
            activities,
            options,
            registry,
        }
    }

    /// Run a task that a shutdown waits for, and that dies when its time is up.
    pub(crate) fn spawn_work(
        self: &Arc<Self>,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn_counted(name, &self.kill, task);
    }

    /// Run a task that takes work from the store. A shutdown, however short, lets it bring
    /// its question to an end: whatever the store leased for it is known to nobody else.
    pub(crate) fn spawn_taker(
        self: &Arc<Self>,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn_counted(name, &self.gone, task);
    }

    /// Run a task that dies with the node, and that nobody waits for.
    pub(crate) fn spawn_service(
        self: &Arc<Self>,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn_until(name, &self.kill, task);
    }

    fn spawn_counted(
        self: &Arc<Self>,
        name: &'static str,
        end: &CancellationToken,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let guard = self.work.enter();
        self.spawn_until(name, end, async move {
            let _guard = guard;
            task.await;
        });
    }

    fn spawn_until(
        self: &Arc<Self>,
        name: &'static str,
        end: &CancellationToken,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let end = end.clone();
        self.env.spawn(name, async move {
            tokio::select! {
                biased;
                () = end.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Whether no new work is to be taken.
    pub(crate) fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The node's clock.
    pub(crate) fn monotonic(&self) -> Duration {
        self.env.clock.monotonic()
    }

    /// What this node takes of the activities of these names.
    pub(crate) fn activity_filter(&self, names: BTreeSet<String>) -> ActivityFilter {
        ActivityFilter {
            names,
            tags: self.options.tags.clone(),
            sessions: SessionLimits {
                max: self.options.max_sessions,
                idle: self.options.session_idle,
            },
        }
    }

    /// A call of the store failed: count it, and remember if the store is full.
    pub(crate) fn note(&self, error: &ProviderError) {
        self.metrics.provider_errors.one();
        if matches!(error, ProviderError::Full { .. }) {
            self.full.store(true, Ordering::Relaxed);
        }
        if error.is_transient() {
            tracing::debug!(target: "duroxide::runtime", %error, "the store did not carry out a call");
        } else {
            tracing::warn!(target: "duroxide::runtime", %error, "the store refused a call");
        }
    }

    /// Whether more activities wait than this node can take.
    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::Relaxed)
    }

    /// The last question for activities was answered with as many as were asked for.
    pub(crate) fn note_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::Relaxed);
    }

    /// Whether the store is thought to be full.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Leave a full store alone for a while before it is asked for work; work that is
    /// under way goes on trying, and takes less room than it frees.
    pub(crate) async fn wait_if_full(&self) {
        if self.full.swap(false, Ordering::Relaxed) {
            self.env.sleep(PAUSE_WHEN_FULL).await;
        }
    }

    /// Make the same request until the store answers. Trouble of the store never becomes
    /// anything else: only the end of the node ends this.
    pub(crate) async fn insist<'a, T, F>(
        &'a self,
        request: impl Fn() -> F + Send + 'a,
    ) -> Result<T, ProviderError>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, ProviderError>> + Send + 'a,
    {
        let mut backoff = Backoff::new(&self.env);
        loop {
            match request().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    self.note(&error);
                    if !error.is_transient() {
                        return Err(error);
                    }
                }
            }
            backoff.pause().await;
        }
    }

    /// Hand back activities that were not begun.
    pub(crate) async fn give_back_activities(&self, held: Vec<HeldActivity>) {
        if !held.is_empty() {
            self.release(unbegun(held.into_iter().map(HeldActivity::held).collect())).await;
        }
    }

    /// Hand leases back. If the store does not want them there is nothing more to do.
    pub(crate) async fn release(&self, release: Release) {
        let _ = self.insist(|| self.store.release(release.clone())).await;
    }
}

/// Leases to hand back as if they had never been taken.
pub(crate) fn unbegun(held: Vec<Held>) -> Release {
    Release { held, commit: None, refund: true, delay: Duration::ZERO }
}

/// The name is stable, or random; the run rises with every start, as far as the clock
/// does, and two starts within one millisecond still differ.
fn node_id(env: &Env, name: Option<&str>) -> NodeId {
    let mut random = [0; 10];
    env.entropy.fill(&mut random);
    let (name_bits, run_bits) = random.split_at(8);
    let name = name.map_or_else(
        || name_bits.iter().fold(String::from("node-"), |name, byte| format!("{name}{byte:02x}")),
        str::to_owned,
    );
    let run_bits = u64::from(run_bits[0]) | (u64::from(run_bits[1] & 3) << 8);
    NodeId { name, run: (env.clock.wall_ms() << 10) | run_bits }
}
