//! The trace of a run: everything that happened, in order, as one running hash. Two
//! runs of one seed must agree on it, in one process or two. Not here: what is traced.

use crate::sync::lock;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

/// A running hash over what happened.
#[derive(Debug)]
pub(crate) struct Trace(Mutex<State>);

#[derive(Debug)]
struct State {
    hash: Sha256,
    entries: u64,
    /// The entries as text, for whoever looks for the first difference of two runs.
    lines: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace; one that also keeps its entries as text if asked.
    pub(crate) fn new(keep_lines: bool) -> Self {
        Self(Mutex::new(State {
            hash: Sha256::new(),
            entries: 0,
            lines: keep_lines.then(Vec::new),
        }))
    }

    /// Something happened at a host.
    pub(crate) fn record(&self, now: Duration, host: &str, what: &str, detail: &[u8]) {
        let mut state = lock(&self.0);
        state.entries += 1;
        state.hash.update((now.as_micros() as u64).to_le_bytes());
        for part in [host.as_bytes(), what.as_bytes(), detail] {
            state.hash.update((part.len() as u64).to_le_bytes());
            state.hash.update(part);
        }
        if let Some(lines) = &mut state.lines {
            let mut line = format!("{:>12} {host} {what} ", now.as_micros());
            match std::str::from_utf8(detail) {
                Ok(text) => line.push_str(text),
                Err(_) => detail.iter().for_each(|byte| {
                    let _ = write!(line, "{byte:02x}");
                }),
            }
            lines.push(line);
        }
    }

    /// The hash so far, in hexadecimal, how many entries it covers, and the lines kept.
    pub(crate) fn finish(&self) -> (String, u64, Vec<String>) {
        let mut state = lock(&self.0);
        let digest = state.hash.clone().finalize();
        let mut hash = String::with_capacity(64);
        for byte in digest {
            let _ = write!(hash, "{byte:02x}");
        }
        (hash, state.entries, state.lines.take().unwrap_or_default())
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
                trace.record(Duration::from_millis(*ms), host, what, detail);
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
}
