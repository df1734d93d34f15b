//! The network of one life of a host, over turmoil's TCP. Not here: partitions and
//! delays, which the driver asks of turmoil.

use crate::host::{Connected, Host};
use crate::point::Boundary;
use crate::timeline::Sleep;
use duroxide_provider::env::{BoxFuture, Listener, Network, Stream};
use std::future::Future;
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
            Ok(Box::new(HostStream::new(inner, host)) as Box<dyn Stream>)
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
            // Turmoil tells the other end at once.
            self.host.stage().stir();
            let host = Arc::clone(&self.host);
            host.gate().await;
            Ok(Box::new(HostStream::new(inner, host)) as Box<dyn Stream>)
        })
    }

    fn local_address(&self) -> io::Result<String> {
        self.inner.local_addr().map(|address| address.to_string())
    }
}

/// A connection. The kernel closes it when its process dies; what a dead process still
/// tries to write in its destructors goes nowhere, and a stopped one neither reads nor
/// writes.
struct HostStream {
    inner: TcpStream,
    host: Arc<Host>,
    connected: Connected,
    thaw: Option<Sleep>,
}

impl HostStream {
    fn new(inner: TcpStream, host: Arc<Host>) -> Self {
        Self { inner, connected: host.connected(), host, thaw: None }
    }

    /// Whether the process may touch the connection now, and whether it is whole.
    fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.host.is_alive() {
            return Poll::Pending;
        }
        let timeline = &self.host.stage().timeline;
        let thaws = self.host.thaws_at();
        if timeline.now() < thaws {
            let thaw = self.thaw.get_or_insert_with(|| timeline.sleep_until(thaws));
            ready!(Pin::new(thaw).poll(cx));
        }
        self.thaw = None;
        if self.host.is_broken(&self.connected) {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        self.connected.waker.register(cx.waker());
        Poll::Ready(Ok(()))
    }
}

impl Drop for HostStream {
    fn drop(&mut self) {
        self.host.disconnected(&self.connected);
    }
}

impl AsyncRead for HostStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_usable(cx))?;
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for HostStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_usable(cx))?;
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
