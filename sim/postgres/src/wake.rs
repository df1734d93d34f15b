//! Who waits for news, and how they hear of it. Each node that asks for work is a listener,
//! and each watch of an instance. After a commit each is told on its own, some time later,
//! or never; whoever was not told finds out when it polls. What time brings nobody announces:
//! those who wait sleep until then.
//!
//! A poll that finds nothing has no effect, so it is made only where something is owed; an
//! idle node owns no period.

use crate::client::Answer;
use crate::pace::latency;
use crate::provider::ModelledPostgres;
use crate::rows::find;
use crate::server::Server;
use crate::statement::{Kind, Statement, Verdict};
use duroxide_model::State;
use duroxide_provider::{
    Incarnation, InstanceInfo, InstanceKey, WaitForWork, WakeSeq, WatchRequest,
};
use duroxide_sim_dice::{Dice, Yield};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often a node looks for what it was not told, and a watch.
const POLL: Duration = Duration::from_secs(1);
const POLL_WATCHES: Duration = Duration::from_secs(4);
/// How often a node looks though nothing seems to have happened: for what a leasing call
/// passed over.
pub(crate) const POLL_IN_VAIN: Duration = Duration::from_secs(11);

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ListenerId {
    Node(String),
    Watch(u64),
}

struct Listener {
    /// Rises with everything it hears.
    seq: WakeSeq,
    bell: Arc<Notify>,
    /// When it finds out what it was not told, by the monotonic clock.
    poll_at: Option<Duration>,
    /// What a watch looks at.
    watched: Option<Watched>,
}

/// An instance, as a watch knows it.
struct Watched {
    key: InstanceKey,
    /// The revision that is known.
    revision: Option<u64>,
    /// Where it was found last.
    place: Option<Incarnation>,
}

impl Watched {
    /// Whether it has changed.
    fn is_news(&mut self, state: &State) -> bool {
        let here = self.place.and_then(|id| state.instances.get(&id));
        let mut found = here.filter(|row| row.key == self.key);
        if found.is_none() {
            let (place, row) = find(state, &self.key).unzip();
            (self.place, found) = (place, row);
        }
        found.map(|row| row.revision) != self.revision
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Listeners {
    all: BTreeMap<ListenerId, Listener>,
    watches: u64,
    /// The model's sequence at the last look.
    seen: WakeSeq,
}

impl Listeners {
    /// The listener; a new one begins with the time, so that sequences of two servers are
    /// unlikely to meet.
    fn of(&mut self, id: &ListenerId, wall_ms: u64) -> &mut Listener {
        self.all.entry(id.clone()).or_insert_with(|| Listener {
            seq: WakeSeq(wall_ms),
            bell: Arc::default(),
            poll_at: None,
            watched: None,
        })
    }

    /// What the node has heard so far.
    pub(crate) fn heard(&mut self, node: &str, wall_ms: u64) -> WakeSeq {
        self.of(&ListenerId::Node(node.to_owned()), wall_ms).seq
    }

    /// Tell one.
    pub(crate) fn ring(&mut self, id: &ListenerId) {
        if let Some(listener) = self.all.get_mut(id) {
            listener.seq.0 += 1;
            listener.bell.notify_waiters();
        }
    }

    /// Anything may have happened.
    pub(crate) fn ring_all(&mut self) {
        for listener in self.all.values_mut() {
            listener.seq.0 += 1;
            listener.bell.notify_waiters();
        }
    }

    /// It will find out by itself at this time.
    pub(crate) fn poll_at(&mut self, id: &ListenerId, at: Duration) {
        if let Some(listener) = self.all.get_mut(id) {
            listener.poll_at = Some(listener.poll_at.map_or(at, |before| before.min(at)));
            // For it to sleep no longer than that.
            listener.bell.notify_waiters();
        }
    }

    /// The model was looked at, and nothing else: what calls for a node now, time has brought.
    pub(crate) fn time_has_come(&mut self, seq: WakeSeq) {
        if self.seen != seq {
            self.seen = seq;
            let nodes = self.all.iter_mut().filter(|(id, _)| matches!(id, ListenerId::Node(_)));
            for (_, listener) in nodes {
                listener.seq.0 += 1;
                listener.bell.notify_waiters();
            }
        }
    }

    /// Whom the change concerns that a transaction has just made.
    pub(crate) fn concerned(&mut self, state: &State) -> Vec<ListenerId> {
        let is_work = self.seen != state.wake_seq;
        self.seen = state.wake_seq;
        let is_concerned = |listener: &mut Listener| match &mut listener.watched {
            None => is_work,
            Some(watched) => watched.is_news(state),
        };
        let mut concerned = Vec::new();
        for (id, listener) in &mut self.all {
            if is_concerned(listener) {
                concerned.push(id.clone());
            }
        }
        concerned
    }

    /// Watch an instance of which this revision is known.
    pub(crate) fn watch(&mut self, key: &InstanceKey, revision: Option<u64>) -> ListenerId {
        self.watches += 1;
        let id = ListenerId::Watch(self.watches);
        self.of(&id, 0).watched = Some(Watched { key: key.clone(), revision, place: None });
        id
    }

    /// The watch is over.
    pub(crate) fn forget(&mut self, id: &ListenerId) {
        self.all.remove(id);
    }

    /// If it is time to, find out. Gives what was heard so far, and when to poll next.
    fn poll(&mut self, id: &ListenerId, now: Duration) -> (WakeSeq, Option<Duration>, bool) {
        let listener = self.of(id, 0);
        let polls = listener.poll_at.is_some_and(|at| at <= now);
        if polls {
            listener.poll_at = None;
            listener.seq.0 += 1;
        }
        (listener.seq, listener.poll_at.map(|at| at.saturating_sub(now)), polls)
    }
}

/// Tell one listener, some time later. `muted`: it is lost.
pub(crate) async fn tell(server: Arc<Server>, call: &'static str, id: ListenerId, muted: bool) {
    let name = match &id {
        ListenerId::Node(name) => name.clone(),
        ListenerId::Watch(number) => format!("watch {number}"),
    };
    let statement =
        Statement { call, kind: Kind::Notify, nth: 0, session: 0, row: None, listener: Some(name) };
    let (verdict, nth) = server.announce(statement);
    let mut dice = Dice::nth(server.options.seed, "notify", nth);
    Yield(dice.up_to(server.options.yields)).await;
    let mut latency = latency(&mut dice, server.options.latency);
    let mut is_lost = muted;
    match verdict {
        Verdict::Go => {}
        Verdict::Delay(by) => latency += by,
        Verdict::LoseNotification | Verdict::LoseAnswer | Verdict::Fail(_) => is_lost = true,
    }
    if !latency.is_zero() {
        server.env.sleep(latency).await;
    }
    let now = server.env.clock.monotonic();
    let mut core = server.core();
    if is_lost {
        core.counters.lost_notifications += 1;
        let poll = if matches!(id, ListenerId::Node(_)) { POLL } else { POLL_WATCHES };
        core.listeners.poll_at(&id, now + poll);
    } else {
        core.counters.notifications += 1;
        core.listeners.ring(&id);
    }
}

impl Server {
    /// What a listener has heard by now, and when to look again if nothing rings.
    pub(crate) fn heard(&self, id: &ListenerId) -> (WakeSeq, Option<Duration>) {
        let mut core = self.core();
        self.look_at_the_clock(&mut core);
        let due = self.model.look_at(|state| {
            state.next_due().map(|due| Duration::from_millis(due.0.saturating_sub(state.now.0)))
        });
        let (seq, poll, polled) = core.listeners.poll(id, self.env.clock.monotonic());
        core.counters.polls += u64::from(polled);
        let due = due.filter(|_| matches!(id, ListenerId::Node(_)));
        (seq, due.into_iter().chain(poll).min())
    }

    /// The listener's bell.
    pub(crate) fn bell(&self, id: &ListenerId) -> Arc<Notify> {
        let wall_ms = self.env.clock.wall_ms();
        Arc::clone(&self.core().listeners.of(id, wall_ms).bell)
    }
}

/// Wait until the listener has heard anything after this, or the deadline. Gives what it has
/// heard by then.
async fn rest(
    store: &ModelledPostgres,
    call: &str,
    id: &ListenerId,
    (after, deadline): (WakeSeq, Duration),
) -> Answer<WakeSeq> {
    let server = &store.server;
    let bell = server.bell(id);
    loop {
        store.check_open(call)?;
        let mut rung = std::pin::pin!(bell.notified());
        // Registered before the look, so that no news is missed.
        rung.as_mut().enable();
        let (seq, next) = server.heard(id);
        let left = deadline.saturating_sub(server.env.clock.monotonic());
        if seq != after || left.is_zero() {
            return Ok(seq);
        }
        tokio::select! {
            biased;
            () = rung => {}
            () = server.env.sleep(next.map_or(left, |next| next.min(left))) => {}
        }
    }
}

/// See [`Provider::wait_for_work`](duroxide_provider::Provider::wait_for_work).
pub(crate) async fn wait_for_work(
    store: &ModelledPostgres,
    request: WaitForWork,
) -> Answer<WakeSeq> {
    let deadline = store.server.env.clock.monotonic().saturating_add(request.max);
    let id = ListenerId::Node(request.node.name);
    rest(store, "wait_for_work", &id, (request.after, deadline)).await
}

/// See [`Inspect::watch`](duroxide_provider::Inspect::watch).
pub(crate) async fn watch(
    store: &ModelledPostgres,
    request: WatchRequest,
) -> Answer<Option<InstanceInfo>> {
    let server = &store.server;
    let deadline = server.env.clock.monotonic().saturating_add(request.max);
    let watch = Watch::begin(server, &request);
    loop {
        // What is heard while it reads is worth another look.
        let (seq, _) = server.heard(&watch.id);
        let info = store.instance_for("watch", request.key.clone()).await?;
        let is_news = info.as_ref().map(|info| info.revision) != request.seen;
        if is_news || server.env.clock.monotonic() >= deadline {
            return Ok(info);
        }
        rest(store, "watch", &watch.id, (seq, deadline)).await?;
    }
}

/// A watch, while somebody waits for it.
struct Watch {
    server: Arc<Server>,
    id: ListenerId,
}

impl Watch {
    fn begin(server: &Arc<Server>, request: &WatchRequest) -> Self {
        let id = server.core().listeners.watch(&request.key, request.seen);
        Self { server: Arc::clone(server), id }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.server.core().listeners.forget(&self.id);
    }
}
