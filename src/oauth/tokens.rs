//! The stored parts of a login: the tokens, and the client that they were issued to.
//!
//! Both name the issuer that they are bound to. Times are absolute, since a stored duration has no
//! start. Unknown members are kept, so that an older version running beside a newer one loses none.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Secret, exposed};

/// The tokens of one upstream: the content of `tokens.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// The issuer of the tokens; no other server receives the refresh token.
    pub issuer: String,
    /// The `resource` that was requested (RFC 8707), if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The client that they were issued to; no other can use the refresh token (RFC 6749 § 6).
    pub client_id: String,
    /// The token for the `Authorization` header.
    #[serde(with = "exposed")]
    pub access_token: Secret,
    /// The scheme of that header: `Bearer` or `DPoP`, in any case (RFC 6749 § 7.1).
    pub token_type: String,
    /// When the access token expires; `None` if the server did not say, so that only a 401 shows
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Obtains the next access token; many servers issue none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "exposed::option")]
    pub refresh_token: Option<Secret>,
    /// The granted scope, separated by spaces. A refresh repeats it and a step-up extends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the access token was issued: shows which of two tokens is newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// The key that the tokens are bound to, if any, in the form of `DpopKey::from_secret` (RFC
    /// 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "exposed::option")]
    pub dpop_key: Option<Secret>,
    /// Members of other versions.
    #[serde(flatten)]
    pub other: Members,
}

/// A successful token response (RFC 6749 § 5.1).
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// `access_token`.
    pub access_token: Secret,
    /// `token_type`.
    pub token_type: String,
    /// `expires_in`, counted from the time of the request.
    pub expires_at: Option<Timestamp>,
    /// `refresh_token`.
    pub refresh_token: Option<Secret>,
    /// `scope`.
    pub scope: Option<String>,
    /// The time of the request, by this machine's clock.
    pub issued_at: Timestamp,
}

impl Tokens {
    /// Returns the tokens after a refresh. Members that the response omits keep their values (RFC
    /// 6749 §§ 5.1 and 6), except the expiry of the old token.
    #[must_use]
    pub fn refreshed(self, grant: TokenResponse) -> Self {
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

    /// Returns `true` if the access token expires within `margin` from `now`. Without a known
    /// expiry, returns `false`.
    #[must_use]
    pub fn expires_within(&self, margin: Duration, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now.plus(margin))
    }
}

/// Client information (RFC 7591 § 3.2.1): the content of `client-info.json`, with its issuer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientInformation {
    /// The server that registered the client; it is unknown to others.
    pub issuer: String,
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`, of a confidential client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "exposed::option")]
    pub client_secret: Option<Secret>,
    /// When the secret expires. 0 means never, as in the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<Timestamp>,
    /// The addresses that the server may redirect the browser to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// The client authentication method; `None` means `client_secret_basic` (RFC 7591 § 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    /// The other members of the response, and members of other versions.
    #[serde(flatten)]
    pub other: Members,
}

impl ClientInformation {
    /// Returns `true` if the secret has expired by `now`: the client has to be registered again.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let end = self.client_secret_expires_at;
        end.is_some_and(|end| end != Timestamp::NEVER && end <= now)
    }
}

/// A time in whole seconds since 1970 (`NumericDate` of JWT, also used by RFC 7591).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// RFC 7591 writes 0 for a secret that never expires.
    const NEVER: Self = Self(0);

    /// Returns the time of this machine's clock, or 1970 if the clock is before that.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(since.map_or(0, |since| since.as_secs()))
    }

    /// Returns the time plus a duration, saturating.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_secs()))
    }

    /// Returns the duration since `earlier`, or zero if `earlier` is later.
    #[must_use]
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// Members kept as received. `Debug` prints only the names: values may be secrets
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
