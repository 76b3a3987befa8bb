//! The faults, and how a test injects them.

use std::time::Duration;

use tokio::sync::mpsc;

use super::gzip;
use super::server::ServerState;
use testkit::raw::{Reply, Request};
use testkit::upstream::Next;

/// The duration of a fault that ends by itself.
pub(crate) const BRIEF_OUTAGE: Duration = Duration::from_millis(500);

/// How long the process is stopped: longer than the delays of a busy machine.
pub(crate) const SUSPENSION: Duration = Duration::from_secs(7);

/// The value of `Retry-After`, in seconds.
pub(crate) const RETRY_AFTER: &str = "1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    RefusedBriefly,
    Refused,
    UnresolvedName,
    Hangs,
    ResetOnConnect,
    ResetAfterRequest,
    TruncatedResponse,
    StalledEvent,
    SessionLost,
    Unauthorized,
    TooManyRequests,
    InternalError,
    Unavailable,
    UnavailableWithRetryAfter,
    RedirectLoop,
    WrongType,
    GzipBomb,
    SlowResponse,
    Restarted,
    OtherEra,
    Suspended,
}

/// Each fault, with the name of its tests and its row header on the page.
pub(crate) const ALL: [(Fault, &str, &str); 21] = [
    (
        Fault::RefusedBriefly,
        "refused_briefly",
        "refuses connections for half a second",
    ),
    (
        Fault::Refused,
        "refused",
        "refuses connections for longer than `PROXY_CONNECT_WAIT`",
    ),
    (
        Fault::UnresolvedName,
        "unresolved_name",
        "has a host name that does not resolve",
    ),
    (
        Fault::Hangs,
        "hangs",
        "accepts connections but reads nothing",
    ),
    (
        Fault::ResetOnConnect,
        "reset_on_connect",
        "resets each connection on accept",
    ),
    (
        Fault::ResetAfterRequest,
        "reset_after_request",
        "resets the connection after it ran the request",
    ),
    (
        Fault::TruncatedResponse,
        "truncated_response",
        "closes the connection in the middle of the response",
    ),
    (
        Fault::StalledEvent,
        "stalled_event",
        "stops sending in the middle of an event",
    ),
    (
        Fault::SessionLost,
        "session_lost",
        "returns 404: the session is lost",
    ),
    (Fault::Unauthorized, "unauthorized", "returns 401"),
    (
        Fault::TooManyRequests,
        "too_many_requests",
        "returns 429 with `Retry-After`",
    ),
    (Fault::InternalError, "internal_error", "returns 500"),
    (
        Fault::Unavailable,
        "unavailable",
        "returns 503 without `Retry-After`",
    ),
    (
        Fault::UnavailableWithRetryAfter,
        "unavailable_with_retry_after",
        "returns 503 with `Retry-After`",
    ),
    (Fault::RedirectLoop, "redirect_loop", "redirects to itself"),
    (Fault::WrongType, "wrong_type", "returns a web page"),
    (Fault::GzipBomb, "gzip_bomb", "returns a gzip bomb"),
    (
        Fault::SlowResponse,
        "slow_response",
        "sends its response slowly, byte by byte",
    ),
    (
        Fault::Restarted,
        "restarted",
        "restarts and loses its sessions",
    ),
    (
        Fault::OtherEra,
        "other_era",
        "is replaced by a server of the other era",
    ),
    (
        Fault::Suspended,
        "suspended",
        "loses its connections while your machine is suspended",
    ),
];

impl Fault {
    pub(crate) fn named(name: &str) -> Self {
        let found = ALL.iter().find(|(_, own, _)| *own == name);
        found.unwrap_or_else(|| panic!("no fault `{name}`")).0
    }

    /// The number of requests that receive this fault as a reply; `None` for a fault of the connection.
    pub(crate) fn reply_count(self) -> Option<usize> {
        match self {
            // The first request and three redirects.
            Self::RedirectLoop => Some(4),
            Self::ResetAfterRequest
            | Self::TruncatedResponse
            | Self::StalledEvent
            | Self::Unauthorized
            | Self::TooManyRequests
            | Self::InternalError
            | Self::Unavailable
            | Self::UnavailableWithRetryAfter
            | Self::WrongType
            | Self::GzipBomb
            | Self::SlowResponse => Some(1),
            _ => None,
        }
    }

    /// The number of requests until one succeeds; `None` for a fault of the connection.
    pub(crate) fn attempts(self) -> Option<usize> {
        match self {
            Self::SlowResponse => Some(1),
            _ => Some(self.reply_count()? + 1),
        }
    }

    /// Whether the fault looks like one that only the user can fix.
    pub(crate) fn requires_user_action(self) -> bool {
        matches!(self, Self::Unauthorized | Self::RedirectLoop)
    }

    /// Whether a call times out, so that the test configures a short timeout.
    pub(crate) fn causes_timeout(self) -> bool {
        matches!(self, Self::Hangs | Self::StalledEvent)
    }

    /// Whether the server closes all connections when the fault begins.
    pub(crate) fn closes_connections(self) -> bool {
        matches!(
            self,
            Self::RefusedBriefly
                | Self::Refused
                | Self::UnresolvedName
                | Self::ResetOnConnect
                | Self::Restarted
                | Self::OtherEra
        )
    }

    /// The faulty reply to a request.
    pub(crate) async fn reply(self, state: &ServerState, request: Request, next: Next) -> Reply {
        match self {
            Self::ResetAfterRequest => {
                next.reply(request).await;
                Reply::reset()
            }
            Self::TruncatedResponse => {
                let reply = next.reply(request).await;
                match reply.whole() {
                    Some(body) => Reply::cut(&body[..body.len() / 2]),
                    None => Reply::sse([HALF_EVENT]).broken_off(),
                }
            }
            Self::StalledEvent => {
                next.reply(request).await;
                let (sender, chunks) = mpsc::channel(1);
                sender.try_send(HALF_EVENT.into()).unwrap();
                state.keep_open(sender);
                Reply::stream(chunks)
            }
            Self::Unauthorized => Reply::status(401).header("www-authenticate", "Bearer"),
            Self::TooManyRequests => Reply::status(429).header("retry-after", RETRY_AFTER),
            Self::InternalError => Reply::status(500),
            Self::Unavailable => Reply::status(503),
            Self::UnavailableWithRetryAfter => {
                Reply::status(503).header("retry-after", RETRY_AFTER)
            }
            Self::RedirectLoop => Reply::status(307).header("location", &request.path),
            Self::WrongType => Reply::status(200)
                .header("content-type", "text/html")
                .body("<!doctype html><title>Maintenance</title>"),
            Self::GzipBomb => {
                let media_type = match request.method.as_str() {
                    "GET" => "text/event-stream",
                    _ => "application/json",
                };
                Reply::status(200)
                    .header("content-type", media_type)
                    .header("content-encoding", "gzip")
                    .body(gzip::bomb())
            }
            Self::SlowResponse => next.reply(request).await.dripping(Duration::from_millis(5)),
            _ => panic!("{self:?} is no reply"),
        }
    }
}

const HALF_EVENT: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",";
