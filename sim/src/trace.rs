//! The trace of a run: everything that happened, in order, as one running hash. Two
//! runs of one seed must agree on it, in one process or two. Not here: what is traced, and
//! what a reader makes of it (`report`).

use crate::sync::lock;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};
use std::sync::Mutex;
use std::time::Duration;

/// A running hash over what happened.
#[derive(Debug)]
pub(crate) struct Trace(Mutex<State>);

#[derive(Debug)]
struct State {
    hash: Sha256,
    entries: u64,
    /// The entries, for whoever reads the run or looks for the first difference of two.
    kept: Option<Vec<Entry>>,
}

/// What a call is known by, at the host that makes it and at the store alike.
pub(crate) type CallDigest = [u8; 16];

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, in virtual time.
    pub at: Duration,
    /// At which host.
    pub host: String,
    /// What.
    pub what: String,
    /// More about it: the JSON of a request or an answer, a name, or a few bytes.
    pub detail: Vec<u8>,
    /// If it is part of a call of the store: the same for all parts of that call.
    pub call: Option<[u8; 16]>,
}

/// As one line: the time in µs, the host, what happened, and more about it.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12} {} {} ", self.at.as_micros(), self.host, self.what)?;
        match std::str::from_utf8(&self.detail) {
            Ok(text) => f.write_str(text),
            Err(_) => self.detail.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl Trace {
    /// An empty trace; one that also keeps its entries if asked.
    pub(crate) fn new(keep: bool) -> Self {
        Self(Mutex::new(State { hash: Sha256::new(), entries: 0, kept: keep.then(Vec::new) }))
    }

    /// Something happened at a host, perhaps as part of a call.
    pub(crate) fn record(
        &self,
        now: Duration,
        host: &str,
        what: &str,
        detail: &[u8],
        call: Option<&CallDigest>,
    ) {
        let mut state = lock(&self.0);
        state.entries += 1;
        state.hash.update((now.as_micros() as u64).to_le_bytes());
        for part in [host.as_bytes(), what.as_bytes(), detail] {
            state.hash.update((part.len() as u64).to_le_bytes());
            state.hash.update(part);
        }
        let entry = || Entry {
            at: now,
            host: host.to_owned(),
            what: what.to_owned(),
            detail: detail.to_vec(),
            call: call.copied(),
        };
        if let Some(kept) = &mut state.kept {
            kept.push(entry());
        }
    }

    /// Something that follows from the plan and what is recorded: kept for readers, and no
    /// part of the hash.
    pub(crate) fn note(&self, now: Duration, host: &str, what: &str, detail: impl Fn() -> Vec<u8>) {
        if let Some(kept) = &mut lock(&self.0).kept {
            let (host, what) = (host.to_owned(), what.to_owned());
            kept.push(Entry { at: now, host, what, detail: detail(), call: None });
        }
    }

    /// The hash so far, in hexadecimal, how many entries it covers, and what was kept.
    pub(crate) fn finish(&self) -> (String, u64, Vec<Entry>) {
        let mut state = lock(&self.0);
        let digest = state.hash.clone().finalize();
        let mut hash = String::with_capacity(64);
        for byte in digest {
            let _ = write!(hash, "{byte:02x}");
        }
        (hash, state.entries, state.kept.take().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;
    use std::time::Duration;

    #[test]
    fn the_hash_covers_time_host_kind_detail_and_order() {
        let hash = |entries: &[(u64, &str, &str, &[u8])]| {
            let trace = Trace::new(false);
            for (ms, host, what, detail) in entries {
                trace.record(Duration::from_millis(*ms), host, what, detail, None);
            }
            trace.finish().0
        };
        let base = hash(&[(1, "a", "x", b"1"), (2, "b", "y", b"2")]);
        assert_eq!(base, hash(&[(1, "a", "x", b"1"), (2, "b", "y", b"2")]));
        assert_ne!(base, hash(&[(2, "b", "y", b"2"), (1, "a", "x", b"1")]));
        assert_ne!(base, hash(&[(1, "a", "x", b"1"), (3, "b", "y", b"2")]));
        assert_ne!(base, hash(&[(1, "a", "x", b"1"), (2, "b", "y", b"3")]));
        assert_ne!(base, hash(&[(1, "ax", "", b"1"), (2, "b", "y", b"2")]));
    }

    #[test]
    fn notes_and_calls_are_kept_and_no_part_of_the_hash() {
        let (plain, kept) = (Trace::new(false), Trace::new(true));
        let now = Duration::from_micros(7);
        plain.record(now, "a", "calls", b"{}", None);
        kept.record(now, "a", "calls", b"{}", Some(&[1; 16]));
        for trace in [&plain, &kept] {
            trace.note(now, "a", "struck", || b"kill".to_vec());
        }
        let ((hash, entries, none), (same, as_many, both)) = (plain.finish(), kept.finish());
        assert_eq!((hash, entries), (same, as_many));
        assert!(none.is_empty());
        assert_eq!(both[0].call, Some([1; 16]));
        assert_eq!(both[1].to_string(), "           7 a struck kill");
    }
}
