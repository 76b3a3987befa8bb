//! A TCP proxy in front of a server, which injects faults into connections with tool calls.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use testkit::Endpoint;

/// Handles a connection on which a `tools/call` has begun, and the first bytes received.
type Fault = Arc<dyn Fn(TcpStream, Vec<u8>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A running interceptor. Dropping it stops it.
pub(crate) struct Interceptor {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    _connections: JoinSet<()>,
}

impl Endpoint for Interceptor {
    fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

impl Interceptor {
    /// Starts an interceptor. It forwards everything to the modern server at `behind`, but passes tool calls to
    /// `fault`.
    pub(crate) async fn before<R>(
        behind: SocketAddr,
        fault: impl Fn(TcpStream, Vec<u8>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Future<Output = ()> + Send + 'static,
    {
        let fault: Fault =
            Arc::new(move |stream, first_bytes| Box::pin(fault(stream, first_bytes)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::<AtomicUsize>::default();
        let (counted, mut connections) = (calls.clone(), JoinSet::new());
        connections.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                served.spawn(serve(client, behind, fault.clone(), counted.clone()));
            }
        });
        Self {
            address,
            calls,
            _connections: connections,
        }
    }

    /// Returns the number of tool calls received so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn serve(mut client: TcpStream, behind: SocketAddr, fault: Fault, calls: Arc<AtomicUsize>) {
    let mut server = TcpStream::connect(behind).await.unwrap();
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let text = String::from_utf8_lossy(&up[..length]).to_ascii_lowercase();
                // The head of a request arrives in one read.
                if text.contains("\r\nmcp-method: tools/call") {
                    calls.fetch_add(1, Ordering::Relaxed);
                    return fault(client, up[..length].to_vec()).await;
                }
                server.write_all(&up[..length]).await.unwrap();
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&down[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
