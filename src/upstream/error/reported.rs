//! A request that failed, as its client is told of it.

use serde_json::{Value, json};

use super::{Outcome, TransportError, whole_seconds};
use crate::config::UpstreamName;

/// Codes of the errors that the proxy makes: outside the range that JSON-RPC and MCP reserve
/// (MCP 2026-07-28 § Error Codes), so that none is mistaken for one of an upstream.
pub mod code {
    /// No connection to the upstream.
    pub const UNAVAILABLE: i64 = -31001;
    /// The upstream wants credentials.
    pub const LOGIN_REQUIRED: i64 = -31002;
    /// No answer in time.
    pub const TIMEOUT: i64 = -31003;
    /// The connection was lost before the answer.
    pub const INTERRUPTED: i64 = -31004;
    /// An HTTP status without a JSON-RPC message.
    pub const HTTP_STATUS: i64 = -31005;
    /// An answer that is none.
    pub const BAD_ANSWER: i64 = -31006;
    /// An answer over the limit.
    pub const TOO_LARGE: i64 = -31007;
}

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
