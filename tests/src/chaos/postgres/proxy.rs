//! A way to the server that can be cut at the worst moment: a commit has been sent, and its answer
//! has not come. Not here: the protocol (`frames`).

use super::frames::{Frames, Meaning, answer};
use crate::chaos::Result;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// How long a process is cut off: the others take it for dead after half a second, and look
/// twice a second.
pub(in crate::chaos) const CUT_OFF: Duration = Duration::from_millis(1_500);
const CHUNK: usize = 64 * 1024;

/// Where a connection is cut, once a write has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// At once: the server may not have done it.
    BeforeAnswer,
    /// When its answer is there, and says that the server has done it.
    AfterAnswer,
}

/// What the connections have in common.
#[derive(Default)]
struct Shared {
    /// What to do with the next write, and whom to tell which it was.
    armed: Mutex<Option<(Cut, Sender<&'static str>)>>,
    /// Until then nobody comes through.
    closed: Mutex<Option<Instant>>,
    /// Rung when all connections are to be closed.
    close: Notify,
    /// How many there are.
    open: AtomicU64,
}

/// A listening proxy; gone when dropped.
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Proxy {
    /// Listen, on a port of its own, for a server on this one.
    pub(super) fn start(server: u16) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let each = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let closed = *lock(&each.closed);
                if closed.is_some_and(|until| Instant::now() < until) {
                    continue;
                }
                let shared = Arc::clone(&each);
                tokio::spawn(async move {
                    shared.open.fetch_add(1, Ordering::Relaxed);
                    // However it ends, both sides are closed.
                    tokio::select! {
                        biased;
                        () = shared.close.notified() => {}
                        _ = forward(client, server, &shared) => {}
                    }
                    shared.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(Self { port, shared, _runtime: runtime })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Cut the connection that sends the next write, and say which it was; `None`: none came in
    /// time, or the server did not do it.
    pub(super) fn cut(&self, cut: Cut, patience: Duration) -> Option<&'static str> {
        let (tell, told): (_, Receiver<&'static str>) = channel();
        *lock(&self.shared.armed) = Some((cut, tell));
        let write = told.recv_timeout(patience).ok();
        *lock(&self.shared.armed) = None;
        write
    }

    /// Close all connections, and for [`CUT_OFF`] let nobody through. Gives how many there were.
    pub(super) fn cut_off(&self) -> u64 {
        *lock(&self.shared.closed) = Some(Instant::now() + CUT_OFF);
        let open = self.shared.open.load(Ordering::Relaxed);
        self.shared.close.notify_waiters();
        open
    }
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carry bytes both ways until either side closes, or a cut.
async fn forward(mut client: TcpStream, server: u16, shared: &Shared) -> io::Result<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut frames = Frames::default();
    let (mut up, mut down) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        tokio::select! {
            biased;
            read = client.read(&mut up) => {
                let read = read?;
                frames.push(&up[..read]);
                if read == 0 {
                    return Ok(());
                }
                while let Some((message, meaning)) = frames.next() {
                    server.write_all(&message).await?;
                    let Meaning::WriteSent(write) = meaning else { continue };
                    let Some((cut, tell)) = lock(&shared.armed).take() else { continue };
                    if cut == Cut::BeforeAnswer || was_done(&mut server, &mut client).await? {
                        // Nobody waits for it any more, if it took too long.
                        let _ = tell.send(write);
                        return Ok(());
                    }
                }
            }
            read = server.read(&mut down) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                client.write_all(&down[..read]).await?;
            }
        }
    }
}

/// Hear whether the server has done what it was sent; the client is told only if it has not.
async fn was_done(server: &mut TcpStream, client: &mut TcpStream) -> io::Result<bool> {
    let (mut said, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let read = server.read(&mut chunk).await?;
        said.extend_from_slice(&chunk[..read]);
        match answer(&said) {
            Some(true) => return Ok(true),
            None if read > 0 => {}
            Some(false) | None => {
                client.write_all(&said).await?;
                return Ok(false);
            }
        }
    }
}
