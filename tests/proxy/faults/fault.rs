//! What can go wrong with an upstream, and how it is made to.

use std::time::Duration;

use tokio::sync::mpsc;

use super::bomb::bomb;
use super::site::Record;
use testkit::raw::{Reply, Request};
use testkit::upstream::Next;

/// How long a fault lasts that passes by itself.
pub(crate) const MOMENT: Duration = Duration::from_millis(500);

/// How long the process is stopped: longer than what passes for a busy machine.
pub(crate) const SLEEP: Duration = Duration::from_secs(7);

/// What a server asks to be left alone for, in seconds.
pub(crate) const RETRY_AFTER: &str = "1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    RefusedForAMoment,
    Refused,
    NoSuchName,
    Hangs,
    ResetAtConnect,
    ResetAfterRequest,
    CutReply,
    HalfAnEvent,
    NoSession,
    Unauthorized,
    TooManyRequests,
    InternalError,
    Unavailable,
    UnavailableForNow,
    RedirectLoop,
    WrongType,
    GzipBomb,
    SlowDrip,
    Restarted,
    OtherEra,
    Asleep,
}

/// Each fault, with the name of its tests and what it is called on the page.
pub(crate) const ALL: [(Fault, &str, &str); 21] = [
    (
        Fault::RefusedForAMoment,
        "refused_for_a_moment",
        "connection refused, for half a second",
    ),
    (
        Fault::Refused,
        "refused",
        "connection refused, for longer than a call waits",
    ),
    (
        Fault::NoSuchName,
        "no_such_name",
        "its name cannot be resolved",
    ),
    (Fault::Hangs, "hangs", "accepts connections, reads nothing"),
    (
        Fault::ResetAtConnect,
        "reset_at_connect",
        "resets each connection at once",
    ),
    (
        Fault::ResetAfterRequest,
        "reset_after_request",
        "resets after it ran the request",
    ),
    (
        Fault::CutReply,
        "cut_reply",
        "breaks off in the middle of the reply",
    ),
    (
        Fault::HalfAnEvent,
        "half_an_event",
        "sends half an event, then nothing",
    ),
    (Fault::NoSession, "no_session", "404: it forgot the session"),
    (Fault::Unauthorized, "unauthorized", "401"),
    (
        Fault::TooManyRequests,
        "too_many_requests",
        "429 with Retry-After",
    ),
    (Fault::InternalError, "internal_error", "500"),
    (Fault::Unavailable, "unavailable", "503 without Retry-After"),
    (
        Fault::UnavailableForNow,
        "unavailable_for_now",
        "503 with Retry-After",
    ),
    (Fault::RedirectLoop, "redirect_loop", "redirects to itself"),
    (Fault::WrongType, "wrong_type", "answers with a web page"),
    (Fault::GzipBomb, "gzip_bomb", "answers with a gzip bomb"),
    (Fault::SlowDrip, "slow_drip", "answers byte by byte, slowly"),
    (
        Fault::Restarted,
        "restarted",
        "restarts, without its sessions",
    ),
    (
        Fault::OtherEra,
        "other_era",
        "is replaced by one of the other era",
    ),
    (
        Fault::Asleep,
        "asleep",
        "the machine sleeps, and connections die unseen",
    ),
];

impl Fault {
    pub(crate) fn named(name: &str) -> Self {
        let found = ALL.iter().find(|(_, own, _)| *own == name);
        found.unwrap_or_else(|| panic!("no fault `{name}`")).0
    }

    /// To how many requests this is the reply; `None` for what is no reply.
    pub(crate) fn strikes(self) -> Option<usize> {
        match self {
            // As often as a request follows redirects, and once to begin with.
            Self::RedirectLoop => Some(4),
            Self::ResetAfterRequest
            | Self::CutReply
            | Self::HalfAnEvent
            | Self::Unauthorized
            | Self::TooManyRequests
            | Self::InternalError
            | Self::Unavailable
            | Self::UnavailableForNow
            | Self::WrongType
            | Self::GzipBomb
            | Self::SlowDrip => Some(1),
            _ => None,
        }
    }

    /// How many requests a thing takes that is not given up: those that fail, and one.
    pub(crate) fn requests(self) -> Option<usize> {
        match self {
            Self::SlowDrip => Some(1),
            _ => Some(self.strikes()? + 1),
        }
    }

    /// Whether only a person can mend it, as far as anybody can see.
    pub(crate) fn needs_a_person(self) -> bool {
        matches!(self, Self::Unauthorized | Self::RedirectLoop)
    }

    /// Whether a call is held up by silence, so that the test shortens what is waited for it.
    pub(crate) fn is_silence(self) -> bool {
        matches!(self, Self::Hangs | Self::HalfAnEvent)
    }

    /// Whether the server ends all connections when it strikes.
    pub(crate) fn closes_connections(self) -> bool {
        matches!(
            self,
            Self::RefusedForAMoment
                | Self::Refused
                | Self::NoSuchName
                | Self::ResetAtConnect
                | Self::Restarted
                | Self::OtherEra
        )
    }

    /// The reply to a request that it strikes.
    pub(crate) async fn reply(self, record: &Record, request: Request, next: Next) -> Reply {
        match self {
            Self::ResetAfterRequest => {
                next.reply(request).await;
                Reply::reset()
            }
            Self::CutReply => {
                let reply = next.reply(request).await;
                match reply.whole() {
                    Some(body) => Reply::cut(&body[..body.len() / 2]),
                    None => Reply::sse([HALF]).broken_off(),
                }
            }
            Self::HalfAnEvent => {
                next.reply(request).await;
                let (sender, chunks) = mpsc::channel(1);
                sender.try_send(HALF.into()).unwrap();
                record.keep_open(sender);
                Reply::stream(chunks)
            }
            Self::Unauthorized => Reply::status(401).header("www-authenticate", "Bearer"),
            Self::TooManyRequests => Reply::status(429).header("retry-after", RETRY_AFTER),
            Self::InternalError => Reply::status(500),
            Self::Unavailable => Reply::status(503),
            Self::UnavailableForNow => Reply::status(503).header("retry-after", RETRY_AFTER),
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
                    .body(bomb())
            }
            Self::SlowDrip => next.reply(request).await.dripping(Duration::from_millis(5)),
            _ => panic!("{self:?} is no reply"),
        }
    }
}

const HALF: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",";
