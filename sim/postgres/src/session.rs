//! A session: one transaction, statement by statement, as the server carries it out. It runs
//! as a task of the server's, whether its client still lives or not. Not here: what is locked
//! (`rows`, `take`), what the client makes of the answer (`client`).

use crate::client::Answer;
use crate::locks::Row;
use crate::pace::latency;
use crate::server::Server;
use crate::statement::{Kind, SqlState, Statement, Verdict};
use crate::take::{Hidden, Take};
use crate::unflushed::Before;
use crate::wake::{ListenerId, POLL_IN_VAIN, tell};
use duroxide_model::State;
use duroxide_sim_dice::{Dice, Yield};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a call does.
pub(crate) struct Script<T> {
    /// The method.
    pub(crate) call: &'static str,
    /// It only reads: one statement, and no lock.
    pub(crate) reads: bool,
    /// It does not wait for the disk.
    pub(crate) is_lazy: bool,
    /// The rows it waits for, in their order.
    pub(crate) rows: Rows,
    /// The rows it takes if it can.
    pub(crate) take: Option<Take>,
    /// The call itself, at the commit.
    pub(crate) apply: Apply<T>,
}

/// Which rows a call waits for, as things stand.
pub(crate) type Rows = Box<dyn Fn(&State) -> Vec<Row> + Send + Sync>;

/// What the model does, all at once.
pub(crate) type Apply<T> = Box<dyn Fn() -> Answer<T> + Send + Sync>;

/// What the client hears; if nothing comes, its connection is silent.
pub(crate) type Reply<T> = Result<Answer<T>, SqlState>;

/// What a transaction came to, and whom it concerns.
type Done<T> = (Answer<T>, Vec<ListenerId>);

/// See the module.
pub(crate) struct Session<T> {
    server: Arc<Server>,
    script: Arc<Script<T>>,
    id: u64,
    /// The life of the server in which it began.
    life: u64,
    dice: Dice,
    held: BTreeSet<Row>,
    reply: Option<oneshot::Sender<Reply<T>>>,
    is_muted: bool,
    /// A leasing call passed over rows; over a session that another had its hands on.
    passed_over: bool,
    contended: bool,
}

/// However it ends, it lets go of its locks.
impl<T> Drop for Session<T> {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl<T> Session<T> {
    pub(crate) fn begin(
        server: &Arc<Server>,
        script: &Arc<Script<T>>,
        reply: oneshot::Sender<Reply<T>>,
    ) -> Self {
        let (id, life) = server.begin(script.call);
        Self {
            server: Arc::clone(server),
            script: Arc::clone(script),
            id,
            life,
            dice: Dice::nth(server.options.seed, "session", id),
            held: BTreeSet::new(),
            reply: Some(reply),
            is_muted: false,
            passed_over: false,
            contended: false,
        }
    }

    /// Carry the script out, tell those it concerns, and answer.
    pub(crate) async fn run(mut self) {
        let done = match self.transact().await {
            Err(failed) => {
                self.server.core().counters.rolled_back += 1;
                Err(failed)
            }
            Ok((answer, concerned)) => {
                let after = if self.script.reads {
                    Ok(())
                } else {
                    self.statement(Kind::Committed, None).await
                };
                for id in concerned {
                    let telling =
                        tell(Arc::clone(&self.server), self.script.call, id, self.is_muted);
                    // It ends by itself; nothing waits for it.
                    drop(self.server.env.spawn("postgres-notify", telling));
                }
                // It is committed: what fails now can only be the way to the client.
                let lost = |state: SqlState| {
                    if state.is_lost() { state } else { SqlState::ConnectionFailure }
                };
                after.map(|()| answer).map_err(lost)
            }
        };
        self.let_go();
        if self.is_alive()
            && let Some(reply) = self.reply.take()
        {
            let _ = reply.send(done);
        }
    }

    async fn transact(&mut self) -> Result<Done<T>, SqlState> {
        let script = Arc::clone(&self.script);
        let last = if script.reads { Kind::Select } else { Kind::Commit };
        self.lock_all().await?;
        if let Some(take) = &script.take {
            self.take(take).await?;
        }
        loop {
            self.statement(last, None).await?;
            if let Some(done) = self.commit()? {
                return Ok(done);
            }
            self.lock_all().await?;
        }
    }

    /// Announce a statement, and let its time pass.
    async fn statement(&mut self, kind: Kind, row: Option<&Row>) -> Result<(), SqlState> {
        Yield(self.dice.up_to(self.server.options.yields)).await;
        let latency = latency(&mut self.dice, self.server.options.latency);
        if !latency.is_zero() {
            self.server.env.sleep(latency).await;
        }
        self.check_alive()?;
        let (call, session, row) = (self.script.call, self.id, row.cloned());
        let statement = Statement { call, kind, nth: 0, session, row, listener: None };
        match self.server.announce(statement).0 {
            Verdict::Go => {}
            Verdict::Delay(by) => self.server.env.sleep(by).await,
            Verdict::LoseNotification => self.is_muted = true,
            Verdict::LoseAnswer => drop(self.reply.take()),
            Verdict::Fail(state @ SqlState::ConnectionFailure) => {
                if let Some(reply) = self.reply.take() {
                    let _ = reply.send(Err(state));
                }
            }
            Verdict::Fail(state) => return Err(state),
        }
        self.check_alive()
    }

    /// Lock, one after the other, whatever the call needs as the rows stand now: what was
    /// committed while it waited may ask for others (READ COMMITTED).
    async fn lock_all(&mut self) -> Result<(), SqlState> {
        while let Some(row) = self.next_row() {
            self.statement(Kind::Lock, Some(&row)).await?;
            self.lock(row).await?;
        }
        Ok(())
    }

    fn next_row(&self) -> Option<Row> {
        let rows = self.look(|state| (self.script.rows)(state));
        rows.into_iter().find(|row| !self.held.contains(row))
    }

    /// Look at what is committed; not while another session hides rows from a call.
    fn look<A>(&self, read: impl FnOnce(&State) -> A) -> A {
        let _core = self.server.core();
        self.server.model.look_at(read)
    }

    async fn lock(&mut self, row: Row) -> Result<(), SqlState> {
        let queued = self.server.core().locks.lock(&row, self.id);
        if let Some(granted) = queued {
            self.server.core().counters.waits += 1;
            self.wait(granted).await?;
        }
        self.held.insert(row);
        self.check_alive()
    }

    /// Wait for a lock; after a while, look whether it will ever come.
    async fn wait(&self, mut granted: oneshot::Receiver<()>) -> Result<(), SqlState> {
        let patience = self.server.options.deadlock_timeout;
        let granted = match self.server.env.timeout(patience, &mut granted).await {
            Some(granted) => granted,
            None if self.is_deadlocked() => return Err(SqlState::DeadlockDetected),
            None => granted.await,
        };
        // The table of locks is gone when the server is.
        granted.map_err(|_| SqlState::AdminShutdown)
    }

    fn is_deadlocked(&self) -> bool {
        let mut core = self.server.core();
        let is_deadlocked = core.locks.is_deadlocked(self.id);
        core.counters.deadlocks += u64::from(is_deadlocked);
        is_deadlocked
    }

    /// Lock what there is to be leased and nobody else has locked.
    async fn take(&mut self, take: &Take) -> Result<(), SqlState> {
        self.statement(Kind::Select, None).await?;
        let found = self.look(|state| (take.candidates)(state));
        let mut taken = 0;
        for candidate in found.iter().filter(|candidate| candidate.fits) {
            if taken >= take.max {
                break;
            }
            self.statement(Kind::SkipLocked, Some(&candidate.row)).await?;
            let mut core = self.server.core();
            if !core.locks.try_lock(&candidate.row, self.id) {
                core.counters.passed_over += 1;
                self.passed_over = true;
                continue;
            }
            let now = self.server.model.look_at(|state| (take.candidates)(state));
            if !now.contains(candidate) {
                core.locks.unlock(&candidate.row, self.id);
                core.counters.rechecks += 1;
                continue;
            }
            self.held.insert(candidate.row.clone());
            if let Some(session) = &candidate.session {
                if !core.locks.try_lock(session, self.id) {
                    core.counters.passed_over += 1;
                    (self.passed_over, self.contended) = (true, true);
                    continue;
                }
                self.held.insert(session.clone());
            }
            taken += 1;
        }
        Ok(())
    }

    /// The commit: all of it at once, if everything it needs is locked. Else `None`.
    fn commit(&mut self) -> Result<Option<Done<T>>, SqlState> {
        let server = Arc::clone(&self.server);
        let mut core = server.core();
        if core.life != self.life {
            return Err(SqlState::AdminShutdown);
        }
        let is_locked = |row: &Row| core.locks.holds(self.id, row);
        let needed = server.model.look_at(|state| (self.script.rows)(state));
        if !needed.iter().all(is_locked) {
            core.counters.rechecks += 1;
            return Ok(None);
        }
        server.look_at_the_clock(&mut core);
        let is_lazy = self.script.is_lazy;
        let before = is_lazy.then(|| server.model.look_at(|state| Before::of(state, &self.held)));
        let answer = self.apply();
        let concerned = server.model.look_at(|state| core.listeners.concerned(state));
        if self.script.reads {
            return Ok(Some((answer, concerned)));
        }
        core.counters.commits += 1;
        match before {
            None => core.unflushed.flush(),
            Some(before) => core.unflushed.add(server.env.clock.monotonic(), before),
        }
        if self.reply.as_ref().is_none_or(oneshot::Sender::is_closed) {
            core.counters.orphans += 1;
        }
        if let Some(take) = &self.script.take {
            let id = ListenerId::Node(take.node.clone());
            if self.contended {
                core.listeners.ring(&id);
            } else if self.passed_over {
                core.listeners.poll_at(&id, server.env.clock.monotonic() + POLL_IN_VAIN);
            }
        }
        core.locks.release(self.id);
        self.held.clear();
        Ok(Some((answer, concerned)))
    }

    /// Let the model do it; of what there is to be leased it sees only what is locked by this
    /// session.
    fn apply(&self) -> Answer<T> {
        let (model, script) = (&self.server.model, &self.script);
        let Some(take) = &script.take else { return (script.apply)() };
        let hidden = model.alter(|state| Hidden::of(state, take, &self.held));
        let answer = (script.apply)();
        // Looked at again: what is no call any more must be one anew when its time comes.
        model.edit(|state| hidden.restore(state));
        model.look_at(|state| take.check(state, &self.held));
        answer
    }

    fn let_go(&mut self) {
        let mut core = self.server.core();
        // The numbers of sessions are never used again: a life ago they held other locks.
        core.locks.release(self.id);
        self.held.clear();
    }

    fn is_alive(&self) -> bool {
        self.server.core().life == self.life
    }

    fn check_alive(&self) -> Result<(), SqlState> {
        if self.is_alive() { Ok(()) } else { Err(SqlState::AdminShutdown) }
    }
}
