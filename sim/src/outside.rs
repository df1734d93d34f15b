//! The outside world: a host of its own, reached over the network, that counts what
//! activities did to it. It never dies and forgets nothing. Not here: who does something
//! to it (`node`), and what must hold of it (`oracle`).

use crate::host::Host;
use crate::sync::lock;
use crate::wrong::Verdict;
use duroxide_core::{EventId, ExecutionId};
use duroxide_provider::env::{Env, Stream};
use duroxide_provider::{ActivityKey, Incarnation};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORT: &str = "0.0.0.0:8080";
const ADDRESS: &str = "outside:8080";
const DONE: u8 = 1;

/// What was done to the outside world, by the activity that did it.
#[derive(Debug, Default)]
pub(crate) struct Outside(Mutex<BTreeMap<ActivityKey, Vec<Duration>>>);

impl Outside {
    /// An activity had its effect.
    pub(crate) fn happened(&self, activity: ActivityKey, now: Duration) {
        lock(&self.0).entry(activity).or_default().push(now);
    }

    /// When an activity had its effect, each time.
    pub(crate) fn times(&self, activity: &ActivityKey) -> Vec<Duration> {
        lock(&self.0).get(activity).cloned().unwrap_or_default()
    }

    /// Which activities of an instance had effects.
    pub(crate) fn of(&self, incarnation: Incarnation) -> Vec<ActivityKey> {
        let at = |execution, event| ActivityKey {
            incarnation,
            execution: ExecutionId(execution),
            event: EventId(event),
        };
        let effects = lock(&self.0);
        effects.range(at(0, 0)..=at(u64::MAX, u64::MAX)).map(|(activity, _)| *activity).collect()
    }

    /// How many effects there were, and how many of them were repetitions.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let effects = lock(&self.0);
        let all: usize = effects.values().map(Vec::len).sum();
        (all as u64, (all - effects.len()) as u64)
    }

    /// What runs on the outside world's host.
    pub(crate) async fn serve(self: Arc<Self>, host: Arc<Host>, env: Env) -> Verdict {
        let listener = env.network.listen(PORT).await?;
        loop {
            let Ok(stream) = listener.accept().await else { continue };
            let attending = Arc::clone(&self).attend(Arc::clone(&host), stream);
            env.spawn("outside", attending);
        }
    }

    async fn attend(self: Arc<Self>, host: Arc<Host>, mut stream: Box<dyn Stream>) {
        while let Ok(activity) = read(&mut stream).await {
            let now = host.stage().timeline.now();
            host.stage().record(host.name(), "effect", format!("{activity:?}").as_bytes());
            self.happened(activity, now);
            if stream.write_u8(DONE).await.is_err() {
                return;
            }
        }
    }
}

/// A way to the outside world. Used by one activity at a time.
pub(crate) struct Arm(Box<dyn Stream>);

impl Arm {
    /// Reach out.
    pub(crate) async fn reach(env: &Env) -> io::Result<Self> {
        env.network.connect(ADDRESS).await.map(Self)
    }

    /// Have an effect, and hear that it was had.
    pub(crate) async fn touch(&mut self, activity: &ActivityKey) -> io::Result<()> {
        let mut message = [0; 24];
        message[..8].copy_from_slice(&activity.incarnation.0.to_le_bytes());
        message[8..16].copy_from_slice(&activity.execution.0.to_le_bytes());
        message[16..].copy_from_slice(&activity.event.0.to_le_bytes());
        self.0.write_all(&message).await?;
        self.0.read_u8().await.map(|_| ())
    }
}

async fn read(stream: &mut Box<dyn Stream>) -> io::Result<ActivityKey> {
    Ok(ActivityKey {
        incarnation: Incarnation(stream.read_u64_le().await?),
        execution: ExecutionId(stream.read_u64_le().await?),
        event: EventId(stream.read_u64_le().await?),
    })
}
