//! The server: any store behind a listener. Accepts, and owns what it accepted; what happens
//! on one connection is in [`connection`], who may have one in [`door`].

mod connection;
mod door;

use crate::Token;
use crate::wire::DEFAULT_FRAME_BYTES;
use connection::Connection;
use door::{Door, News};
use duroxide_provider::Store;
use duroxide_provider::env::{Env, Listener, Task};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// After a failed accept (out of file descriptors, say) the next one waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server takes from its clients.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// What a client has to show.
    pub token: Token,
    /// Clients at once that have shown the token. One more is closed on, and comes again.
    pub max_connections: usize,
    /// Connections at once that have not shown the token yet. With one more, the one that was
    /// silent the longest is closed: a crowd that says nothing keeps nobody out.
    pub max_strangers: usize,
    /// The largest frame taken or given, in bytes. Before a client has shown the token it is
    /// 4 KiB. With as much as this under way or unsent, a connection is not read on.
    pub max_frame: usize,
    /// Calls of one connection that may be under way, or answered and not yet sent. With so
    /// many the connection is not read on. Long polls get half of it, more are answered Busy.
    pub max_in_flight: usize,
    /// A client that does not greet, or does not take its answers, for so long is cut off.
    pub patience: Duration,
    /// A connection without any call for so long is closed; its client connects again when
    /// it needs to. This is how the connections of vanished clients end. No long poll is held
    /// back longer.
    pub idle: Duration,
}

impl ServerOptions {
    /// The defaults: 1024 clients, 256 strangers, frames of 128 MiB, 1024 calls in flight, 10 s
    /// of patience, 10 minutes without a call.
    pub fn new(token: Token) -> Self {
        Self {
            token,
            max_connections: 1024,
            max_strangers: 256,
            max_frame: DEFAULT_FRAME_BYTES,
            max_in_flight: 1024,
            patience: Duration::from_secs(10),
            idle: Duration::from_mins(10),
        }
    }
}

/// Serve a store to whoever shows the token. Runs until it is dropped (that is: until its
/// task is aborted), and takes all of its connections with it; calls under way are dropped
/// as by a crash, which every store has to bear.
///
/// What a client sends can end its own connection, and nothing else. A connection that ends
/// takes its long polls along; calls that may change something are carried through.
pub async fn serve(
    env: Env,
    listener: Box<dyn Listener>,
    store: Arc<dyn Store>,
    options: ServerOptions,
) {
    let (door, mut news) = Door::new(options.max_connections);
    let mut connections = Connections::default();
    // Kept over the turns of the loop: a listener need not bear that an accept is dropped.
    let mut accepting = listener.accept();
    loop {
        tokio::select! {
            biased;
            Some(news) = news.recv() => connections.hear(&news),
            accepted = &mut accepting => match accepted {
                Ok(stream) => {
                    accepting = listener.accept();
                    connections.make_room(options.max_strangers);
                    let guest = door.guest();
                    let id = guest.id();
                    let connection =
                        Connection::new(&env, stream, store.clone(), &options, guest);
                    connections.add(id, env.spawn("remote-connection", connection.attend()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    env.sleep(ACCEPT_PAUSE).await;
                    accepting = listener.accept();
                }
            },
        }
    }
}

/// The connections that live. Dropped, it ends them.
#[derive(Default)]
struct Connections {
    tasks: BTreeMap<u64, Task>,
    /// Those that have not shown the token; the oldest has the smallest id.
    strangers: BTreeSet<u64>,
}

impl Connections {
    fn add(&mut self, id: u64, task: Task) {
        self.tasks.insert(id, task);
        self.strangers.insert(id);
    }

    /// Of so many strangers at most, one more may come.
    fn make_room(&mut self, most: usize) {
        while self.strangers.len() >= most.max(1)
            && let Some(oldest) = self.strangers.pop_first()
        {
            if let Some(task) = self.tasks.remove(&oldest) {
                task.abort();
            }
        }
    }

    fn hear(&mut self, news: &News) {
        match news {
            News::SatDown(id) => drop(self.strangers.remove(id)),
            News::Left(id) => {
                self.strangers.remove(id);
                self.tasks.remove(id);
            }
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        while let Some((_, task)) = self.tasks.pop_first() {
            task.abort();
        }
    }
}
