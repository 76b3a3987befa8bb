//! The listener on this machine to which the browser brings the answer to a sign-in (RFC 8252 § 7.3).
//!
//! Anybody on this machine, and any page in its browser, can send it anything. What is not a GET of
//! the redirect URI with an answer in it is turned away, and never ends the wait.

mod connection;
mod head;
mod page;
mod redirect_address;
mod request;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tracing::debug;

pub use page::Page;
pub use redirect_address::RedirectAddress;
pub use request::CallbackRequest;

use connection::Expected;

/// How many connections are read at a time; the oldest goes when there is one more.
const MAX_CONNECTIONS: usize = 64;

/// How long the pause is when connections cannot be accepted, as when there are too many files.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens until it is dropped, which frees the port; a [`CallbackRequest`] can still be answered then.
#[derive(Debug)]
pub struct Callback {
    redirect_uri: String,
    expected: Expected,
    listeners: Vec<TcpListener>,
    connections: JoinSet<Option<CallbackRequest>>,
    /// Those of `connections`, the oldest first.
    order: VecDeque<AbortHandle>,
}

impl Callback {
    /// Begins to listen, on loopback alone.
    ///
    /// # Errors
    /// When the port of a configured redirect URI is not free, or there is no free port at all.
    /// The text says what to do.
    pub async fn bind(address: &RedirectAddress) -> io::Result<Self> {
        let (listeners, port) = address.listen().await?;
        Ok(Self {
            redirect_uri: address.redirect_uri(port),
            expected: Expected::new(address),
            listeners,
            connections: JoinSet::new(),
            order: VecDeque::new(),
        })
    }

    /// What to name as `redirect_uri` in the request, and to register.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The next answer, which may be to another login, or forged. Nothing is lost when the future
    /// is dropped.
    pub async fn next(&mut self) -> CallbackRequest {
        loop {
            let accepting = self.listeners.iter().map(|it| Box::pin(it.accept()));
            let accepted = tokio::select! {
                Some(read) = self.connections.join_next() => match read {
                    Ok(Some(request)) => return request,
                    Ok(None) | Err(_) => continue,
                },
                (accepted, ..) = select_all(accepting) => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.begin(stream),
                Err(error) => {
                    debug!(%error, "cannot accept a connection for the sign-in");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn begin(&mut self, stream: TcpStream) {
        self.order.retain(|connection| !connection.is_finished());
        if self.order.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let reading = connection::read(stream, self.expected.clone());
        self.order.push_back(self.connections.spawn(reading));
    }
}
