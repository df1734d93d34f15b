//! Deleting instances and pruning executions. Bulk operations go in steps, so that they hold up
//! nobody's turn.

use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::reads::one;
use crate::shell::Shell;
use crate::text::escape;
use crate::wake::Effects;
use duroxide_core::{InstanceId, TimeMs};
use duroxide_provider::{
    Deleted, InstanceKey, Namespace, ProviderError, PruneRule, Pruned, Selection,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// What one transaction deletes or prunes of a bulk at most.
const STEP: usize = 50;

/// See [`Inspect::delete`](duroxide_provider::Inspect::delete).
pub(crate) async fn delete(
    shell: &Shell,
    key: &InstanceKey,
    force: bool,
) -> Result<Deleted, ProviderError> {
    let (deleted, effects, now) = shell
        .call(
            "delete",
            "SELECT * FROM {schema}.delete_instance($1, $2, $3)",
            |query| query.bind(escape(&key.namespace.0)).bind(escape(key.id.as_str())).bind(force),
            |rows| {
                let row = one(&rows)?;
                refusal(row, key)?;
                deleted(row)
            },
        )
        .await?;
    shell.publish(&effects, now);
    Ok(deleted)
}

fn refusal(row: &PgRow, key: &InstanceKey) -> Result<()> {
    match row.try_get::<Option<String>, _>("refusal")?.as_deref() {
        None => Ok(()),
        Some("missing") => Err(StoreError::NotFound(key.to_string())),
        Some("child") => Err(StoreError::Invalid(format!(
            "instance `{key}` is a child; delete its root `{}` instead",
            row.maybe_text("root_id")?.unwrap_or_default()
        ))),
        Some(_) => Err(StoreError::Invalid(format!(
            "instance `{key}` is still running. Use force=true to delete it all the same"
        ))),
    }
}

fn deleted(row: &PgRow) -> Result<(Deleted, Effects, TimeMs)> {
    let deleted = Deleted {
        instances: row.number("instances")?,
        executions: row.number("executions")?,
        events: row.number("events")?,
        messages: row.number("messages")?,
    };
    let names = row.texts("touched_ns")?.into_iter().zip(row.texts("touched_ids")?);
    let key = |(ns, id)| InstanceKey { namespace: Namespace(ns), id: InstanceId(id) };
    let effects = Effects {
        announce: row.try_get("announce")?,
        touched: names.map(key).collect(),
        ..Effects::default()
    };
    Ok((deleted, effects, TimeMs(row.number("store_now")?)))
}

/// See [`Inspect::delete_many`](duroxide_provider::Inspect::delete_many).
pub(crate) async fn delete_many(
    shell: &Shell,
    selection: &Selection,
) -> Result<Deleted, ProviderError> {
    let mut total = Deleted::default();
    let mut steps = Steps::new("delete_many", selection);
    while let Some(step) = steps.next(shell).await? {
        let (deleted, effects, now) = shell
            .call(
                "delete_many",
                "SELECT * FROM {schema}.delete_ended($1)",
                |query| query.bind(&step),
                |rows| deleted(one(&rows)?),
            )
            .await?;
        shell.publish(&effects, now);
        total.instances += deleted.instances;
        total.executions += deleted.executions;
        total.events += deleted.events;
        total.messages += deleted.messages;
    }
    Ok(total)
}

/// See [`Inspect::prune`](duroxide_provider::Inspect::prune).
pub(crate) async fn prune(
    shell: &Shell,
    selection: &Selection,
    rule: PruneRule,
) -> Result<Pruned, ProviderError> {
    let keep = i64::try_from(rule.keep_last.unwrap_or(0).max(1)).unwrap_or(i64::MAX);
    let before = time(rule.completed_before);
    let mut total = Pruned::default();
    let mut steps = Steps::new("prune", selection);
    while let Some(step) = steps.next(shell).await? {
        let pruned = shell
            .call(
                "prune",
                "SELECT * FROM {schema}.prune_executions($1, $2, $3)",
                |query| query.bind(&step).bind(keep).bind(before),
                |rows| {
                    let row = one(&rows)?;
                    Ok(Pruned {
                        instances: row.number("instances")?,
                        executions: row.number("executions")?,
                        events: row.number("events")?,
                    })
                },
            )
            .await?;
        total.instances += pruned.instances;
        total.executions += pruned.executions;
        total.events += pruned.events;
    }
    Ok(total)
}

fn time(time: Option<TimeMs>) -> Option<i64> {
    time.map(|time| i64::try_from(time.0).unwrap_or(i64::MAX))
}

/// The instances of a bulk operation, some at a time, in the order of their creation.
struct Steps<'a> {
    operation: &'static str,
    selection: &'a Selection,
    ids: Option<Vec<String>>,
    after: i64,
    left: u64,
}

impl<'a> Steps<'a> {
    fn new(operation: &'static str, selection: &'a Selection) -> Self {
        let ids = selection.ids.as_ref();
        let ids = ids.map(|ids| ids.iter().map(|id| escape(id.as_str()).into_owned()).collect());
        let left = selection.limit.unwrap_or(u64::MAX);
        Self { operation, selection, ids, after: 0, left }
    }

    /// The next, or `None` when there are no more.
    async fn next(&mut self, shell: &Shell) -> Result<Option<Vec<i64>>, ProviderError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(STEP) as i64;
        if most == 0 {
            return Ok(None);
        }
        let found: Vec<i64> = shell
            .call(
                self.operation,
                "SELECT i.incarnation FROM {schema}.instances AS i
                 WHERE i.ns = $1 AND i.incarnation > $2 AND ($3::text[] IS NULL OR i.id = ANY ($3))
                   AND ($4::bigint IS NULL OR i.ended_at < $4)
                   AND (NOT $5 OR (i.state <> 0 AND i.parent IS NULL))
                 ORDER BY i.incarnation LIMIT $6",
                |query| {
                    query
                        .bind(escape(&self.selection.namespace.0))
                        .bind(self.after)
                        .bind(&self.ids)
                        .bind(time(self.selection.completed_before))
                        .bind(self.operation == "delete_many")
                        .bind(most)
                },
                |rows| Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?),
            )
            .await?;
        let Some(last) = found.last() else { return Ok(None) };
        self.after = *last;
        self.left -= found.len() as u64;
        Ok(Some(found))
    }
}
