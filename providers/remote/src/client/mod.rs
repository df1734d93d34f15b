//! The client: a store that is elsewhere. Here: its options, and what is done about calls
//! whose answer does not come. The connection is in [`driver`], the trait in [`provider`].

mod backoff;
mod conversation;
mod driver;
mod provider;

pub use backoff::Backoff;

use crate::Token;
use crate::call::{Call, Nature};
use crate::wire::{DEFAULT_FRAME_BYTES, ToServer, encode};
use bytes::Bytes;
use driver::{Command, Driver, Fate, Outgoing};
use duroxide_core::{Limits, Undecodable};
use duroxide_provider::ProviderError;
use duroxide_provider::env::{Env, Task};
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How a client deals with distance.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The largest frame taken, in bytes.
    pub max_frame: usize,
    /// How long the answer to a call may take. A long poll gets its own time on top. When it
    /// passes, the connection is given up: a partition leaves streams hanging for ever.
    pub deadline: Duration,
    /// How long connecting may take, greeting included.
    pub connect_deadline: Duration,
    /// How often a call is tried in all before its caller is told.
    pub tries: u32,
    /// The pauses between connections that failed.
    pub backoff: Backoff,
}

impl Default for ClientOptions {
    /// Frames of 128 MiB, 5 s for an answer, 5 s to connect, 3 tries.
    fn default() -> Self {
        Self {
            max_frame: DEFAULT_FRAME_BYTES,
            deadline: Duration::from_secs(5),
            connect_deadline: Duration::from_secs(5),
            tries: 3,
            backoff: Backoff::default(),
        }
    }
}

/// A store behind a [`serve`](crate::serve) on another node.
///
/// It connects when the first call needs it, and again after the connection was lost. A call
/// whose answer was lost is sent again as it was: the store applies it once by its ids. When
/// the tries are used up the caller learns what is known: [`ProviderError::Busy`] if it was
/// certainly not applied, [`ProviderError::Unknown`] if it may have been. Deletion and
/// pruning, which carry no id, are not sent again once they may have arrived.
///
/// Dropped, it ends its task and the connection. `close` lets calls under way finish, ends
/// long polls, and closes this client only: the store stays open for the others.
///
/// ```
/// use duroxide_provider::{Inspect, ProviderError, SystemMetrics, env::Env};
/// use duroxide_remote::{ClientOptions, RemoteProvider, Token};
///
/// async fn count(env: &Env) -> Result<SystemMetrics, ProviderError> {
///     let token = Token::new("correct horse battery staple")?;
///     let store = RemoteProvider::new(env, "store:7070", token, ClientOptions::default());
///     store.metrics().await
/// }
/// ```
pub struct RemoteProvider {
    env: Env,
    address: String,
    options: ClientOptions,
    limits: Arc<Mutex<Limits>>,
    read_only: Arc<AtomicBool>,
    commands: mpsc::UnboundedSender<Command>,
    next_id: AtomicU64,
    task: Option<Task>,
}

impl RemoteProvider {
    /// A client for the server at `host:port`. Does not connect yet.
    pub fn new(
        env: &Env,
        address: impl Into<String>,
        token: Token,
        options: ClientOptions,
    ) -> Self {
        let address = address.into();
        let limits = Arc::new(Mutex::new(Limits::default()));
        let read_only = Arc::new(AtomicBool::new(false));
        let (sender, commands) = mpsc::unbounded_channel();
        let driver = Driver {
            env: env.clone(),
            address: address.clone(),
            token,
            options: options.clone(),
            limits: limits.clone(),
            read_only: read_only.clone(),
            commands,
        };
        let task = env.spawn("remote-client", driver.run());
        Self {
            env: env.clone(),
            address,
            options,
            limits,
            read_only,
            commands: sender,
            next_id: AtomicU64::new(1),
            task: Some(task),
        }
    }

    /// Carry a call through, as far as the options allow.
    async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, ProviderError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let frame = encode_call(id, &call)?;
        let mut attempts = Attempts { call: &call, doubt: None, last: String::new() };
        for tried in 1..=self.options.tries.max(1) {
            match self.send(id, &frame, call.nature()).await {
                Fate::Answered(answer) => match serde_json::from_slice(&answer) {
                    Ok(Err(ProviderError::Busy { .. } | ProviderError::Full { .. }))
                        if attempts.doubt.is_some() =>
                    {
                        // This try was not applied; an earlier one may have been.
                        let pause = self.options.backoff.delay(tried, &*self.env.entropy);
                        self.env.sleep(pause).await;
                    }
                    Ok(result) => return result,
                    Err(error) => {
                        let why = Undecodable::from(error);
                        attempts.lost(format!("the answer is none to this call: {why}"));
                    }
                },
                Fate::NotSent(why) => attempts.last = why,
                Fate::Lost(why) => attempts.lost(why),
                Fate::TooLarge { limit } => return Err(too_large(&call, frame.len(), limit)),
                Fate::Refused(why) => return Err(unusable(&call, why)),
                Fate::Closed => return Err(attempts.closed()),
            }
            if attempts.doubt.is_some() && call.nature() == Nature::Once {
                break;
            }
        }
        Err(attempts.given_up())
    }

    /// One try.
    async fn send(&self, id: u64, frame: &Bytes, nature: Nature) -> Fate {
        let (reply, fate) = oneshot::channel();
        let (is_poll, patience) = match nature {
            Nature::Poll(max) => (true, self.options.deadline.saturating_add(max)),
            Nature::Read | Nature::Idempotent | Nature::Once => (false, self.options.deadline),
        };
        let call = Outgoing { id, frame: frame.clone(), patience, is_poll, reply };
        if self.commands.send(Command::Call(call)).is_err() {
            return Fate::Closed;
        }
        let mut withdrawal = Withdrawal { commands: &self.commands, id, due: true };
        let fate = fate.await;
        withdrawal.due = false;
        // The driver replies to every call it takes, unless it was cut down with its executor.
        fate.unwrap_or_else(|_| Fate::Lost("the client's task has ended".to_owned()))
    }
}

impl Drop for RemoteProvider {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for RemoteProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteProvider").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Tells the driver when a caller stops waiting: its future was dropped.
struct Withdrawal<'a> {
    commands: &'a mpsc::UnboundedSender<Command>,
    id: u64,
    due: bool,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if self.due {
            // A driver that is gone has nothing to forget.
            let _ = self.commands.send(Command::Withdraw(self.id));
        }
    }
}

/// What is known of a call after some tries.
struct Attempts<'a> {
    call: &'a Call,
    /// Why it may have been applied, if it may.
    doubt: Option<String>,
    /// Why the last try came to nothing.
    last: String,
}

impl Attempts<'_> {
    fn lost(&mut self, why: String) {
        match self.call.nature() {
            Nature::Read | Nature::Poll(_) => self.last = why,
            Nature::Idempotent | Nature::Once => self.doubt = Some(why),
        }
    }

    fn given_up(self) -> ProviderError {
        let operation = self.call.operation().to_owned();
        match self.doubt {
            Some(message) => ProviderError::Unknown { operation, message },
            None => ProviderError::Busy { operation, message: self.last },
        }
    }

    fn closed(self) -> ProviderError {
        match self.doubt {
            Some(_) => self.given_up(),
            None => unusable(self.call, "the client is closed".to_owned()),
        }
    }
}

/// The frame of a call; every try sends the same one.
fn encode_call(id: u64, call: &Call) -> Result<Bytes, ProviderError> {
    encode(&ToServer::Call { id, call }).map_err(|error| ProviderError::Invalid {
        operation: call.operation().to_owned(),
        message: format!("the request cannot be encoded: {error}"),
    })
}

fn unusable(call: &Call, message: String) -> ProviderError {
    ProviderError::Unusable { operation: call.operation().to_owned(), message }
}

fn too_large(call: &Call, bytes: usize, limit: usize) -> ProviderError {
    ProviderError::Invalid {
        operation: call.operation().to_owned(),
        message: format!("the request has {bytes} bytes, the server takes frames of {limit}"),
    }
}
