//! What the machine can do without an engine: the same disk, the same SQLite, the same server.

use crate::result::{Failure, Floor, percentile};
use rusqlite::Connection;
use sqlx::postgres::PgPoolOptions;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Rows of a commit that a crowd shares.
const CROWD: u64 = 50;

/// Each part for so long.
pub(crate) fn measure(folder: &Path, url: Option<&str>, lasts: Duration) -> Result<Floor, Failure> {
    let (syncs_per_s, sync_p50_ms) = syncs(folder, lasts)?;
    let sqlite = |rows| sqlite(folder, lasts, rows);
    let postgres = |clients| url.map(|url| postgres(url, lasts, clients)).transpose();
    Ok(Floor {
        syncs_per_s,
        sync_p50_ms,
        sqlite_commits_per_s: sqlite(1)?,
        sqlite_rows_per_s: sqlite(CROWD)?,
        postgres_commits_per_s: postgres(1)?,
        postgres_commits_of_ten_per_s: postgres(10)?,
    })
}

/// A page overwritten and synced, again and again.
fn syncs(folder: &Path, lasts: Duration) -> Result<(f64, f64), Failure> {
    let path = folder.join("floor");
    let mut file = File::create(&path).map_err(Failure::file(&path))?;
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < lasts {
        let one = Instant::now();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(&[times.len() as u8; 4_096]))
            .and_then(|()| file.sync_data())
            .map_err(Failure::file(&path))?;
        times.push(one.elapsed().as_secs_f64() * 1_000.0);
    }
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(&path).map_err(Failure::file(&path))?;
    Ok((rate, percentile(&mut times, 0.5)))
}

/// Rows a second, so many to a commit.
fn sqlite(folder: &Path, lasts: Duration, rows: u64) -> Result<f64, Failure> {
    let path = folder.join(format!("floor-{rows}.db"));
    let mut sql = Connection::open(&path)?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    sql.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB) STRICT")?;
    let (began, mut written) = (Instant::now(), 0);
    while began.elapsed() < lasts {
        let tx = sql.transaction()?;
        {
            let mut insert = tx.prepare_cached("INSERT INTO t (data) VALUES (?1)")?;
            for _ in 0..rows {
                insert.execute([[7_u8; 100]])?;
            }
        }
        tx.commit()?;
        written += rows;
    }
    Ok(written as f64 / began.elapsed().as_secs_f64())
}

/// Rows a second, one to a commit, from so many clients.
fn postgres(url: &str, lasts: Duration, clients: u32) -> Result<f64, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::file(Path::new("threads")))?;
    runtime.block_on(async {
        let pool = PgPoolOptions::new().max_connections(clients).connect(url).await?;
        let table = "CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, data bytea)";
        sqlx::query(table).execute(&pool).await?;
        let began = Instant::now();
        let one = async || {
            let mut written = 0_u64;
            while began.elapsed() < lasts {
                let insert = sqlx::query("INSERT INTO floor (data) VALUES ($1)");
                insert.bind(vec![7_u8; 100]).execute(&pool).await?;
                written += 1;
            }
            Ok::<_, sqlx::Error>(written)
        };
        let written = futures_util::future::try_join_all((0..clients).map(|_| one())).await?;
        let rate = written.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64();
        sqlx::query("DROP TABLE floor").execute(&pool).await?;
        pool.close().await;
        Ok(rate)
    })
}
