//! A request that failed, as its client is told of it.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Outcome, TransportError, code};
use crate::config::UpstreamName;

/// A request that failed, with whom it was meant for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{upstream}` did not answer `{method}`: {cause}{}", self.warning())]
pub struct UpstreamError {
    /// The upstream's name.
    pub upstream: UpstreamName,
    /// The method of the request.
    pub method: String,
    /// What went wrong.
    pub cause: TransportError,
}

impl UpstreamError {
    /// The JSON-RPC error code for it.
    #[must_use]
    pub fn code(&self) -> i64 {
        self.cause.code()
    }

    /// The `data` member of the JSON-RPC error: `upstream`, `outcome`, `httpStatus` if there is one,
    /// `retryAfterSeconds` where it is known when to try again, and `signInUrl` where a person has to sign in.
    #[must_use]
    pub fn data(&self) -> Value {
        let outcome = match self.cause.outcome() {
            Outcome::NotRun => "not run",
            Outcome::Unknown => "unknown",
        };
        let mut data = json!({"upstream": self.upstream.as_str(), "outcome": outcome});
        let (cause, wait) = match &self.cause {
            TransportError::Away { cause, next } => (&**cause, *next),
            cause => (cause, cause.retry_after()),
        };
        let status = match cause {
            TransportError::Status { status, .. } | TransportError::NoAnswer(status) => {
                Some(status.as_u16())
            }
            TransportError::SignIn(error) if error.is_transient() => None,
            TransportError::LoginRequired | TransportError::SignIn(_) => Some(401),
            _ => None,
        };
        if let Some(status) = status {
            data["httpStatus"] = status.into();
        }
        if let Some(wait) = wait {
            data["retryAfterSeconds"] = whole_seconds(wait).into();
        }
        if let TransportError::SignIn(error) = cause
            && let Some(url) = error.url()
        {
            data["signInUrl"] = url.as_str().into();
        }
        data
    }

    fn warning(&self) -> &'static str {
        match self.cause.outcome() {
            Outcome::Unknown => " (it may have run: check before you send it again)",
            Outcome::NotRun => "",
        }
    }
}

impl TransportError {
    /// The JSON-RPC error code for it.
    fn code(&self) -> i64 {
        match self {
            Self::Connect(_)
            | Self::Certificate(_)
            | Self::NotReady(_)
            | Self::Silent(_)
            | Self::Removed
            | Self::ShuttingDown => code::UNAVAILABLE,
            Self::Away { cause, .. } if cause.may_pass() => code::UNAVAILABLE,
            Self::Away { cause, .. } => cause.code(),
            Self::SignIn(error) if error.is_transient() => code::UNAVAILABLE,
            Self::LoginRequired | Self::SignIn(_) => code::LOGIN_REQUIRED,
            Self::FirstByte(_) | Self::Timeout(_) | Self::Drip(_) => code::TIMEOUT,
            Self::Interrupted(_) | Self::StreamEnded | Self::SessionExpired | Self::TaskLost(_) => {
                code::INTERRUPTED
            }
            Self::Status { .. } | Self::Redirect(_) => code::HTTP_STATUS,
            Self::TooLarge(_) => code::TOO_LARGE,
            Self::Busy { .. } => code::BUSY,
            _ => code::BAD_ANSWER,
        }
    }
}

/// When the next attempt to connect is made.
pub(super) struct Next(pub(super) Option<Duration>);

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(whole_seconds) {
            None => f.write_str("an attempt is under way"),
            Some(seconds) => write!(f, "next attempt in {seconds} s"),
        }
    }
}

/// A time to wait in whole seconds, none of them short.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add((wait.subsec_nanos() > 0).into())
}
