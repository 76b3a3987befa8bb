//! What is kept of a login: the tokens, and the client that they were issued to.
//!
//! Both name the issuer they are bound to. Times are absolute, as a stored duration says nothing.
//! Members that this version does not know are kept, so that an older program beside a newer
//! one takes nothing away.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Secret, exposed};

/// The tokens of one upstream, as `tokens.json` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// Who issued them; nobody else gets to see the refresh token.
    pub issuer: String,
    /// The `resource` they were asked for (RFC 8707), when one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The client they were issued to; no other can use the refresh token (RFC 6749 § 6).
    pub client_id: String,
    /// What goes into the `Authorization` header.
    #[serde(with = "exposed")]
    pub access_token: Secret,
    /// How it goes there: `Bearer` or `DPoP`, in any case (RFC 6749 § 7.1).
    pub token_type: String,
    /// When the access token ends; none when the server did not say, so that only a 401 tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What gets the next access token; many servers issue none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "exposed::option")]
    pub refresh_token: Option<Secret>,
    /// The scope that was granted, by spaces: what a refresh repeats and a step-up adds to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the access token was issued: the younger of two is told by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// The key they are bound to, if they are: what `DpopKey::from_secret` takes (RFC 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "exposed::option")]
    pub dpop_key: Option<Secret>,
    /// Members of other versions.
    #[serde(flatten)]
    pub other: Members,
}

/// What a token endpoint answered (RFC 6749 § 5.1).
#[derive(Debug, Clone)]
pub struct Grant {
    /// `access_token`.
    pub access_token: Secret,
    /// `token_type`.
    pub token_type: String,
    /// `expires_in`, counted from when the request was sent.
    pub expires_at: Option<Timestamp>,
    /// `refresh_token`.
    pub refresh_token: Option<Secret>,
    /// `scope`.
    pub scope: Option<String>,
    /// When the request was sent, by the clock of this machine.
    pub issued_at: Timestamp,
}

impl Tokens {
    /// These tokens after a refresh: what the answer leaves out stays as it was
    /// (RFC 6749 §§ 5.1 and 6), but for the expiry, which was the old token's.
    #[must_use]
    pub fn refreshed(self, grant: Grant) -> Self {
        Self {
            access_token: grant.access_token,
            token_type: grant.token_type,
            expires_at: grant.expires_at,
            refresh_token: grant.refresh_token.or(self.refresh_token),
            scope: grant.scope.or(self.scope),
            issued_at: Some(grant.issued_at),
            ..self
        }
    }

    /// Whether the access token ends within `margin` from `now`. One without a known end does not.
    #[must_use]
    pub fn expire_within(&self, margin: Duration, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now.plus(margin))
    }
}

/// A client that an authorization server knows, as `client-info.json` holds it: the whole answer
/// to a registration (RFC 7591 § 3.2.1), and who gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// The server that registered it; elsewhere it means nothing.
    pub issuer: String,
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`, of a client that can keep one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "exposed::option")]
    pub client_secret: Option<Secret>,
    /// When the secret ends. 0 stands for never in the answer and here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<Timestamp>,
    /// Where the browser may be sent back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// How the client proves itself at the token endpoint; none means `client_secret_basic`
    /// (RFC 7591 § 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    /// The rest of the answer, and members of other versions.
    #[serde(flatten)]
    pub other: Members,
}

impl Client {
    /// Whether its secret has ended by `now`, so that it has to be registered anew.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let end = self.client_secret_expires_at;
        end.is_some_and(|end| end != Timestamp::NEVER && end <= now)
    }
}

/// A moment, in whole seconds since 1970 (RFC 7591's and JWT's `NumericDate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// What RFC 7591 writes for an end that does not come.
    const NEVER: Self = Self(0);

    /// By the clock of this machine; 1970 when that stands before it.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(since.map_or(0, |since| since.as_secs()))
    }

    /// So much later, or the last moment there is.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_secs()))
    }

    /// How long it is from `now` until then; zero when it is past.
    #[must_use]
    pub fn after(self, now: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(now.0))
    }
}

/// Members kept as they came. `Debug` shows the names alone, as values may be secrets
/// (`registration_access_token`).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Members(pub Map<String, Value>);

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
