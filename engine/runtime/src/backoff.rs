//! Pauses between tries of the same request. Not here: which errors are tried again
//! (`ProviderError::is_transient`), and for how long.

use duroxide_provider::env::{Entropy, Env};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// Doubling pauses, each drawn between its half and its whole, so that nodes that failed
/// together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    env: Env,
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new(env: &Env) -> Self {
        Self::starting_at(env, FIRST)
    }

    /// For what polls rather than retries: the first pause is the interval asked for.
    pub(crate) fn starting_at(env: &Env, first: Duration) -> Self {
        Self { env: env.clone(), ceiling: first.max(Duration::from_millis(1)) }
    }

    /// Wait before the next try.
    pub(crate) async fn pause(&mut self) {
        let pause = self.draw();
        self.env.sleep(pause).await;
    }

    /// Wait before the next try, at most so long.
    pub(crate) async fn pause_at_most(&mut self, longest: Duration) {
        let pause = self.draw().min(longest);
        self.env.sleep(pause).await;
    }

    fn draw(&mut self) -> Duration {
        let half = self.ceiling / 2;
        let spread = half.as_millis() as u64;
        let extra = if spread == 0 { 0 } else { random(&*self.env.entropy) % (spread + 1) };
        self.ceiling = (self.ceiling * 2).min(LONGEST.max(self.ceiling));
        half + Duration::from_millis(extra)
    }
}

fn random(entropy: &dyn Entropy) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pauses_grow_to_a_second_and_not_beyond() {
        let mut backoff = Backoff::new(&crate::system_env());
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.draw()).collect();
        assert!(pauses[0] <= FIRST);
        assert!(pauses[19] >= LONGEST / 2);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
    }
}
