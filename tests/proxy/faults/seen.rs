//! What is seen of a fault.

use std::fmt;

use serde_json::Value;

/// What one fault did to one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) client: Client,
    /// How often the upstream ran the call.
    pub(crate) ran: Option<usize>,
    /// How often it was asked to; `None` where that depends on who is faster.
    pub(crate) asked: Option<usize>,
    pub(crate) back: Back,
}

/// What the client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// What it asked for.
    Result,
    /// An error with this code, and what became of the call by it.
    Error(i64, &'static str),
    /// One of these errors, whichever.
    Either((i64, &'static str), (i64, &'static str)),
    /// Word of all that changed, meanwhile and later.
    Told,
}

/// How service came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// The operation under way was served.
    SameCall,
    /// The same, once the time was over that the server asked for.
    AfterRetryAfter,
    /// The next call was served.
    NextCall,
    /// A call some way after was served.
    CallsLater(usize),
    /// Without anybody asking.
    ByItself,
    /// When the upstream said once more that something changed.
    NextAnnouncement,
}

impl Seen {
    /// Whether this is what was expected, where that says one thing.
    pub(crate) fn is(self, expected: Self) -> bool {
        let client = match (self.client, expected.client) {
            (Client::Error(code, outcome), Client::Either(one, other)) => {
                (code, outcome) == one || (code, outcome) == other
            }
            (seen, expected) => seen == expected,
        };
        let asked = expected.asked.is_none() || self.asked == expected.asked;
        client && asked && (self.ran, self.back) == (expected.ran, expected.back)
    }
}

impl Client {
    /// What a response says.
    pub(crate) fn of(response: &Value) -> Self {
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

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.client)?;
        match (self.ran, self.asked) {
            (Some(ran), Some(asked)) => write!(f, "; ran {ran} of {asked}")?,
            (Some(ran), None) => write!(f, "; ran {ran}")?,
            (None, Some(asked)) => write!(f, "; asked {asked}")?,
            (None, None) => {}
        }
        write!(f, "; {}", self.back)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result => f.write_str("result"),
            Self::Error(code, outcome) => write!(f, "{code} {outcome}"),
            Self::Either((code, outcome), (other, its)) => {
                write!(f, "{code} {outcome}, or {other} {its}")
            }
            Self::Told => f.write_str("told"),
        }
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameCall => f.write_str("in the same call"),
            Self::AfterRetryAfter => f.write_str("in the same call, after Retry-After"),
            Self::NextCall => f.write_str("at the next call"),
            Self::CallsLater(calls) => write!(f, "{calls} calls later"),
            Self::ByItself => f.write_str("by itself"),
            Self::NextAnnouncement => f.write_str("at the next announcement"),
        }
    }
}
