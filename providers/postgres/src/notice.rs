//! What one handle tells the others, as it travels: `announce|due|hash hash …`, with `*` for
//! every instance. A notice is a hint: whoever gets one looks into the store.

use crate::wake::Effects;
use duroxide_core::TimeMs;
use duroxide_provider::InstanceKey;
use std::collections::BTreeSet;
use std::fmt;

/// More instances than this are "all". The server carries 8 000 bytes.
const NAMED: usize = 256;

/// News for those who wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// There is work, or something for a holder.
    pub(crate) announce: bool,
    /// There will be at this time, on the store's clock.
    pub(crate) due: Option<u64>,
    /// Hashes of instances whose revision changed.
    pub(crate) touched: BTreeSet<u64>,
    /// Any instance may have changed.
    pub(crate) touched_all: bool,
}

impl Notice {
    /// What a call brought about, the store's clock standing at `now`.
    pub(crate) fn of(effects: &Effects, now: TimeMs) -> Self {
        let overdue = effects.due.is_some_and(|due| due <= now);
        let mut notice = Self {
            announce: effects.announce || overdue,
            due: effects.due.map(|due| due.0),
            touched: effects.touched.iter().map(Self::hash).collect(),
            touched_all: false,
        };
        notice.cap();
        notice
    }

    /// Anything may have happened.
    pub(crate) fn anything() -> Self {
        Self { announce: true, touched_all: true, ..Self::default() }
    }

    /// There is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Say both in one.
    pub(crate) fn add(&mut self, other: Self) {
        self.announce |= other.announce;
        self.due = self.due.into_iter().chain(other.due).min();
        self.touched.extend(other.touched);
        self.touched_all |= other.touched_all;
        self.cap();
    }

    fn cap(&mut self) {
        if self.touched.len() > NAMED {
            self.touched_all = true;
        }
        if self.touched_all {
            self.touched.clear();
        }
    }

    /// The same for one key in every process and build. Two keys that share one wake each
    /// other for nothing, no more.
    pub(crate) fn hash(key: &InstanceKey) -> u64 {
        let bytes = key.namespace.0.bytes().chain([0]).chain(key.id.as_str().bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// What another handle sent. What cannot be read, from a newer build say, may mean anything.
    pub(crate) fn parse(text: &str) -> Self {
        Self::read(text).unwrap_or_else(Self::anything)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let announce = parts.next()? == "1";
        let due = match parts.next()? {
            "" => None,
            due => Some(due.parse().ok()?),
        };
        let touched = parts.next()?;
        if parts.next().is_some() {
            return None;
        }
        if touched == "*" {
            return Some(Self { announce, due, touched: BTreeSet::new(), touched_all: true });
        }
        let hashes = touched.split(' ').filter(|hash| !hash.is_empty());
        let touched = hashes.map(|hash| u64::from_str_radix(hash, 16)).collect::<Result<_, _>>();
        Some(Self { announce, due, touched: touched.ok()?, touched_all: false })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|", u8::from(self.announce))?;
        if let Some(due) = self.due {
            write!(f, "{due}")?;
        }
        f.write_str("|")?;
        if self.touched_all {
            return f.write_str("*");
        }
        for (index, hash) in self.touched.iter().enumerate() {
            write!(f, "{}{hash:x}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(touched: impl IntoIterator<Item = u64>) -> Notice {
        Notice {
            announce: true,
            due: Some(7),
            touched: touched.into_iter().collect(),
            touched_all: false,
        }
    }

    #[test]
    fn a_notice_is_read_as_it_was_written() {
        for said in [
            notice([]),
            notice([1, u64::MAX]),
            Notice { touched_all: true, ..notice([]) },
            Notice { announce: false, due: None, ..notice([3]) },
        ] {
            assert_eq!(Notice::parse(&said.to_string()), said);
        }
    }

    #[test]
    fn the_longest_notice_fits_and_more_instances_are_all_of_them() {
        let mut most = notice((0..NAMED as u64).map(|n| u64::MAX - n));
        most.due = Some(u64::MAX);
        assert!(most.to_string().len() < 8_000, "{}", most.to_string().len());
        most.add(notice([1]));
        assert!(most.touched_all && most.touched.is_empty());
    }

    #[test]
    fn what_cannot_be_read_means_anything() {
        for text in ["", "1", "1|x|", "1||zz", "1|2|3|4"] {
            let read = Notice::parse(text);
            assert!(read.announce && read.touched_all, "{text}");
        }
    }

    #[test]
    fn names_do_not_run_into_one_another() {
        let key = |ns: &str, id: &str| InstanceKey {
            namespace: duroxide_provider::Namespace(ns.to_owned()),
            id: id.into(),
        };
        assert_ne!(Notice::hash(&key("a", "b")), Notice::hash(&key("", "ab")));
        assert_ne!(Notice::hash(&key("ab", "")), Notice::hash(&key("", "ab")));
    }
}
