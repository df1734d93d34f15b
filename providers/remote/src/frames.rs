//! A byte stream as frames: the reading half bounds what it takes, the writing half buffers
//! without ever making the one who writes wait. Not here: what is in a frame (`wire`).

use crate::wire::GREETING_BYTES;
use bytes::Bytes;
use duroxide_provider::env::Stream;
use futures_util::SinkExt;
use std::io;
use tokio::io::{ReadHalf, WriteHalf};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// The frames that come.
pub(crate) type Reader = FramedRead<ReadHalf<Box<dyn Stream>>, LengthDelimitedCodec>;

/// Both halves. Frames that come are bounded as those of a stranger, until
/// [`trust`] says otherwise.
pub(crate) fn split(stream: Box<dyn Stream>) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(stream);
    let mut framed = FramedWrite::new(write, codec(u32::MAX as usize));
    framed.set_backpressure_boundary(usize::MAX);
    (FramedRead::new(read, codec(GREETING_BYTES)), Writer { framed, unsent: 0 })
}

/// Take frames up to this size from now on.
pub(crate) fn trust(reader: &mut Reader, max_frame: usize) {
    reader.decoder_mut().set_max_frame_length(max_frame);
}

/// A frame above the bound is an error that ends the connection before its body is read.
fn codec(max_frame: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(max_frame).new_codec()
}

/// The frames that go. Whoever pushes must bound how much is unsent.
pub(crate) struct Writer {
    framed: FramedWrite<WriteHalf<Box<dyn Stream>>, LengthDelimitedCodec>,
    unsent: usize,
}

impl Writer {
    /// Queue a frame. Does not wait: the buffer has no boundary.
    pub(crate) async fn push(&mut self, frame: Bytes) -> io::Result<()> {
        self.unsent += 1;
        self.framed.feed(frame).await
    }

    /// Frames queued since the buffer was last empty.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }

    /// Send what is queued. May be dropped and called again.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        SinkExt::<Bytes>::flush(&mut self.framed).await?;
        self.unsent = 0;
        Ok(())
    }

    /// Send what is queued, then say that nothing follows.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        SinkExt::<Bytes>::close(&mut self.framed).await
    }
}
