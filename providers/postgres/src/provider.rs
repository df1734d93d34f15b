//! The provider: opening, closing, and the contract's methods, each one line to its call.

use crate::error::{Kind, StoreError};
use crate::migrate::{self, Failed};
use crate::options::PostgresOptions;
use crate::pool::Pool;
use crate::schema::Schema;
use crate::session::{self, Session};
use crate::shell::{FIRST_PAUSE, LAST_PAUSE, Shell};
use crate::stats::{Counters, Counting};
use crate::wake::Wake;
use crate::{calls, reads, waiting};
use async_trait::async_trait;
use duroxide_provider::env::{Env, Task};
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, HistoryPage, LeaseActivities,
    LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations, MailPage, Provider,
    ProviderError, ReadHistory, ReadMail, Release, Renew, Submit, Submitted, WaitForWork, WakeSeq,
};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For so long a server that cannot be reached is tried again when a store is opened: it may be
/// restarting. Whoever mistyped its name should not wait for longer.
const OPENING: Duration = Duration::from_secs(2);

/// A store in one schema of a PostgreSQL database (14 or later).
///
/// Any number of providers, in any number of processes, may share one. Each keeps up to
/// [`max_connections`](PostgresOptions::max_connections) connections for calls and one session of
/// its own, by which the others know that it lives: it needs a connection of its own to the
/// server, or a pooler that leaves sessions together.
#[derive(Debug)]
pub struct PostgresProvider {
    pub(crate) shell: Arc<Shell>,
    session: Mutex<Option<Task>>,
    /// Whether it was closed; held while it is being closed.
    left: tokio::sync::Mutex<bool>,
}

impl PostgresProvider {
    /// Open a store; the schema and the tables are made, or brought up to date, as needed. Any
    /// number of processes may do this at once.
    ///
    /// # Errors
    /// [`Unusable`](ProviderError::Unusable) names host and database and what to do, never
    /// a secret; [`NewerSchema`](ProviderError::NewerSchema) if the store is of a newer build.
    pub async fn connect(env: Env, options: PostgresOptions) -> Result<Self, ProviderError> {
        let shell = Arc::new(shell(env, &options).map_err(|error| error.named("connect"))?);
        let opened = Box::pin(open(&shell)).await;
        let session = opened.map_err(|error| about(&shell, error).named("connect"))?;
        let task = shell.env.spawn("postgres-session", session::keep(Arc::clone(&shell), session));
        Ok(Self { shell, session: Mutex::new(Some(task)), left: tokio::sync::Mutex::new(false) })
    }

    /// What this provider has done so far.
    pub fn counters(&self) -> Counters {
        self.shell.counters.snapshot()
    }

    /// See [`Inspect::close`](duroxide_provider::Inspect::close).
    pub(crate) async fn close_store(&self) -> Result<(), ProviderError> {
        // Who closes it at the same time waits until it is closed.
        let mut left = self.left.lock().await;
        if *left {
            return Ok(());
        }
        self.shell.closed.store(true, Ordering::SeqCst);
        // Who waits for work or changes is told by that.
        self.shell.wake.foreign_change();
        self.shell.pool.drain().await;
        if let Some(task) = self.take_session() {
            task.abort();
        }
        self.shell.leave().await;
        *left = true;
        Ok(())
    }

    fn take_session(&self) -> Option<Task> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for PostgresProvider {
    fn drop(&mut self) {
        if let Some(task) = self.take_session() {
            task.abort();
        }
    }
}

fn shell(env: Env, options: &PostgresOptions) -> Result<Shell, StoreError> {
    let schema = Schema::parse(&options.schema)?;
    let target = options.target()?;
    let counters = Arc::new(Counting::default());
    let wake = Arc::new(Wake::new(Arc::clone(&env.clock)));
    let pool = Pool::new(
        env.clone(),
        target,
        options.max_connections,
        options.acquire_timeout,
        Arc::clone(&counters),
    );
    Ok(Shell {
        env,
        schema,
        pool,
        limits: options.limits.clone(),
        counters,
        wake,
        patience: options.acquire_timeout,
        owner: AtomicI64::new(0),
        closed: AtomicBool::new(false),
        outage: AtomicBool::new(false),
    })
}

/// Try until the store is open, or trying is no use.
async fn open(shell: &Shell) -> Result<Session, StoreError> {
    let began = shell.env.clock.monotonic();
    let mut pause = FIRST_PAUSE;
    loop {
        let trouble = match open_once(shell).await {
            Ok(session) => return Ok(session),
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Attempt(trouble)) => trouble,
        };
        let patience = match trouble.kind {
            Kind::Again | Kind::Stale | Kind::Lost => shell.patience,
            Kind::Unreachable => shell.patience.min(OPENING),
            Kind::Full | Kind::Invalid | Kind::Corrupt | Kind::Unusable => Duration::ZERO,
        };
        let spent = shell.env.clock.monotonic().saturating_sub(began);
        if spent + pause > patience {
            return Err(trouble.into_error(false));
        }
        shell.pause(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

async fn open_once(shell: &Shell) -> Result<Session, Failed> {
    let mut used = shell.pool.acquire().await.map_err(Failed::Attempt)?;
    migrate::migrate(&mut used.connection, &shell.schema).await?;
    used.give_back();
    Session::begin(shell).await.map_err(Failed::Attempt)
}

/// An error of opening names the place.
fn about(shell: &Shell, error: StoreError) -> StoreError {
    let place = shell.pool.target();
    let schema = shell.schema.name();
    let named = |message: String| format!("cannot open {place} (schema {schema:?}): {message}");
    match error {
        StoreError::Full(message) => StoreError::Full(named(message)),
        newer @ StoreError::NewerSchema { .. } => newer,
        StoreError::Busy(message)
        | StoreError::Unknown(message)
        | StoreError::Unusable(message) => StoreError::Unusable(named(message)),
        other @ (StoreError::Invalid(_) | StoreError::Corrupt { .. } | StoreError::NotFound(_)) => {
            StoreError::Unusable(named(other.to_string()))
        }
    }
}

#[async_trait]
impl Provider for PostgresProvider {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        calls::lease_orchestrations(&self.shell, request).await
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        reads::read_history(&self.shell, &request).await
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        reads::read_mail(&self.shell, &request).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        calls::commit_turn(&self.shell, request).await
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        calls::lease_activities(&self.shell, request).await
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        calls::complete_activity(&self.shell, request).await
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        calls::renew(&self.shell, request).await
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        calls::release(&self.shell, request).await
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        calls::submit(&self.shell, request).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        waiting::wait_for_work(&self.shell, &request).await
    }
}
