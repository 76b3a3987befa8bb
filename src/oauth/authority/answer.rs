//! What a token endpoint answers (RFC 6749 § 5), read as generously as is safe.

use std::time::Duration;

use bytes::Bytes;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::Url;

use super::error::TokenError;
use crate::config::Secret;
use crate::oauth::address::without_query;
use crate::oauth::tokens::{Grant, Timestamp};

/// A successful answer. It can be serialized since [`TokenResponse`] wants that; nobody does.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::oauth) struct Answer {
    access_token: AccessToken,
    #[serde(default = "bearer", deserialize_with = "kind")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "filled")]
    refresh_token: Option<RefreshToken>,
    #[serde(default, deserialize_with = "scopes", rename = "scope")]
    scopes: Option<Vec<Scope>>,
    /// What was exchanged for what (RFC 8693 § 2.2.1).
    #[serde(default)]
    pub(in crate::oauth) issued_token_type: Option<String>,
}

impl TokenResponse for Answer {
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

impl Answer {
    /// The grant, when the request was sent at `issued_at`, with a proof of possession or not.
    /// Otherwise what is wrong with it, as a clause.
    pub(super) fn into_grant(
        self,
        issued_at: Timestamp,
        proved: bool,
    ) -> Result<Grant, &'static str> {
        let token_type = self.token_type.as_ref().to_owned();
        if token_type.eq_ignore_ascii_case("dpop") && !proved {
            return Err("its token is bound to a key that nobody named");
        }
        let scopes = self.scopes.filter(|scopes| !scopes.is_empty());
        let scope = scopes.map(|scopes| {
            let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            names.join(" ")
        });
        let refresh_token = self.refresh_token.map(RefreshToken::into_secret);
        Ok(Grant {
            access_token: sendable(self.access_token)?,
            token_type,
            expires_at: self
                .expires_in
                .map(|seconds| issued_at.plus(Duration::from_secs(seconds))),
            refresh_token: refresh_token.map(Secret::new),
            scope,
            issued_at,
        })
    }

    /// The token alone, whatever its kind.
    pub(in crate::oauth) fn into_token(self) -> Result<Secret, &'static str> {
        sendable(self.access_token)
    }
}

/// A token that a header can carry (RFC 6750 § 2.1 allows fewer characters yet).
fn sendable(token: AccessToken) -> Result<Secret, &'static str> {
    let token = Secret::new(token.into_secret());
    match token.expose() {
        "" => Err("its token is empty"),
        text if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("its token holds characters that no header can carry")
        }
        _ => Ok(token),
    }
}

/// What nearly every token is, and the ones of servers that do not say.
fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    let name: Option<String> = Option::deserialize(deserializer)?;
    Ok(match name {
        Some(name) if name.eq_ignore_ascii_case("bearer") => BasicTokenType::Bearer,
        Some(name) if !name.is_empty() => BasicTokenType::Extension(name),
        _ => bearer(),
    })
}

/// A number of seconds, also as a string or a fraction. None when it says nothing: 0 would be a
/// token of no use, and is what some write for one that does not end.
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

/// Takes an empty text for none.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RefreshToken>, D::Error> {
    let token: Option<String> = Option::deserialize(deserializer)?;
    let token = token.filter(|token| !token.is_empty());
    Ok(token.map(RefreshToken::new))
}

/// A list by spaces, or one of JSON.
fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Scope>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let texts: Vec<&str> = match &value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(None),
    };
    let names = texts.iter().flat_map(|text| text.split_whitespace());
    Ok(Some(names.map(|it| Scope::new(it.to_owned())).collect()))
}

/// Reads an answer that the library does not.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a Bytes, url: &Url) -> Result<T, TokenError> {
    serde_json::from_slice(body).map_err(|error| unreadable(&error, url))
}

/// Says where an answer is broken. The error itself may quote a secret.
pub(super) fn unreadable(error: &serde_json::Error, url: &Url) -> TokenError {
    let fault = match error.classify() {
        serde_json::error::Category::Data => "it lacks what such an answer has",
        _ => "it is no JSON",
    };
    TokenError::Malformed {
        server: without_query(url).into(),
        fault: fault.to_owned(),
    }
}

#[cfg(test)]
mod tests;
