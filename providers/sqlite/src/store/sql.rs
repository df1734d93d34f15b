//! Statements, each prepared once per connection, and the few conversions that ids and
//! times need.

use crate::error::{Result, StoreError};
use duroxide_core::TimeMs;
use rusqlite::{Connection, Params, Row};
use std::time::Duration;

/// An id of 128 bits as it is stored.
pub(crate) type Id = [u8; 16];

/// The stored form of a lease or commit id.
pub(crate) fn id(value: u128) -> Id {
    value.to_be_bytes()
}

/// A duration in ms, small enough for any arithmetic with times.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(FAR)
}

/// A time that can be stored: the far future at the latest.
pub(crate) fn later(now: TimeMs, ms: u64) -> u64 {
    now.plus(ms).0.min(FAR)
}

/// Later than any time that matters, and with room for sums.
pub(crate) const FAR: u64 = 1 << 60;

/// Cached statements of a connection.
pub(crate) trait Sql {
    /// Run a statement; gives how many rows it changed.
    fn run<P: Params>(&self, sql: &'static str, params: P) -> Result<usize>;
    /// The first row, if there is one.
    fn one<T, P: Params>(
        &self,
        sql: &'static str,
        params: P,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>>;
    /// Every row.
    fn all<T, P: Params>(
        &self,
        sql: &'static str,
        params: P,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>>;
    /// Rows until the visitor has enough.
    fn each<P: Params>(
        &self,
        sql: &'static str,
        params: P,
        visit: impl FnMut(&Row<'_>) -> Result<Next>,
    ) -> Result<()>;
    /// Whether there is any row.
    fn any<P: Params>(&self, sql: &'static str, params: P) -> Result<bool> {
        Ok(self.one(sql, params, |_| Ok(()))?.is_some())
    }
    /// The number in the first row; 0 without one.
    fn number<P: Params>(&self, sql: &'static str, params: P) -> Result<u64> {
        Ok(self.one(sql, params, |row| row.get::<_, Option<u64>>(0))?.flatten().unwrap_or(0))
    }
}

/// Whether a visitor wants another row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    More,
    Enough,
}

impl Sql for Connection {
    fn run<P: Params>(&self, sql: &'static str, params: P) -> Result<usize> {
        Ok(self.prepare_cached(sql)?.execute(params)?)
    }

    fn one<T, P: Params>(
        &self,
        sql: &'static str,
        params: P,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.prepare_cached(sql)?;
        let mut rows = statement.query_map(params, map)?;
        rows.next().transpose().map_err(StoreError::from)
    }

    fn all<T, P: Params>(
        &self,
        sql: &'static str,
        params: P,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.prepare_cached(sql)?;
        let rows = statement.query_map(params, map)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn each<P: Params>(
        &self,
        sql: &'static str,
        params: P,
        mut visit: impl FnMut(&Row<'_>) -> Result<Next>,
    ) -> Result<()> {
        let mut statement = self.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            match visit(row)? {
                Next::More => {}
                Next::Enough => break,
            }
        }
        Ok(())
    }
}
