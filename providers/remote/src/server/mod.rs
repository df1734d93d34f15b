//! The server: any store behind a listener. Accepts, and owns what it accepted; what happens
//! on one connection is in [`connection`].

mod connection;

use crate::Token;
use crate::wire::DEFAULT_FRAME_BYTES;
use connection::Connection;
use duroxide_provider::Store;
use duroxide_provider::env::{Env, Listener, Task};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// After a failed accept (out of file descriptors, say) the next one waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server takes from its clients.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// What a client has to show.
    pub token: Token,
    /// The largest frame taken, in bytes. Before a client has shown the token it is 4 KiB.
    pub max_frame: usize,
    /// Calls of one connection that may be under way, or answered and not yet sent. With so
    /// many the connection is not read on. Long polls get half of it, more are answered Busy.
    pub max_in_flight: usize,
    /// A client that does not greet, or does not take its answers, for so long is cut off.
    pub patience: Duration,
    /// A connection without any call for so long is closed; its client connects again when
    /// it needs to. This is how the connections of vanished clients end.
    pub idle: Duration,
}

impl ServerOptions {
    /// The defaults: frames of 128 MiB, 1024 calls in flight, 10 s of patience, 10 minutes
    /// without a call.
    pub fn new(token: Token) -> Self {
        Self {
            token,
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
    let mut connections = Connections::default();
    let (ended_tx, mut ended) = mpsc::unbounded_channel();
    // Kept over the turns of the loop: a listener need not bear that an accept is dropped.
    let mut accepting = listener.accept();
    loop {
        tokio::select! {
            biased;
            Some(id) = ended.recv() => connections.forget(id),
            accepted = &mut accepting => match accepted {
                Ok(stream) => {
                    accepting = listener.accept();
                    let connection = Connection::new(&env, stream, store.clone(), &options);
                    connections.add(|id| {
                        let ended = Ended { id, count: ended_tx.clone() };
                        env.spawn("remote-connection", async move {
                            let _ended = ended;
                            connection.attend().await;
                        })
                    });
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
    next: u64,
}

impl Connections {
    fn add(&mut self, start: impl FnOnce(u64) -> Task) {
        let id = self.next;
        self.next += 1;
        self.tasks.insert(id, start(id));
    }

    fn forget(&mut self, id: u64) {
        self.tasks.remove(&id);
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        while let Some((_, task)) = self.tasks.pop_first() {
            task.abort();
        }
    }
}

/// Says that a connection ended, in whatever way.
struct Ended {
    id: u64,
    count: mpsc::UnboundedSender<u64>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // The server may be gone: then nobody counts.
        let _ = self.count.send(self.id);
    }
}
