//! The handle's own session: by it others know that this handle lives, and it hears and tells
//! the news. Where it is cut another takes its place, and nothing is lost but time. Not here:
//! what the news mean (`wake`).

use crate::error::{Kind, Trouble};
use crate::notice::Notice;
use crate::shell::{FIRST_PAUSE, LAST_PAUSE, Shell};
use crate::target::settle;
use duroxide_core::TimeMs;
use sqlx::postgres::{PgListener, PgPoolOptions, PgRow};
use sqlx::{Postgres, Row};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the others are looked at, and this session itself.
const LOOK: Duration = Duration::from_millis(500);
/// How long a handle must have been without a session to be taken for dead: one that was only cut
/// has another by then.
const DEAD: Duration = Duration::from_millis(450);
/// How often nodes that wait here look for what notices did not tell, if anything happened.
const POLL: Duration = Duration::from_secs(1);
/// The same if nothing did: the store may have overlooked what took long to commit, and finds it
/// when it is asked.
const POLL_IN_VAIN: Duration = Duration::from_secs(11);
/// The same for watches of instances, of which there may be thousands, each with a read.
const POLL_WATCHES: Duration = Duration::from_secs(4);
/// Notices are sent at most this often; what comes between goes together.
const GATHER: Duration = Duration::from_millis(10);
/// A look without an answer for so long is lost.
const ANSWER: Duration = Duration::from_secs(10);

type Query = sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments>;

/// One session, while it lasts.
pub(crate) struct Session {
    listener: PgListener,
    channel: String,
    number: i64,
    backend: u32,
    last_sent: Duration,
    polled: Duration,
    poll: Poll,
    poll_watches: Poll,
    /// Owners and their sessions that were not there, and since when.
    missing: BTreeMap<(i64, i64), Duration>,
}

impl Session {
    /// Begin a session, this handle's first or its next.
    pub(crate) async fn begin(shell: &Shell) -> Result<Self, Trouble> {
        let beginning = Self::connect(shell);
        let within = shell.patience;
        match shell.env.timeout(within, beginning).await {
            Some(begun) => begun,
            None => Err(Trouble::new(
                Kind::Unreachable,
                format!("no session within {} ms", within.as_millis()),
            )),
        }
    }

    async fn connect(shell: &Shell) -> Result<Self, Trouble> {
        let target = shell.pool.target();
        let one = PgPoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(shell.patience)
            .after_connect(|connection, _| Box::pin(settle(connection)))
            .connect_with(target.options());
        let pool = one.await.map_err(|error| target.explain(&error))?;
        let connected = PgListener::connect_with(&pool).await;
        let mut listener = connected.map_err(|error| target.explain(&error))?;
        listener.eager_reconnect(false);
        listener.ignore_pool_close_event(true);
        shell.counters.count(|counters| counters.connections += 1);
        let now = shell.env.clock.monotonic();
        let mut session = Self {
            listener,
            channel: String::new(),
            number: 0,
            backend: 0,
            last_sent: Duration::ZERO,
            polled: now,
            poll: Poll { every: POLL, last: now, pulse: None },
            poll_watches: Poll { every: POLL_WATCHES, last: now, pulse: None },
            missing: BTreeMap::new(),
        };
        session.join(shell).await?;
        Ok(session)
    }

    /// Be seen by the others, and hear them.
    async fn join(&mut self, shell: &Shell) -> Result<(), Trouble> {
        let space = sqlx::query(shell.schema.sql("SELECT {schema}.session_space()"));
        let space: i32 = self.ask(shell, space).await?.try_get(0)?;
        self.channel = format!("duroxide_{}", space as u32);
        self.listener.listen(&self.channel).await?;
        let owner = match shell.owner.load(Ordering::SeqCst) {
            0 => None,
            owner => Some(owner),
        };
        let join = sqlx::query(
            shell
                .schema
                .sql("SELECT owner, session, backend, store_now FROM {schema}.join_nodes($1)"),
        );
        let row = self.ask(shell, join.bind(owner)).await?;
        let number = |column| row.try_get::<i64, _>(column);
        shell.owner.store(number("owner")?, Ordering::SeqCst);
        self.number = number("session")?;
        self.backend = row.try_get::<i32, _>("backend")? as u32;
        shell.wake.clock.heard(TimeMs(number("store_now")? as u64));
        shell.wake.set_others(true);
        // The others learn that there is somebody to be told.
        self.send(shell, &Notice::default()).await
    }

    async fn ask(&mut self, shell: &Shell, query: Query) -> Result<PgRow, Trouble> {
        shell.counters.count(|counters| counters.session_statements += 1);
        match shell.env.timeout(ANSWER, query.fetch_one(&mut self.listener)).await {
            Some(answer) => Ok(answer?),
            None => Err(Trouble::new(Kind::Lost, "the session got no answer")),
        }
    }

    async fn send(&mut self, shell: &Shell, notice: &Notice) -> Result<(), Trouble> {
        let notify = sqlx::query("SELECT pg_notify($1, $2)");
        let notify = notify.bind(self.channel.clone()).bind(notice.to_string());
        self.ask(shell, notify).await?;
        self.last_sent = shell.env.clock.monotonic();
        shell.counters.count(|counters| counters.notifications_sent += 1);
        Ok(())
    }

    /// Hear, tell and look around until the session breaks.
    async fn work(&mut self, shell: &Shell) -> Trouble {
        let mut next_look = shell.env.clock.monotonic();
        loop {
            let left = next_look.saturating_sub(shell.env.clock.monotonic());
            let done = tokio::select! {
                biased;
                () = shell.env.sleep(left) => {
                    next_look = shell.env.clock.monotonic() + LOOK;
                    self.look(shell).await
                }
                () = shell.wake.to_send() => self.tell(shell).await,
                heard = self.listener.try_recv() => match heard {
                    Ok(Some(notice)) => {
                        self.hear(shell, &notice);
                        Ok(())
                    }
                    Ok(None) => Err(Trouble::new(Kind::Lost, "the session was cut")),
                    Err(error) => Err(error.into()),
                },
            };
            if let Err(trouble) = done {
                return trouble;
            }
            // What came while something was asked.
            while let Some(notice) = self.listener.next_buffered() {
                self.hear(shell, &notice);
            }
        }
    }

    fn hear(&self, shell: &Shell, notice: &sqlx::postgres::PgNotification) {
        if notice.process_id() == self.backend {
            return;
        }
        shell.counters.count(|counters| counters.notifications_received += 1);
        shell.wake.set_others(true);
        shell.wake.take_in(&Notice::parse(notice.payload()));
    }

    /// Send what has gathered.
    async fn tell(&mut self, shell: &Shell) -> Result<(), Trouble> {
        let since = shell.env.clock.monotonic().saturating_sub(self.last_sent);
        shell.env.sleep(GATHER.saturating_sub(since)).await;
        let notice = shell.wake.take_outgoing();
        if notice.is_empty() {
            return Ok(());
        }
        self.send(shell, &notice).await
    }

    /// Look after the others, this session, and the store.
    async fn look(&mut self, shell: &Shell) -> Result<(), Trouble> {
        let look = sqlx::query(shell.schema.sql(
            "SELECT joined, others, dead_owners, dead_sessions, pulse, store_now
             FROM {schema}.look_around($1, $2, $3)",
        ));
        let look = look.bind(shell.owner()).bind(self.number).bind(self.channel.clone());
        let row = self.ask(shell, look).await?;
        if !row.try_get::<bool, _>("joined")? {
            return Err(Trouble::new(Kind::Lost, "the session was reset, or taken for dead"));
        }
        shell.reached();
        shell.wake.set_others(row.try_get::<i64, _>("others")? > 0);
        shell.wake.clock.heard(TimeMs(row.try_get::<i64, _>("store_now")? as u64));
        self.poll(shell, row.try_get("pulse")?);
        let owners: Vec<i64> = row.try_get("dead_owners")?;
        let sessions: Vec<i64> = row.try_get("dead_sessions")?;
        self.bury(shell, owners.into_iter().zip(sessions).collect()).await
    }

    /// If anything happened, those who wait look for themselves.
    fn poll(&mut self, shell: &Shell, pulse: &str) {
        let now = shell.env.clock.monotonic();
        if self.poll_watches.is_time_to_look(now, pulse) {
            shell.wake.foreign_change();
        }
        let happened = self.poll.is_time_to_look(now, pulse);
        if happened || now.saturating_sub(self.polled) >= POLL_IN_VAIN {
            self.polled = now;
            shell.wake.foreign_work();
        }
    }

    async fn bury(&mut self, shell: &Shell, missing: Vec<(i64, i64)>) -> Result<(), Trouble> {
        let now = shell.env.clock.monotonic();
        self.missing.retain(|node, _| missing.contains(node));
        for node in missing {
            self.missing.entry(node).or_insert(now);
        }
        let dead = self.missing.iter().filter(|(_, since)| now.saturating_sub(**since) >= DEAD);
        let (owners, sessions): (Vec<i64>, Vec<i64>) = dead.map(|(node, _)| *node).unzip();
        if owners.is_empty() {
            return Ok(());
        }
        let bury = sqlx::query(shell.schema.sql("SELECT {schema}.bury_nodes($1, $2)"));
        let row = self.ask(shell, bury.bind(owners).bind(sessions)).await?;
        if row.try_get::<i64, _>(0)? > 0 {
            tracing::info!(place = %shell.pool.target(), "a process on this store has died");
            shell.wake.foreign_change();
            self.send(shell, &Notice { announce: true, ..Notice::default() }).await?;
        }
        Ok(())
    }
}

/// A look now and then, if anything has happened since the last.
struct Poll {
    every: Duration,
    last: Duration,
    pulse: Option<String>,
}

impl Poll {
    fn is_time_to_look(&mut self, now: Duration, pulse: &str) -> bool {
        if now.saturating_sub(self.last) < self.every {
            return false;
        }
        self.last = now;
        let before = self.pulse.replace(pulse.to_owned());
        before != self.pulse
    }
}

/// Keep a session as long as the handle is open.
pub(crate) async fn keep(shell: Arc<Shell>, mut session: Session) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began = shell.env.clock.monotonic();
        let trouble = session.work(&shell).await;
        tracing::debug!(why = trouble.message, "the session ended");
        drop(session);
        if shell.env.clock.monotonic().saturating_sub(began) >= LOOK {
            pause = FIRST_PAUSE;
        }
        session = loop {
            if shell.check_open().is_err() {
                return;
            }
            // The next may break as soon as it is there.
            shell.pause(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
            match Session::begin(&shell).await {
                Ok(session) => break session,
                Err(trouble) => shell.unreachable(&trouble),
            }
        };
        // Nobody knows what was missed, here and there.
        shell.wake.foreign_change();
        shell.wake.tell_all();
    }
}
