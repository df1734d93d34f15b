//! What all parts of an open store share, and the one way to the server: [`Shell::call`].
//!
//! A call is one statement, one round trip, one transaction. It is sent again, with the same
//! ids, when it was rolled back for another's sake, when the connection broke, and when its
//! answer was lost: the contract makes every call safe to repeat.

use crate::error::{Kind, Result, StoreError, Trouble};
use crate::pool::Pool;
use crate::schema::Schema;
use crate::stats::Counting;
use crate::wake::{Effects, Wake};
use duroxide_core::{Limits, TimeMs};
use duroxide_provider::ProviderError;
use duroxide_provider::env::Env;
use sqlx::Connection;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// A statement with its parameters, being bound: `|query| query.bind(a).bind(b)`.
pub(crate) type Bound = Query<'static, Postgres, PgArguments>;

/// A statement without an answer for so long is lost. Longer than anything the server does
/// for a call.
const ANSWER: Duration = Duration::from_mins(1);
/// How long a closing handle tries to say so.
const LEAVING: Duration = Duration::from_secs(2);
/// Between tries: doubled from the first to the last, and a random part of it is waited.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(5);
pub(crate) const LAST_PAUSE: Duration = Duration::from_millis(400);

/// See the module.
pub(crate) struct Shell {
    pub(crate) env: Env,
    pub(crate) schema: Schema,
    pub(crate) pool: Pool,
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counting>,
    pub(crate) wake: Arc<Wake>,
    /// How long one call goes on trying.
    pub(crate) patience: Duration,
    pub(crate) owner: AtomicI64,
    pub(crate) closed: AtomicBool,
    /// The server has not been reached since this was set: it has been said once.
    pub(crate) outage: AtomicBool,
}

impl fmt::Debug for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shell")
            .field("place", self.pool.target())
            .field("schema", &self.schema.name())
            .finish_non_exhaustive()
    }
}

impl Shell {
    /// This handle's number among those on the store: leases carry it.
    pub(crate) fn owner(&self) -> i64 {
        self.owner.load(Ordering::SeqCst)
    }

    /// An error unless the store is open.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(StoreError::closed()) } else { Ok(()) }
    }

    /// Send a statement (`{schema}` in it stands for the quoted schema) and read its rows.
    /// `bind` is asked again for every try.
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        statement: &'static str,
        bind: impl Fn(Bound) -> Bound + Send + Sync,
        decode: impl FnOnce(Vec<PgRow>) -> Result<T> + Send,
    ) -> Result<T, ProviderError> {
        let rows = self.rows(operation, statement, bind).await;
        rows.and_then(decode).map_err(|error| error.named(operation))
    }

    /// What a call that changed something means for those who wait, here and elsewhere; the
    /// store's clock stood at `now`.
    pub(crate) fn publish(&self, effects: &Effects, now: TimeMs) {
        self.wake.clock.heard(now);
        self.counters.count(|counters| {
            counters.dropped_messages += effects.dropped;
            counters.quarantined += effects.quarantined;
        });
        self.wake.publish(effects, now);
    }

    /// The last that this handle says, when it is closed and no call is under way: what it holds
    /// is free, and the others are to look for themselves. A server that does not hear it now is
    /// not waited for: the others will miss this handle.
    pub(crate) async fn leave(&self) {
        let leaving = async {
            let mut pause = FIRST_PAUSE;
            while let Err(trouble) = self.leave_once().await {
                match trouble.kind {
                    Kind::Again | Kind::Stale | Kind::Lost => {}
                    Kind::Unreachable
                    | Kind::Full
                    | Kind::Invalid
                    | Kind::Corrupt
                    | Kind::Unusable => {
                        tracing::debug!(why = trouble.message, "closed, and the server not told");
                        break;
                    }
                }
                self.pause(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
            self.pool.close_idle().await;
        };
        let _ = self.env.timeout(LEAVING, leaving).await;
    }

    async fn leave_once(&self) -> Result<(), Trouble> {
        let mut connection = self.pool.last().await?;
        let leave = self.schema.sql(
            "SELECT {schema}.leave_nodes($1),
                    pg_notify('duroxide_' || {schema}.session_space()::oid, '1||*')",
        );
        sqlx::query(leave).bind(self.owner()).execute(&mut connection).await?;
        // Whether the server hears of it or not, the connection is gone.
        let _ = connection.close().await;
        Ok(())
    }

    async fn rows(
        &self,
        operation: &'static str,
        statement: &'static str,
        bind: impl Fn(Bound) -> Bound + Send + Sync,
    ) -> Result<Vec<PgRow>> {
        let began = self.env.clock.monotonic();
        let (mut pause, mut maybe_applied) = (FIRST_PAUSE, false);
        self.check_open()?;
        loop {
            let trouble = match Box::pin(self.try_once(operation, statement, &bind)).await {
                Ok(rows) => {
                    if maybe_applied {
                        // What was done by the try whose answer was lost, nobody was told.
                        self.wake.foreign_change();
                        self.wake.tell_all();
                    }
                    return Ok(rows);
                }
                Err(trouble) => trouble,
            };
            maybe_applied |= trouble.kind == Kind::Lost;
            let spent = self.env.clock.monotonic().saturating_sub(began);
            let is_over = spent + pause > self.patience || self.check_open().is_err();
            if is_over || !trouble.is_worth_another_try() {
                return Err(self.about(trouble).into_error(maybe_applied));
            }
            tracing::debug!(operation, why = trouble.message, "sent again");
            self.counters.count(|counters| counters.retries += 1);
            self.pause(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Some part of a pause, so that those who met do not meet again.
    pub(crate) async fn pause(&self, pause: Duration) {
        let mut random = [0];
        self.env.entropy.fill(&mut random);
        self.env.sleep(pause.mul_f64(f64::from(random[0]).mul_add(0.5 / 255.0, 0.5))).await;
    }

    async fn try_once(
        &self,
        operation: &'static str,
        statement: &'static str,
        bind: &(impl Fn(Bound) -> Bound + Send + Sync),
    ) -> Result<Vec<PgRow>, Trouble> {
        let mut used = match self.pool.acquire().await {
            Ok(used) => used,
            Err(trouble) => {
                self.unreachable(&trouble);
                return Err(trouble);
            }
        };
        let known = used.connection.cached_statements_size();
        let query = bind(sqlx::query(self.schema.sql(statement)));
        let answer = self.env.timeout(ANSWER, query.fetch_all(&mut used.connection)).await;
        let prepared = used.connection.cached_statements_size() != known;
        self.counters.count(|counters| {
            *counters.statements.entry(operation).or_default() += 1;
            counters.round_trips += 1 + u64::from(prepared);
        });
        let trouble = match answer {
            Some(Ok(rows)) => {
                used.give_back();
                self.reached();
                return Ok(rows);
            }
            Some(Err(error)) => Trouble::from(&error),
            None => Trouble::new(Kind::Lost, format!("no answer within {} s", ANSWER.as_secs())),
        };
        if trouble.breaks_connection() {
            // Those beside it were cut by the same hand, or prepared at the same time.
            self.pool.forget_idle();
        } else {
            used.give_back();
        }
        Err(trouble)
    }

    /// The server cannot be reached. Said once.
    pub(crate) fn unreachable(&self, trouble: &Trouble) {
        if !self.outage.swap(true, Ordering::SeqCst) {
            tracing::warn!(place = %self.pool.target(), why = trouble.message, "the database cannot be reached");
        }
    }

    /// The server answers.
    pub(crate) fn reached(&self) {
        if self.outage.load(Ordering::Relaxed) && self.outage.swap(false, Ordering::SeqCst) {
            tracing::info!(place = %self.pool.target(), "the database is reached again");
        }
    }

    /// An error that concerns the server names it.
    pub(crate) fn about(&self, trouble: Trouble) -> Trouble {
        match trouble.kind {
            Kind::Unreachable | Kind::Lost | Kind::Full | Kind::Unusable | Kind::Stale => Trouble {
                message: format!("{}: {}", self.pool.target(), trouble.message),
                ..trouble
            },
            Kind::Again | Kind::Invalid | Kind::Corrupt => trouble,
        }
    }
}
