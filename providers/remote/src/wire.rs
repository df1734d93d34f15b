//! What crosses the wire: frames, their bounds, and their JSON. Not here: when they are sent.

use bytes::Bytes;
use duroxide_core::Limits;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version of what crosses the wire. Both sides must speak the same one.
pub const PROTOCOL: u32 = 2;

/// The largest frame taken from, or given to, a peer that has not shown its token.
pub(crate) const GREETING_BYTES: usize = 4 << 10;

/// The largest frame once it has, unless the options say otherwise: room for the largest
/// payload even when every byte of it has to be escaped.
pub(crate) const DEFAULT_FRAME_BYTES: usize = 128 << 20;

/// A frame from client to server.
#[derive(Serialize, Deserialize)]
pub(crate) enum ToServer<C> {
    /// The first frame, and only that.
    Hello(Hello),
    /// Do something.
    Call { id: u64, call: C },
    /// Nobody waits for this long poll any more.
    Withdraw { id: u64 },
}

impl<C> ToServer<C> {
    /// The same, with another form of the call.
    pub(crate) fn map<D>(self, into: impl FnOnce(C) -> D) -> ToServer<D> {
        match self {
            Self::Hello(hello) => ToServer::Hello(hello),
            Self::Call { id, call } => ToServer::Call { id, call: into(call) },
            Self::Withdraw { id } => ToServer::Withdraw { id },
        }
    }
}

/// A frame whose call is left as it came.
pub(crate) type Sealed<'a> = ToServer<&'a RawValue>;

/// How a client introduces itself. Fields may be added, never changed: an older server must
/// be able to read it and say that the versions differ.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) token: String,
    /// The largest frame the client takes.
    pub(crate) max_frame: usize,
}

/// A frame from server to client.
#[derive(Serialize, Deserialize)]
pub(crate) enum ToClient<'a> {
    /// The answer to a hello.
    Welcome(Welcome),
    /// The other answer to a hello, with the reason; the server closes behind it.
    Refused(String),
    /// The answer to the call of this id: the `Result` of the method.
    Answer {
        id: u64,
        #[serde(borrow)]
        answer: &'a RawValue,
    },
}

/// What a client learns from the server before its first call.
#[derive(Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// The largest frame the server takes.
    pub(crate) max_frame: usize,
    /// Of the store.
    pub(crate) limits: Limits,
    /// The store was opened only to be read.
    pub(crate) read_only: bool,
}

/// A frame's bytes.
pub(crate) fn encode<T: Serialize>(frame: &T) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(frame).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duroxide_core::Undecodable;

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        for frame in [
            r#"{"Hello":{"protocol":"hunter2","token":"hunter2","max_frame":1}}"#,
            r#"{"hunter2":{}}"#,
            r#"{"Call":{"id":"hunter2","call":1}}"#,
            "hunter2",
            r#"{"Hello":{"token":"hunter2"#,
        ] {
            let error = serde_json::from_str::<Sealed<'_>>(frame).err().unwrap();
            let said = Undecodable::from(error);
            assert!(!format!("{said} {said:?}").contains("hunter2"), "{said}");
        }
    }
}
