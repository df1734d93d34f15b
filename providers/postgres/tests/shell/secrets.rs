//! Errors of connecting say where and what to do, and nothing that is written shows a password.

use crate::support::{env, traced};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::{Cluster, ClusterOptions};
use duroxide_provider::{Inspect, ProviderError};
use std::fmt::Write;
use std::time::Duration;

const PASSWORD: &str = "opensesame4711";

async fn refused(url: String) -> String {
    let options = PostgresOptions::new(url).acquire_timeout(Duration::from_secs(3));
    let shown = format!("{options:?}");
    let error = PostgresProvider::connect(env(), options).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unusable { .. }), "{error:?}");
    format!("{error}\n{error:?}\n{shown}")
}

#[tokio::test]
async fn what_is_wrong_is_said_with_host_and_database_and_never_with_the_password() {
    traced();
    let options =
        ClusterOptions { password: Some(PASSWORD.to_owned()), ..ClusterOptions::default() };
    let cluster = Cluster::start_with(options).unwrap();
    let port = cluster.port();
    let url = |user: &str, host: &str, database: &str| {
        format!("postgres://{user}:{PASSWORD}@{host}/{database}")
    };
    let here = format!("127.0.0.1:{port}");
    let mut said = String::new();
    for (url, expected) in [
        (url("postgres", &here, "nowhere"), vec![&*here, "/nowhere", "create the database"]),
        (url("stranger", &here, "postgres"), vec![&*here, "check user and password"]),
        (
            format!("postgres://postgres:wrong{PASSWORD}@{here}/postgres"),
            vec![&*here, "/postgres", "check user and password"],
        ),
        (
            format!("postgres://{here}/postgres?user=postgres&password=wrong{PASSWORD}"),
            vec![&*here, "/postgres", "check user and password"],
        ),
        (
            url("postgres", "127.0.0.1:1", "postgres"),
            vec!["127.0.0.1:1/postgres", "check host and port"],
        ),
        (url("postgres", "host.invalid", "d"), vec!["host.invalid:5432/d", "check host and port"]),
        (format!("{}?sslmode=require", url("postgres", &here, "postgres")), vec!["encryption"]),
        (format!("{}?passwort={PASSWORD}", url("postgres", &here, "postgres")), vec!["`passwort`"]),
        (format!("{}/{PASSWORD}", url("postgres", &here, "x@y")), vec!["%40"]),
    ] {
        let error = refused(url).await;
        for part in expected {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        said.push_str(&error);
    }
    let store =
        PostgresProvider::connect(env(), PostgresOptions::new(cluster.url())).await.unwrap();
    let _ = write!(said, "{store:?}");
    let _ = write!(said, "{:?}", store.metrics().await);
    drop(cluster);
    let gone = env().timeout(Duration::from_secs(30), store.metrics()).await.unwrap().unwrap_err();
    assert!(gone.is_transient() && gone.to_string().contains(&here), "{gone}");
    let _ = write!(said, "{gone} {gone:?}");
    let written = traced();
    assert!(written.contains(&format!("the database cannot be reached place={here}")), "no trace");
    for text in [said, written] {
        let around = text.find(PASSWORD).map(|at| &text[at.saturating_sub(200)..at]);
        assert_eq!(around, None, "the password is shown after this");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let options = PostgresOptions::new(format!("postgres://u:secret@127.0.0.1:{port}/d"))
        .acquire_timeout(Duration::from_millis(300));
    let connecting = PostgresProvider::connect(env(), options);
    let error = env().timeout(Duration::from_secs(10), connecting).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("did not answer within 300 ms"), "{error}");
}
