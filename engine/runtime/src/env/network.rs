//! Connections of the system's Env: TCP.

use duroxide_provider::env::{BoxFuture, Listener, Network, Stream};
use std::io;
use tokio::net::{TcpListener, TcpStream};

pub(super) struct TcpNetwork;

impl Network for TcpNetwork {
    fn connect(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let address = address.to_owned();
        Box::pin(async move { Ok(ready(TcpStream::connect(address).await?)) })
    }

    fn listen(&self, address: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        Box::pin(async move {
            let listener: Box<dyn Listener> = Box::new(Tcp(TcpListener::bind(address).await?));
            Ok(listener)
        })
    }
}

struct Tcp(TcpListener);

impl Listener for Tcp {
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (stream, _peer) = self.0.accept().await?;
            Ok(ready(stream))
        })
    }

    fn local_address(&self) -> io::Result<String> {
        Ok(self.0.local_addr()?.to_string())
    }
}

/// Requests are small and waited for: they must not wait for each other. A stream that
/// refuses the option works all the same.
fn ready(stream: TcpStream) -> Box<dyn Stream> {
    let _ = stream.set_nodelay(true);
    Box::new(stream)
}
