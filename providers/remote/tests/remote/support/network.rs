//! A network in memory that looks at every frame and asks a rule what becomes of it.

use bytes::{Bytes, BytesMut};
use duroxide_provider::env::{BoxFuture, Listener, Network, Stream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Bytes a stream holds before its writer has to wait.
const PIPE_BYTES: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Towards {
    Server,
    Client,
}

/// A frame on its way.
pub(crate) struct Passing<'a> {
    pub(crate) towards: Towards,
    pub(crate) text: &'a str,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    Pass,
    /// It comes later, and everything behind it too.
    Delay(Duration),
    /// It arrives twice.
    Twice,
    /// It and everything behind it vanishes; nobody is told.
    Vanish,
    /// The connection breaks before it arrives.
    Cut,
}

type Rule = Box<dyn FnMut(&Passing<'_>) -> Verdict + Send>;
type Door = mpsc::UnboundedSender<Box<dyn Stream>>;

pub(crate) struct FaultyNetwork {
    doors: Mutex<BTreeMap<String, Door>>,
    rule: Arc<Mutex<Rule>>,
    seen: Arc<Mutex<Vec<Bytes>>>,
    connections: AtomicU32,
    open: Arc<AtomicU32>,
}

impl FaultyNetwork {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            doors: Mutex::default(),
            rule: Arc::new(Mutex::new(Box::new(|_| Verdict::Pass))),
            seen: Arc::default(),
            connections: AtomicU32::new(0),
            open: Arc::default(),
        })
    }

    pub(crate) fn rule(&self, rule: impl FnMut(&Passing<'_>) -> Verdict + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// Connections made so far through [`Network::connect`].
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Those of them that neither side has closed.
    pub(crate) fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// Every frame that was sent to the server.
    pub(crate) fn frames_to_server(&self) -> Vec<Bytes> {
        self.seen.lock().unwrap().clone()
    }

    /// A connection without rules, for bytes that are no frames.
    pub(crate) fn raw(&self, address: &str) -> io::Result<DuplexStream> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let doors = self.doors.lock().unwrap();
        let door = doors.get(address).ok_or(io::ErrorKind::ConnectionRefused)?;
        door.send(Box::new(far)).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }

    /// Nobody listens there any more.
    pub(crate) fn shut(&self, address: &str) {
        self.doors.lock().unwrap().remove(address);
    }
}

impl Network for FaultyNetwork {
    fn connect(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let address = address.to_owned();
        Box::pin(async move {
            let server = self.raw(&address)?;
            let (client, near) = tokio::io::duplex(PIPE_BYTES);
            self.connections.fetch_add(1, Ordering::Relaxed);
            let ((from_client, to_client), (from_server, to_server)) =
                (tokio::io::split(near), tokio::io::split(server));
            let pump = |towards, from, to| Pump {
                towards,
                from,
                to,
                rule: self.rule.clone(),
                seen: self.seen.clone(),
            };
            let up = pump(Towards::Server, from_client, to_server).run();
            let down = pump(Towards::Client, from_server, to_client).run();
            let open = self.open.clone();
            open.fetch_add(1, Ordering::Relaxed);
            #[expect(clippy::disallowed_methods, reason = "the network is below Env")]
            tokio::spawn(async move {
                tokio::select! { biased; () = up => (), () = down => () }
                open.fetch_sub(1, Ordering::Relaxed);
            });
            Ok(Box::new(client) as Box<dyn Stream>)
        })
    }

    fn listen(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        let (door, arrivals) = mpsc::unbounded_channel();
        self.doors.lock().unwrap().insert(address.to_owned(), door);
        let listener = Listening { address: address.to_owned(), arrivals: arrivals.into() };
        Box::pin(async move { Ok(Box::new(listener) as Box<dyn Listener>) })
    }
}

struct Listening {
    address: String,
    arrivals: tokio::sync::Mutex<mpsc::UnboundedReceiver<Box<dyn Stream>>>,
}

impl Listener for Listening {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            match self.arrivals.lock().await.recv().await {
                Some(stream) => Ok(stream),
                None => std::future::pending().await,
            }
        })
    }

    fn local_address(&self) -> io::Result<String> {
        Ok(self.address.clone())
    }
}

/// One direction of a connection. Ends when it is cut or one side is gone.
struct Pump {
    towards: Towards,
    from: ReadHalf<DuplexStream>,
    to: WriteHalf<DuplexStream>,
    rule: Arc<Mutex<Rule>>,
    seen: Arc<Mutex<Vec<Bytes>>>,
}

impl Pump {
    async fn run(self) {
        let Self { towards, from, to, rule, seen } = self;
        let codec = || LengthDelimitedCodec::builder().max_frame_length(1 << 30).new_codec();
        let (mut from, mut to) = (FramedRead::new(from, codec()), FramedWrite::new(to, codec()));
        while let Some(Ok(frame)) = from.next().await {
            let frame: Bytes = BytesMut::freeze(frame);
            if towards == Towards::Server {
                seen.lock().unwrap().push(frame.clone());
            }
            let text = std::str::from_utf8(&frame).unwrap_or("");
            let verdict = (rule.lock().unwrap())(&Passing { towards, text });
            let copies = match verdict {
                Verdict::Pass => 1,
                Verdict::Twice => 2,
                Verdict::Delay(delay) => {
                    #[expect(clippy::disallowed_methods, reason = "the network is below Env")]
                    tokio::time::sleep(delay).await;
                    1
                }
                Verdict::Vanish => return std::future::pending().await,
                Verdict::Cut => return,
            };
            for _ in 0..copies {
                if to.send(frame.clone()).await.is_err() {
                    return;
                }
            }
        }
    }
}
