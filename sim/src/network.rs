//! The network of one life of a host, over turmoil's TCP. Not here: partitions and
//! delays, which the driver asks of turmoil.

use crate::fault::Boundary;
use crate::host::Host;
use duroxide_provider::env::{BoxFuture, Listener, Network, Stream};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// Connections of a host.
pub(crate) struct HostNetwork {
    host: Arc<Host>,
}

impl HostNetwork {
    /// The network as this host sees it.
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { host }
    }
}

impl Network for HostNetwork {
    fn connect(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let address = address.to_owned();
        let host = Arc::clone(&self.host);
        Box::pin(async move {
            host.pass().await;
            host.stage().record(host.name(), "connect", address.as_bytes());
            let inner = TcpStream::connect(address).await?;
            host.stage().stir();
            Ok(Box::new(HostStream { inner, host }) as Box<dyn Stream>)
        })
    }

    fn listen(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        let host = Arc::clone(&self.host);
        Box::pin(async move {
            let inner = TcpListener::bind(address).await?;
            Ok(Box::new(HostListener { inner, host }) as Box<dyn Listener>)
        })
    }
}

struct HostListener {
    inner: TcpListener,
    host: Arc<Host>,
}

impl Listener for HostListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (inner, _) = self.inner.accept().await?;
            self.host.stage().stir();
            let host = Arc::clone(&self.host);
            Ok(Box::new(HostStream { inner, host }) as Box<dyn Stream>)
        })
    }

    fn local_address(&self) -> io::Result<String> {
        self.inner.local_addr().map(|address| address.to_string())
    }
}

/// A connection. The kernel closes it when its process dies; what a dead process still
/// tries to write in its destructors goes nowhere.
struct HostStream {
    inner: TcpStream,
    host: Arc<Host>,
}

impl AsyncRead for HostStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.host.is_alive() {
            return Poll::Pending;
        }
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        self.host.stage().stir();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HostStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.host.is_alive() {
            return Poll::Pending;
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.host.strike(Boundary::Wrote);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.host.is_alive() {
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
