//! Running a batch: one transaction for many operations, a savepoint for each. Failures
//! stay with their operation; nobody is answered before COMMIT.

use crate::error::{Result, StoreError};
use crate::shell::Shell;
use crate::store::sql::Sql;
use crate::store::{Effects, Tx, nodes};
use crate::writer::{Turn, Writer};
use duroxide_provider::WakeSeq;
use rusqlite::Connection;
use std::sync::PoisonError;
use tokio::sync::oneshot;

/// A write that can be run again from the start: its request carries all the ids that
/// make it apply once.
pub(crate) trait Operation: Send {
    /// The method.
    fn name(&self) -> &'static str;
    /// Whether a power cut may forget it.
    fn is_relaxed(&self) -> bool;
    /// Whether anyone still waits for the answer.
    fn is_wanted(&self) -> bool;
    /// Run it, and keep the answer.
    fn run(&mut self, tx: &Tx<'_>) -> Result<()>;
    /// It failed.
    fn fail(&mut self, error: StoreError);
    /// Send the answer.
    fn answer(self: Box<Self>);
}

/// A request, what to do with it, and who waits.
pub(crate) struct Job<Q, A> {
    pub(crate) name: &'static str,
    pub(crate) relaxed: bool,
    pub(crate) request: Q,
    pub(crate) run: fn(&Tx<'_>, &Q) -> Result<A>,
    pub(crate) outcome: Option<Result<A>>,
    pub(crate) caller: oneshot::Sender<Result<A>>,
}

impl<Q: Send, A: Send> Operation for Job<Q, A> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_relaxed(&self) -> bool {
        self.relaxed
    }

    fn is_wanted(&self) -> bool {
        !self.caller.is_closed()
    }

    fn run(&mut self, tx: &Tx<'_>) -> Result<()> {
        let outcome = (self.run)(tx, &self.request);
        let result = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
        self.outcome = Some(outcome);
        result
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        let unrun = || Err(StoreError::Unknown("the writer stopped".to_owned()));
        let _ = self.caller.send(self.outcome.unwrap_or_else(unrun));
    }
}

/// Why a transaction came to nothing.
enum Broken {
    /// It had not begun, or was surely undone: all its operations get the error.
    Undone(StoreError),
    /// It was undone for the sake of one operation, or nobody knows whether it was applied:
    /// each operation is run again by itself, and finds out by its ids.
    Redo(StoreError),
}

/// Run operations and answer them.
pub(crate) fn run(shell: &Shell, mut jobs: Vec<Box<dyn Operation>>) {
    {
        let mut writer = shell.writer.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|job| job.is_wanted());
        let dead = find_dead(shell, &writer);
        if jobs.is_empty() && dead.is_empty() {
            return;
        }
        match transact(shell, &mut writer, &mut jobs, &dead) {
            Ok(()) => {}
            Err(Broken::Undone(error)) => fail(&mut jobs, &error),
            Err(Broken::Redo(_)) => {
                shell.counters.count(|stats| stats.redone += 1);
                for job in jobs.chunks_mut(1) {
                    if let Err(Broken::Undone(error) | Broken::Redo(error)) =
                        transact(shell, &mut writer, job, &[])
                    {
                        fail(job, &error);
                    }
                }
            }
        }
    }
    for job in jobs {
        job.answer();
    }
}

fn fail(jobs: &mut [Box<dyn Operation>], error: &StoreError) {
    for job in jobs {
        job.fail(error.clone());
    }
}

fn find_dead(shell: &Shell, writer: &Writer) -> Vec<u64> {
    let Some(liveness) = &shell.liveness else { return Vec::new() };
    // A look that failed is made up for by the next; leases end in time anyway.
    writer
        .connection()
        .and_then(|sql| liveness.look(&shell.env, sql, shell.owner()))
        .unwrap_or_default()
}

/// One transaction for these operations.
fn transact(
    shell: &Shell,
    writer: &mut Writer,
    jobs: &mut [Box<dyn Operation>],
    dead: &[u64],
) -> Result<(), Broken> {
    if shell.is_shared() && writer.foreign_change().map_err(Broken::Undone)? {
        shell.wake.foreign_change();
    }
    let relaxed = dead.is_empty() && jobs.iter().all(|job| job.is_relaxed());
    let wake_seq = shell.wake.seq();
    let turn = writer.begin(relaxed).map_err(Broken::Undone)?;
    let done = inside(shell, &turn, wake_seq, jobs, dead);
    if done.is_err() {
        turn.break_off();
    }
    drop(turn);
    let (effects, changed) = done?;
    shell.counters.count(|stats| {
        stats.commits += u64::from(changed && !relaxed);
        stats.relaxed_commits += u64::from(changed && relaxed);
        stats.dropped_messages += effects.dropped;
        stats.quarantined += effects.quarantined;
    });
    shell.wake.publish(&effects, &shell.clock);
    Ok(())
}

/// From after BEGIN to COMMIT. Gives what it means for others, and whether it changed
/// anything at all.
fn inside(
    shell: &Shell,
    turn: &Turn<'_>,
    wake_seq: WakeSeq,
    jobs: &mut [Box<dyn Operation>],
    dead: &[u64],
) -> Result<(Effects, bool), Broken> {
    let sql = turn.sql();
    let changes = sql.total_changes();
    let tx = Tx::begin(sql, &shell.clock, shell.owner(), wake_seq, &shell.limits)
        .map_err(Broken::Undone)?;
    nodes::bury(&tx, dead).map_err(Broken::Undone)?;
    for job in jobs.iter_mut() {
        shell.counters.count(|stats| *stats.operations.entry(job.name()).or_default() += 1);
        run_one(sql, &tx, job.as_mut()).map_err(Broken::Redo)?;
    }
    if sql.total_changes() == changes {
        sql.run("ROLLBACK", []).map_err(Broken::Undone)?;
        return Ok((tx.into_effects(), false));
    }
    let effects = tx.seal().map_err(Broken::Undone)?;
    turn.commit().map_err(|error| {
        let unknown = matches!(error, StoreError::Unknown(_));
        if unknown { Broken::Redo(error) } else { Broken::Undone(error) }
    })?;
    Ok((effects, true))
}

/// One operation in its savepoint. An error here is the transaction's, not the operation's.
fn run_one(sql: &Connection, tx: &Tx<'_>, job: &mut dyn Operation) -> Result<()> {
    sql.run("SAVEPOINT operation", [])?;
    let result = job.run(tx);
    match result {
        Ok(()) => {}
        // SQLite undid the whole transaction (disk full, IO error): so must we.
        Err(error) if sql.is_autocommit() => return Err(error),
        Err(_) => {
            sql.run("ROLLBACK TO operation", [])?;
        }
    }
    sql.run("RELEASE operation", [])?;
    Ok(())
}
