//! Opening SQLite: files, folders, pragmas, the schema. What was asked of SQLite is read
//! back: an option that did not take is an error, not a surprise at the next power cut.

use crate::error::{Result, StoreError};
use crate::log;
use crate::options::{Durability, Location, Mode};
use crate::storage::Storage;
use crate::store::schema;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Writers queue at the lock file; this is only for strangers, such as `sqlite3` on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements kept prepared: more than there are.
const STATEMENTS: usize = 256;

/// The location with its one true path, by which every process names the files beside the
/// database, whatever links lead there. Creates the folder if it may.
pub(crate) fn resolve(storage: &dyn Storage, location: Location) -> Result<Location> {
    let (path, mode) = match location {
        Location::Memory => return Ok(Location::Memory),
        Location::File { path, mode } => (path, mode),
    };
    match storage.resolve(&path, mode == Mode::Create) {
        Ok(path) => Ok(Location::File { path, mode }),
        // It says what is wrong with the path.
        Err(error) if error.get_ref().is_some() => Err(StoreError::Unusable(error.to_string())),
        Err(error) => Err(StoreError::of_io("its path", &error)),
    }
}

/// The store's writing connection, with its schema in place.
pub(crate) fn open_writer(
    storage: &dyn Storage,
    location: &Location,
    durability: Durability,
) -> Result<Connection> {
    let connection = match location {
        Location::Memory => Connection::open_in_memory()?,
        Location::File { path, mode } => open_file(storage, path, *mode)?,
    };
    prepare(&connection)?;
    match location {
        Location::Memory => schema::migrate(&connection)?,
        Location::File { mode: Mode::Read, .. } => {
            let version = schema::check(&connection)?;
            if version == 0 {
                return Err(StoreError::Unusable("the store is empty".to_owned()));
            }
            if version < schema::SCHEMA_VERSION {
                let needed = schema::SCHEMA_VERSION;
                return Err(StoreError::Unusable(format!(
                    "the store has schema version {version}, and mode=ro cannot bring it to \
                     {needed}: open it once for writing"
                )));
            }
        }
        Location::File { .. } => {
            // Looked at before anything is changed: a file that is not ours stays as it is.
            schema::check(&connection)?;
            keep_a_log(&connection)?;
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
            synchronous(&connection, durability)?;
            schema::migrate(&connection)?;
        }
    }
    Ok(connection)
}

/// A connection for reading. The store exists.
pub(crate) fn open_reader(storage: &dyn Storage, path: &Path) -> Result<Connection> {
    let connection = open_copier(storage, path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection for copying the store, which is a write to SQLite, though not to the store.
pub(crate) fn open_copier(storage: &dyn Storage, path: &Path) -> Result<Connection> {
    let open = |mode| open_file(storage, path, mode);
    let connection = open(Mode::Write).or_else(|_| open(Mode::Read))?;
    prepare(&connection)?;
    Ok(connection)
}

/// With a log a commit is durable when it is synced; a journal comes back with a folder
/// that was not.
fn keep_a_log(connection: &Connection) -> Result<()> {
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    let mut mode = String::new();
    // SQLite names the mode before it has written it: a disk that fails says so only after
    // the last row.
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    expect("journal_mode", &mode, "wal")
}

/// What COMMIT waits for.
pub(crate) fn synchronous(connection: &Connection, durability: Durability) -> Result<()> {
    let (level, number) = match durability {
        Durability::Full => ("FULL", 2),
        Durability::Process => ("NORMAL", 1),
    };
    connection.pragma_update(None, "synchronous", level)?;
    let found: u8 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    expect("synchronous", &found, &number)
}

fn expect<T: PartialEq<U> + ToString, U: ToString + ?Sized>(
    what: &str,
    found: &T,
    wanted: &U,
) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    let (found, wanted) = (found.to_string(), wanted.to_string());
    Err(StoreError::Unusable(format!("{what} is `{found}` after it was set to `{wanted}`")))
}

/// A connection as it comes.
pub(crate) fn open_file(storage: &dyn Storage, path: &Path, mode: Mode) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match mode {
            Mode::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Mode::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Mode::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
    Ok(match storage.vfs() {
        None => Connection::open_with_flags(path, flags)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
    })
}

fn prepare(connection: &Connection) -> Result<()> {
    log::keep_on_close(connection, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise many a statement is compiled anew for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    Ok(())
}
