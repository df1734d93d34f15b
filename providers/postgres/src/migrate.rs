//! How a schema becomes a store, and an older store a present one. Any number of processes may
//! begin at once: who finds something to do takes the advisory lock of this database and schema.
//! Not here: the tables and functions (`sql`).

use crate::error::{Kind, StoreError, Trouble};
use crate::schema::Schema;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

/// The newest schema this build writes.
pub(crate) const SCHEMA_VERSION: u32 = 2;
/// The oldest build that may use it. What one of schema 1 calls is there, and is of this schema.
const MIN_READER_VERSION: u32 = 1;
/// The oldest server whose SQL is spoken.
const MIN_SERVER_VERSION: i32 = 140_000;

/// Step `n` brings the tables of version `n` to `n + 1`.
pub(crate) const MIGRATIONS: [&str; SCHEMA_VERSION as usize] =
    [include_str!("sql/schema_1.sql"), include_str!("sql/schema_2.sql")];

/// What works on the tables, as it is now. Every migration puts all of it in the place of what was
/// there; a step takes away what it calls by other arguments or does not call any more, once no
/// build does that may use the store.
pub(crate) const FUNCTIONS: [&str; 14] = [
    include_str!("sql/floors.sql"),
    include_str!("sql/inbox.sql"),
    include_str!("sql/instances.sql"),
    include_str!("sql/sessions.sql"),
    include_str!("sql/turns.sql"),
    include_str!("sql/activities.sql"),
    include_str!("sql/ends.sql"),
    include_str!("sql/commit.sql"),
    include_str!("sql/commit_turn.sql"),
    include_str!("sql/leases.sql"),
    include_str!("sql/submit.sql"),
    include_str!("sql/nodes.sql"),
    include_str!("sql/manage.sql"),
    include_str!("sql/reads.sql"),
];

/// Why a store could not be opened.
#[derive(Debug)]
pub(crate) enum Failed {
    /// An attempt failed; another may not.
    Attempt(Trouble),
    /// It is not for this build, or not ours.
    Final(StoreError),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let advice = match code.as_deref() {
            Some("42501") => "let the user create tables in it, or name a schema that it owns",
            Some("42P07" | "42703" | "42710" | "42723") => {
                "the schema holds objects of another application; give the store one of its own"
            }
            Some(_) | None => return Self::Attempt(Trouble::from(&error)),
        };
        let trouble = Trouble::from(&error);
        Self::Attempt(Trouble::new(Kind::Unusable, format!("{}; {advice}", trouble.message)))
    }
}

/// Create or migrate the store, as far as there is need.
pub(crate) async fn migrate(sql: &mut PgConnection, schema: &Schema) -> Result<(), Failed> {
    if version(sql, schema).await? == Some(SCHEMA_VERSION) {
        return Ok(());
    }
    let mut transaction = sql.begin().await?;
    sqlx::query(
        "SELECT pg_advisory_xact_lock(
           hashtextextended('duroxide ' || current_database() || ' ' || $1, 0))",
    )
    .bind(schema.name())
    .execute(&mut *transaction)
    .await?;
    let version = version(&mut transaction, schema).await?;
    let Some(steps) = MIGRATIONS.get(version.unwrap_or(0) as usize..) else {
        // Newer, and open to this build.
        return Ok(());
    };
    let found = sqlx::query("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1")
        .bind(schema.name())
        .fetch_optional(&mut *transaction)
        .await?;
    // Asked for even if it is there, it would have to be allowed.
    if found.is_none() {
        let create = schema.script("CREATE SCHEMA {schema}");
        sqlx::raw_sql(create).execute(&mut *transaction).await?;
    }
    // They call one another: none is checked before all are there.
    sqlx::raw_sql("SET LOCAL check_function_bodies = off").execute(&mut *transaction).await?;
    for script in steps.iter().chain(&FUNCTIONS).copied() {
        sqlx::raw_sql(schema.script(script)).execute(&mut *transaction).await?;
    }
    let stamp =
        schema.sql("UPDATE {schema}.store SET schema_version = $1, min_reader_version = $2");
    sqlx::query(stamp)
        .bind(SCHEMA_VERSION as i32)
        .bind(MIN_READER_VERSION as i32)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    tracing::info!(schema = schema.name(), from = version, to = SCHEMA_VERSION, "store migrated");
    Ok(())
}

/// The version of a store that this build may use; `None` where there is none.
async fn version(sql: &mut PgConnection, schema: &Schema) -> Result<Option<u32>, Failed> {
    // Not by to_regclass: a server remembers for a transaction what it has not found.
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
                EXISTS (SELECT FROM pg_catalog.pg_class AS c
                        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                        WHERE n.nspname = $1 AND c.relname = 'store')",
    )
    .bind(schema.name())
    .fetch_one(&mut *sql)
    .await?;
    if row.try_get::<i32, _>(0)? < MIN_SERVER_VERSION {
        let found: String = row.try_get(1)?;
        let message = format!("the server is PostgreSQL {found}; 14 or later is needed");
        return Err(Failed::Final(StoreError::Unusable(message)));
    }
    if !row.try_get::<bool, _>(2)? {
        return Ok(None);
    }
    let read = schema.sql("SELECT schema_version, min_reader_version FROM {schema}.store");
    let Some(row) = sqlx::query(read).fetch_optional(sql).await? else {
        let missing = StoreError::corrupt("store", "the row with the schema version is missing");
        return Err(Failed::Final(missing));
    };
    let number = |column| Ok::<_, sqlx::Error>(row.try_get::<i32, _>(column)? as u32);
    // A newer store that older builds may still use says so by its minimum reader version.
    if number(1)? > SCHEMA_VERSION {
        let newer = StoreError::NewerSchema { found: number(0)?, known: SCHEMA_VERSION };
        return Err(Failed::Final(newer));
    }
    Ok(Some(number(0)?))
}
