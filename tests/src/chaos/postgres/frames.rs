//! As much of the protocol from client to server as is needed to know when a write has been
//! sent whole: messages, prepared statements, and what is executed before a Sync. Not here:
//! what is done then (`proxy`).

use std::collections::BTreeMap;

/// Functions of a store that change it for good; part of the text of their statements.
const WRITES: [&str; 4] = ["commit_turn", "complete_activity", "submit", "release"];
/// A message is its type, and its length, which counts itself.
const HEAD: usize = 5;

/// What a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing that matters here.
    Other,
    /// Everything before it is to be done now, and a write is in it: which.
    WriteSent(&'static str),
}

/// The client's side of one connection.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What came, and is no whole message yet.
    rest: Vec<u8>,
    /// The first messages have no type: until the one that names the user.
    started: bool,
    /// Prepared statements: what they write.
    statements: BTreeMap<Vec<u8>, Option<&'static str>>,
    bound: Option<&'static str>,
    executed: Option<&'static str>,
}

/// What a server has said since it was sent a write: whether it did it, once that is clear.
pub(super) fn answer(mut said: &[u8]) -> Option<bool> {
    let mut done = None;
    while let Some(length) = said.get(1..HEAD) {
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize + 1;
        match said[0] {
            b'C' => done = done.or(Some(true)),
            b'E' => done = Some(false),
            // Ready for more. What comes before the end of a command belongs to an earlier one.
            b'Z' if done.is_some() => return done,
            _ => {}
        }
        said = said.get(length..)?;
    }
    None
}

impl Frames {
    /// Take what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole message, to be sent on as it is, and what it means.
    pub(super) fn next(&mut self) -> Option<(Vec<u8>, Meaning)> {
        let head = if self.started { HEAD } else { HEAD - 1 };
        let length = self.rest.get(head - 4..head)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize + head - 4;
        if self.rest.len() < length {
            return None;
        }
        let message: Vec<u8> = self.rest.drain(..length).collect();
        let meaning =
            if self.started { self.read(message[0], &message[HEAD..]) } else { Meaning::Other };
        // A major version of 3; questions for encryption have one of 1234.
        self.started |= head < HEAD && message.get(4..6) == Some(&[0, 3]);
        Some((message, meaning))
    }

    fn read(&mut self, kind: u8, body: &[u8]) -> Meaning {
        let mut texts = body.split(|byte| *byte == 0);
        let first = texts.next().unwrap_or_default();
        let second = texts.next().unwrap_or_default();
        match kind {
            b'P' => {
                let sql = String::from_utf8_lossy(second);
                let writes = WRITES.into_iter().find(|name| sql.contains(name));
                self.statements.insert(first.to_vec(), writes);
            }
            b'B' => self.bound = self.statements.get(second).copied().flatten(),
            b'E' => self.executed = self.executed.or(self.bound),
            b'S' => return self.executed.take().map_or(Meaning::Other, Meaning::WriteSent),
            _ => {}
        }
        Meaning::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32 + 4).to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    fn opening() -> Vec<u8> {
        let ssl = [8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat();
        let body = [196_608_u32.to_be_bytes().as_slice(), b"user\0me\0\0"].concat();
        [ssl.as_slice(), &(body.len() as u32 + 4).to_be_bytes(), &body].concat()
    }

    fn meanings(frames: &mut Frames) -> Vec<Meaning> {
        std::iter::from_fn(|| frames.next()).map(|(_, meaning)| meaning).collect()
    }

    #[test]
    fn a_write_is_sent_with_the_sync_after_its_execute_and_a_read_never_is() {
        let mut frames = Frames::default();
        frames.push(&opening());
        assert_eq!(meanings(&mut frames).len(), 2);
        frames.push(&message(b'P', b"s1\0SELECT commit_turn($1)\0\0\0"));
        frames.push(&message(b'P', b"s2\0SELECT read_history($1)\0\0\0"));
        frames.push(&message(b'S', b""));
        assert!(meanings(&mut frames).iter().all(|meaning| *meaning == Meaning::Other));
        let commit = Meaning::WriteSent("commit_turn");
        for (statement, expected) in [("s1", commit), ("s2", Meaning::Other)] {
            frames.push(&message(b'B', format!("\0{statement}\0\0\0").as_bytes()));
            frames.push(&message(b'E', b"\0\0\0\0\0"));
            frames.push(&message(b'S', b""));
            assert_eq!(meanings(&mut frames), [Meaning::Other, Meaning::Other, expected]);
        }
    }

    #[test]
    fn a_write_is_done_when_its_command_is_complete_and_the_server_ready_for_more() {
        let (row, complete) = (message(b'D', b"\0\0"), message(b'C', b"SELECT 1\0"));
        let (error, ready) = (message(b'E', b"SERROR\0\0"), message(b'Z', b"I"));
        assert_eq!(answer(&[row.clone(), complete.clone()].concat()), None);
        assert_eq!(answer(&[ready.clone(), row.clone()].concat()), None);
        assert_eq!(answer(&[row.clone(), complete, ready.clone()].concat()), Some(true));
        assert_eq!(answer(&[row, error, ready].concat()), Some(false));
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let sent =
            [opening(), message(b'P', b"s\0SELECT submit()\0\0\0"), message(b'S', b"")].concat();
        let mut frames = Frames::default();
        let mut got = Vec::new();
        for byte in &sent {
            frames.push(&[*byte]);
            while let Some((message, _)) = frames.next() {
                got.extend(message);
            }
        }
        assert_eq!(got, sent);
    }
}
