//! How a store on PostgreSQL is named and reached. Nothing here shows a password: neither
//! errors, nor `Debug`, nor the library's own log of parameters it does not know.

use crate::error::{Result, StoreError};
use crate::target::{Said, Target};
use duroxide_core::Limits;
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Parameters a URL may have.
const PARAMETERS: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// How connections are encrypted, and what the server must prove. As in libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server insists.
    Allow,
    /// Encrypted if the server can. The default of a URL that does not say.
    Prefer,
    /// Always encrypted. The server proves nothing, unless a root certificate is given.
    Require,
    /// Always encrypted, and the server's certificate is signed by a root that is trusted.
    VerifyCa,
    /// The same, and the certificate is for the host that was asked for.
    VerifyFull,
}

/// Encryption, where it is not said in the URL or is to differ from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssl {
    /// How.
    pub mode: SslMode,
    /// Certificates that are trusted besides those of the system.
    pub root_certificate: Option<RootCertificate>,
}

/// Certificates of authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCertificate {
    /// A file with them, as PEM.
    File(PathBuf),
    /// They themselves, as PEM.
    Pem(String),
}

/// How to open a store.
///
/// ```
/// use duroxide_postgres::PostgresOptions;
///
/// let options = PostgresOptions::new("postgres://app:secret@db.example/orders?sslmode=verify-full")
///     .schema("workflows")
///     .max_connections(20);
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…&sslrootcert=…`.
    url: String,
    /// Where the store lives; made if it is not there. Stores of two schemas know nothing of
    /// each other. Default `public`.
    pub schema: String,
    /// Connections at once, for calls; one more is the handle's own. Default 10, at least 1.
    pub max_connections: u32,
    /// How long a call waits for a connection, and goes on trying when the server cannot be
    /// reached or rolls it back. Default 10 s.
    pub acquire_timeout: Duration,
    /// Encryption, if not as the URL says.
    pub ssl: Option<Ssl>,
    /// The limits that the store holds.
    pub limits: Limits,
}

impl PostgresOptions {
    /// The defaults, for this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: "public".to_owned(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(10),
            ssl: None,
            limits: Limits::default(),
        }
    }

    /// Live in this schema.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// At most so many connections for calls.
    #[must_use]
    pub fn max_connections(mut self, max_connections: u32) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// See [`acquire_timeout`](Self::acquire_timeout).
    #[must_use]
    pub fn acquire_timeout(mut self, acquire_timeout: Duration) -> Self {
        self.acquire_timeout = acquire_timeout;
        self
    }

    /// Encrypt in this way, whatever the URL says.
    #[must_use]
    pub fn ssl(mut self, ssl: Ssl) -> Self {
        self.ssl = Some(ssl);
        self
    }

    /// Hold these limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The server and database, ready to be connected to.
    pub(crate) fn target(&self) -> Result<Target> {
        check(&self.url)?;
        let mut said = Said::default();
        for (name, value) in parameters(&self.url) {
            match name {
                "sslmode" => said.mode = Some(mode(value)?),
                "sslrootcert" => said.root = true,
                _ => {}
            }
        }
        // What the library says of it may repeat parts of it.
        let options = PgConnectOptions::from_str(&self.url).map_err(|_| {
            unusable(
                "the URL cannot be read; expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, \
                 with %XX for what has a meaning in URLs"
                    .to_owned(),
            )
        })?;
        Ok(Target::new(options, &said, self.ssl.as_ref()))
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.target().map_or_else(|_| "…".to_owned(), |target| target.to_string());
        f.debug_struct("PostgresOptions")
            .field("place", &place)
            .field("schema", &self.schema)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("ssl", &self.ssl)
            .finish_non_exhaustive()
    }
}

fn unusable(message: String) -> StoreError {
    StoreError::Unusable(message)
}

/// Refuse what would be misread, and what the library would write to the log, value and all.
/// Nothing of the URL is repeated but the names of parameters.
fn check(url: &str) -> Result<()> {
    let Some(rest) = ["postgres://", "postgresql://"].iter().find_map(|s| url.strip_prefix(s))
    else {
        return Err(unusable(
            "this is no URL of PostgreSQL; expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`"
                .to_owned(),
        ));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password with one of these in it would end the authority early, and be shown as a host.
    if rest[authority.len()..].contains(['@', '#']) {
        return Err(unusable(
            "the URL has an `@` or `#` after the host; in user, password and parameters write \
             `@ / ? # :` as %40 %2F %3F %23 %3A"
                .to_owned(),
        ));
    }
    for (name, _) in parameters(url) {
        let known = PARAMETERS.contains(&name) || name.starts_with("options[");
        if !known {
            return Err(unusable(format!(
                "the URL has the unknown parameter `{name}`; known are {}",
                PARAMETERS.join(", ")
            )));
        }
    }
    Ok(())
}

fn parameters(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn mode(text: &str) -> Result<SslMode> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "disable" => SslMode::Disable,
        "allow" => SslMode::Allow,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => {
            // More than a word may be a password that was not written as it should be.
            let is_word =
                text.len() <= 16 && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
            let shown = if is_word { format!(" `{text}`") } else { String::new() };
            return Err(unusable(format!(
                "the URL has the unknown sslmode{shown}; expected one of disable, allow, prefer, \
                 require, verify-ca, verify-full"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        PostgresOptions::new(url).target().unwrap_err().to_string()
    }

    #[test]
    fn what_is_shown_of_a_url_is_host_port_and_database() {
        for (url, shown) in [
            ("postgres://u:secret@h/d", "h:5432/d"),
            ("postgresql://u:sec%40ret@h:1234/d?sslmode=disable", "h:1234/d"),
            ("postgres://h/d?user=u&password=secret", "h:5432/d"),
            ("postgres://u:secret@[::1]:99/d", "::1:99/d"),
            ("postgres://u:secret@%2Frun%2Fpg/d", "/run/pg:5432/d"),
            ("postgres:///d?host=/run/pg&user=u&password=secret", "/run/pg:5432/d"),
        ] {
            let options = PostgresOptions::new(url);
            assert_eq!(options.target().unwrap().to_string(), shown, "{url}");
            assert!(!format!("{options:?}").contains("sec"), "{options:?}");
        }
    }

    #[test]
    fn a_url_that_would_be_misread_is_refused_without_showing_it() {
        for url in [
            "mysql://u:secret@h/d",
            "u:secret@h/d",
            "postgres://u:12/secret@h/d",
            "postgres://u:12?secret@h/d",
            "postgres://u:12#secret@h/d",
            "postgres://u:se:cret@h:x/d",
            "postgres://u:secret@h/d?sslmode=require;password=secret",
            "postgres://u:secret@h/d?passwrd=secret",
            "postgres://u:secret@h/d?port=secret",
        ] {
            let said = error(url);
            assert!(!said.contains("secret") && !said.contains("12"), "{url}: {said}");
        }
        assert!(error("postgres://h/d?passwrd=secret").contains("`passwrd`"));
    }

    #[test]
    fn an_unknown_sslmode_is_named_with_those_that_are_known() {
        let said = error("postgres://u:secret@h/d?sslmode=always");
        assert_eq!(
            said,
            "the URL has the unknown sslmode `always`; expected one of disable, allow, prefer, \
             require, verify-ca, verify-full"
        );
    }

    #[test]
    fn a_root_that_is_given_is_checked() {
        let mode = |url: &str| PostgresOptions::new(url).target().unwrap().mode();
        assert_eq!(mode("postgres://h/d?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://h/d?sslmode=require&sslrootcert=r.pem"), SslMode::VerifyCa);
        assert_eq!(mode("postgres://h/d?sslmode=verify-full"), SslMode::VerifyFull);
        let over = Ssl { mode: SslMode::Disable, root_certificate: None };
        let options = PostgresOptions::new("postgres://h/d?sslmode=require").ssl(over);
        assert_eq!(options.target().unwrap().mode(), SslMode::Disable);
    }
}
