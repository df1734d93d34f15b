//! Encryption: each mode against a server with it, without it, and one that insists.

use crate::support::env;
use duroxide_postgres::{PostgresOptions, PostgresProvider, RootCertificate, Ssl, SslMode};
use duroxide_postgres_cluster::{Cluster, ClusterOptions, TlsFiles};
use duroxide_provider::Inspect;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with an authority and a certificate of it for `localhost`.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("duroxide-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let made = Self(folder);
        std::fs::write(made.file("extensions"), "subjectAltName=DNS:localhost\n").unwrap();
        made.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=root -keyout root.key -out root.pem");
        made.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr");
        made.openssl("x509 -req -days 2 -in server.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile extensions -out server.pem");
        made
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn openssl(&self, arguments: &str) {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(arguments.split(' ')).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn cluster(&self, required: bool) -> Cluster {
        let (certificate, key) = (self.file("server.pem"), self.file("server.key"));
        let tls = Some(TlsFiles { certificate, key, required });
        Cluster::start_with(ClusterOptions { tls, ..ClusterOptions::default() }).unwrap()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many of the store's connections are encrypted, and how many there are; or why not.
async fn connect(cluster: &Cluster, host: &str, query: &str) -> Result<(String, String), String> {
    let url = format!("postgres://postgres@{host}:{}/postgres?{query}", cluster.port());
    let url = format!("{url}&application_name=encrypted");
    let store = PostgresProvider::connect(env(), PostgresOptions::new(url)).await;
    let store = store.map_err(|error| error.to_string())?;
    store.metrics().await.unwrap();
    let count = "SELECT count(*) FILTER (WHERE s.ssl), count(*) FROM pg_stat_ssl AS s
                 JOIN pg_stat_activity AS a USING (pid) WHERE application_name = 'encrypted'";
    let counted = cluster.psql("postgres", count).unwrap();
    store.close().await.unwrap();
    let (encrypted, all) = counted.split_once('|').unwrap();
    Ok((encrypted.to_owned(), all.to_owned()))
}

async fn encrypted(cluster: &Cluster, host: &str, query: &str) -> bool {
    let (encrypted, all) = connect(cluster, host, query).await.unwrap();
    assert_eq!(all, "2", "a connection for calls and the session");
    assert!(encrypted == "0" || encrypted == all, "{encrypted} of {all}");
    encrypted == all
}

fn with_root(mode: &str, root: &Path) -> String {
    format!("sslmode={mode}&sslrootcert={}", root.display())
}

#[tokio::test]
async fn each_mode_does_what_it_says_where_the_server_offers_encryption() {
    let certificates = Certificates::new("offered");
    let stranger = Certificates::new("stranger");
    let (root, wrong) = (certificates.file("root.pem"), stranger.file("root.pem"));
    let cluster = certificates.cluster(false);
    for (mode, expected) in
        [("disable", false), ("allow", false), ("prefer", true), ("require", true)]
    {
        let query = format!("sslmode={mode}");
        assert_eq!(encrypted(&cluster, "127.0.0.1", &query).await, expected, "{mode}");
    }
    assert!(encrypted(&cluster, "localhost", &with_root("verify-full", &root)).await);
    assert!(encrypted(&cluster, "127.0.0.1", &with_root("verify-ca", &root)).await);
    assert!(encrypted(&cluster, "127.0.0.1", &with_root("require", &root)).await);
    for (host, query) in [
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", "sslmode=verify-ca".to_owned()),
        ("localhost", with_root("verify-full", &wrong)),
        ("localhost", with_root("require", &wrong)),
        ("127.0.0.1", with_root("verify-full", &root)),
    ] {
        let error = connect(&cluster, host, &query).await.unwrap_err();
        assert!(error.contains("certificate"), "{query}: {error}");
    }
    let options = PostgresOptions::new(cluster.url().replace("127.0.0.1", "localhost")).ssl(Ssl {
        mode: SslMode::VerifyFull,
        root_certificate: Some(RootCertificate::File(root)),
    });
    PostgresProvider::connect(env(), options).await.unwrap();
}

#[tokio::test]
async fn a_server_that_insists_is_obeyed_and_one_without_is_refused_where_asked() {
    let certificates = Certificates::new("required");
    let cluster = certificates.cluster(true);
    for mode in ["allow", "prefer", "require"] {
        assert!(encrypted(&cluster, "127.0.0.1", &format!("sslmode={mode}")).await, "{mode}");
    }
    let error = connect(&cluster, "127.0.0.1", "sslmode=disable").await.unwrap_err();
    assert!(error.contains("28000") && error.contains("sslmode"), "{error}");
    drop(cluster);
    let plain = Cluster::start().unwrap();
    for mode in ["disable", "allow", "prefer"] {
        assert!(!encrypted(&plain, "127.0.0.1", &format!("sslmode={mode}")).await, "{mode}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = connect(&plain, "127.0.0.1", &format!("sslmode={mode}")).await.unwrap_err();
        assert!(error.contains("sslmode asks for encryption"), "{error}");
    }
    let error = connect(&plain, "127.0.0.1", "sslmode=please").await.unwrap_err();
    assert!(error.contains("unknown sslmode `please`; expected one of disable"), "{error}");
}
