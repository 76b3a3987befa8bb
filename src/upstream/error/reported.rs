//! The error that a client receives when a request to an upstream fails.

use serde_json::{Value, json};

use super::retry_time::whole_seconds;
use super::{Outcome, TransportError, code};
use crate::config::UpstreamName;

/// A failed request, with the names of its upstream and method.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{upstream}` did not answer `{method}`: {cause}{}", self.warning())]
pub struct UpstreamError {
    /// The upstream's name.
    pub upstream: UpstreamName,
    /// The method of the request.
    pub method: String,
    /// The reason.
    pub cause: TransportError,
}

impl UpstreamError {
    /// Returns the JSON-RPC error code.
    #[must_use]
    pub fn code(&self) -> i64 {
        code_of(&self.cause)
    }

    /// Returns the `data` member of the JSON-RPC error:
    ///
    /// - `upstream` and `outcome`;
    /// - `httpStatus`, if there is one;
    /// - `retryAfterSeconds`, if the time of the next attempt is known;
    /// - `signInUrl`, if the user has to sign in.
    #[must_use]
    pub fn data(&self) -> Value {
        let outcome = match self.cause.outcome() {
            Outcome::NotRun => "not run",
            Outcome::Unknown => "unknown",
        };
        let mut data = json!({"upstream": self.upstream.as_str(), "outcome": outcome});
        let (cause, wait) = match &self.cause {
            TransportError::Disconnected { cause, retry_in } => (&**cause, *retry_in),
            cause => (cause, cause.retry_after()),
        };
        let status = match cause {
            TransportError::Status { status, .. } | TransportError::NoResponse(status) => {
                Some(status.as_u16())
            }
            TransportError::SignIn(error) if error.is_transient() => None,
            TransportError::CredentialsRequired | TransportError::SignIn(_) => Some(401),
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
            Outcome::Unknown => " (the call may have run: check before you send it again)",
            Outcome::NotRun => "",
        }
    }
}

/// Returns the JSON-RPC error code for a failure.
fn code_of(cause: &TransportError) -> i64 {
    match cause {
        TransportError::Connect(_)
        | TransportError::Certificate(_)
        | TransportError::ConnectWaitElapsed(_)
        | TransportError::HandshakeTimeout(_)
        | TransportError::NotConfigured
        | TransportError::ShuttingDown => code::UNAVAILABLE,
        TransportError::Disconnected { cause, .. } if cause.is_transient() => code::UNAVAILABLE,
        TransportError::Disconnected { cause, .. } => code_of(cause),
        TransportError::SignIn(error) if error.is_transient() => code::UNAVAILABLE,
        TransportError::CredentialsRequired | TransportError::SignIn(_) => code::LOGIN_REQUIRED,
        TransportError::FirstByteTimeout(_)
        | TransportError::IdleTimeout(_)
        | TransportError::OwnRequestTimeout(_)
        | TransportError::TooSlow(_) => code::TIMEOUT,
        TransportError::Interrupted(_)
        | TransportError::StreamEnded
        | TransportError::SessionExpired
        | TransportError::TaskLost(_) => code::INTERRUPTED,
        TransportError::Status { .. }
        | TransportError::Redirect(_)
        | TransportError::TooManyRedirects(_) => code::HTTP_STATUS,
        TransportError::TooLarge(_) => code::TOO_LARGE,
        TransportError::Busy { .. } => code::BUSY,
        _ => code::INVALID_RESPONSE,
    }
}
