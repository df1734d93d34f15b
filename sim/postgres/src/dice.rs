//! Seeded draws. Every stream is named, so that drawing more in one place moves nothing in
//! another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// One stream of random numbers.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The `nth` stream of this name under a seed.
    pub(crate) fn new(seed: u64, stream: &str, nth: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(nth.to_le_bytes());
        hash.update(stream.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// A number up to this one.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        self.0.next_u64() % most.saturating_add(1).max(1)
    }

    /// Half of the time none, else up to this, in µs.
    pub(crate) fn latency(&mut self, most: Duration) -> Duration {
        let us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        let drawn = self.up_to(us);
        if self.up_to(1) == 0 { Duration::ZERO } else { Duration::from_micros(drawn) }
    }

    /// Between a half and all of it.
    pub(crate) fn most_of(&mut self, pause: Duration) -> Duration {
        pause / 2 + self.latency_of(pause / 2)
    }

    fn latency_of(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.up_to(u64::try_from(most.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Go to the back of the executor's queue so many times.
pub(crate) struct Yield(pub(crate) u64);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
