//! How a cluster is made and configured.

use crate::ClusterError;
use crate::POSTGRES;
use crate::folder::Folder;
use crate::installed::{self, Binaries, Unprivileged};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Enough for many tests at once, each with a pool or two.
const MAX_CONNECTIONS: &str = "300";

/// What a cluster may have beyond the default.
#[derive(Clone, Default)]
pub struct ClusterOptions {
    /// What connections over TCP must give; without it everybody on this machine is
    /// trusted. Of letters and digits: it stands in connection strings as it is.
    pub password: Option<String>,
    /// Whether commits wait for the disk. Off is faster, and loses nothing that a test can
    /// see: only the machine's end would, not the server's.
    pub fsync: bool,
    /// Encrypted connections.
    pub tls: Option<TlsFiles>,
    /// More settings, as in `postgresql.conf`: name and value.
    pub settings: Vec<(String, String)>,
}

impl fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("fsync", &self.fsync)
            .field("tls", &self.tls)
            .field("settings", &self.settings)
            .finish()
    }
}

/// The server's certificate and key, in PEM; copied into the cluster.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, with those between it and the authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Whether connections without TLS are refused.
    pub required: bool,
}

/// How a server is stopped for a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// When the last client has gone.
    Smart,
    /// Clients are disconnected, their transactions rolled back.
    Fast,
    /// As in a crash: the next start recovers from the log.
    Immediate,
}

impl StopMode {
    /// As `pg_ctl` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Smart => "smart",
            Self::Fast => "fast",
            Self::Immediate => "immediate",
        }
    }
}

impl ClusterOptions {
    /// `initdb`, and the files that the server reads.
    pub(crate) fn init(
        &self,
        binaries: &Binaries,
        user: Unprivileged,
        folder: &Folder,
    ) -> Result<(), ClusterError> {
        let mut initdb = user.command(binaries.initdb());
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--username", POSTGRES, "--pgdata"]).arg(folder.data());
        if let Some(password) = &self.password {
            let file = folder.path().join("password");
            write_secret(user, &file, password.as_bytes())?;
            initdb.arg("--pwfile").arg(file);
        }
        installed::output(initdb)?;
        let access = folder.data().join("pg_hba.conf");
        fs::write(&access, self.access())
            .map_err(|error| ClusterError::io(access.display().to_string(), error))?;
        let Some(tls) = &self.tls else { return Ok(()) };
        for (name, from) in [("server.crt", &tls.certificate), ("server.key", &tls.key)] {
            let pem = fs::read(from)
                .map_err(|error| ClusterError::io(from.display().to_string(), error))?;
            write_secret(user, &folder.data().join(name), &pem)?;
        }
        Ok(())
    }

    /// `pg_hba.conf`: our own socket is in a folder that nobody else can enter.
    fn access(&self) -> String {
        let required = self.tls.as_ref().is_some_and(|tls| tls.required);
        let host = if required { "hostssl" } else { "host" };
        let method = if self.password.is_some() { "scram-sha-256" } else { "trust" };
        format!("local all all trust\n{host} all all 127.0.0.1/32 {method}\n")
    }

    /// The server's settings; a later one of the same name wins.
    pub(crate) fn settings(&self, port: u16) -> Vec<(String, String)> {
        let on = |yes: bool| if yes { "on" } else { "off" };
        let ours = [
            ("port", port.to_string().as_str()),
            ("listen_addresses", "127.0.0.1"),
            ("max_connections", MAX_CONNECTIONS),
            ("fsync", on(self.fsync)),
            ("full_page_writes", on(self.fsync)),
            ("ssl", on(self.tls.is_some())),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        ours.into_iter().chain(self.settings.iter().cloned()).collect()
    }
}

/// A file that only the server can read.
fn write_secret(user: Unprivileged, path: &Path, text: &[u8]) -> Result<(), ClusterError> {
    let io = |error| ClusterError::io(path.display().to_string(), error);
    fs::write(path, text).map_err(io)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(io)?;
    user.give(path)
}
