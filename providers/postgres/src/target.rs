//! One server and database: how it is connected to, and what a user is told when that fails.

use crate::error::{Kind, Trouble};
use crate::options::{RootCertificate, Ssl, SslMode};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use std::fmt;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a URL says of encryption.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) mode: Option<SslMode>,
    pub(crate) root: bool,
}

/// A server and database. What it shows is `HOST:PORT/DATABASE`.
pub(crate) struct Target {
    options: PgConnectOptions,
    mode: SslMode,
    /// [`SslMode::Allow`], and the server insists.
    insists: AtomicBool,
    shown: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

impl Target {
    pub(crate) fn new(options: PgConnectOptions, said: &Said, ssl: Option<&Ssl>) -> Self {
        // The library would log statements that it finds slow; nothing of ours reads floats.
        let mut options = options.disable_statement_logging().extra_float_digits(None);
        let root = ssl.and_then(|ssl| ssl.root_certificate.as_ref());
        if let Some(root) = root {
            options = match root {
                RootCertificate::File(path) => options.ssl_root_cert(path),
                RootCertificate::Pem(text) => options.ssl_root_cert_from_pem(text.clone().into()),
            };
        }
        let asked = ssl.map(|ssl| ssl.mode).or(said.mode);
        let asked = asked.unwrap_or_else(|| of_library(options.get_ssl_mode()));
        // As libpq has it: who gives a root wants it checked.
        let is_checked = asked == SslMode::Require && (said.root || root.is_some());
        let mode = if is_checked { SslMode::VerifyCa } else { asked };
        if options.get_application_name().is_none() {
            options = options.application_name("duroxide");
        }
        // A URL writes an IPv6 address in brackets, a resolver does not know them.
        let host = options.get_host().trim_matches(['[', ']']).to_owned();
        options = options.host(&host);
        let server = match options.get_socket() {
            Some(socket) => socket.display().to_string().trim_end_matches('/').to_owned(),
            None => host,
        };
        let database = options.get_database().unwrap_or(options.get_username());
        let shown = format!("{server}:{}/{database}", options.get_port());
        Self { options, mode, insists: AtomicBool::new(false), shown }
    }

    #[cfg(test)]
    pub(crate) fn mode(&self) -> SslMode {
        self.mode
    }

    /// How to connect, as far as is known by now.
    pub(crate) fn options(&self) -> PgConnectOptions {
        let mode = match self.mode {
            SslMode::Allow if self.insists.load(Ordering::Relaxed) => PgSslMode::Require,
            SslMode::Disable | SslMode::Allow => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyCa => PgSslMode::VerifyCa,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        };
        self.options.clone().ssl_mode(mode)
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Trouble> {
        let first = self.options().connect().await;
        let refused = match &first {
            Err(sqlx::Error::Database(refusal)) => refusal.code().as_deref() == Some("28000"),
            Ok(_) | Err(_) => false,
        };
        let connected = if refused && self.mode == SslMode::Allow {
            self.insists.store(true, Ordering::Relaxed);
            self.options().connect().await
        } else {
            first
        };
        let connected = match connected {
            Ok(mut connection) => settle(&mut connection).await.map(|()| connection),
            Err(error) => Err(error),
        };
        connected.map_err(|error| self.explain(&error))
    }

    /// What went wrong, and what there is to do about it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum grows")]
    pub(crate) fn explain(&self, error: &sqlx::Error) -> Trouble {
        let trouble = Trouble::of_connecting(error);
        let (kind, advice) = match error {
            sqlx::Error::Io(io) if io.kind() == ErrorKind::InvalidData => (
                Kind::Unusable,
                "the server's certificate was refused; check sslmode and sslrootcert",
            ),
            sqlx::Error::Io(_) => {
                (trouble.kind, "check host and port, and that the server runs and can be reached")
            }
            sqlx::Error::Tls(_) if self.needs_encryption() => (
                Kind::Unusable,
                "sslmode asks for encryption; turn it on at the server, or use sslmode=prefer",
            ),
            sqlx::Error::Tls(_) => (Kind::Unusable, "check sslmode"),
            sqlx::Error::Database(refusal) => (
                trouble.kind,
                match refusal.code().as_deref() {
                    Some("28P01") => "check user and password",
                    Some("28000") => "check the user, sslmode and the server's pg_hba.conf",
                    Some("3D000") => "create the database, or check its name",
                    Some("42501") => "let the user connect to the database",
                    Some("53300") => "raise the server's max_connections, or lower the store's",
                    Some(_) | None => "see the server's log",
                },
            ),
            _ => (trouble.kind, "see the server's log"),
        };
        Trouble::new(kind, format!("{}; {advice}", trouble.message))
    }

    fn needs_encryption(&self) -> bool {
        match self.mode {
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => true,
            SslMode::Disable | SslMode::Allow | SslMode::Prefer => false,
        }
    }
}

/// Set what a database or user may have set otherwise, and what statements rely on. Our
/// statements are short: compiling them takes longer than running them. A client whose machine
/// is gone is to be noticed in less than a minute.
pub(crate) async fn settle(connection: &mut PgConnection) -> sqlx::Result<()> {
    let settings = "SET default_transaction_isolation = 'read committed';
                    SET default_transaction_read_only = off;
                    SET idle_session_timeout = 0;
                    SET tcp_keepalives_idle = 15;
                    SET tcp_keepalives_interval = 5;
                    SET tcp_keepalives_count = 4;
                    SET jit = off";
    sqlx::raw_sql(settings).execute(connection).await.map(drop)
}

fn of_library(mode: PgSslMode) -> SslMode {
    match mode {
        PgSslMode::Disable => SslMode::Disable,
        PgSslMode::Allow => SslMode::Allow,
        PgSslMode::Prefer => SslMode::Prefer,
        PgSslMode::Require => SslMode::Require,
        PgSslMode::VerifyCa => SslMode::VerifyCa,
        PgSslMode::VerifyFull => SslMode::VerifyFull,
    }
}
