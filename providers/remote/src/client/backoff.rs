//! How long to wait before the next try. Not here: how many tries.

use duroxide_provider::env::Entropy;
use std::time::Duration;

/// Pauses that double from `first` to `most`; of each, up to a half is left to chance, so
/// that clients that failed together do not come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// After any number of failures.
    pub most: Duration,
}

impl Default for Backoff {
    /// From 50 ms to 2 s.
    fn default() -> Self {
        Self { first: Duration::from_millis(50), most: Duration::from_secs(2) }
    }
}

impl Backoff {
    /// The pause after so many failures in a row; none after none.
    pub(crate) fn delay(&self, failures: u32, entropy: &dyn Entropy) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let full = self.first.saturating_mul(factor).min(self.most);
        let mut chance = [0];
        entropy.fill(&mut chance);
        full / 2 + (full / 2).mul_f64(f64::from(chance[0]) / f64::from(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_up_to_the_most_and_never_overflow() {
        let backoff = Backoff::default();
        let pauses = |chance| {
            [0, 1, 2, 3, 6, 7, 40, u32::MAX].map(|n| backoff.delay(n, &Always(chance)).as_millis())
        };
        assert_eq!(pauses(255), [0, 50, 100, 200, 1600, 2000, 2000, 2000]);
        assert_eq!(pauses(0), [0, 25, 50, 100, 800, 1000, 1000, 1000]);
    }
}
