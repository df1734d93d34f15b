//! Setting an instance aside, since something of it cannot be decoded.

use super::answer::{effects, first, store_now};
use super::stops;
use crate::columns::Columns;
use crate::shell::Shell;
use crate::text::escape;
use crate::wake::Effects;
use duroxide_provider::{Incarnation, ProviderError};
use sqlx::Row;

/// Set a running instance aside. Whoever holds it holds it no longer; once is as good as twice.
pub(crate) async fn quarantine(
    shell: &Shell,
    operation: &'static str,
    incarnation: Incarnation,
    why: &str,
) -> Result<(), ProviderError> {
    let why = escape(why);
    let stops = stops().map_err(|error| error.named(operation))?;
    let done = shell.call(
        operation,
        "SELECT * FROM {schema}.quarantine($1, $2, $3)",
        |query| query.bind(incarnation.0 as i64).bind(why.as_ref()).bind(&stops),
        |rows| {
            let row = first(&rows)?;
            let now = store_now(row)?;
            let new: bool = row.try_get("quarantined")?;
            let ns = row.maybe_text("ns")?.unwrap_or_default();
            Ok((Effects { quarantined: new.into(), ..effects(row, &ns, now)? }, now))
        },
    );
    let (effects, now) = done.await?;
    if let Some(key) = effects.touched.first() {
        let why = why.as_ref();
        tracing::warn!(instance_id = %key, why, "stored data cannot be decoded: quarantined");
    }
    shell.publish(&effects, now);
    Ok(())
}
