//! Seeded draws. Every stream is named, so that drawing more in one place moves nothing
//! in another; and giving way a drawn number of times ([`Yield`]). Not here: what is drawn
//! for, and any randomness that no seed decides.

mod turns;

pub use turns::Yield;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;

/// One stream of random numbers.
///
/// ```
/// use duroxide_sim_dice::Dice;
///
/// let draw = |seed, stream| Dice::new(seed, stream).within(1..=1_000_000);
/// assert_eq!(draw(7, "faults"), draw(7, "faults"));
/// assert_ne!(draw(7, "faults"), draw(7, "yields"));
/// assert_ne!(draw(7, "faults"), draw(8, "faults"));
/// ```
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of this name under a seed.
    pub fn new(seed: u64, stream: &str) -> Self {
        Self::of(&[&seed.to_le_bytes(), stream.as_bytes()])
    }

    /// The `nth` of the streams of this name under a seed.
    pub fn nth(seed: u64, stream: &str, nth: u64) -> Self {
        Self::of(&[&seed.to_le_bytes(), &nth.to_le_bytes(), stream.as_bytes()])
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// A number from a range; its first, if the range is empty.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (first, last) = range.into_inner();
        first + self.up_to(last.saturating_sub(first))
    }

    /// A number up to this one.
    pub fn up_to(&mut self, most: u64) -> u64 {
        let drawn = self.0.next_u64();
        most.checked_add(1).map_or(drawn, |count| drawn % count)
    }

    /// A number below this one; zero, if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.up_to(end.saturating_sub(1))
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.within(1..=100) <= chance
    }

    /// One of a list.
    ///
    /// # Panics
    /// If the list is empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;
    use std::collections::BTreeSet;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |seed, name| Dice::new(seed, name).up_to(u64::MAX);
        assert_eq!(draw(1, "plan"), draw(1, "plan"));
        assert_ne!(draw(1, "plan"), draw(1, "yields"));
        assert_ne!(draw(1, "plan"), draw(2, "plan"));
        let nth = |nth| Dice::nth(1, "plan", nth).up_to(u64::MAX);
        assert_eq!(nth(3), nth(3));
        assert_ne!(nth(3), nth(4));
    }

    /// Saved plans and seeds in reports mean what they meant: a stream never changes.
    #[test]
    fn a_stream_gives_what_it_always_gave() {
        let mut dice = Dice::new(7, "plan");
        let drawn: Vec<_> = (0..4).map(|_| dice.within(0..=99)).collect();
        assert_eq!(drawn, FIRST_OF_PLAN_7);
    }

    const FIRST_OF_PLAN_7: [u64; 4] = [40, 28, 99, 12];

    #[test]
    fn every_number_of_a_range_is_drawn_and_no_other() {
        let mut dice = Dice::new(1, "range");
        let drawn: BTreeSet<_> = (0..200).map(|_| dice.within(3..=7)).collect();
        assert_eq!(drawn, (3..=7).collect());
        assert_eq!(dice.within(5..=5), 5);
        assert_eq!((dice.up_to(0), dice.below(0), dice.below(1)), (0, 0, 0));
        let coins: BTreeSet<_> = (0..50).map(|_| dice.coin()).collect();
        assert_eq!(coins.len(), 2);
        assert!((0..50).all(|_| dice.percent(100) && !dice.percent(0)));
        assert!((0..50).all(|_| [2, 4].contains(&dice.pick(&[2, 4]))));
    }
}
