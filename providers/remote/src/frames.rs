//! A byte stream as frames: the reading half bounds what it takes, the writing half buffers
//! without ever making the one who writes wait. Not here: what is in a frame (`wire`).
//!
//! A frame is its length, four bytes with the highest first, and so many bytes.

use crate::wire::GREETING_BYTES;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use duroxide_provider::env::Stream;
use futures_util::SinkExt;
use std::io;
use tokio::io::{ReadHalf, WriteHalf};
use tokio_util::codec::{Decoder, Encoder, FramedRead, FramedWrite};

/// Bytes of the length in front of a frame.
const HEAD_BYTES: usize = size_of::<u32>();

/// The frames that come.
pub(crate) type Reader = FramedRead<ReadHalf<Box<dyn Stream>>, Frames>;

/// Both halves. Frames that come are bounded as those of a stranger, until
/// [`trust`] says otherwise.
pub(crate) fn split(stream: Box<dyn Stream>) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(stream);
    let mut framed = FramedWrite::new(write, Frames::up_to(u32::MAX as usize));
    framed.set_backpressure_boundary(usize::MAX);
    (FramedRead::new(read, Frames::up_to(GREETING_BYTES)), Writer { framed, unsent: 0, bytes: 0 })
}

/// Take frames up to this size from now on.
pub(crate) fn trust(reader: &mut Reader, max_frame: usize) {
    *reader.decoder_mut() = Frames::up_to(max_frame);
}

/// The codec. A frame above the bound is an error before its body is read, and room for a
/// body is made as its bytes come, not as they are announced.
#[derive(Debug)]
pub(crate) struct Frames {
    most: usize,
}

impl Frames {
    /// Frames of at most so many bytes.
    pub(crate) fn up_to(most: usize) -> Self {
        Self { most }
    }

    fn check(&self, length: usize) -> io::Result<()> {
        if length <= self.most {
            return Ok(());
        }
        let message = format!("a frame of {length} bytes, at most {} are taken", self.most);
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

impl Decoder for Frames {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        self.check(length)?;
        if bytes.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        bytes.advance(HEAD_BYTES);
        Ok(Some(bytes.split_to(length)))
    }
}

impl Encoder<Bytes> for Frames {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, bytes: &mut BytesMut) -> io::Result<()> {
        self.check(frame.len())?;
        bytes.reserve(HEAD_BYTES + frame.len());
        // `most` is never more than a u32 for frames that go.
        bytes.put_u32(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        bytes.put(frame);
        Ok(())
    }
}

/// The frames that go. Whoever pushes must bound how much is unsent.
pub(crate) struct Writer {
    framed: FramedWrite<WriteHalf<Box<dyn Stream>>, Frames>,
    unsent: usize,
    bytes: usize,
}

impl Writer {
    /// Queue a frame. Does not wait: the buffer has no boundary.
    pub(crate) async fn push(&mut self, frame: Bytes) -> io::Result<()> {
        self.unsent += 1;
        self.bytes += frame.len();
        self.framed.feed(frame).await
    }

    /// Frames queued since the buffer was last empty.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }

    /// Their bytes.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.bytes
    }

    /// Send what is queued. May be dropped and called again.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        SinkExt::<Bytes>::flush(&mut self.framed).await?;
        (self.unsent, self.bytes) = (0, 0);
        Ok(())
    }

    /// Send what is queued, then say that nothing follows.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        SinkExt::<Bytes>::close(&mut self.framed).await
    }
}
