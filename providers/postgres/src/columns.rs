//! Columns of answers, read as what they are to the contract: numbers without sign, text as its
//! user wrote it.

use crate::error::Result;
use crate::text::unescape;
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Columns by name.
pub(crate) trait Columns {
    /// A number.
    fn number(&self, column: &str) -> Result<u64>;
    /// A number, or none.
    fn maybe_number(&self, column: &str) -> Result<Option<u64>>;
    /// Numbers.
    fn numbers(&self, column: &str) -> Result<Vec<u64>>;
    /// Text of users.
    fn text(&self, column: &str) -> Result<String>;
    /// Text of users, or none.
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;
    /// Texts of users.
    fn texts(&self, column: &str) -> Result<Vec<String>>;
}

impl Columns for PgRow {
    fn number(&self, column: &str) -> Result<u64> {
        Ok(self.try_get::<i64, _>(column)? as u64)
    }

    fn maybe_number(&self, column: &str) -> Result<Option<u64>> {
        Ok(self.try_get::<Option<i64>, _>(column)?.map(|number| number as u64))
    }

    fn numbers(&self, column: &str) -> Result<Vec<u64>> {
        let numbers: Vec<i64> = self.try_get(column)?;
        Ok(numbers.into_iter().map(|number| number as u64).collect())
    }

    fn text(&self, column: &str) -> Result<String> {
        Ok(unescape(self.try_get(column)?))
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get::<Option<String>, _>(column)?.map(unescape))
    }

    fn texts(&self, column: &str) -> Result<Vec<String>> {
        let texts: Vec<String> = self.try_get(column)?;
        Ok(texts.into_iter().map(unescape).collect())
    }
}
