//! A private PostgreSQL for tests: made by `initdb` in a temporary folder from the installed
//! binaries, reachable on 127.0.0.1 alone, gone with the process that started it, also when
//! that process is killed. Not here: anything of duroxide, and any client of PostgreSQL but
//! `psql`.
//!
//! ```
//! use duroxide_postgres_cluster::Cluster;
//!
//! let cluster = Cluster::start()?;
//! cluster.create_database("app")?;
//! assert_eq!(cluster.psql("app", "SELECT 1 + 1")?, "2");
//! println!("{}", cluster.url_for("app"));
//! # Ok::<(), duroxide_postgres_cluster::ClusterError>(())
//! ```

mod error;
mod folder;
mod installed;
mod options;
mod server;

pub use error::ClusterError;
pub use options::{ClusterOptions, StopMode, TlsFiles};

use folder::Folder;
use installed::{Binaries, Unprivileged};
use server::Server;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The superuser of every cluster, and the database that `url()` names.
const POSTGRES: &str = "postgres";
/// Another program may take a port between our look at it and the server's.
const PORTS_TRIED: u32 = 5;

/// A running server with its data; stopped and deleted on drop.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    user: Unprivileged,
    options: ClusterOptions,
    port: u16,
    /// Dropped before its folder.
    server: Server,
    folder: Folder,
}

impl Cluster {
    /// Start one with the default options: whoever connects from this machine is trusted.
    ///
    /// # Errors
    /// As [`Cluster::start_with`].
    pub fn start() -> Result<Self, ClusterError> {
        Self::start_with(ClusterOptions::default())
    }

    /// Start one; returns when it accepts connections. What dead processes left is removed
    /// first. As root, the server runs as `postgres` or `nobody`: PostgreSQL refuses root.
    ///
    /// # Errors
    /// [`ClusterError::NotInstalled`] without PostgreSQL on this machine; otherwise what
    /// the program said that failed.
    pub fn start_with(options: ClusterOptions) -> Result<Self, ClusterError> {
        let binaries = Binaries::find()?;
        folder::remove_stale(&binaries);
        let folder = Folder::new()?;
        let user = folder.give_away()?;
        options.init(&binaries, user, &folder)?;
        let mut tried = 0;
        let (port, server) = loop {
            tried += 1;
            let port = server::free_port(tried)?;
            match Server::start(&binaries, user, &folder, &options.settings(port)) {
                Ok(server) => break (port, server),
                Err(ClusterError::Ended { .. }) if tried < PORTS_TRIED => {}
                Err(error) => return Err(error),
            }
        };
        Ok(Self { binaries, user, options, port, server, folder })
    }

    /// The connection string of the superuser and the database `postgres`, with the
    /// password, if there is one.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for(POSTGRES)
    }

    /// The connection string of the superuser and another database.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        let password = self.options.password.as_ref().map(|password| format!(":{password}"));
        let password = password.unwrap_or_default();
        format!("postgres://{POSTGRES}{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where data, log and socket are, until the cluster is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Create an empty database.
    ///
    /// # Errors
    /// [`ClusterError::Failed`] if there is one of that name.
    pub fn create_database(&self, database: &str) -> Result<(), ClusterError> {
        let name = database.replace('"', "\"\"");
        self.psql(POSTGRES, &format!("CREATE DATABASE \"{name}\"")).map(drop)
    }

    /// Run SQL as the superuser and get what it answers: one line a row, columns separated
    /// by `|`. Through the server's own socket, where no password is asked.
    ///
    /// # Errors
    /// [`ClusterError::Failed`] with the server's message.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, ClusterError> {
        let mut psql = Command::new(self.binaries.psql());
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", POSTGRES]);
        psql.arg("-h").arg(self.folder.path()).args(["-p", &self.port.to_string()]);
        psql.args(["-d", database, "-c", sql]);
        installed::output(psql).map(|text| text.trim_end().to_owned())
    }

    /// Stop the server and start it again, on the same port, with the same data.
    ///
    /// # Errors
    /// If it does not stop, or does not start again; the cluster is then of no more use.
    pub fn restart(&mut self, mode: StopMode) -> Result<(), ClusterError> {
        self.server.stop(&self.binaries, self.user, &self.folder, mode)?;
        let settings = self.options.settings(self.port);
        self.server = Server::start(&self.binaries, self.user, &self.folder, &settings)?;
        Ok(())
    }

    /// Stop the server at once and delete its data; the same as dropping it.
    pub fn stop(self) {}
}

/// The connection string that tests use: `DATABASE_URL`, or that of one cluster for this
/// process, started by the first call. Whoever uses it makes a schema or a database of its
/// own.
///
/// # Panics
/// If there is no `DATABASE_URL` and no cluster can be started: a test that needs
/// PostgreSQL fails without it, it is never skipped.
#[must_use]
pub fn cluster_url() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    match std::env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => url,
        Ok(_) | Err(_) => CLUSTER.get_or_init(started).url(),
    }
}

fn started() -> Cluster {
    match Cluster::start() {
        Ok(cluster) => cluster,
        Err(error) => panic!("a test needs PostgreSQL: {error}"),
    }
}
