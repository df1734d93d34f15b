//! Reads for people and clients: [`Inspect`], each method one statement, in one snapshot. What
//! deletes is in `manage`.

use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::provider::PostgresProvider;
use crate::reads::{events, one};
use crate::shell::{Bound, Shell};
use crate::text::escape;
use crate::{manage, unclaimed, waiting};
use async_trait::async_trait;
use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits, TimeMs, Undecodable};
use duroxide_provider::{
    Deleted, ExecutionInfo, Inspect, InstanceInfo, InstanceKey, InstanceState, InstanceStats,
    InstanceTree, ListFilter, Page, ProviderError, PruneRule, Pruned, QueueDepths, Selection,
    SystemMetrics, UnclaimedNames, WatchRequest,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Names of states in filters, by their stored number.
const STATES: [&str; 4] = ["Running", "Completed", "Failed", "Terminated"];

/// Bind a name as the first two parameters.
fn named(query: Bound, key: &InstanceKey) -> Bound {
    query.bind(escape(&key.namespace.0)).bind(escape(key.id.as_str()))
}

/// See [`Inspect::instance`].
pub(crate) async fn instance(
    shell: &Shell,
    operation: &'static str,
    key: &InstanceKey,
) -> Result<Option<InstanceInfo>, ProviderError> {
    shell
        .call(
            operation,
            "SELECT i.name, i.version, i.execution, e.outcome, s.status, i.status_version,
                    i.parent_id, i.created_at, i.updated_at, i.revision, i.quarantine, i.waiting,
                    i.last_commit IS NULL AS first, n.now,
                    CASE WHEN i.lease IS NULL THEN i.ready_at ELSE i.expires_at END AS ready_at,
                    a.since AS activity_since, a.name AS activity, a.tag, a.session
             FROM {schema}.instances AS i
             CROSS JOIN (SELECT {schema}.peek_ms() AS now) AS n
             JOIN {schema}.executions AS e
               ON e.incarnation = i.incarnation AND e.execution = i.execution
             LEFT JOIN {schema}.statuses AS s ON s.incarnation = i.incarnation
             LEFT JOIN LATERAL (
               (SELECT q.visible_at AS since, q.name, q.tag, q.session, q.seq
                FROM {schema}.activities AS q
                WHERE q.incarnation = i.incarnation AND coalesce(q.owner, 0) = 0 AND q.visible_at <= n.now
                ORDER BY q.visible_at, q.seq LIMIT 1)
               UNION ALL
               (SELECT greatest(h.visible_at, h.lease_until), h.name, h.tag, h.session, h.seq
                FROM {schema}.activities AS h
                WHERE h.incarnation = i.incarnation AND h.lease_until > 0
                  AND h.lease_until <= n.now
                ORDER BY 1, h.seq LIMIT 1)
               ORDER BY since, seq LIMIT 1) AS a ON i.state = 0 AND i.quarantine IS NULL
             WHERE i.ns = $1 AND i.id = $2",
            |query| named(query, key),
            |rows| rows.first().map(|row| info(row, key)).transpose(),
        )
        .await
}

fn info(row: &PgRow, key: &InstanceKey) -> Result<InstanceInfo> {
    let now = TimeMs(row.number("now")?);
    let state = state(key, row.try_get("outcome")?)?;
    Ok(InstanceInfo {
        key: key.clone(),
        name: row.text("name")?,
        version: row.maybe_text("version")?,
        execution: ExecutionId(row.number("execution")?),
        custom_status: row.maybe_text("status")?,
        custom_status_version: row.number("status_version")?,
        parent: row.maybe_text("parent_id")?.map(InstanceId),
        created_at: TimeMs(row.number("created_at")?),
        updated_at: TimeMs(row.number("updated_at")?),
        revision: row.number("revision")?,
        quarantined: row.maybe_text("quarantine")?,
        waiting: row.maybe_text("waiting")?,
        unclaimed: unclaimed::of_instance(row, now)?,
        state,
    })
}

fn state(key: &InstanceKey, outcome: Option<Vec<u8>>) -> Result<InstanceState> {
    match outcome {
        None => Ok(InstanceState::Running),
        Some(outcome) => serde_json::from_slice(&outcome)
            .map_err(Undecodable::from)
            .map_err(|why| StoreError::corrupt(key.to_string(), format!("outcome: {why}"))),
    }
}

fn execution(row: &PgRow, key: &InstanceKey) -> Result<ExecutionInfo> {
    let ended_at = row.maybe_number("ended_at")?;
    Ok(ExecutionInfo {
        execution: ExecutionId(row.number("execution")?),
        state: state(key, row.try_get("outcome")?)?,
        started_at: TimeMs(row.number("started_at")?),
        completed_at: ended_at.map(TimeMs),
        event_count: row.number("event_count")?,
    })
}

fn kv_entry(row: &PgRow) -> Result<KvEntry> {
    Ok(KvEntry {
        key: row.text("key")?,
        value: row.text("value")?,
        updated_at: TimeMs(row.number("updated_at")?),
    })
}

fn page(rows: &[PgRow], limit: usize) -> Result<Page> {
    let mut ids: Vec<InstanceId> =
        rows.iter().map(|row| row.text("id").map(InstanceId)).collect::<Result<_>>()?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = if more { ids.last().cloned() } else { None };
    Ok(Page { ids, next })
}

fn state_code(status: &str) -> Result<i16> {
    let code = STATES.iter().position(|name| *name == status);
    code.map(|code| code as i16).ok_or_else(|| {
        StoreError::Invalid(format!("unknown status `{status}`; one of {}", STATES.join(", ")))
    })
}

#[async_trait]
impl Inspect for PostgresProvider {
    async fn instance(&self, key: InstanceKey) -> Result<Option<InstanceInfo>, ProviderError> {
        instance(&self.shell, "instance", &key).await
    }

    async fn watch(&self, request: WatchRequest) -> Result<Option<InstanceInfo>, ProviderError> {
        waiting::watch(&self.shell, request).await
    }

    async fn executions(&self, key: InstanceKey) -> Result<Vec<ExecutionInfo>, ProviderError> {
        self.shell
            .call(
                "executions",
                "SELECT e.execution, e.outcome, e.started_at, e.ended_at,
                        CASE WHEN e.ended_at IS NULL THEN i.next_event - 1 ELSE e.events END
                          AS event_count
                 FROM {schema}.instances AS i JOIN {schema}.executions AS e USING (incarnation)
                 WHERE i.ns = $1 AND i.id = $2 ORDER BY e.execution",
                |query| named(query, &key),
                |rows| rows.iter().map(|row| execution(row, &key)).collect(),
            )
            .await
    }

    async fn history(
        &self,
        key: InstanceKey,
        execution: ExecutionId,
    ) -> Result<Vec<Event>, ProviderError> {
        let execution = i64::try_from(execution.0).unwrap_or(i64::MAX);
        self.shell
            .call(
                "history",
                "SELECT e.bytes
                 FROM {schema}.instances AS i JOIN {schema}.events AS e USING (incarnation)
                 WHERE i.ns = $1 AND i.id = $2 AND e.execution = $3 ORDER BY e.first_event",
                |query| named(query, &key).bind(execution),
                |rows| {
                    let blobs: Vec<Vec<u8>> =
                        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
                    events(&key, &blobs)
                },
            )
            .await
    }

    async fn kv(&self, key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError> {
        self.shell
            .call(
                "kv",
                "SELECT k.key, k.value, k.updated_at
                 FROM {schema}.instances AS i JOIN {schema}.kv AS k USING (incarnation)
                 WHERE i.ns = $1 AND i.id = $2 ORDER BY k.key",
                |query| named(query, &key),
                |rows| rows.iter().map(kv_entry).collect(),
            )
            .await
    }

    async fn list(
        &self,
        filter: ListFilter,
        after: Option<InstanceId>,
        limit: usize,
    ) -> Result<Page, ProviderError> {
        let status = filter.status.as_deref().map(state_code).transpose();
        let status = status.map_err(|error| error.named("list"))?;
        let after = after.map_or(String::new(), |id| escape(id.as_str()).into_owned());
        let rows = limit.saturating_add(1).min(1 << 30) as i64;
        self.shell
            .call(
                "list",
                "SELECT i.id FROM {schema}.instances AS i
                 WHERE i.ns = $1 AND i.id > $2 AND ($3::smallint IS NULL OR i.state = $3)
                 ORDER BY i.id LIMIT $4",
                |query| {
                    query.bind(escape(&filter.namespace.0)).bind(&after).bind(status).bind(rows)
                },
                |rows| page(&rows, limit),
            )
            .await
    }

    async fn tree(&self, key: InstanceKey) -> Result<Option<InstanceTree>, ProviderError> {
        self.shell
            .call(
                "tree",
                // A child is made after its parent, and so has the higher number.
                "WITH r AS (SELECT i.root FROM {schema}.instances AS i
                            WHERE i.ns = $1 AND i.id = $2)
                 SELECT t.id FROM (
                   SELECT i.incarnation, i.id FROM {schema}.instances AS i
                   WHERE i.incarnation = (SELECT r.root FROM r)
                   UNION ALL
                   SELECT i.incarnation, i.id FROM {schema}.instances AS i
                   WHERE i.root = (SELECT r.root FROM r) AND i.parent IS NOT NULL) AS t
                 ORDER BY t.incarnation",
                |query| named(query, &key),
                |rows| {
                    let ids: Vec<InstanceId> = page(&rows, usize::MAX)?.ids;
                    Ok(ids.first().cloned().map(|root| InstanceTree { root, ids }))
                },
            )
            .await
    }

    async fn stats(&self, key: InstanceKey) -> Result<Option<InstanceStats>, ProviderError> {
        self.shell
            .call(
                "stats",
                "SELECT i.next_event - 1 AS events,
                   (SELECT coalesce(sum(octet_length(e.bytes)), 0)::bigint
                    FROM {schema}.events AS e
                    WHERE e.incarnation = i.incarnation AND e.execution = i.execution) AS bytes,
                   (SELECT count(*) FROM {schema}.inbox AS m
                    WHERE m.incarnation = i.incarnation AND NOT m.seen AND m.kind = 4)
                   + (SELECT count(*) FROM {schema}.inbox AS m
                      WHERE m.incarnation = i.incarnation AND m.seen) AS messages,
                   (SELECT count(*) FROM {schema}.kv AS k
                    WHERE k.incarnation = i.incarnation) AS kv_keys,
                   (SELECT coalesce(sum(octet_length(k.value)), 0)::bigint FROM {schema}.kv AS k
                    WHERE k.incarnation = i.incarnation) AS kv_bytes
                 FROM {schema}.instances AS i WHERE i.ns = $1 AND i.id = $2",
                |query| named(query, &key),
                |rows| rows.first().map(stats).transpose(),
            )
            .await
    }

    async fn metrics(&self) -> Result<SystemMetrics, ProviderError> {
        self.shell
            .call(
                "metrics",
                "SELECT
                   (SELECT count(*) FROM {schema}.executions) AS executions,
                   (SELECT coalesce(sum(e.events), 0)::bigint FROM {schema}.executions AS e)
                   + coalesce(sum(i.next_event - 1) FILTER (WHERE i.state = 0), 0)::bigint
                     AS events,
                   count(*) AS instances,
                   count(*) FILTER (WHERE i.state = 0) AS running,
                   count(*) FILTER (WHERE i.state = 1) AS completed,
                   count(*) FILTER (WHERE i.state = 2) AS failed,
                   count(*) FILTER (WHERE i.state = 3) AS terminated
                 FROM {schema}.instances AS i",
                |query| query,
                |rows| metrics(one(&rows)?),
            )
            .await
    }

    async fn depths(&self) -> Result<QueueDepths, ProviderError> {
        self.shell
            .call(
                "depths",
                "WITH n AS MATERIALIZED (SELECT {schema}.peek_ms() AS now)
                 SELECT
                   (SELECT count(*) FROM {schema}.instances AS i
                    WHERE i.ready_at IS NOT NULL AND i.ready_at <= n.now) AS orchestrations,
                   (SELECT count(*) FROM {schema}.activities AS a WHERE a.lease IS NULL)
                     AS activities,
                   (SELECT count(*) FROM {schema}.inbox AS m
                    WHERE m.kind = 2 AND m.visible_at > n.now) AS timers
                 FROM n",
                |query| query,
                |rows| depths(one(&rows)?),
            )
            .await
    }

    async fn unclaimed(&self) -> Result<UnclaimedNames, ProviderError> {
        unclaimed::names(&self.shell).await
    }

    async fn delete(&self, key: InstanceKey, force: bool) -> Result<Deleted, ProviderError> {
        manage::delete(&self.shell, &key, force).await
    }

    async fn delete_many(&self, selection: Selection) -> Result<Deleted, ProviderError> {
        manage::delete_many(&self.shell, &selection).await
    }

    async fn prune(&self, selection: Selection, rule: PruneRule) -> Result<Pruned, ProviderError> {
        manage::prune(&self.shell, &selection, rule).await
    }

    fn limits(&self) -> Limits {
        self.shell.limits.clone()
    }

    async fn close(&self) -> Result<(), ProviderError> {
        self.close_store().await
    }
}

fn stats(row: &PgRow) -> Result<InstanceStats> {
    Ok(InstanceStats {
        history_events: row.number("events")?,
        history_bytes: row.number("bytes")?,
        pending_messages: row.number("messages")?,
        kv_keys: row.number("kv_keys")?,
        kv_bytes: row.number("kv_bytes")?,
    })
}

fn metrics(row: &PgRow) -> Result<SystemMetrics> {
    Ok(SystemMetrics {
        instances: row.number("instances")?,
        executions: row.number("executions")?,
        running: row.number("running")?,
        completed: row.number("completed")?,
        failed: row.number("failed")?,
        terminated: row.number("terminated")?,
        events: row.number("events")?,
    })
}

fn depths(row: &PgRow) -> Result<QueueDepths> {
    Ok(QueueDepths {
        orchestrations: row.number("orchestrations")?,
        activities: row.number("activities")?,
        timers: row.number("timers")?,
    })
}
