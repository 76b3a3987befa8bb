//! What an authorization server can answer instead of a token, and what to do about it.

use std::time::Duration;

use super::signing::KeyError;
use crate::oauth::error::shown;

/// Why there is no token. The texts follow the upstream's name; the remedy stands after a semicolon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The server could not be asked, or has trouble: HTTP 5xx and 429, `temporarily_unavailable`.
    /// Nothing is known of what we asked for.
    #[error("its authorization server `{}` gives no answer ({}); try again later", shown(.server), shown(.outcome))]
    Unreachable {
        /// The endpoint, without query.
        server: String,
        /// What came of it, as a clause.
        outcome: String,
        /// How long the server wants to be left alone (RFC 9110 § 10.2.3).
        retry_after: Option<Duration>,
    },
    /// `invalid_grant`: the code, refresh token or assertion is good for nothing any more (RFC 6749 § 5.2).
    #[error("its authorization server takes the login no more{}; sign in again", said(.description.as_ref()))]
    InvalidGrant {
        /// `error_description`.
        description: Option<String>,
    },
    /// `invalid_client`: the server does not know the client, or not by these credentials.
    #[error(
        "its authorization server refuses the client{}; \
         check `oauth.client_id` and its secret, or sign in again to register anew",
        said(.description.as_ref())
    )]
    InvalidClient {
        /// `error_description`.
        description: Option<String>,
    },
    /// Any other error code.
    #[error(
        "its authorization server refuses with `{}`{}; check the `oauth` settings",
        shown(.error), said(.description.as_ref())
    )]
    Refused {
        /// `error`.
        error: String,
        /// `error_description`.
        description: Option<String>,
    },
    /// The person said no (RFC 8628 § 3.5: `access_denied`).
    #[error("the sign-in was denied; sign in again if that was not meant")]
    Denied,
    /// Nobody answered in time (RFC 8628 § 3.5: `expired_token`).
    #[error("nobody finished the sign-in in time; sign in again")]
    Expired,
    /// The answer is not what it should be.
    #[error("cannot use the answer of its authorization server `{}` ({}); report it to who runs the server", shown(.server), shown(.fault))]
    Malformed {
        /// The endpoint, without query.
        server: String,
        /// What is wrong, as a clause. Never a part of the answer, which may be a secret.
        fault: String,
    },
    /// The server does not have what was asked for.
    #[error("its authorization server `{}` has no {what}", shown(.issuer))]
    Unsupported {
        /// The server.
        issuer: String,
        /// What it lacks.
        what: &'static str,
    },
    /// The client is registered to prove itself in a way we have not, or lack the means for.
    #[error(
        "its client proves itself by `{}`, which {lack}; \
         set `oauth.client_secret`, or `oauth.private_key_pem` and `oauth.signing_algorithm`",
        shown(.method)
    )]
    Authentication {
        /// `token_endpoint_auth_method`.
        method: String,
        /// What is lacking, as a clause.
        lack: &'static str,
    },
    /// A key cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl TokenError {
    /// Whether it may be over the next time, without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

fn said(description: Option<&String>) -> String {
    description.map_or_else(String::new, |text| format!(" (`{}`)", shown(text)))
}
