//! The observed effects of a fault.

use std::fmt;

use serde_json::Value;

/// The effects of one fault on one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) client: ClientOutcome,
    /// How often the server ran the call.
    pub(crate) ran: Option<usize>,
    /// How often the server received the request; `None` if that depends on a race.
    pub(crate) received: Option<usize>,
    pub(crate) recovery: Recovery,
}

/// The outcome at the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientOutcome {
    /// The result of its request.
    Result,
    /// An error with this code and this `data.outcome`.
    Error(i64, &'static str),
    /// One of these two errors.
    EitherError((i64, &'static str), (i64, &'static str)),
    /// A notification of every list change, during and after the fault.
    ChangesNotified,
}

/// How service recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// The interrupted operation was served.
    SameCall,
    /// The interrupted operation was served after the time in `Retry-After`.
    SameCallAfterDelay,
    /// The next call was served.
    NextCall,
    /// A later call was served, after this many failed ones.
    CallsLater(usize),
    /// Without a request by the client.
    Automatic,
    /// At the next change notification of the server.
    NextNotification,
}

impl Observation {
    /// Returns `true` if this observation satisfies `expected`.
    pub(crate) fn matches(self, expected: Self) -> bool {
        let client = match (self.client, expected.client) {
            (ClientOutcome::Error(code, outcome), ClientOutcome::EitherError(one, other)) => {
                (code, outcome) == one || (code, outcome) == other
            }
            (observed, expected) => observed == expected,
        };
        let received = expected.received.is_none() || self.received == expected.received;
        client && received && (self.ran, self.recovery) == (expected.ran, expected.recovery)
    }
}

impl ClientOutcome {
    /// Classifies a response.
    pub(crate) fn from_response(response: &Value) -> Self {
        let Some(code) = response["error"]["code"].as_i64() else {
            assert!(response["result"].is_object(), "{response}");
            return Self::Result;
        };
        let outcome = match response["error"]["data"]["outcome"].as_str() {
            Some("not run") => "not run",
            Some("unknown") => "unknown",
            other => panic!("{other:?} in {response}"),
        };
        Self::Error(code, outcome)
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.client)?;
        if let Some(received) = self.received {
            write!(f, "; received {received}")?;
        }
        if let Some(ran) = self.ran {
            let separator = if self.received.is_some() { "," } else { ";" };
            write!(f, "{separator} ran {ran}")?;
        }
        write!(f, "; {}", self.recovery)
    }
}

impl fmt::Display for ClientOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result => f.write_str("result"),
            Self::Error(code, outcome) => write!(f, "error {code} {outcome}"),
            Self::EitherError((code, outcome), (other, its)) => {
                write!(f, "error {code} {outcome}, or {other} {its}")
            }
            Self::ChangesNotified => f.write_str("changes notified"),
        }
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameCall => f.write_str("same call"),
            Self::SameCallAfterDelay => f.write_str("same call, after Retry-After"),
            Self::NextCall => f.write_str("next call"),
            Self::CallsLater(calls) => write!(f, "{calls} calls later"),
            Self::Automatic => f.write_str("automatic"),
            Self::NextNotification => f.write_str("next change notification"),
        }
    }
}
