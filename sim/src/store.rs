//! The store of a world and its host: the production provider on real SQLite on a disk
//! that can lose power, or a modelled PostgreSQL, behind the production server. Not here:
//! what is seen and struck at its calls (`tap`).

use crate::counts::sometimes;
use crate::dice::Dice;
use crate::fault::{DiskTrouble, ServerTrouble, SqlState, Then};
use crate::host::Host;
use crate::oracle::{Fact, Ledger, is_whole_and_empty};
use crate::plan::{StoreKind, Sync};
use crate::point::{Boundary, DiskCall, Op};
use crate::sync::lock;
use crate::tap::{Edge, Inside, StoreTap, Witness};
use crate::wrong::{Verdict, Wrong};
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_remote::{ClientOptions, RemoteProvider, ServerOptions, Token};
use duroxide_sim_disk::{self as disk, Disk};
use duroxide_sim_postgres::{self as postgres, ModelledPostgres};
use duroxide_sqlite::{BeforeCommit, Durability, SqliteOptions, SqliteProvider};
use rusqlite::{Connection, OpenFlags};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PORT: &str = "0.0.0.0:7070";
const ADDRESS: &str = "store:7070";
const SECRET: &str = "the simulation";
const FILE: &str = "/store.db";
/// How long the store's host waits before it tries again to open what would not open.
const AGAIN: Duration = Duration::from_secs(1);

/// The store of a world. It outlives the lives of its host.
pub(crate) struct Backend {
    disk: Disk,
    /// The store as the present life of its host serves it.
    open: Mutex<Option<Arc<dyn Store>>>,
    /// The modelled server, with what is on its disk.
    server: Mutex<Option<Arc<ModelledPostgres>>>,
}

impl Drop for Backend {
    /// What is asked at each call of the disk knows the disk, and would keep it for ever.
    fn drop(&mut self) {
        self.disk.on_operation(Arc::new(|_| disk::Verdict::Go));
    }
}

impl Backend {
    /// Nothing stored yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { disk: Disk::new(seed), open: Mutex::default(), server: Mutex::default() }
    }

    /// What must hold of SQLite's file, if that is the store, when everything has ended.
    pub(crate) fn check_file(&self, kind: StoreKind) -> Verdict {
        if kind == StoreKind::Postgres {
            return Ok(());
        }
        // What was still to come must not meet this look.
        self.disk.heal();
        let process = self.disk.process();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let sql = Connection::open_with_flags_and_vfs(FILE, flags, process.vfs())?;
        is_whole_and_empty(&sql)
    }

    /// The store, not through the network: for those who only compare.
    pub(crate) fn open(&self) -> Verdict<Arc<dyn Store>> {
        let open = lock(&self.open).clone();
        open.ok_or_else(|| Wrong::of("world", "the store is not open"))
    }

    /// What runs on the store's host, in each of its lives.
    pub(crate) async fn serve(
        self: Arc<Self>,
        ledger: Arc<Ledger>,
        host: Arc<Host>,
        env: Env,
    ) -> Verdict {
        if host.life() > 1 {
            ledger.asked(&Fact::StoreDied);
            host.stage().count(host.name(), sometimes::STORE_RESTART);
        }
        let stage = Arc::clone(host.stage());
        let witness = |store| {
            let (ledger, stage) = (Arc::clone(&ledger), Arc::clone(&stage));
            Arc::new(Witness { store, ledger, stage }) as Arc<dyn Store>
        };
        let (open, store) = match stage.plan.store.kind {
            StoreKind::Sqlite => {
                let open = self.sqlite(&host, &env).await;
                (Arc::clone(&open), witness(open))
            }
            // Seen at the commit: an answer may come long after the next call is carried out.
            StoreKind::Postgres => {
                let open = self.postgres(&host, &env);
                let watched = open.watched(witness);
                (open as Arc<dyn Store>, watched as Arc<dyn Store>)
            }
        };
        *lock(&self.open) = Some(open);
        let tap = StoreTap(Arc::new(Inside { host, env: env.clone(), store, ledger }));
        let listener = env.network.listen(PORT).await?;
        let options = ServerOptions::new(Token::new(SECRET)?);
        duroxide_remote::serve(env, listener, Arc::new(tap), options).await;
        Ok(())
    }

    /// The production provider on the disk as it was left; opened again until it opens.
    async fn sqlite(&self, host: &Arc<Host>, env: &Env) -> Arc<dyn Store> {
        let process = self.disk.process();
        let at_death = self.disk.clone();
        host.at_death(Box::new(
            move |power| {
                if power { at_death.cut_power() } else { at_death.kill() }
            },
        ));
        let (striker, struck) = (Arc::clone(host), self.disk.clone());
        let full = Arc::new(Mutex::new(Duration::ZERO));
        self.disk.on_operation(Arc::new(move |operation| {
            verdict_on_call(&striker, &struck, operation, &full)
        }));
        loop {
            let mut options = SqliteOptions::new(FILE);
            options.storage = Arc::new(process.clone());
            options.before_commit = Some(seeded_sync(host, env));
            options.durability = match host.stage().plan.store.sync {
                Sync::Full => Durability::Full,
                Sync::Process => Durability::Process,
            };
            let error = match SqliteProvider::open(env.clone(), options).await {
                Ok(provider) => return Arc::new(provider),
                Err(error) => error,
            };
            host.stage().record(host.name(), "not opened", error.to_string().as_bytes());
            env.sleep(AGAIN).await;
        }
    }

    /// The server on the disk it had.
    fn postgres(&self, host: &Arc<Host>, env: &Env) -> Arc<ModelledPostgres> {
        let mut server = lock(&self.server);
        let opened = if let Some(before) = server.take() {
            before.reopened(env.clone())
        } else {
            let options = postgres::Options::seeded(host.stage().plan.seed);
            ModelledPostgres::open(env.clone(), options)
        };
        let host = Arc::clone(host);
        opened.on_statement(Box::new(move |statement| verdict_on(&host, statement)));
        *server = Some(Arc::clone(&opened));
        opened
    }
}

/// What becomes of a call to the disk: whatever is planned for that point; and as long as
/// the disk is full, nothing is written.
fn verdict_on_call(
    host: &Host,
    disk: &Disk,
    operation: &disk::Operation<'_>,
    full: &Mutex<Duration>,
) -> disk::Verdict {
    let call = match operation.kind {
        disk::Kind::Read => DiskCall::Read,
        disk::Kind::Write => DiskCall::Write,
        disk::Kind::Sync => DiskCall::Sync,
        disk::Kind::Truncate => DiskCall::Truncate,
        disk::Kind::Delete => DiskCall::Delete,
        disk::Kind::Open
        | disk::Kind::Size
        | disk::Kind::Exists
        | disk::Kind::Lock
        | disk::Kind::Unlock
        | disk::Kind::MapShm
        | disk::Kind::LockShm
        | disk::Kind::UnlockShm => return disk::Verdict::Go,
    };
    let now = host.stage().timeline.now();
    let mut verdict = disk::Verdict::Go;
    for then in host.strike(Boundary::Disk(call)) {
        let Then::Disk(trouble) = then else { continue };
        match trouble {
            DiskTrouble::Fail => verdict = disk::Verdict::Fail,
            DiskTrouble::Full { lasting } => *lock(full) = now + lasting,
            DiskTrouble::Rot => {
                disk.rot(FILE);
            }
            DiskTrouble::Lie => disk.set_lying(true),
        }
    }
    if call == DiskCall::Write && now < *lock(full) {
        verdict = disk::Verdict::Full;
    }
    verdict
}

/// What becomes of a statement: whatever is planned for that point.
fn verdict_on(host: &Host, statement: &postgres::Statement) -> postgres::Verdict {
    let op = op_of(statement.call);
    let point = match statement.kind {
        postgres::Kind::Select | postgres::Kind::Lock | postgres::Kind::SkipLocked => {
            Boundary::Statement(op)
        }
        postgres::Kind::Commit => Boundary::Committing(op),
        postgres::Kind::Notify => Boundary::Notifying,
        // What follows from that is struck where the answer is given.
        postgres::Kind::Committed => return postgres::Verdict::Go,
    };
    let mut verdict = postgres::Verdict::Go;
    for then in host.strike(point) {
        if let Then::Server(trouble) = then {
            verdict = match trouble {
                ServerTrouble::Fail(state) => postgres::Verdict::Fail(state_of(state)),
                ServerTrouble::Delay(by) => postgres::Verdict::Delay(by),
                ServerTrouble::LoseNotification => postgres::Verdict::LoseNotification,
            };
        }
    }
    verdict
}

fn op_of(call: &str) -> Op {
    match call {
        "lease_orchestrations" => Op::LeaseOrchestrations,
        "read_history" => Op::ReadHistory,
        "read_mail" => Op::ReadMail,
        "commit_turn" => Op::CommitTurn,
        "lease_activities" => Op::LeaseActivities,
        "complete_activity" => Op::CompleteActivity,
        "renew" => Op::Renew,
        "release" => Op::Release,
        "submit" => Op::Submit,
        "wait_for_work" => Op::WaitForWork,
        "instance" => Op::Instance,
        "watch" => Op::Watch,
        _ => Op::Other,
    }
}

fn state_of(state: SqlState) -> postgres::SqlState {
    match state {
        SqlState::SerializationFailure => postgres::SqlState::SerializationFailure,
        SqlState::DeadlockDetected => postgres::SqlState::DeadlockDetected,
        SqlState::LockNotAvailable => postgres::SqlState::LockNotAvailable,
        SqlState::AdminShutdown => postgres::SqlState::AdminShutdown,
        SqlState::ConnectionFailure => postgres::SqlState::ConnectionFailure,
    }
}

/// How long each batch takes to reach the disk.
fn seeded_sync(host: &Arc<Host>, env: &Env) -> BeforeCommit {
    let plan = &host.stage().plan;
    let dice = Mutex::new(Dice::new(plan.seed, &format!("sync of {host:?}")));
    let (env, most) = (env.clone(), plan.store.sync_ms);
    Arc::new(move || {
        let latency = lock(&dice).within(0..=most);
        let env = env.clone();
        Box::pin(async move {
            if latency > 0 {
                env.sleep(Duration::from_millis(latency)).await;
            }
        })
    })
}

/// The store as a host reaches it: the production client, with a tap around it.
pub(crate) fn reach(host: &Arc<Host>, env: &Env) -> Verdict<Arc<dyn Store>> {
    let token = Token::new(SECRET)?;
    let remote = RemoteProvider::new(env, ADDRESS, token, ClientOptions::default());
    Ok(Arc::new(Edge::new(Arc::clone(host), Arc::new(remote))))
}
