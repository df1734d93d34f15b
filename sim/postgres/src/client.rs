//! The provider's side: one call is sent again, with the same ids, when it was rolled back
//! for another's sake, when the connection broke, and when its answer was lost; by the rules
//! and limits of the real provider.

use crate::pace::most_of;
use crate::provider::ModelledPostgres;
use crate::session::{Reply, Script, Session};
use crate::statement::SqlState;
use duroxide_provider::ProviderError;
use duroxide_sim_dice::Dice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;

/// What the contract's methods give.
pub(crate) type Answer<T> = Result<T, ProviderError>;

/// A statement without an answer for so long is lost.
const ANSWER: Duration = Duration::from_mins(1);
/// Between tries: doubled from the first to the last, and a drawn part of it is waited.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(400);

impl ModelledPostgres {
    /// An error unless the store is open.
    pub(crate) fn check_open(&self, call: &str) -> Answer<()> {
        if self.closed.load(Ordering::SeqCst) {
            let (operation, message) = (call.to_owned(), "the store is closed".to_owned());
            return Err(ProviderError::Unusable { operation, message });
        }
        Ok(())
    }

    /// Make a call, as often as it takes.
    pub(crate) async fn call<T: Send + 'static>(&self, script: Script<T>) -> Answer<T> {
        let (env, patience) = (&self.server.env, self.server.options.patience);
        let script = Arc::new(script);
        let began = env.clock.monotonic();
        let (mut pause, mut maybe_applied) = (FIRST_PAUSE, false);
        loop {
            self.check_open(script.call)?;
            let failed = match self.try_once(&script).await {
                Ok(answer) => return answer,
                Err(failed) => failed,
            };
            maybe_applied |= failed.is_lost();
            let spent = env.clock.monotonic().saturating_sub(began);
            if failed == SqlState::DiskFull || spent + pause > patience {
                return Err(failed.into_error(script.call, maybe_applied));
            }
            let nth = {
                let mut core = self.server.core();
                core.counters.retries += 1;
                core.counters.retries
            };
            let mut dice = Dice::nth(self.server.options.seed, "pause", nth);
            env.sleep(most_of(&mut dice, pause)).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    async fn try_once<T: Send + 'static>(&self, script: &Arc<Script<T>>) -> Reply<T> {
        let mut cut = std::pin::pin!(self.server.cut.notified());
        // Registered before the session begins, so that no end of it is missed.
        cut.as_mut().enable();
        let (reply, answer) = oneshot::channel();
        let session = Session::begin(&self.server, script, reply);
        let running = session.run();
        // It runs on when this call is dropped.
        drop(self.server.env.spawn("postgres-session", running));
        let answer = async {
            match answer.await {
                Ok(reply) => reply,
                Err(_silence) => std::future::pending().await,
            }
        };
        let answer = self.server.env.timeout(ANSWER, answer);
        tokio::select! {
            biased;
            answer = answer => answer.unwrap_or(Err(SqlState::ConnectionFailure)),
            () = cut => Err(SqlState::AdminShutdown),
        }
    }
}
