//! One connection of the server: the greeting, then calls, many at once. One task does all of
//! it, and never waits for one thing only: a slow call, a held-back poll or a client that
//! does not read stops nothing else. Not here: what a call does ([`Call::perform`]).

use super::ServerOptions;
use super::door::Guest;
use crate::alarm::Alarm;
use crate::call::{Call, Encoded, Nature, opened, result};
use crate::frames::{Reader, Writer, split, trust};
use crate::wire::{GREETING_BYTES, Hello, PROTOCOL, Sealed, ToClient, ToServer, Welcome, encode};
use bytes::{Bytes, BytesMut};
use duroxide_core::Undecodable;
use duroxide_provider::env::{BoxFuture, Env, Stream};
use duroxide_provider::{ProviderError, Store};
use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;

/// Why a connection ends. Its client is told when it can be; the others never notice.
#[derive(Debug, Error)]
enum Ending {
    #[error("the client closed it")]
    Closed,
    #[error("the client sent nothing, or took no answer, for too long")]
    Silent,
    #[error("the stream failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("a frame that is none of the protocol's: {0}")]
    Malformed(#[from] Undecodable),
    #[error("a frame that has no place here")]
    OutOfPlace,
    #[error("the client was refused: {0}")]
    Refused(String),
    #[error("the server has as many clients as it takes")]
    Crowded,
}

impl From<serde_json::Error> for Ending {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.into())
    }
}

/// An answer ready to be sent, with the id of its call.
type Answer = (u64, Bytes);

/// The bytes of the requests under way on a connection.
#[derive(Clone, Default)]
struct Load(Arc<AtomicUsize>);

/// The bytes of one of them, for as long as it is.
struct Burden(Load, usize);

impl Load {
    fn add(&self, bytes: usize) -> Burden {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Burden(self.clone(), bytes)
    }

    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Burden {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

pub(super) struct Connection {
    env: Env,
    store: Arc<dyn Store>,
    options: ServerOptions,
    guest: Guest,
    reader: Reader,
    writer: Writer,
    /// Largest frame that the client takes.
    answer_bytes: usize,
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    polls: FuturesUnordered<Abortable<BoxFuture<'static, Answer>>>,
    withdraw: BTreeMap<u64, AbortHandle>,
    load: Load,
    /// Until when the answers in the writer's buffer have to be sent, if there are any.
    sent_by: Duration,
    /// When the last frame came.
    heard_at: Duration,
}

impl Connection {
    pub(super) fn new(
        env: &Env,
        stream: Box<dyn Stream>,
        store: Arc<dyn Store>,
        options: &ServerOptions,
        guest: Guest,
    ) -> Self {
        let (reader, writer) = split(stream);
        Self {
            env: env.clone(),
            store,
            options: options.clone(),
            guest,
            reader,
            writer,
            answer_bytes: GREETING_BYTES,
            calls: FuturesUnordered::new(),
            polls: FuturesUnordered::new(),
            withdraw: BTreeMap::new(),
            load: Load::default(),
            sent_by: Duration::ZERO,
            heard_at: env.clock.monotonic(),
        }
    }

    /// From the greeting to the end. Calls that were begun are carried through, for their
    /// client may have meant them though it is gone; polls are dropped.
    pub(super) async fn attend(mut self) {
        let patience = self.options.patience;
        let greeted = match self.env.clone().timeout(patience, self.greet()).await {
            Some(greeted) => greeted,
            None => Err(Ending::Silent),
        };
        let ending = match greeted {
            Ok(()) => self.converse().await,
            Err(ending) => ending,
        };
        tracing::debug!(%ending, "a connection ended");
        // Its place is taken until its calls are through: so many connections, so many calls.
        let Self { mut calls, reader, writer, polls, guest: _guest, .. } = self;
        drop((reader, writer, polls));
        while calls.next().await.is_some() {}
    }

    /// Nothing else is read before the client has shown the token.
    async fn greet(&mut self) -> Result<(), Ending> {
        let frame = self.reader.next().await.ok_or(Ending::Closed)??;
        let Sealed::Hello(hello) = serde_json::from_slice(&frame)? else {
            return Err(Ending::OutOfPlace);
        };
        if let Err(refusal) = self.check(&hello) {
            self.writer.push(encode(&ToClient::Refused(refusal.clone()))?).await?;
            self.writer.close().await?;
            return Err(Ending::Refused(refusal));
        }
        if !self.guest.sit_down() {
            return Err(Ending::Crowded);
        }
        trust(&mut self.reader, self.options.max_frame);
        self.answer_bytes = hello.max_frame.min(self.options.max_frame).max(GREETING_BYTES);
        let welcome = Welcome {
            max_frame: self.options.max_frame,
            limits: self.store.limits(),
            read_only: self.store.is_read_only(),
        };
        self.writer.push(encode(&ToClient::Welcome(welcome))?).await?;
        Ok(self.writer.flush().await?)
    }

    /// Why the client is refused, if it is.
    fn check(&self, hello: &Hello) -> Result<(), String> {
        if !self.options.token.matches(&hello.token) {
            return Err("the server does not accept this token".to_owned());
        }
        if hello.protocol != PROTOCOL {
            return Err(format!(
                "it speaks version {} of the protocol, the server version {PROTOCOL}",
                hello.protocol
            ));
        }
        Ok(())
    }

    async fn converse(&mut self) -> Ending {
        let mut alarm = Alarm::new(&self.env);
        self.heard_at = self.env.clock.monotonic();
        loop {
            alarm.set(self.patient_until());
            let room = self.has_room();
            let step = tokio::select! {
                biased;
                Some((_, answer)) = self.calls.next(), if !self.calls.is_empty() => {
                    self.queue(answer).await
                }
                Some(ended) = self.polls.next(), if !self.polls.is_empty() => match ended {
                    Ok((id, answer)) => {
                        self.withdraw.remove(&id);
                        self.queue(answer).await
                    }
                    Err(_withdrawn) => Ok(()),
                },
                flushed = self.writer.flush(), if self.writer.unsent() > 0 => {
                    flushed.map_err(Ending::from)
                }
                frame = self.reader.next(), if room => match frame {
                    Some(Ok(frame)) => self.take(&frame).await,
                    Some(Err(error)) => Err(Ending::Io(error)),
                    None => Err(Ending::Closed),
                },
                () = alarm.ring() => Err(Ending::Silent),
            };
            if let Err(ending) = step {
                return ending;
            }
        }
    }

    /// Calls that hold a place: under way, or answered and not sent.
    fn busy_with(&self) -> usize {
        self.calls.len() + self.polls.len() + self.writer.unsent()
    }

    /// Whether another frame may come. While less than one of the largest is under way there is
    /// room for one more: no frame stalls, and none of a thousand large ones piles up.
    fn has_room(&self) -> bool {
        let bytes = self.load.bytes() + self.writer.unsent_bytes();
        self.busy_with() < self.options.max_in_flight.max(1)
            && bytes < self.options.max_frame.max(1)
    }

    /// Until when the client has to take its answers, or, if it has no calls, to make one.
    fn patient_until(&self) -> Option<Duration> {
        if self.writer.unsent() > 0 {
            Some(self.sent_by)
        } else if self.busy_with() == 0 {
            Some(self.heard_at.saturating_add(self.options.idle))
        } else {
            None
        }
    }

    async fn take(&mut self, frame: &BytesMut) -> Result<(), Ending> {
        self.heard_at = self.env.clock.monotonic();
        match opened(frame)? {
            ToServer::Hello(_) => Err(Ending::OutOfPlace),
            ToServer::Withdraw { id } => {
                if let Some(poll) = self.withdraw.remove(&id) {
                    poll.abort();
                }
                Ok(())
            }
            ToServer::Call { id, call: Ok(mut call) } => {
                // A vanished client's poll does not keep its connection for ever.
                call.held_for_at_most(self.options.idle);
                self.begin(id, call, frame.len()).await
            }
            ToServer::Call { id, call: Err(why) } => {
                let error = ProviderError::Invalid {
                    operation: "remote".to_owned(),
                    message: format!("the server cannot read the call: {why}"),
                };
                self.queue(self.refusal(id, &error)).await
            }
        }
    }

    async fn begin(&mut self, id: u64, call: Call, bytes: usize) -> Result<(), Ending> {
        let (store, limit, operation) = (self.store.clone(), self.answer_bytes, call.operation());
        let is_poll = matches!(call.nature(), Nature::Poll(_));
        if is_poll && self.polls.len() >= (self.options.max_in_flight / 2).max(1) {
            let error = ProviderError::Busy {
                operation: operation.to_owned(),
                message: format!("{} long polls of this client wait already", self.polls.len()),
            };
            return self.queue(self.refusal(id, &error)).await;
        }
        let burden = self.load.add(bytes);
        let work: BoxFuture<'static, Answer> = Box::pin(async move {
            let _burden = burden;
            (id, answer(id, operation, call.perform(&*store).await, limit))
        });
        if is_poll {
            let (handle, registration) = AbortHandle::new_pair();
            self.withdraw.insert(id, handle);
            self.polls.push(Abortable::new(work, registration));
        } else {
            self.calls.push(work);
        }
        Ok(())
    }

    fn refusal(&self, id: u64, error: &ProviderError) -> Bytes {
        answer(id, "remote", result::<()>(&Err(error.clone())), self.answer_bytes)
    }

    /// Does not wait: `busy_with` bounds what is queued.
    async fn queue(&mut self, answer: Bytes) -> Result<(), Ending> {
        if self.writer.unsent() == 0 {
            self.sent_by = self.env.clock.monotonic().saturating_add(self.options.patience);
        }
        Ok(self.writer.push(answer).await?)
    }
}

/// The frame of an answer. One that the client would not take is replaced by an error that
/// says so.
fn answer(id: u64, operation: &str, encoded: Encoded, limit: usize) -> Bytes {
    let frame = encoded.and_then(|answer| encode(&ToClient::Answer { id, answer: &answer }));
    let message = match frame {
        Ok(frame) if frame.len() <= limit => return frame,
        Ok(frame) => format!(
            "the answer has {} bytes, more than the {limit} of a frame that the client takes",
            frame.len()
        ),
        Err(error) => format!("the answer cannot be encoded: {error}"),
    };
    let error = ProviderError::Invalid { operation: operation.to_owned(), message };
    // An error of two strings always can be; an empty frame would only end the connection.
    result::<()>(&Err(error))
        .and_then(|answer| encode(&ToClient::Answer { id, answer: &answer }))
        .unwrap_or_default()
}
