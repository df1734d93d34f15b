//! What can go wrong. No variant carries a password.

use std::io;
use std::process::ExitStatus;

/// Why there is no cluster, or why it did not do as told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No PostgreSQL on this machine.
    #[error(
        "no PostgreSQL server was found on the PATH or in /usr/lib/postgresql: \
         install it (Debian: apt-get install postgresql), or set DATABASE_URL"
    )]
    NotInstalled,
    /// We are root, and there is nobody else to run the server as.
    #[error("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")]
    NoUser,
    /// A file or a program could not be reached.
    #[error("{what}: {error}")]
    Io {
        /// Which one.
        what: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed ({status}): {said}")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        said: String,
    },
    /// The server ended instead of accepting connections.
    #[error("the server ended instead of accepting connections: {log}")]
    Ended {
        /// The end of its log.
        log: String,
    },
    /// The server neither ended nor accepted connections.
    #[error("the server did not accept connections within {seconds} s: {log}")]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
}

impl ClusterError {
    pub(crate) fn io(what: impl Into<String>, error: io::Error) -> Self {
        Self::Io { what: what.into(), error }
    }
}
