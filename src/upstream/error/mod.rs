//! What can go wrong with an upstream, and what the caller may conclude from it.

pub mod code;
pub(crate) mod reported;
pub(crate) mod retry_time;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::StatusCode;

use crate::net::error_chain;
use crate::oauth::SignInError;
use retry_time::{NextAttempt, whole_seconds};

/// The fewest bytes of an answer that must arrive within each `timeout`, once it has begun and until it
/// is complete. With the default timeout that is 3 bytes a second: less than any usable link has, and far
/// more than the byte now and then that keeps a stalled connection open.
pub(crate) const MIN_THROUGHPUT: usize = 1024;

/// Whether a request that failed may have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream did not process it: sending it again does nothing twice.
    NotRun,
    /// The request was handed over; whether it ran is unknown.
    Unknown,
}

/// Why a request got no answer. The texts name the remedy after a semicolon.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// No connection could be made: refused, unresolvable, TLS, timed out.
    #[error("cannot connect: {0}; is its url right and the server running?")]
    Connect(String),
    /// The server's certificate was not accepted.
    #[error("cannot connect: {0}; if a company's CA signs it, name its PEM file in SSL_CERT_FILE")]
    Certificate(String),
    /// The answer did not begin in time.
    #[error(
        "no answer has begun for {} s; raise its `first_byte_timeout` if it needs longer",
        .0.as_secs_f64()
    )]
    FirstByteTimeout(Duration),
    /// The upstream was silent for too long.
    #[error("no sign of life for {} s; raise its `timeout` if it needs longer", .0.as_secs_f64())]
    IdleTimeout(Duration),
    /// The answer arrives too slowly ever to end.
    #[error(
        "less than {MIN_THROUGHPUT} bytes of its answer came in {} s; raise its `timeout` if it needs longer",
        .0.as_secs_f64()
    )]
    TooSlow(Duration),
    /// The server sent nothing during the handshake.
    #[error("it said nothing for {} s; is there an MCP server behind its url?", .0.as_secs_f64())]
    HandshakeTimeout(Duration),
    /// The connection broke after the request was sent.
    #[error("lost the connection before the answer: {0}")]
    Interrupted(String),
    /// The event stream ended in good order before the answer.
    #[error("its event stream ended before the answer")]
    StreamEnded,
    /// An HTTP status that is no success, without a JSON-RPC message in the body.
    #[error("HTTP {status}{detail}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The start of the body, or what to do, with the punctuation before it.
        detail: String,
        /// When to retry, if the server rejected the request with `Retry-After`
        /// (429 and 503, RFC 6585 § 4 and RFC 9110 § 15.6.4).
        retry_after: Option<Duration>,
    },
    /// 401: the server requires credentials, or rejected those that were sent.
    #[error("it asks for credentials (HTTP 401); put a token into its `headers`")]
    CredentialsRequired,
    /// The server requires a sign-in, or a better one.
    #[error("{0}")]
    SignIn(SignInError),
    /// The upstream has forgotten our session.
    #[error("its session expired; try again")]
    SessionExpired,
    /// The answer is not of a type that MCP has.
    #[error("it answered with {0} instead of JSON; is its url the MCP endpoint?")]
    ContentType(String),
    /// The answer is not JSON, or no JSON-RPC message.
    #[error("its answer is broken: {0}")]
    Malformed(String),
    /// 202 Accepted, or an empty body, where an answer was due.
    #[error("it accepted the request (HTTP {0}) and sent no answer")]
    NoResponse(StatusCode),
    /// The answer names another request.
    #[error("it answered another request (id {found} instead of {expected})")]
    WrongId {
        /// The id that we sent.
        expected: String,
        /// The id that came back.
        found: String,
    },
    /// Error -32020, also after the tools were listed again.
    #[error(
        "it refuses the headers made from the arguments (error -32020); report it to who runs it"
    )]
    HeaderMismatch,
    /// A message exceeds the limit.
    #[error("its answer exceeds {0} bytes; raise PROXY_MAX_MESSAGE_BYTES to let it pass")]
    TooLarge(usize),
    /// The server redirects to another origin, or again and again.
    #[error(
        "it redirects to {0}, where its credentials must not go; configure that url if it is meant"
    )]
    Redirect(String),
    /// The server speaks no revision of MCP that we know, or broke the handshake.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// The upstream runs the request as a task that cannot be followed any more.
    #[error("it runs this as a task, which is lost: {0}")]
    TaskLost(String),
    /// The upstream ran the request as a task that ended without a result.
    #[error("it ran this as a task, which {0}")]
    TaskEnded(String),
    /// The upstream's concurrency limit and the queue for it are exhausted.
    #[error(
        "{running} calls run there and {waiting} wait; wait for some of them, or raise its \
         `max_calls` or PROXY_QUEUED_CALLS"
    )]
    Busy {
        /// How many run.
        running: usize,
        /// How many wait for their turn.
        waiting: usize,
    },
    /// No connection was made in the time that a call can wait.
    #[error("not connected within {} s", .0.as_secs_f64())]
    ConnectWaitElapsed(Duration),
    /// There is no connection to send the request on.
    #[error("{cause} ({})", NextAttempt(*.retry_in))]
    Disconnected {
        /// Why the last attempt to connect failed.
        cause: Box<TransportError>,
        /// In how long the next attempt can be made; `None` while one is under way.
        retry_in: Option<Duration>,
    },
    /// The new configuration does not name the upstream.
    #[error("it is no longer configured")]
    NotConfigured,
    /// The proxy is shutting down.
    #[error("the proxy is shutting down")]
    ShuttingDown,
}

impl TransportError {
    /// Returns the error for a request of our own that the server asked to send later.
    pub(crate) fn retry_later(wait: Duration) -> Self {
        Self::Status {
            status: StatusCode::TOO_MANY_REQUESTS,
            detail: format!("; try again in {} s", whole_seconds(wait)),
            retry_after: Some(wait),
        }
    }

    /// Classifies an error of the HTTP client, which gives a connection this long; the system may give less.
    pub(crate) fn from_http(error: reqwest::Error, connect_timeout: Duration) -> Self {
        let (connect, timeout) = (error.is_connect(), error.is_timeout());
        let text = error_chain(&error.without_url());
        match () {
            () if connect && text.contains("certificate") => Self::Certificate(text),
            () if connect && timeout && !text.contains("os error") => Self::Connect(format!(
                "no connection within {} s, for which PROXY_CONNECT_TIMEOUT may be raised",
                connect_timeout.as_secs_f64()
            )),
            () if connect => Self::Connect(text),
            // Also when the system gives up a connection on which the request was sent.
            () => Self::Interrupted(text),
        }
    }

    /// Returns the same error for a request that has begun to run: its outcome is unknown.
    #[must_use]
    pub fn with_unknown_outcome(self) -> Self {
        match self.outcome() {
            Outcome::NotRun => Self::Interrupted(self.to_string()),
            Outcome::Unknown => self,
        }
    }

    /// Returns whether the request may have had an effect.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Connect(_)
            | Self::Certificate(_)
            | Self::CredentialsRequired
            | Self::SignIn(_)
            | Self::SessionExpired
            | Self::Redirect(_)
            | Self::HeaderMismatch
            | Self::Handshake(_)
            | Self::ConnectWaitElapsed(_)
            | Self::Disconnected { .. }
            | Self::HandshakeTimeout(_)
            | Self::Busy { .. }
            | Self::NotConfigured
            | Self::ShuttingDown => Outcome::NotRun,
            Self::Status {
                status,
                retry_after,
                ..
            } if retry_after.is_some() || status.is_client_error() => Outcome::NotRun,
            _ => Outcome::Unknown,
        }
    }

    /// Returns `true` if the upstream was silent, or nearly so, for too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::FirstByteTimeout(_) | Self::IdleTimeout(_) | Self::TooSlow(_)
        )
    }

    /// Returns `true` if the connection broke under the request, so that an idempotent one may be repeated.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted(_) | Self::StreamEnded)
    }

    /// Returns `true` if a later retry may help: the upstream is disconnected, or busy.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::FirstByteTimeout(_)
            | Self::IdleTimeout(_)
            | Self::TooSlow(_)
            | Self::HandshakeTimeout(_)
            | Self::Interrupted(_)
            | Self::StreamEnded
            | Self::SessionExpired
            | Self::NoResponse(_)
            | Self::Handshake(_)
            | Self::Busy { .. }
            | Self::ConnectWaitElapsed(_) => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Disconnected { cause, .. } => cause.is_transient(),
            Self::SignIn(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Returns `true` if only the user or a new configuration can help.
    #[must_use]
    pub fn requires_user_action(&self) -> bool {
        match self {
            Self::CredentialsRequired | Self::Redirect(_) | Self::Certificate(_) => true,
            Self::SignIn(error) => !error.is_transient(),
            Self::Disconnected { cause, .. } => cause.requires_user_action(),
            _ => false,
        }
    }

    /// Returns `true` if the user is signing in.
    pub(crate) fn is_signing_in(&self) -> bool {
        matches!(self, Self::SignIn(error) if error.is_waiting_for_browser())
    }

    /// Returns how long to wait before a retry, as the server asked.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns the error for a request that was not sent, since this error kept a connection from being made.
    /// The next attempt can be made in `retry_in`; `None` while one is under way.
    #[must_use]
    pub(crate) fn into_disconnected(self, retry_in: Option<Duration>) -> Self {
        // An error that requires the user says all; no later attempt helps.
        if self.requires_user_action()
            || matches!(self, Self::ShuttingDown | Self::Disconnected { .. })
        {
            return self;
        }
        let cause = Box::new(self);
        Self::Disconnected { cause, retry_in }
    }
}
