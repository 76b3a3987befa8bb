//! Errors of requests to an authorization server, each with its remedy.

use std::time::Duration;

use super::signing::KeyError;
use crate::oauth::error::printable;

/// Why no token was issued. The texts follow the upstream's name; the remedy follows a semicolon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No connection, a timeout, HTTP 5xx or 429, or `temporarily_unavailable`. Says nothing about
    /// the code, token or assertion that was sent.
    #[error("the authorization server `{}` is unavailable ({}); try again later", printable(.server), printable(.outcome))]
    Unreachable {
        /// The endpoint, without query.
        server: String,
        /// The cause, as a clause.
        outcome: String,
        /// The delay that the server asks for (RFC 9110 § 10.2.3).
        retry_after: Option<Duration>,
    },
    /// `invalid_grant`: the code, refresh token or assertion is no longer valid (RFC 6749 § 5.2).
    #[error("the authorization server no longer accepts the login{}; sign in again", quoted_description(.description.as_ref()))]
    InvalidGrant {
        /// `error_description`.
        description: Option<String>,
    },
    /// `invalid_client`: the client is unknown, or its authentication failed.
    #[error(
        "the authorization server rejects the client{}; \
         check `oauth.client_id` and its secret, or sign in again to register a new one",
        quoted_description(.description.as_ref())
    )]
    InvalidClient {
        /// `error_description`.
        description: Option<String>,
    },
    /// Any other error code.
    #[error(
        "the authorization server reports `{}`{}; check the `oauth` settings",
        printable(.error), quoted_description(.description.as_ref())
    )]
    Refused {
        /// `error`.
        error: String,
        /// `error_description`.
        description: Option<String>,
    },
    /// `access_denied`: the user declined (RFC 8628 § 3.5).
    #[error("the sign-in was denied; sign in again to allow it")]
    Denied,
    /// `expired_token`: the user did not sign in in time (RFC 8628 § 3.5).
    #[error("the sign-in was not completed in time; sign in again")]
    Expired,
    /// The response is malformed.
    #[error("cannot use the response of the authorization server `{}` ({}); report this to the server's operator", printable(.server), printable(.fault))]
    Malformed {
        /// The endpoint, without query.
        server: String,
        /// The fault, as a clause. Never quotes the response, which may contain a secret.
        fault: String,
    },
    /// The server lacks an endpoint.
    #[error("the authorization server `{}` has no {what}", printable(.issuer))]
    Unsupported {
        /// The authorization server.
        issuer: String,
        /// The missing endpoint, with the remedy if there is a specific one.
        what: &'static str,
    },
    /// The registered authentication method is unknown, or its credentials are missing.
    #[error(
        "the client is registered for `{}`, which {problem}; \
         set `oauth.client_secret`, or `oauth.private_key_pem` and `oauth.signing_algorithm`",
        printable(.method)
    )]
    Authentication {
        /// `token_endpoint_auth_method`.
        method: String,
        /// The fault of the method, as a clause.
        problem: &'static str,
    },
    /// A key cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl TokenError {
    /// Returns `true` if the request may succeed later, without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

fn quoted_description(description: Option<&String>) -> String {
    description.map_or_else(String::new, |text| format!(" (`{}`)", printable(text)))
}
