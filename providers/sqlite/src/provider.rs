//! The provider: opening, closing, and the contract's methods, each one line to the store.

use crate::batcher::{Answer, Write, Writes};
use crate::clock::StoreClock;
use crate::connection;
use crate::error::{Result, StoreError};
use crate::liveness::Liveness;
use crate::options::{Location, SqliteOptions};
use crate::shell::{READERS, Shell};
use crate::stats::{Counters, Stats};
use crate::store::{
    Tx, activities, commit, history, leases, nodes, quarantine, release, submit, turns,
};
use crate::waiting;
use crate::wake::Wake;
use crate::writer::Writer;
use async_trait::async_trait;
use duroxide_provider::env::{Env, Task};
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, HistoryPage, LeaseActivities,
    LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations, MailPage, Provider,
    ProviderError, ReadHistory, ReadMail, Release, Renew, Submit, Submitted, WaitForWork, WakeSeq,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A store in an SQLite file or in memory.
///
/// Any number of providers, in any number of processes, may share one file. All writes of
/// one provider go through one connection, batched; reads have connections of their own.
#[derive(Debug)]
pub struct SqliteProvider {
    pub(crate) shell: Arc<Shell>,
    writes: Mutex<Option<Writes>>,
    look_out: Mutex<Option<Task>>,
    /// Whether it was closed; held while it is being closed.
    left: tokio::sync::Mutex<bool>,
}

impl SqliteProvider {
    /// Open a store, creating or migrating it as its mode allows.
    pub async fn open(env: Env, options: SqliteOptions) -> Result<Self, ProviderError> {
        let shown = crate::options::shown(&options.path);
        let opening = env.clone();
        let opened = env.blocking(move || open_shell(opening, options)).await;
        let shell = opened
            .unwrap_or_else(|| Err(StoreError::Unusable("opening it was broken off".to_owned())))
            .map_err(|error| about(&shown, error).named("open"))?;
        let shell = Arc::new(shell);
        let provider = Self {
            writes: Mutex::new(Some(Writes::begin(Arc::clone(&shell)))),
            look_out: Mutex::new(None),
            left: tokio::sync::Mutex::new(false),
            shell,
        };
        provider.join().await?;
        Ok(provider)
    }

    /// Open a new store in memory. It is this provider's alone and goes with it.
    pub async fn in_memory(env: Env) -> Result<Self, ProviderError> {
        Self::open(env, SqliteOptions::new(":memory:")).await
    }

    /// What this provider has done so far.
    pub fn counters(&self) -> Stats {
        self.shell.counters.snapshot()
    }

    /// Become one of the handles on a shared file.
    async fn join(&self) -> Result<(), ProviderError> {
        if let Some(liveness) = &self.shell.liveness {
            let name = liveness.name().clone();
            let owner = self.write("open", name, nodes::join).await?;
            self.shell.owner.store(owner, Ordering::SeqCst);
        }
        // Who may only read waits for what others write.
        if !self.shell.is_shared() {
            return Ok(());
        }
        let task =
            self.shell.env.spawn("sqlite-look-out", waiting::look_out(Arc::clone(&self.shell)));
        *self.look_out.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(())
    }

    /// A write that is durable when it is answered.
    pub(crate) async fn write<Q: Send + 'static, A: Send + 'static>(
        &self,
        name: &'static str,
        request: Q,
        run: fn(&Tx<'_>, &Q) -> Result<A>,
    ) -> Result<A, ProviderError> {
        self.send(Write { name, relaxed: false, request, run }).await
    }

    /// A write that a power cut may forget: leases. Their ids are random, so whoever still
    /// has a forgotten one is told that it is lost.
    async fn lease<Q: Send + 'static, A: Send + 'static>(
        &self,
        name: &'static str,
        request: Q,
        run: fn(&Tx<'_>, &Q) -> Result<A>,
    ) -> Result<A, ProviderError> {
        self.send(Write { name, relaxed: true, request, run }).await
    }

    async fn send<Q: Send + 'static, A: Send + 'static>(
        &self,
        write: Write<Q, A>,
    ) -> Result<A, ProviderError> {
        let name = write.name;
        // Before the store's last write, or not at all.
        let put = {
            let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            writes.as_ref().map(|writes| writes.put(write))
        };
        match put {
            Some(answer) => answer.wait().await,
            None => Err(crate::writer::closed().named(name)),
        }
    }

    /// Read what is held; what cannot be decoded puts its instance into quarantine.
    async fn read_held<Q: Send + Sync + 'static, A: Send + 'static>(
        &self,
        operation: &'static str,
        incarnation: u64,
        request: Q,
        read: fn(&rusqlite::Connection, &Q) -> Result<A>,
    ) -> Result<A, ProviderError> {
        let result = self.shell.read(operation, move |sql| read(sql, &request)).await;
        if let Err(ProviderError::Corrupt { message, .. }) = &result {
            let why = (incarnation, message.clone());
            self.write(operation, why, quarantine::quarantine_by_id).await?;
        }
        result
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
        if let Some(task) = self.look_out.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        let last = match self.put_last() {
            Some(last) => last.wait().await,
            None => Ok(()),
        };
        let shell = Arc::clone(&self.shell);
        let _ = self.shell.env.blocking(move || shell.let_go()).await;
        *left = true;
        match last {
            Err(ProviderError::Unusable { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The last write waits for all before it, and hands back what this handle holds.
    fn put_last(&self) -> Option<Answer<()>> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let (name, relaxed) = ("close", false);
        Some(if self.shell.liveness.is_some() {
            let run = |tx: &Tx<'_>, owner: &u64| nodes::bury(tx, &[*owner]);
            writes.put(Write { name, relaxed, request: self.shell.owner(), run })
        } else {
            let run = |_: &Tx<'_>, (): &()| Ok(());
            writes.put(Write { name, relaxed, request: (), run })
        })
    }
}

impl Drop for SqliteProvider {
    fn drop(&mut self) {
        if let Some(task) = self.look_out.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

fn open_shell(env: Env, options: SqliteOptions) -> Result<Shell> {
    let storage = options.storage;
    let location = connection::resolve(&*storage, Location::parse(&options.path)?)?;
    let writer = Writer::open(&storage, &location, options.durability)?;
    let liveness = match &location {
        Location::File { path, .. } if writer.is_writable() => {
            Some(Liveness::begin(&env, &storage, path)?)
        }
        Location::File { .. } | Location::Memory => None,
    };
    let clock = StoreClock::new(Arc::clone(&env.clock));
    let wake = Arc::new(Wake::new(clock.now()));
    Ok(Shell {
        env,
        storage,
        location,
        limits: options.limits,
        before_commit: options.before_commit,
        writer: Mutex::new(writer),
        clock,
        wake,
        counters: Counters::default(),
        liveness,
        owner: AtomicU64::new(0),
        closed: AtomicBool::new(false),
        readers: Mutex::default(),
        reading: Arc::new(Semaphore::new(READERS)),
    })
}

/// An error of opening names the path.
fn about(path: &str, error: StoreError) -> StoreError {
    let named = |message: String| format!("cannot open `{path}`: {message}");
    match error {
        StoreError::Busy(message) => StoreError::Busy(named(message)),
        StoreError::Full(message) => StoreError::Full(named(message)),
        newer @ StoreError::NewerSchema { .. } => newer,
        other @ (StoreError::Unknown(_)
        | StoreError::Invalid(_)
        | StoreError::Corrupt { .. }
        | StoreError::NotFound(_)
        | StoreError::Unusable(_)) => StoreError::Unusable(named(other.to_string())),
    }
}

#[async_trait]
impl Provider for SqliteProvider {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Result<LeasedOrchestrations, ProviderError> {
        self.lease("lease_orchestrations", request, turns::lease_orchestrations).await
    }

    async fn read_history(&self, request: ReadHistory) -> Result<HistoryPage, ProviderError> {
        let incarnation = request.incarnation.0;
        self.read_held("read_history", incarnation, request, history::read_history).await
    }

    async fn read_mail(&self, request: ReadMail) -> Result<MailPage, ProviderError> {
        let incarnation = request.incarnation.0;
        self.read_held("read_mail", incarnation, request, history::read_mail).await
    }

    async fn commit_turn(&self, request: CommitTurn) -> Result<CommitOutcome, ProviderError> {
        self.write("commit_turn", request, commit::commit_turn).await
    }

    async fn lease_activities(
        &self,
        request: LeaseActivities,
    ) -> Result<LeasedActivities, ProviderError> {
        self.lease("lease_activities", request, activities::lease_activities).await
    }

    async fn complete_activity(
        &self,
        request: CompleteActivity,
    ) -> Result<ActivityFate, ProviderError> {
        self.write("complete_activity", request, activities::complete_activity).await
    }

    async fn renew(&self, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
        self.lease("renew", request, leases::renew).await
    }

    async fn release(&self, request: Release) -> Result<(), ProviderError> {
        self.write("release", request, release::release).await
    }

    async fn submit(&self, request: Submit) -> Result<Submitted, ProviderError> {
        self.write("submit", request, submit::submit).await
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Result<WakeSeq, ProviderError> {
        waiting::wait_for_work(&self.shell, &request).await
    }
}
