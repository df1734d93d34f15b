//! Inputs, results and event data: bytes with an encoding tag, opaque to core and
//! providers. Not here: any codec; the SDK and the binding encode and decode.

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How the bytes of a [`Payload`] are to be read. `JSON` is what every SDK speaks;
/// other numbers are free for codecs (compression, encryption) around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoding(pub u8);

impl Encoding {
    /// UTF-8 JSON text.
    pub const JSON: Self = Self(0);
}

/// A user's value, encoded once and carried untouched.
///
/// ```
/// use duroxide_core::Payload;
/// let p = Payload::json(r#"{"name":"World"}"#);
/// assert_eq!(p.as_json(), Some(r#"{"name":"World"}"#));
/// assert_eq!(Payload::null().as_json(), Some("null"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload {
    encoding: Encoding,
    bytes: Arc<[u8]>,
}

impl Payload {
    /// Text that is already JSON.
    pub fn json(text: impl AsRef<str>) -> Self {
        Self::new(Encoding::JSON, text.as_ref().as_bytes())
    }

    /// JSON `null`: what an absent value arrives as.
    pub fn null() -> Self {
        Self::json("null")
    }

    /// Bytes of any encoding.
    pub fn new(encoding: Encoding, bytes: &[u8]) -> Self {
        Self { encoding, bytes: Arc::from(bytes) }
    }

    /// How to read [`bytes`](Self::bytes).
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The encoded value.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Size in bytes, as limits count it.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes at all (JSON never is).
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The JSON text, if that is what this is.
    pub fn as_json(&self) -> Option<&str> {
        if self.encoding == Encoding::JSON { std::str::from_utf8(&self.bytes).ok() } else { None }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_json() {
            Some(text) => f.write_str(text),
            None => write!(f, "<{} bytes, encoding {}>", self.bytes.len(), self.encoding.0),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire<'a> {
    Json(#[serde(borrow)] std::borrow::Cow<'a, str>),
    Other { encoding: Encoding, base64: String },
}

impl Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.as_json() {
            Some(text) => s.serialize_str(text),
            None => Wire::Other {
                encoding: self.encoding,
                base64: base64::engine::general_purpose::STANDARD.encode(&self.bytes),
            }
            .serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Wire::deserialize(d)? {
            Wire::Json(text) => Ok(Self::json(text)),
            Wire::Other { encoding, base64 } => base64::engine::general_purpose::STANDARD
                .decode(base64)
                .map(|bytes| Self::new(encoding, &bytes))
                .map_err(serde::de::Error::custom),
        }
    }
}
