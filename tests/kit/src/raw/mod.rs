//! An HTTP/1.1 server whose replies are exact bytes.
//!
//! A handler gets each [`Request`] whole and returns the bytes for the socket, including replies that
//! break off. The server records every request, and every client that disconnected before its reply was
//! complete. Tests can wait for both.

mod connection;
mod door;
mod reply;
mod request;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use door::Entry;
pub use reply::{Reply, event};
pub use request::Request;

use super::{Endpoint, within};
use connection::{Io, serve};
use door::Door;

/// The handler of the requests of a server.
pub type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Reply> + Send + Sync>;

/// A function of a test that answers requests instead of a server.
pub(super) type Intercept = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// The requests and connections of a server so far.
#[derive(Default)]
pub(super) struct Log {
    requests: Vec<Request>,
    disconnects: Vec<Request>,
    connections: usize,
}

/// A running server, stopped on drop.
pub struct Server {
    address: SocketAddr,
    /// Never listens. Reserves the port of a stopped server until it starts again: the system could give the
    /// port to another connection.
    _reserved: Option<TcpSocket>,
    scheme: &'static str,
    door: Door,
    log: Arc<watch::Sender<Log>>,
    disconnects_taken: AtomicUsize,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Starts a server on a free port of the loopback interface.
pub fn server<F, R>(handler: F) -> Server
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    server_at((Ipv4Addr::LOCALHOST, 0).into(), handler)
}

/// Starts a server on `address`, the address of a stopped server.
pub fn server_at<F, R>(address: SocketAddr, handler: F) -> Server
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    start(address, None, handler_of(handler))
}

/// Converts a closure to a [`Handler`].
pub fn handler_of<F, R>(handler: F) -> Handler
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    Arc::new(move |request| Box::pin(handler(request)))
}

pub(super) fn start(address: SocketAddr, tls: Option<TlsAcceptor>, handler: Handler) -> Server {
    let socket = bind(address);
    let address = socket.local_addr().unwrap();
    let listener = socket.listen(1024).unwrap();
    let server = Server {
        address,
        _reserved: cfg!(unix).then(|| bind(address)),
        scheme: if tls.is_some() { "https" } else { "http" },
        door: Door::default(),
        log: Arc::new(watch::Sender::new(Log::default())),
        disconnects_taken: AtomicUsize::new(0),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };
    let (stop, tasks, log, door) = (
        server.stop.clone(),
        server.tasks.clone(),
        server.log.clone(),
        server.door.clone(),
    );
    server.tasks.spawn(async move {
        while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
            log.send_modify(|log| log.connections += 1);
            let (handler, log, tls) = (handler.clone(), log.clone(), tls.clone());
            let (stop, way_in) = (stop.clone(), door.enter());
            tasks.spawn(async move {
                let io = accepted(stream, tls);
                let Some(Some(io)) = stop.run_until_cancelled(io).await else {
                    return;
                };
                stop.run_until_cancelled(serve(io, &handler, &log, way_in))
                    .await;
            });
        }
    });
    server
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.unwrap();
    #[cfg(unix)]
    {
        socket.set_reuseaddr(true).unwrap();
        socket.set_reuseport(true).unwrap();
    }
    socket.bind(address).unwrap();
    socket
}

/// Returns the connection, with TLS if configured. A client that does not trust the certificate ends the
/// handshake without a request.
async fn accepted(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Box<dyn Io>> {
    stream.set_nodelay(true).unwrap();
    match tls {
        None => Some(Box::new(stream)),
        Some(tls) => Some(Box::new(tls.accept(stream).await.ok()?)),
    }
}

impl Endpoint for Server {
    fn url(&self) -> String {
        self.url_of("/mcp")
    }
}

impl Server {
    /// Returns the URL of `path` on this server.
    pub fn url_of(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the complete requests so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.log.borrow().requests.clone()
    }

    /// Returns the number of accepted connections so far.
    pub fn connections(&self) -> usize {
        self.log.borrow().connections
    }

    /// Waits for the first request that `is_expected` accepts, including past ones.
    pub async fn wait_for(&self, is_expected: impl Fn(&Request) -> bool) -> Request {
        self.wait_for_count(1, is_expected).await.remove(0)
    }

    /// Waits until `is_expected` has accepted `count` requests, including past ones.
    pub async fn wait_for_count(
        &self,
        count: usize,
        is_expected: impl Fn(&Request) -> bool,
    ) -> Vec<Request> {
        let enough = |log: &Log| log.requests.iter().filter(|r| is_expected(r)).count() >= count;
        let log = &mut self.log.subscribe();
        let log = within("a request to the raw server", log.wait_for(enough)).await;
        let log = log.unwrap();
        log.requests
            .iter()
            .filter(|r| is_expected(r))
            .cloned()
            .collect()
    }

    /// Waits for the next client that disconnects before its reply is complete. Returns its request.
    pub async fn wait_for_disconnect(&self) -> Request {
        let index = self.disconnects_taken.fetch_add(1, Ordering::Relaxed);
        let log = &mut self.log.subscribe();
        let log = log.wait_for(|log| log.disconnects.len() > index);
        let log = within("a client to close its connection", log).await;
        log.unwrap().disconnects[index].clone()
    }

    /// Returns the requests whose clients disconnected before the reply was complete.
    pub fn disconnects(&self) -> Vec<Request> {
        self.log.borrow().disconnects.clone()
    }

    /// Waits until `until` returns `true`; it is checked after each event of the server.
    pub async fn wait_until(&self, what: &str, until: impl Fn() -> bool) {
        let log = &mut self.log.subscribe();
        let wait = log.wait_for(|_| until());
        within(what, wait).await.unwrap();
    }

    /// Sets how all connections are handled, existing and new ones.
    pub fn door(&self, entry: Entry) {
        self.door.set(entry);
    }

    /// Resets the existing connections.
    pub fn reset_connections(&self) {
        self.door.reset();
    }

    /// Stops reading and writing on the existing connections without closing them, like a router that has lost
    /// its state. New connections are served.
    pub fn forget_connections(&self) {
        self.door.forget();
    }

    /// Closes the port and every connection. From then on connections are refused.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        within("the raw server to stop", self.tasks.wait()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
