//! How long what the model does takes: drawn, so that calls overtake each other. Not here:
//! the streams that it is drawn from (`duroxide_sim_dice`).

use duroxide_sim_dice::Dice;
use std::time::Duration;

/// Half of the time none, else up to this, in µs.
pub(crate) fn latency(dice: &mut Dice, most: Duration) -> Duration {
    let drawn = up_to(dice, most);
    if dice.coin() { Duration::ZERO } else { drawn }
}

/// Between a half and all of it.
pub(crate) fn most_of(dice: &mut Dice, pause: Duration) -> Duration {
    pause / 2 + up_to(dice, pause / 2)
}

fn up_to(dice: &mut Dice, most: Duration) -> Duration {
    Duration::from_micros(dice.up_to(u64::try_from(most.as_micros()).unwrap_or(u64::MAX)))
}
