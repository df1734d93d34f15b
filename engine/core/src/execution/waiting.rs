//! What an execution waits on, in a phrase for people. Not here: what a program may rely
//! on; the wording may change.

use super::{Execution, OpenLeaf};
use crate::{Channel, TimeMs};

/// Leaves that are named; of the others only their number is told.
const NAMED: usize = 3;
/// Bytes of a phrase.
const MAX_BYTES: usize = 300;

impl Execution {
    /// The phrase; `None` when nothing is open or it has ended.
    pub(super) fn waiting(&self) -> Option<String> {
        if self.ended || self.open.is_empty() {
            return None;
        }
        let named: Vec<String> = self.open.values().take(NAMED).map(phrase).collect();
        let mut text = named.join(", ");
        let more = self.open.len() - named.len();
        if more > 0 {
            text = format!("{text} and {more} more");
        }
        if text.len() > MAX_BYTES {
            text.truncate(text.floor_char_boundary(MAX_BYTES - '…'.len_utf8()));
            text.push('…');
        }
        Some(text)
    }
}

fn phrase(leaf: &OpenLeaf) -> String {
    match leaf {
        OpenLeaf::Activity { name } => format!("activity '{name}'"),
        OpenLeaf::Timer { fire_at, what: None } => format!("timer until {}", iso(*fire_at)),
        OpenLeaf::Timer { fire_at, what: Some(what) } => format!("{what} at {}", iso(*fire_at)),
        OpenLeaf::Mail(mail) => match mail.channel {
            Channel::Event => format!("event '{}'", mail.name),
            Channel::Queue => format!("queue '{}'", mail.name),
        },
        OpenLeaf::Child { name, instance } => format!("orchestration '{name}' ({instance})"),
    }
}

/// As ISO 8601, in UTC. The date is Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn iso(time: TimeMs) -> String {
    let (ms, seconds) = (time.0 % 1_000, time.0 / 1_000);
    let (second, minute, hour) = (seconds % 60, seconds / 60 % 60, seconds / 3_600 % 24);
    let days = seconds / 86_400 + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}
