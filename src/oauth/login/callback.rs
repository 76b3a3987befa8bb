//! The loopback listener for authorization responses (RFC 8252 § 7.3).
//!
//! Any program on this machine and any page in its browser can send a request. Only a GET of the
//! redirect URI with an authorization response is accepted. Any other request is rejected, and
//! never ends the wait.

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

use connection::ExpectedRequest;

/// The most connections read at a time; one more aborts the oldest.
const MAX_CONNECTIONS: usize = 64;

/// The delay after a failed accept, such as with too many open files.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Listens until dropped, which frees the port. A [`CallbackRequest`] can still be answered
/// afterwards.
#[derive(Debug)]
pub struct CallbackListener {
    redirect_uri: String,
    expected: ExpectedRequest,
    listeners: Vec<TcpListener>,
    connections: JoinSet<Option<CallbackRequest>>,
    /// The tasks of `connections`, the oldest first.
    by_age: VecDeque<AbortHandle>,
}

impl CallbackListener {
    /// Starts listening, on loopback only.
    ///
    /// # Errors
    /// Fails if the port of a configured redirect URI is taken, or no port is free. The text names
    /// the remedy.
    pub async fn bind(address: &RedirectAddress) -> io::Result<Self> {
        let (listeners, port) = address.listen().await?;
        Ok(Self {
            redirect_uri: address.redirect_uri(port),
            expected: ExpectedRequest::new(address),
            listeners,
            connections: JoinSet::new(),
            by_age: VecDeque::new(),
        })
    }

    /// Returns the `redirect_uri` for the authorization request and the registration.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Returns the next authorization response, which may be for another login, or forged.
    /// Cancel-safe.
    pub async fn next_request(&mut self) -> CallbackRequest {
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
                Ok((stream, _)) => self.spawn_reader(stream),
                Err(error) => {
                    debug!(%error, "accepting a callback connection failed");
                    sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }

    fn spawn_reader(&mut self, stream: TcpStream) {
        self.by_age.retain(|connection| !connection.is_finished());
        if self.by_age.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.by_age.pop_front()
        {
            oldest.abort();
        }
        let reading = connection::read(stream, self.expected.clone());
        self.by_age.push_back(self.connections.spawn(reading));
    }
}
