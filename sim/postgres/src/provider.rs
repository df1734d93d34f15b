//! The store: opening, death, and the contract's methods, each a script for a session.

use crate::client::Answer;
use crate::locks::Row;
use crate::options::Options;
use crate::server::{Counters, Server};
use crate::session::{Apply, Script};
use crate::statement::{Statement, Verdict};
use crate::take::{Candidate, Take};
use crate::{rows, take, wake};
use async_trait::async_trait;
use duroxide_model::{ModelProvider, State};
use duroxide_provider::env::Env;
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, HistoryPage, LeaseActivities,
    LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations, MailPage, Provider,
    ProviderError, ReadHistory, ReadMail, Release, Renew, Store, Submit, Submitted, WaitForWork,
    WakeSeq,
};
use futures_util::FutureExt as _;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A handle on a modelled server and its one store.
///
/// It belongs to the host of the server: `env` is that host's, its clock the store's, and
/// sessions run as its tasks. A node reaches it by `duroxide_remote`; a call that is dropped
/// stands for a client that died, and its session goes on.
///
/// ```
/// use duroxide_provider::{Inspect as _, InstanceKey};
/// use duroxide_sim_postgres::{Kind, ModelledPostgres, Options, SqlState, Verdict};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let store = ModelledPostgres::open(duroxide_runtime::system_env(), Options::seeded(7));
/// store.on_statement(Box::new(|statement| match (statement.kind, statement.nth) {
///     (Kind::Select, 1) => Verdict::Fail(SqlState::SerializationFailure),
///     _ => Verdict::Go,
/// }));
/// assert_eq!(store.instance(InstanceKey::new("a")).await.unwrap(), None);
/// assert_eq!(store.counters().retries, 1);
/// # }
/// ```
pub struct ModelledPostgres {
    pub(crate) server: Arc<Server>,
    /// What a call does at its commit: the model, and perhaps one who watches it.
    pub(crate) handle: Model,
    pub(crate) closed: AtomicBool,
}

impl fmt::Debug for ModelledPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelledPostgres({:?})", self.server.model)
    }
}

/// What calls are carried out on, each all at once.
pub(crate) type Model = Arc<dyn Store>;

/// What a call carries; sent again with each try.
pub(crate) trait Request: Clone + Send + Sync + 'static {}

impl<R: Clone + Send + Sync + 'static> Request for R {}

/// A call that leases.
struct Leasing<R, T> {
    /// The method.
    call: &'static str,
    /// Who asks.
    node: String,
    /// At most so many.
    max: usize,
    /// What it locks before it takes anything.
    first: Option<Row>,
    /// What it may take, as things stand.
    candidates: fn(&State, &R) -> Vec<Candidate>,
    /// Whether it got nothing.
    is_empty: fn(&T) -> bool,
    request: R,
}

impl ModelledPostgres {
    /// A server with a new, empty store.
    pub fn open(env: Env, options: Options) -> Arc<Self> {
        Self::with_state(env, options, State::default())
    }

    /// A server that finds this state on its disk.
    pub fn with_state(env: Env, options: Options, state: State) -> Arc<Self> {
        Self::on(&Arc::new(Server::new(env, options, state)))
    }

    fn on(server: &Arc<Server>) -> Arc<Self> {
        Self::watched_on(server, |model| model)
    }

    fn watched_on(server: &Arc<Server>, watch: impl FnOnce(Model) -> Model) -> Arc<Self> {
        let handle = watch(Arc::new(server.model.another()));
        let server = Arc::clone(server);
        Arc::new(Self { server, handle, closed: AtomicBool::new(false) })
    }

    /// Another handle on the same store, as another process would have.
    pub fn another(&self) -> Arc<Self> {
        Self::on(&self.server)
    }

    /// Another handle, on which somebody watches: `watch` is given what carries calls out, and
    /// gives what does that in its place. It gets each call at its commit, one after the
    /// other, in the order in which they are carried out, whatever becomes of the answers; a
    /// call that is sent again comes again. It must not wait, nor call this server.
    pub fn watched(&self, watch: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Arc<Self> {
        Self::watched_on(&self.server, watch)
    }

    /// The server on the same disk after its host died and came up again with this Env. What
    /// was committed is there, as after a [`restart`](Self::restart), and nothing else: no
    /// session, no lock, no listener, no hook. This server must not be used any more.
    pub fn reopened(&self, env: Env) -> Arc<Self> {
        self.server.restart();
        let state = self.server.model.state();
        Self::with_state(env, self.server.options.clone(), state)
    }

    /// The server dies and recovers at once, its host goes on. Transactions under way are
    /// rolled back, and all connections cut; what was committed stays, leases and sessions of
    /// activities too: those who held them are still there, and begin new sessions. But some
    /// of the leases and renewals of the last moment may be forgotten, since the real provider
    /// does not wait for the disk with these.
    pub fn restart(&self) {
        self.server.restart();
    }

    /// Ask this before each statement, and after each commit. It replaces what was asked
    /// before. It is asked without any lock, in the order in which things happen.
    pub fn on_statement(&self, hook: Box<dyn Fn(&Statement) -> Verdict + Send + Sync>) {
        self.server.set_hook(Arc::from(hook));
    }

    /// What has happened so far, by all handles.
    pub fn counters(&self) -> Counters {
        self.server.core().counters.clone()
    }

    /// The committed state, for those who check it, and for tests that spoil it. Calls made
    /// on it know nothing of sessions and locks.
    pub fn model(&self) -> &ModelProvider {
        &self.server.model
    }

    /// Read in one statement, without locks.
    pub(crate) async fn read<R: Request, T: Send + 'static, F: Future<Output = Answer<T>>>(
        &self,
        call: &'static str,
        request: R,
        read: impl Fn(Model, R) -> F + Send + Sync + 'static,
    ) -> Answer<T> {
        let apply = self.at_once(call, Arc::new(request), read);
        let (rows, take) = (Box::new(|_: &State| Vec::new()), None);
        self.call(Script { call, reads: true, is_lazy: false, rows, take, apply }).await
    }

    /// Change something under locks of these rows.
    pub(crate) async fn write<R: Request, T: Send + 'static, F: Future<Output = Answer<T>>>(
        &self,
        call: &'static str,
        request: R,
        rows: impl Fn(&State, &R) -> Vec<Row> + Send + Sync + 'static,
        change: impl Fn(Model, R) -> F + Send + Sync + 'static,
    ) -> Answer<T> {
        let request = Arc::new(request);
        let apply = self.at_once(call, Arc::clone(&request), change);
        let rows = Box::new(move |state: &State| rows(state, &request));
        let is_lazy = call == "renew";
        self.call(Script { call, reads: false, is_lazy, rows, take: None, apply }).await
    }

    /// Take what there is to be leased; and once more, while all that was taken had to be set
    /// aside, which leaves room for what comes next.
    async fn lease<R: Request, T: Send + 'static, F: Future<Output = Answer<T>>>(
        &self,
        leasing: Leasing<R, T>,
        change: impl Fn(Model, R) -> F + Clone + Send + Sync + 'static,
    ) -> Answer<(WakeSeq, T)> {
        let Leasing { call, node, max, first, candidates, is_empty, request } = leasing;
        let (request, set_aside) = (Arc::new(request), Arc::<AtomicBool>::default());
        loop {
            let wake_seq = self.heard(&node);
            let asked = Arc::clone(&request);
            let take = Take {
                node: node.clone(),
                max,
                set_aside: Arc::clone(&set_aside),
                candidates: Box::new(move |state: &State| candidates(state, &asked)),
            };
            let first = first.clone();
            let rows = Box::new(move |_: &State| first.iter().cloned().collect());
            let apply = self.at_once(call, Arc::clone(&request), change.clone());
            let (reads, is_lazy, take) = (false, true, Some(take));
            let leased = self.call(Script { call, reads, is_lazy, rows, take, apply }).await?;
            if !is_empty(&leased) || !set_aside.swap(false, Ordering::SeqCst) {
                return Ok((wake_seq, leased));
            }
        }
    }

    /// What the model does, which waits for nothing: it is there when it is first asked for.
    fn at_once<R: Request, T, F: Future<Output = Answer<T>>>(
        &self,
        call: &'static str,
        request: Arc<R>,
        what: impl Fn(Model, R) -> F + Send + Sync + 'static,
    ) -> Apply<T> {
        let handle = Arc::clone(&self.handle);
        Box::new(move || {
            let done = what(Arc::clone(&handle), request.as_ref().clone());
            done.now_or_never().unwrap_or_else(|| {
                let (operation, message) = (call.to_owned(), "the model waits".to_owned());
                Err(ProviderError::Unusable { operation, message })
            })
        })
    }

    /// What the node has heard so far; its next wait goes on from here.
    fn heard(&self, node: &str) -> WakeSeq {
        let wall_ms = self.server.env.clock.wall_ms();
        self.server.core().listeners.heard(node, wall_ms)
    }
}

#[async_trait]
impl Provider for ModelledPostgres {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Answer<LeasedOrchestrations> {
        let leasing = Leasing {
            call: "lease_orchestrations",
            node: request.node.name.clone(),
            max: request.max,
            first: None,
            candidates: take::instances,
            is_empty: |leased: &LeasedOrchestrations| leased.instances.is_empty(),
            request,
        };
        let lease =
            |model: Model, request| async move { model.lease_orchestrations(request).await };
        let (wake_seq, leased) = self.lease(leasing, lease).await?;
        Ok(LeasedOrchestrations { wake_seq, ..leased })
    }

    async fn read_history(&self, request: ReadHistory) -> Answer<HistoryPage> {
        let read = |model: Model, request| async move { model.read_history(request).await };
        self.read("read_history", request, read).await
    }

    async fn read_mail(&self, request: ReadMail) -> Answer<MailPage> {
        let read = |model: Model, request| async move { model.read_mail(request).await };
        self.read("read_mail", request, read).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Answer<CommitOutcome> {
        let change = |model: Model, request| async move { model.commit_turn(request).await };
        self.write("commit_turn", request, rows::commit_turn, change).await
    }

    async fn lease_activities(&self, request: LeaseActivities) -> Answer<LeasedActivities> {
        let leasing = Leasing {
            call: "lease_activities",
            node: request.node.name.clone(),
            max: request.max,
            first: Some(Row::SessionsOf(request.node.name.clone())),
            candidates: take::activities,
            is_empty: |leased: &LeasedActivities| leased.activities.is_empty(),
            request,
        };
        let lease = |model: Model, request| async move { model.lease_activities(request).await };
        let (wake_seq, leased) = self.lease(leasing, lease).await?;
        Ok(LeasedActivities { wake_seq, ..leased })
    }

    async fn complete_activity(&self, request: CompleteActivity) -> Answer<ActivityFate> {
        let change = |model: Model, request| async move { model.complete_activity(request).await };
        self.write("complete_activity", request, rows::complete_activity, change).await
    }

    async fn renew(&self, request: Renew) -> Answer<Vec<LeaseState>> {
        let change = |model: Model, request| async move { model.renew(request).await };
        self.write("renew", request, rows::renew, change).await
    }

    async fn release(&self, request: Release) -> Answer<()> {
        let change = |model: Model, request| async move { model.release(request).await };
        self.write("release", request, rows::release, change).await
    }

    async fn submit(&self, request: Submit) -> Answer<Submitted> {
        let change = |model: Model, request| async move { model.submit(request).await };
        self.write("submit", request, rows::submit, change).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Answer<WakeSeq> {
        wake::wait_for_work(self, request).await
    }
}
