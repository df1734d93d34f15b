//! The client's connection: made when the first call needs it, made again after it was lost.
//! One task owns it. Every call handed to it is replied to exactly once, with what is known
//! of its fate. Not here: what a call does about that fate (the retries are in `client`).

use super::{ClientOptions, conversation::Conversation};
use crate::Token;
use crate::frames::{Reader, Writer, split, trust};
use crate::wire::{Hello, PROTOCOL, Sealed, ToClient, Welcome, encode};
use bytes::Bytes;
use duroxide_core::{Limits, Undecodable};
use duroxide_provider::env::Env;
use futures_util::StreamExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What the driver is told.
pub(super) enum Command {
    /// Ask this.
    Call(Outgoing),
    /// Nobody waits for this call any more.
    Withdraw(u64),
    /// Finish what is under way and end; the sender is dropped then.
    Close(oneshot::Sender<()>),
}

/// A call to be sent.
pub(super) struct Outgoing {
    /// Unique for this client.
    pub(super) id: u64,
    /// The encoded frame.
    pub(super) frame: Bytes,
    /// How long the answer may take.
    pub(super) patience: Duration,
    /// The server may be told that nobody waits for it any more.
    pub(super) is_poll: bool,
    /// Gets the fate.
    pub(super) reply: oneshot::Sender<Fate>,
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Fate {
    /// The server answered: the method's `Result`, as JSON.
    Answered(Bytes),
    /// It was not sent; why.
    NotSent(String),
    /// It was sent, or part of it, and will not be answered; why.
    Lost(String),
    /// It is larger than the server takes.
    TooLarge {
        /// The largest frame that the server takes.
        limit: usize,
    },
    /// The server will not have this client; why.
    Refused(String),
    /// The client was closed.
    Closed,
}

impl Outgoing {
    pub(super) fn meet(self, fate: Fate) {
        // Who withdrew does not listen.
        let _ = self.reply.send(fate);
    }
}

/// A connection after the greeting.
pub(super) struct Line {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// The largest frame that the server takes.
    pub(super) max_frame: usize,
}

/// Why there is no connection.
enum NoLine {
    /// Not now; why.
    Unreachable(String),
    /// Not with this client; why.
    Refused(String),
}

pub(super) struct Driver {
    pub(super) env: Env,
    pub(super) address: String,
    pub(super) token: Token,
    pub(super) options: ClientOptions,
    pub(super) limits: Arc<Mutex<Limits>>,
    pub(super) read_only: Arc<AtomicBool>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
}

impl Driver {
    /// Until the client is closed or dropped.
    pub(super) async fn run(mut self) {
        let mut closing = None;
        let mut failures = 0;
        while let Some(command) = self.commands.recv().await {
            let Some(first) = self.wish(command, &mut closing) else { continue };
            let backoff = self.options.backoff.delay(failures, &*self.env.entropy);
            if !backoff.is_zero() {
                self.env.sleep(backoff).await;
            }
            let patience = self.options.connect_deadline;
            let line = self.env.timeout(patience, self.connect()).await;
            let useful = match line.unwrap_or_else(|| Err(self.silent())) {
                Ok(line) => {
                    Conversation::new(&self.env, line).run(first, &mut self, &mut closing).await
                }
                Err(why) => {
                    self.turn_away(first, &why, &mut closing);
                    false
                }
            };
            failures = if useful { 0 } else { failures + 1 };
        }
        drop(closing);
    }

    /// The call of a command, if it is one that somebody waits for.
    pub(super) fn wish(
        &mut self,
        command: Command,
        closing: &mut Option<oneshot::Sender<()>>,
    ) -> Option<Outgoing> {
        match command {
            Command::Call(call) if !call.reply.is_closed() => Some(call),
            Command::Call(_) | Command::Withdraw(_) => None,
            Command::Close(done) => {
                self.commands.close();
                *closing = Some(done);
                None
            }
        }
    }

    fn silent(&self) -> NoLine {
        NoLine::Unreachable(format!(
            "{} did not answer within {:?}",
            self.address, self.options.connect_deadline
        ))
    }

    async fn connect(&self) -> Result<Line, NoLine> {
        let failed = |error: &dyn std::fmt::Display| {
            NoLine::Unreachable(format!("{} cannot be reached: {error}", self.address))
        };
        let stream = self.env.network.connect(&self.address).await.map_err(|e| failed(&e))?;
        let (mut reader, mut writer) = split(stream);
        let hello = Hello {
            protocol: PROTOCOL,
            token: self.token.reveal().to_owned(),
            max_frame: self.options.max_frame,
        };
        let hello = encode(&Sealed::Hello(hello)).map_err(|e| failed(&e))?;
        writer.push(hello).await.map_err(|e| failed(&e))?;
        writer.flush().await.map_err(|e| failed(&e))?;
        let frame = match reader.next().await {
            Some(frame) => frame.map_err(|e| failed(&e))?,
            None => return Err(failed(&"the server closed the connection")),
        };
        let greeting = serde_json::from_slice(&frame).map_err(Undecodable::from);
        match greeting.map_err(|why| failed(&format!("its greeting is none: {why}")))? {
            ToClient::Welcome(Welcome { max_frame, limits, read_only }) => {
                self.read_only.store(read_only, Ordering::Relaxed);
                *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
                trust(&mut reader, self.options.max_frame);
                Ok(Line { reader, writer, max_frame })
            }
            ToClient::Refused(why) => {
                Err(NoLine::Refused(format!("{} refuses this client: {why}", self.address)))
            }
            ToClient::Answer { .. } => Err(failed(&"it does not greet")),
        }
    }

    /// Reply to the call that wanted the connection, and to those that came since.
    fn turn_away(
        &mut self,
        first: Outgoing,
        why: &NoLine,
        closing: &mut Option<oneshot::Sender<()>>,
    ) {
        let mut next = Some(first);
        loop {
            if let Some(call) = next.take() {
                call.meet(match why {
                    NoLine::Unreachable(why) => Fate::NotSent(why.clone()),
                    NoLine::Refused(why) => Fate::Refused(why.clone()),
                });
            }
            let Ok(command) = self.commands.try_recv() else { return };
            next = self.wish(command, closing);
        }
    }
}
