//! A network between a store and its server, for tests to spoil: it loses answers, swallows
//! notifications, resets sessions as a pooler does, and goes down.

use crate::support::url_as;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What happens on the way.
#[derive(Default)]
struct Spoiled {
    /// Lose the answer to what contains these bytes, once.
    needle: Mutex<Option<Vec<u8>>>,
    lost: AtomicUsize,
    /// Let no notification through.
    mute: AtomicBool,
    muted: AtomicUsize,
    /// Run this in every session there is, each before it is next used.
    reset: Mutex<Option<&'static str>>,
    resets: AtomicUsize,
    connections: AtomicUsize,
    cut: Notify,
}

/// See the module.
pub(crate) struct Proxy {
    port: u16,
    server: String,
    spoiled: Arc<Spoiled>,
    accepting: Mutex<Option<JoinSet<()>>>,
}

impl Proxy {
    pub(crate) async fn new() -> Self {
        let url = url_as("proxied");
        let (_, rest) = url.split_once('@').unwrap();
        let server = rest.split(['/', '?']).next().unwrap().to_owned();
        Self::before(server).await
    }

    /// Before the server of this address.
    pub(crate) async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, server, spoiled: Arc::default(), accepting: Mutex::new(None) };
        proxy.accept(listener);
        proxy
    }

    /// Where it is connected to.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of the server, by way of this proxy.
    pub(crate) fn url(&self, application: &str) -> String {
        let through = url_as(application).replace(&self.server, &self.address());
        format!("{through}&sslmode=disable")
    }

    pub(crate) fn lose_answer_to(&self, needle: u128) {
        *self.spoiled.needle.lock().unwrap() = Some(needle.to_be_bytes().to_vec());
    }

    pub(crate) fn lost(&self) -> usize {
        self.spoiled.lost.load(Ordering::SeqCst)
    }

    pub(crate) fn mute(&self) {
        self.spoiled.mute.store(true, Ordering::SeqCst);
    }

    pub(crate) fn muted(&self) -> usize {
        self.spoiled.muted.load(Ordering::SeqCst)
    }

    /// Run a statement in every session there is, each before it is next used.
    pub(crate) fn reset(&self, statement: &'static str) {
        *self.spoiled.reset.lock().unwrap() = Some(statement);
    }

    pub(crate) fn resets(&self) -> usize {
        self.spoiled.resets.load(Ordering::SeqCst)
    }

    /// How often somebody has connected, or has tried to while it was down.
    pub(crate) fn connections(&self) -> usize {
        self.spoiled.connections.load(Ordering::SeqCst)
    }

    /// Cut all connections and every new one at once.
    pub(crate) async fn down(&self) {
        let accepting = self.accepting.lock().unwrap().take();
        accepting.unwrap().shutdown().await;
        self.spoiled.cut.notify_waiters();
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let spoiled = Arc::clone(&self.spoiled);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                spoiled.connections.fetch_add(1, Ordering::SeqCst);
                drop(connection);
            }
        });
        *self.accepting.lock().unwrap() = Some(task);
    }

    /// Let connections through again.
    pub(crate) async fn up(&self) {
        let accepting = self.accepting.lock().unwrap().take();
        accepting.unwrap().shutdown().await;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.accept(listener);
    }

    fn accept(&self, listener: TcpListener) {
        let (server, spoiled) = (self.server.clone(), Arc::clone(&self.spoiled));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                spoiled.connections.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(&server).await.unwrap();
                connections.spawn(carry(client, server, Arc::clone(&spoiled)));
            }
        });
        *self.accepting.lock().unwrap() = Some(task);
    }
}

async fn carry(client: TcpStream, server: TcpStream, spoiled: Arc<Spoiled>) {
    let cut = spoiled.cut.notified();
    tokio::pin!(cut);
    cut.as_mut().enable();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let mut answers = Vec::new();
    // A session that begins after a reset is not reset.
    let mut reset = *spoiled.reset.lock().unwrap();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let mut more = vec![0; 1 << 16];
        tokio::select! {
            biased;
            () = &mut cut => return,
            read = from_client.read(&mut buffer) => {
                let Ok(read @ 1..) = read else { return };
                let asked = *spoiled.reset.lock().unwrap();
                if let Some(statement) = asked.filter(|_| asked != reset) {
                    reset = asked;
                    inject(statement, &mut from_server, &mut to_server).await;
                    spoiled.resets.fetch_add(1, Ordering::SeqCst);
                }
                let said = &buffer[..read];
                let loses = contains_needle(&spoiled, said);
                if to_server.write_all(said).await.is_err() {
                    return;
                }
                if loses {
                    // The server answers when it has committed. Nobody hears it.
                    let _ = from_server.read(&mut more).await;
                    spoiled.lost.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            read = from_server.read(&mut more) => {
                let Ok(read @ 1..) = read else { return };
                answers.extend_from_slice(&more[..read]);
                if pass_on(&mut answers, &spoiled, &mut to_client).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn contains_needle(spoiled: &Spoiled, said: &[u8]) -> bool {
    let mut needle = spoiled.needle.lock().unwrap();
    let found =
        needle.as_ref().is_some_and(|needle| said.windows(needle.len()).any(|part| part == needle));
    if found {
        *needle = None;
    }
    found
}

/// Whole messages of the server: a letter, and a length that counts itself.
async fn pass_on(
    answers: &mut Vec<u8>,
    spoiled: &Spoiled,
    to_client: &mut OwnedWriteHalf,
) -> std::io::Result<()> {
    while let Some(length) = answers.get(1..5) {
        let length = 1 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if answers.len() < length {
            break;
        }
        let message: Vec<u8> = answers.drain(..length).collect();
        if message[0] == b'A' && spoiled.mute.load(Ordering::SeqCst) {
            spoiled.muted.fetch_add(1, Ordering::SeqCst);
        } else {
            to_client.write_all(&message).await?;
        }
    }
    Ok(())
}

/// Run a statement of the proxy's own in a session that is idle.
async fn inject(statement: &str, from_server: &mut OwnedReadHalf, to_server: &mut OwnedWriteHalf) {
    let mut query = vec![b'Q'];
    query.extend_from_slice(&(statement.len() as u32 + 5).to_be_bytes());
    query.extend_from_slice(statement.as_bytes());
    query.push(0);
    to_server.write_all(&query).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(&[b'Z', 0, 0, 0, 5, b'I']) {
        assert_ne!(from_server.read_buf(&mut answer).await.unwrap(), 0);
    }
}
