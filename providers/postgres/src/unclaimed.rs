//! Work that is ready and that nobody holds: of one instance, for its status, and the names
//! of all of it, for nodes that look for work nobody can do.

use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::shell::Shell;
use duroxide_core::TimeMs;
use duroxide_provider::{ProviderError, Unclaimed, UnclaimedName, UnclaimedNames, Work};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many ready instances are looked at for their names, the longest ready first; how many
/// names of activities, and how many activities of a name.
const LOOKS: i64 = 1_000;

/// The oldest work of an instance, from its row: its turn, or the activity that was joined to it.
pub(crate) fn of_instance(row: &PgRow, now: TimeMs) -> Result<Option<Unclaimed>> {
    let first = row.try_get("first")?;
    let ready_at = row.maybe_number("ready_at")?.map(TimeMs).filter(|since| *since <= now);
    let turn = ready_at.map(|at| since(at, now, Work::Turn { first }));
    let activity = match row.maybe_number("activity_since")? {
        None => None,
        Some(at) => {
            let work = Work::Activity {
                name: row.text("activity")?,
                tag: row.maybe_text("tag")?,
                session: row.maybe_text("session")?,
            };
            Some(since(TimeMs(at), now, work))
        }
    };
    Ok(turn.into_iter().chain(activity).min_by_key(|unclaimed| unclaimed.since))
}

fn since(since: TimeMs, now: TimeMs, work: Work) -> Unclaimed {
    Unclaimed { work, since, age: Duration::from_millis(now.0.saturating_sub(since.0)) }
}

/// See [`Inspect::unclaimed`](duroxide_provider::Inspect::unclaimed).
pub(crate) async fn names(shell: &Shell) -> Result<UnclaimedNames, ProviderError> {
    shell
        .call(
            "unclaimed",
            "SELECT what, name, version, since, store_now FROM {schema}.unclaimed_names($1)",
            |query| query.bind(LOOKS),
            |rows| Found::read(&rows).map(Found::names),
        )
        .await
}

/// What the store says of its queues.
#[derive(Default)]
struct Found {
    orchestrations: BTreeMap<(String, Option<String>), u64>,
    activities: BTreeMap<String, u64>,
    /// Names of which some node holds one.
    held: BTreeSet<String>,
    /// The youngest that each node holds: what is younger may wait behind it.
    youngest: Vec<u64>,
    now: TimeMs,
}

impl Found {
    fn read(rows: &[PgRow]) -> Result<Self> {
        let mut found = Self::default();
        for row in rows {
            let since = row.number("since")?;
            found.now = TimeMs(row.number("store_now")?);
            match row.try_get::<i32, _>("what")? {
                0 => {
                    let name = (row.text("name")?, row.maybe_text("version")?);
                    let first = found.orchestrations.entry(name).or_insert(since);
                    *first = since.min(*first);
                }
                1 => {
                    let first = found.activities.entry(row.text("name")?).or_insert(since);
                    *first = since.min(*first);
                }
                2 => {
                    found.held.insert(row.text("name")?);
                }
                3 => found.youngest.push(since),
                4 => {}
                what => return Err(StoreError::corrupt("answer", format!("kind {what}"))),
            }
        }
        Ok(found)
    }

    fn names(mut self) -> UnclaimedNames {
        let (held, youngest) = (&self.held, &self.youngest);
        self.activities.retain(|name, since| {
            // A node that could take it may not have come to it yet.
            let may_come = held.contains(name) || youngest.iter().any(|young| young < since);
            !may_come
        });
        let orchestration =
            |((name, version), since)| UnclaimedName { name, version, since: TimeMs(since) };
        let activity = |(name, since)| UnclaimedName { name, version: None, since: TimeMs(since) };
        UnclaimedNames {
            orchestrations: self.orchestrations.into_iter().map(orchestration).collect(),
            activities: self.activities.into_iter().map(activity).collect(),
            store_now: self.now,
        }
    }
}
