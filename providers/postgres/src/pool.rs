//! Connections, kept for the next call. A connection whose statement was not waited for to
//! its end is never used again: nobody knows what is still to come on it.
//!
//! The library's own pool asks the server for a sign of life around every use and has tasks
//! and clocks of its own; this one does neither.

use crate::error::{Kind, Trouble};
use crate::stats::Counting;
use crate::target::Target;
use duroxide_provider::env::Env;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What stands idle for longer may have been dropped by something between here and there.
const IDLE: Duration = Duration::from_mins(1);

/// The connections of one handle.
pub(crate) struct Pool {
    env: Env,
    target: Target,
    acquire_timeout: Duration,
    max: u32,
    permits: Semaphore,
    idle: Mutex<Vec<(PgConnection, Duration)>>,
    counters: Arc<Counting>,
}

/// A connection in use.
pub(crate) struct InUse<'a> {
    pub(crate) connection: PgConnection,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(
        env: Env,
        target: Target,
        max_connections: u32,
        acquire_timeout: Duration,
        counters: Arc<Counting>,
    ) -> Self {
        let max = max_connections.max(1);
        let permits = Semaphore::new(max as usize);
        Self { env, target, acquire_timeout, max, permits, idle: Mutex::default(), counters }
    }

    /// A connection: one that is idle, or a new one.
    pub(crate) async fn acquire(&self) -> Result<InUse<'_>, Trouble> {
        let waited = self.env.timeout(self.acquire_timeout, self.permits.acquire()).await;
        let permit = match waited {
            Some(Ok(permit)) => permit,
            Some(Err(_)) => return Err(Trouble::new(Kind::Unusable, "the store is closed")),
            None => {
                let waited = self.acquire_timeout.as_millis();
                let message = format!("no connection became free within {waited} ms");
                return Err(Trouble::new(Kind::Unreachable, message));
            }
        };
        let connection = match self.pop() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(InUse { connection, pool: self, _permit: permit })
    }

    /// A new connection, not one of the pool's.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Trouble> {
        self.counters.count(|counters| counters.connections += 1);
        let connecting = self.target.connect();
        match self.env.timeout(self.acquire_timeout, connecting).await {
            Some(connected) => connected,
            None => Err(Trouble::new(
                Kind::Unreachable,
                format!(
                    "{} did not answer within {} ms",
                    self.target,
                    self.acquire_timeout.as_millis()
                ),
            )),
        }
    }

    fn pop(&self) -> Option<PgConnection> {
        let now = self.env.clock.monotonic();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| now.saturating_sub(*since) < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    /// A connection broke: those made before it may have, too.
    pub(crate) fn forget_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The server and database.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Give out no more connections, and wait for those in use. Who does not come back in time
    /// is not waited for.
    pub(crate) async fn drain(&self) {
        let all = self.permits.acquire_many(self.max);
        let all = self.env.timeout(self.acquire_timeout, all).await;
        // Before they are let go of: nobody who waits gets one of them.
        self.permits.close();
        drop(all);
    }

    /// When it is drained: a connection for the last that is to be said.
    pub(crate) async fn last(&self) -> Result<PgConnection, Trouble> {
        match self.pop() {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        }
    }

    /// When it is drained: close what is idle.
    pub(crate) async fn close_idle(&self) {
        while let Some(connection) = self.pop() {
            // Whether the server hears of it or not, the connection is gone.
            let _ = connection.close().await;
        }
    }
}

impl InUse<'_> {
    /// Back to the pool: its last statement was waited for to its end.
    pub(crate) fn give_back(self) {
        if self.pool.permits.is_closed() {
            return;
        }
        let now = self.pool.env.clock.monotonic();
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((self.connection, now));
    }
}
