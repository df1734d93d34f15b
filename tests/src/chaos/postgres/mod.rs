//! A private Postgres for a run, what can be done to it, and its tables. The processes reach it
//! through a proxy; the observer does not. Not here: when what is done (`plan`).

mod frames;
mod proxy;
mod tables;

use super::Result;
use super::plan::What;
use super::tables::Tables;
use duroxide_postgres_cluster::{Cluster, StopMode};
pub(super) use proxy::CUT_OFF;
use proxy::{Cut, Proxy};
use serde_json::{Value, json};
use std::time::Duration;
use tables::PostgresTables;

/// The database, and the schema in it.
const NAME: &str = "chaos";
/// How long a commit is waited for, whose answer is to be cut.
const TO_CUT: Duration = Duration::from_millis(900);

/// The server and the way to it.
pub(super) struct Postgres {
    cluster: Cluster,
    /// One for each place, and one for the clients.
    proxies: Vec<Proxy>,
}

impl Postgres {
    /// Start both, for so many processes.
    pub(super) fn start(places: usize) -> Result<Self> {
        let cluster = Cluster::start()?;
        cluster.create_database(NAME)?;
        let proxies = (0..=places).map(|_| Proxy::start(cluster.port())).collect::<Result<_>>()?;
        Ok(Self { cluster, proxies })
    }

    /// What the process at a place is told of it. Encrypted, the proxy could not see a commit.
    pub(super) fn config(&self, place: usize) -> Value {
        let port = self.proxies[place].port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/{NAME}?sslmode=disable");
        json!({ "postgres": url, "schema": NAME })
    }

    /// Run SQL past the provider, in its schema.
    #[cfg(test)]
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        self.cluster.psql(NAME, &format!("SET search_path TO {NAME}; {sql}"))?;
        Ok(())
    }

    /// An observer.
    pub(super) fn tables(&self) -> Result<Box<dyn Tables>> {
        Ok(Box::new(PostgresTables::open(&self.cluster.url_for(NAME), NAME)?))
    }

    /// Let it happen; what it struck, and how many of it: none, if there was nothing.
    pub(super) fn strike(&mut self, what: What) -> Result<Option<(&'static str, u64)>> {
        match what {
            What::Kill { .. } => Err("a kill strikes a process".into()),
            What::EndConnections => {
                let ended = self.cluster.psql(NAME, &tables::end_every_second_connection())?;
                Ok(Some(("connections", ended.parse()?)).filter(|(_, ended)| *ended > 0))
            }
            What::RestartServer => {
                self.cluster.restart(StopMode::Immediate)?;
                Ok(Some(("server", 1)))
            }
            What::CutAnswer { place, after_answer } => {
                let cut = if after_answer { Cut::AfterAnswer } else { Cut::BeforeAnswer };
                Ok(self.proxies[place].cut(cut, TO_CUT).map(|write| (write, 1)))
            }
            What::CutOff { place } => {
                let connections = self.proxies[place].cut_off();
                Ok(Some(("connections", connections)).filter(|(_, closed)| *closed > 0))
            }
        }
    }
}
