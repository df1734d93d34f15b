//! The life of one connection of the client: calls out, answers in, deadlines between.
//! It ends when the stream fails or a deadline passes; then every call on it is lost. Not
//! here: how it is made (`driver`).

use super::driver::{Command, Driver, Fate, Line, Outgoing};
use crate::alarm::Alarm;
use crate::wire::{Sealed, ToClient, encode};
use bytes::{Bytes, BytesMut};
use duroxide_core::Undecodable;
use duroxide_provider::env::Env;
use futures_util::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::oneshot;

/// Why a connection is given up.
#[derive(Debug, Error)]
enum Ending {
    #[error("the client was closed")]
    Done,
    #[error("the server closed the connection")]
    Closed,
    /// One call that is not answered in time condemns the connection: on a stream that was
    /// cut without a word nothing else will ever be answered, and to ask the others again
    /// costs little.
    #[error("a call was not answered in time")]
    Silent,
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the server sent a frame that is none of the protocol's: {0}")]
    Malformed(#[from] Undecodable),
}

impl From<serde_json::Error> for Ending {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.into())
    }
}

/// A call that waits for its answer.
struct Pending {
    reply: oneshot::Sender<Fate>,
    deadline: Duration,
    is_poll: bool,
}

pub(super) struct Conversation {
    env: Env,
    line: Line,
    pending: BTreeMap<u64, Pending>,
    deadlines: BTreeSet<(Duration, u64)>,
    /// The server has answered a call.
    useful: bool,
}

impl Conversation {
    pub(super) fn new(env: &Env, line: Line) -> Self {
        Self {
            env: env.clone(),
            line,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            useful: false,
        }
    }

    /// Until the connection ends. Says whether the server ever answered a call.
    pub(super) async fn run(
        mut self,
        first: Outgoing,
        driver: &mut Driver,
        closing: &mut Option<oneshot::Sender<()>>,
    ) -> bool {
        let why = match self.send(first).await {
            Ok(()) => self.converse(driver, closing).await,
            Err(ending) => ending,
        };
        tracing::debug!(reason = %why, lost = self.pending.len(), "a connection ended");
        while let Some((_, call)) = self.pending.pop_first() {
            // Who withdrew does not listen.
            let _ = call.reply.send(Fate::Lost(why.to_string()));
        }
        self.useful
    }

    async fn converse(
        &mut self,
        driver: &mut Driver,
        closing: &mut Option<oneshot::Sender<()>>,
    ) -> Ending {
        let mut alarm = Alarm::new(&self.env);
        let mut open = true;
        while open || !self.pending.is_empty() {
            alarm.set(self.deadlines.first().map(|(deadline, _)| *deadline));
            let step = tokio::select! {
                biased;
                frame = self.line.reader.next() => match frame {
                    Some(Ok(frame)) => self.answered(frame),
                    Some(Err(error)) => Err(Ending::Io(error)),
                    None => Err(Ending::Closed),
                },
                command = driver.commands.recv(), if open => match command {
                    Some(Command::Withdraw(id)) => self.withdraw(id).await,
                    Some(command) => match driver.wish(command, closing) {
                        Some(call) => self.send(call).await,
                        None => Ok(()),
                    },
                    None => {
                        open = false;
                        self.end_polls();
                        Ok(())
                    }
                },
                flushed = self.line.writer.flush(), if self.line.writer.unsent() > 0 => {
                    flushed.map_err(Ending::from)
                }
                () = alarm.ring() => Err(Ending::Silent),
            };
            if let Err(ending) = step {
                return ending;
            }
        }
        Ending::Done
    }

    async fn send(&mut self, call: Outgoing) -> Result<(), Ending> {
        if call.frame.len() > self.line.max_frame {
            call.meet(Fate::TooLarge { limit: self.line.max_frame });
            return Ok(());
        }
        let Outgoing { id, frame, patience, is_poll, reply } = call;
        let deadline = self.env.clock.monotonic().saturating_add(patience);
        self.deadlines.insert((deadline, id));
        self.pending.insert(id, Pending { reply, deadline, is_poll });
        self.feed(frame).await
    }

    fn answered(&mut self, frame: BytesMut) -> Result<(), Ending> {
        let frame = frame.freeze();
        let ToClient::Answer { id, answer } = serde_json::from_slice(&frame)? else {
            return Ok(()); // A second greeting says nothing new.
        };
        self.useful = true;
        // An answer nobody waits for was withdrawn while it was on its way.
        if let Some(call) = self.forget(id) {
            let _ = call.reply.send(Fate::Answered(frame.slice_ref(answer.get().as_bytes())));
        }
        Ok(())
    }

    async fn withdraw(&mut self, id: u64) -> Result<(), Ending> {
        match self.forget(id) {
            Some(call) if call.is_poll => self.feed(encode(&Sealed::Withdraw { id })?).await,
            Some(_) | None => Ok(()),
        }
    }

    fn end_polls(&mut self) {
        let polls: Vec<u64> =
            self.pending.iter().filter(|(_, call)| call.is_poll).map(|(id, _)| *id).collect();
        for id in polls {
            if let Some(poll) = self.forget(id) {
                let _ = poll.reply.send(Fate::Closed);
            }
        }
    }

    fn forget(&mut self, id: u64) -> Option<Pending> {
        let call = self.pending.remove(&id)?;
        self.deadlines.remove(&(call.deadline, id));
        Some(call)
    }

    /// Does not wait. What is queued is bounded by the callers, each of whom waits for its answer.
    async fn feed(&mut self, frame: Bytes) -> Result<(), Ending> {
        Ok(self.line.writer.push(frame).await?)
    }
}
