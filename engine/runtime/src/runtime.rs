//! A node: its start and its shutdown.

use crate::client::Client;
use crate::dispatcher;
use crate::drivers::HeldInstance;
use crate::host::{ActivityHost, OrchestrationHost};
use crate::keeper;
use crate::metrics::MetricsSnapshot;
use crate::node::{Node, unbegun};
use crate::options::RuntimeOptions;
use crate::running::HeldActivity;
use crate::stranded;
use crate::workers;
use duroxide_provider::env::Env;
use duroxide_provider::{Held, NodeId, ProviderError, Release, Store, TagFilter};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a shutdown goes on trying to hand its leases back.
const HAND_BACK: Duration = Duration::from_secs(5);

/// Runs orchestrations and activities of a store. Any number of runtimes, in any number
/// of processes, may share one store.
///
/// Dropping it stops it at once, as a crash would; [`shutdown`](Self::shutdown) stops it
/// in an orderly way.
///
/// ```
/// use duroxide_runtime::{Client, Runtime, RuntimeOptions, SdkHost, system_env};
/// use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
/// # use duroxide_core::Payload;
/// # use duroxide_sqlite::SqliteProvider;
/// # use std::{error::Error, sync::Arc, time::Duration};
///
/// async fn greet(_: ActivityContext, name: String) -> Result<String, String> {
///     Ok(format!("Hello, {name}!"))
/// }
///
/// async fn hello(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
///     ctx.activity("Greet", &name).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn Error>> {
/// let registry = Registry::builder()
///     .register_activity("Greet", greet)
///     .register_orchestration("Hello", hello)
///     .build()?;
/// let host = Arc::new(SdkHost::new(registry));
/// let (env, options) = (system_env(), RuntimeOptions::default());
/// let store = Arc::new(SqliteProvider::in_memory(env.clone()).await?);
///
/// let runtime = Runtime::start(env, store, Arc::clone(&host) as _, host, options)?;
/// let client = runtime.client();
/// client.start("hello-1", "Hello", Payload::json(r#""World""#)).await?;
/// let output = client.wait_for_output("hello-1", Duration::from_secs(30)).await?;
/// assert_eq!(output.as_json(), Some(r#""Hello, World!""#));
/// runtime.shutdown(Duration::from_secs(1)).await;
/// # Ok(())
/// # }
/// ```
pub struct Runtime {
    node: Arc<Node>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("node", &self.node.id).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Start taking work: everything that the hosts have registered by now.
    /// [`ProviderError::Unusable`] if the store was opened only to be read.
    pub fn start(
        env: Env,
        store: Arc<dyn Store>,
        orchestrations: Arc<dyn OrchestrationHost>,
        activities: Arc<dyn ActivityHost>,
        options: RuntimeOptions,
    ) -> Result<Self, ProviderError> {
        if store.is_read_only() {
            return Err(ProviderError::Unusable {
                operation: "start".to_owned(),
                message: "the store was opened read-only (mode=ro), and a runtime writes; open \
                          it for writing, or use a client to read"
                    .to_owned(),
            });
        }
        let node = Arc::new(Node::new(env, store, orchestrations, activities, options));
        tracing::debug!(target: "duroxide::runtime", node = %node.id.name, "taking work");
        node.spawn_service("watch", dispatcher::watch(Arc::clone(&node)));
        node.spawn_service("keeper", keeper::keep(Arc::clone(&node)));
        if node.options.orchestration_concurrency > 0 {
            node.spawn_taker("dispatcher", dispatcher::dispatch(Arc::clone(&node)));
            let timeout = node.options.unregistered_timeout;
            node.spawn_taker("stranded", stranded::watch(Arc::clone(&node), timeout));
        }
        if node.options.worker_concurrency > 0 && node.options.tags != TagFilter::None {
            node.spawn_taker("workers", workers::dispatch(Arc::clone(&node)));
        }
        Ok(Self { node })
    }

    /// A client of the same store. What an activity sends to its own instance must go
    /// through this one, so that the activity's result does not overtake it.
    pub fn client(&self) -> Client {
        let (env, store) = (self.node.env.clone(), Arc::clone(&self.node.store));
        if self.node.options.orchestration_concurrency == 0 {
            return Client::new(env, store);
        }
        Client::marking(env, store, Arc::clone(&self.node.marks))
    }

    /// This node, as the store knows it.
    pub fn node_id(&self) -> &NodeId {
        &self.node.id
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.node.metrics.snapshot()
    }

    /// Stop taking work, let what runs finish for at most `timeout`, and hand every lease
    /// back, so that another node goes on at once. Returns as soon as that is done.
    pub async fn shutdown(&self, timeout: Duration) {
        let node = &self.node;
        node.stop.cancel();
        let finished = node.env.timeout(timeout, node.work.none_left()).await.is_some();
        node.kill.cancel();
        if !finished {
            tracing::info!(target: "duroxide::runtime", node = %node.id.name, "work is still running: it is handed back unfinished");
            // What was killed ends at its next await.
            let _ = node.env.timeout(HAND_BACK, node.work.none_left()).await;
        }
        for token in node.running.tokens() {
            token.cancel();
        }
        if node.env.timeout(HAND_BACK, self.hand_back()).await.is_none() {
            tracing::warn!(target: "duroxide::runtime", node = %node.id.name, "leases could not be handed back: they run out");
        }
        node.gone.cancel();
        node.residents.clear();
    }

    /// Release whatever is held.
    async fn hand_back(&self) {
        let instances = self.node.drivers.all();
        for instance in &instances {
            if let Some(commit) = instance.committing {
                let commit = Some((instance.incarnation, commit));
                let held = vec![instance.held()];
                let release = Release { held, commit, refund: true, delay: Duration::ZERO };
                self.node.release(release).await;
            }
        }
        let mut held: Vec<Held> = instances
            .iter()
            .filter(|instance| instance.committing.is_none())
            .copied()
            .map(HeldInstance::held)
            .collect();
        held.extend(self.node.running.all().into_iter().map(HeldActivity::held));
        if !held.is_empty() {
            self.node.release(unbegun(held)).await;
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.node.stop.cancel();
        self.node.kill.cancel();
        self.node.gone.cancel();
    }
}
