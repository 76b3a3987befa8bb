//! The errors of requests to an upstream. An error says whether the request may have run, whether a retry may
//! help, and whether the user must act.

pub mod code;
pub(crate) mod http_client;
mod outcome;
pub(crate) mod reported;
pub(crate) mod retry_time;

use std::time::Duration;

use http::StatusCode;

use crate::oauth::SignInError;
pub use outcome::Outcome;
use retry_time::{NextAttempt, whole_seconds};

/// The bytes of a response that must arrive within each `timeout` until it is complete.
/// With the default timeout that is 3 bytes a second. Any usable link is faster, and a stalled connection
/// that only sends a byte now and then is slower.
pub(crate) const MIN_THROUGHPUT: usize = 1024;

/// The reason why a request got no response. Each text names the remedy after a semicolon.
///
/// [`UpstreamError`](reported::UpstreamError) puts the names of the upstream and the method before it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// No connection could be made: refused, unresolvable, TLS, timed out.
    #[error("cannot connect to the server: {0}; check its `url`, and that it is running")]
    Connect(String),
    /// The server's certificate was rejected.
    #[error(
        "cannot connect to the server: {0}; if a company's CA signed its certificate, name that CA's PEM file \
         in NODE_EXTRA_CA_CERTS"
    )]
    Certificate(String),
    /// The first byte of the response did not arrive in time.
    #[error(
        "the server did not begin to respond within {} s; raise its `first_byte_timeout` if it needs longer",
        .0.as_secs_f64()
    )]
    FirstByteTimeout(Duration),
    /// No activity within the idle timeout, after the response began.
    #[error(
        "the server gave no sign of life for {} s; raise its `timeout` if it needs longer",
        .0.as_secs_f64()
    )]
    IdleTimeout(Duration),
    /// The response arrives with less than `MIN_THROUGHPUT`.
    #[error(
        "the server sent less than {MIN_THROUGHPUT} bytes of its response in {} s; raise its `timeout` if it \
         needs longer",
        .0.as_secs_f64()
    )]
    TooSlow(Duration),
    /// The server sent nothing during the handshake.
    #[error(
        "the server did not respond to the handshake within {} s; check that its `url` is an MCP endpoint",
        .0.as_secs_f64()
    )]
    HandshakeTimeout(Duration),
    /// The server did not respond to one of the proxy's own requests, for which no option sets the time.
    #[error("the server did not respond within {} s", .0.as_secs_f64())]
    OwnRequestTimeout(Duration),
    /// The connection broke after the request was sent.
    #[error("the connection broke before the response: {0}")]
    Interrupted(String),
    /// The event stream ended without an error before the response.
    #[error("the server ended its event stream before the response")]
    StreamEnded,
    /// An HTTP status other than success, without a JSON-RPC message in the body.
    #[error("the server returned HTTP {status}{detail}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The start of the body and the remedy, each with the punctuation before it.
        detail: String,
        /// When to retry, if the server rejected the request with `Retry-After`
        /// (429 and 503, RFC 6585 § 4 and RFC 9110 § 15.6.4).
        retry_after: Option<Duration>,
    },
    /// 401: the server requires credentials, or rejected those that were sent. No sign-in is configured.
    #[error("the server requires credentials (HTTP 401); put a token into its `headers`")]
    CredentialsRequired,
    /// The server requires a sign-in, or one with more scopes.
    #[error("{0}")]
    SignIn(SignInError),
    /// The server does not know the session any more.
    #[error("the session with the server expired; try again")]
    SessionExpired,
    /// The response has a media type that MCP does not use.
    #[error(
        "the server responded with {0} instead of JSON; check that its `url` is the MCP endpoint"
    )]
    ContentType(String),
    /// The response is not JSON, or not a JSON-RPC message.
    #[error("the server sent an invalid response: {0}")]
    Malformed(String),
    /// 202 Accepted, or an empty body, to a request that requires a response.
    #[error("the server accepted the request (HTTP {0}) and sent no response")]
    NoResponse(StatusCode),
    /// The response has the id of another request.
    #[error("the server responded to another request (id {found} instead of {expected})")]
    WrongId {
        /// The id that we sent.
        expected: String,
        /// The id of the response.
        found: String,
    },
    /// Error -32020, also after the tools were listed again.
    #[error(
        "the server rejects the headers made from the arguments (error -32020); report this to its operator"
    )]
    HeaderMismatch,
    /// A message exceeds the limit.
    #[error("the server's response exceeds {0} bytes; raise PROXY_MAX_MESSAGE_BYTES to accept it")]
    TooLarge(usize),
    /// The server redirects to another origin.
    #[error(
        "the server redirects to {0}, where its credentials must not go; if you trust that address, set it as `url`"
    )]
    Redirect(String),
    /// The server redirects a request more often than we follow.
    #[error("the server redirected the request more than {0} times; check its `url`")]
    TooManyRedirects(usize),
    /// The server supports no revision of MCP that we support, or violated the handshake.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The server runs the request as a task whose state cannot be read any more.
    #[error("the server runs this request as a task, which is lost: {0}")]
    TaskLost(String),
    /// The server ran the request as a task that ended without a result.
    #[error("the server ran this request as a task, which {0}")]
    TaskEnded(String),
    /// The upstream's concurrency limit and the queue for it are exhausted.
    #[error(
        "the server already has {running} calls running and {waiting} waiting; try again when some have ended, \
         or raise its `max_calls` or PROXY_QUEUED_CALLS"
    )]
    Busy {
        /// The number of running calls.
        running: usize,
        /// The number of queued calls.
        waiting: usize,
    },
    /// No connection was made in the time that a call can wait.
    #[error("no connection to the server within {} s", .0.as_secs_f64())]
    ConnectWaitElapsed(Duration),
    /// There is no connection to send the request on.
    #[error("{cause} ({})", NextAttempt(*.retry_in))]
    Disconnected {
        /// Why the last attempt to connect failed.
        cause: Box<TransportError>,
        /// The time until the next attempt; `None` during an attempt.
        retry_in: Option<Duration>,
    },
    /// A reload removed the upstream from the configuration.
    #[error("the server is no longer configured")]
    NotConfigured,
    /// The proxy is shutting down.
    #[error("the proxy is shutting down")]
    ShuttingDown,
}

impl TransportError {
    /// Returns the error for one of the proxy's own requests that the server asked to send later.
    pub(crate) fn retry_later(wait: Duration) -> Self {
        Self::Status {
            status: StatusCode::TOO_MANY_REQUESTS,
            detail: format!("; try again in {} s", whole_seconds(wait)),
            retry_after: Some(wait),
        }
    }

    /// Returns the error for a request that the server had begun to process: its outcome is unknown.
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
            | Self::TooManyRedirects(_)
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

    /// Returns `true` if the upstream exceeded a deadline, or sent less than `MIN_THROUGHPUT`.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::FirstByteTimeout(_) | Self::IdleTimeout(_) | Self::TooSlow(_)
        )
    }

    /// Returns `true` if the connection broke during the request, so that an idempotent request may be retried.
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
            | Self::OwnRequestTimeout(_)
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
            Self::CredentialsRequired
            | Self::Redirect(_)
            | Self::TooManyRedirects(_)
            | Self::Certificate(_) => true,
            Self::SignIn(error) => !error.is_transient(),
            Self::Disconnected { cause, .. } => cause.requires_user_action(),
            _ => false,
        }
    }

    /// Returns `true` if the user is signing in.
    pub(crate) fn is_signing_in(&self) -> bool {
        matches!(self, Self::SignIn(error) if error.is_waiting_for_browser())
    }

    /// Returns the server's `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns the error for a request that was not sent because this error prevented a connection.
    /// The next attempt can be made in `retry_in`; `None` during an attempt.
    #[must_use]
    pub(crate) fn into_disconnected(self, retry_in: Option<Duration>) -> Self {
        // If the user must act, a later attempt does not help.
        if self.requires_user_action()
            || matches!(self, Self::ShuttingDown | Self::Disconnected { .. })
        {
            return self;
        }
        let cause = Box::new(self);
        Self::Disconnected { cause, retry_in }
    }
}
