//! Parses token responses (RFC 6749 § 5) as leniently as is safe.

use std::time::Duration;

use bytes::Bytes;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::Url;

use super::error::TokenError;
use crate::config::Secret;
use crate::oauth::address::without_query;
use crate::oauth::tokens::{Timestamp, TokenResponse};

/// The body of a successful response. [`oauth2::TokenResponse`] requires `Serialize`; it is never
/// serialized.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::oauth) struct TokenResponseBody {
    access_token: AccessToken,
    #[serde(default = "bearer_type", deserialize_with = "token_type")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "non_empty_token")]
    refresh_token: Option<RefreshToken>,
    #[serde(default, deserialize_with = "scope_list", rename = "scope")]
    scopes: Option<Vec<Scope>>,
    /// The type of the token that was issued (RFC 8693 § 2.2.1).
    #[serde(default)]
    pub(in crate::oauth) issued_token_type: Option<String>,
}

impl oauth2::TokenResponse for TokenResponseBody {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl TokenResponseBody {
    /// Converts the response to a request that was sent at `issued_at`; `with_proof` says whether
    /// it had a DPoP proof. Otherwise returns the fault as a clause.
    pub(super) fn into_response(
        self,
        issued_at: Timestamp,
        with_proof: bool,
    ) -> Result<TokenResponse, &'static str> {
        let token_type = self.token_type.as_ref().to_owned();
        if token_type.eq_ignore_ascii_case("dpop") && !with_proof {
            return Err("the token is bound to an unknown key");
        }
        let scopes = self.scopes.filter(|scopes| !scopes.is_empty());
        let scope = scopes.map(|scopes| {
            let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            names.join(" ")
        });
        let refresh_token = self.refresh_token.map(RefreshToken::into_secret);
        Ok(TokenResponse {
            access_token: header_safe(self.access_token)?,
            token_type,
            expires_at: self
                .expires_in
                .map(|seconds| issued_at.plus(Duration::from_secs(seconds))),
            refresh_token: refresh_token.map(Secret::new),
            scope,
            issued_at,
        })
    }

    /// Returns the token alone, of whatever type.
    pub(in crate::oauth) fn into_token(self) -> Result<Secret, &'static str> {
        header_safe(self.access_token)
    }
}

/// Checks that a header can carry the token (RFC 6750 § 2.1 allows even fewer characters).
fn header_safe(token: AccessToken) -> Result<Secret, &'static str> {
    let token = Secret::new(token.into_secret());
    match token.expose() {
        "" => Err("the token is empty"),
        text if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("the token contains characters that no header can carry")
        }
        _ => Ok(token),
    }
}

/// The default: nearly every token is a bearer token.
fn bearer_type() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn token_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    let name: Option<String> = Option::deserialize(deserializer)?;
    Ok(match name {
        Some(name) if name.eq_ignore_ascii_case("bearer") => BasicTokenType::Bearer,
        Some(name) if !name.is_empty() => BasicTokenType::Extension(name),
        _ => bearer_type(),
    })
}

/// Reads a number of seconds, also from a string or fraction. 0 counts as absent: such a token
/// would be useless, and some servers write 0 for "does not expire".
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let whole = |number: f64| (number >= 1.0).then_some(number as u64);
    Ok(match &value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_f64().and_then(whole))
            .filter(|seconds| *seconds > 0),
        Value::String(text) => text.trim().parse().ok().and_then(whole),
        _ => None,
    })
}

/// Reads an empty text as absent.
fn non_empty_token<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<RefreshToken>, D::Error> {
    let token: Option<String> = Option::deserialize(deserializer)?;
    let token = token.filter(|token| !token.is_empty());
    Ok(token.map(RefreshToken::new))
}

/// Reads names separated by spaces, or a JSON array.
fn scope_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Scope>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let texts: Vec<&str> = match &value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(None),
    };
    let names = texts.iter().flat_map(|text| text.split_whitespace());
    Ok(Some(names.map(|it| Scope::new(it.to_owned())).collect()))
}

/// Parses a response that the `oauth2` crate does not handle.
pub(super) fn parse_body<'a, T: Deserialize<'a>>(
    body: &'a Bytes,
    url: &Url,
) -> Result<T, TokenError> {
    serde_json::from_slice(body).map_err(|error| malformed_body(&error, url))
}

/// Returns the error for a body that cannot be parsed. serde's own text may quote a secret.
pub(super) fn malformed_body(error: &serde_json::Error, url: &Url) -> TokenError {
    let fault = match error.classify() {
        serde_json::error::Category::Data => "a member is missing or wrong",
        _ => "not JSON",
    };
    TokenError::Malformed {
        server: without_query(url).into(),
        fault: fault.to_owned(),
    }
}

#[cfg(test)]
mod tests;
