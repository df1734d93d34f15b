//! Seeded draws. Every stream is named, so that drawing more in one place moves nothing
//! in another. Not here: what is drawn for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;

/// One stream of random numbers.
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of this name under a seed.
    pub fn new(seed: u64, stream: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(stream.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// A number from a range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end() - range.start() + 1;
        range.start() + self.0.next_u64() % width
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.within(1..=100) <= chance
    }

    /// One of a list.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0..=choices.len() as u64 - 1) as usize]
    }

    /// Random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |seed, name| Dice::new(seed, name).within(0..=u64::MAX - 1);
        assert_eq!(draw(1, "plan"), draw(1, "plan"));
        assert_ne!(draw(1, "plan"), draw(1, "yields"));
        assert_ne!(draw(1, "plan"), draw(2, "plan"));
    }
}
