//! Client authentication at an endpoint (RFC 6749 § 2.3, RFC 7523 § 2.2).

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use url::form_urlencoded::byte_serialize;

use super::error::TokenError;
use super::form::Form;
use super::signing::{KeyError, SigningKey};
use crate::config::Secret;
use crate::oauth::tokens::ClientInformation;

/// The only client assertion type that servers accept (RFC 7523 § 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client authenticates.
#[derive(Debug, Clone, Copy)]
pub(in crate::oauth) enum ClientAuthentication<'a> {
    /// `none`: a public client, which cannot keep a secret.
    None,
    /// `client_secret_basic`: in the `Authorization` header.
    Basic(&'a Secret),
    /// `client_secret_post`: in the body.
    Post(&'a Secret),
    /// `private_key_jwt`: a signed assertion.
    PrivateKeyJwt(&'a SigningKey),
}

impl<'a> ClientAuthentication<'a> {
    /// Chooses the client's registered method; without one, the best that its credentials and the
    /// server's `token_endpoint_auth_methods_supported` allow.
    pub(super) fn choose(
        client: &'a ClientInformation,
        key: Option<&'a SigningKey>,
        supported: Option<&[String]>,
    ) -> Result<Self, TokenError> {
        let secret = client.client_secret.as_ref();
        let secret = secret.filter(|secret| !secret.expose().is_empty());
        let unusable_method = |method: &str, problem| TokenError::Authentication {
            method: method.to_owned(),
            problem,
        };
        let method = client.token_endpoint_auth_method.as_deref();
        match (method.filter(|method| !method.is_empty()), secret, key) {
            (Some("none"), _, _) => Ok(Self::None),
            (Some("client_secret_basic"), Some(secret), _) => Ok(Self::Basic(secret)),
            (Some("client_secret_post"), Some(secret), _) => Ok(Self::Post(secret)),
            // A server that issued no secret expects none, whatever method it names.
            (Some("client_secret_basic" | "client_secret_post"), None, _) => Ok(Self::None),
            (Some("private_key_jwt"), _, Some(key)) => Ok(Self::PrivateKeyJwt(key)),
            (Some(method @ "private_key_jwt"), _, None) => {
                Err(unusable_method(method, "needs a key"))
            }
            (Some(method), _, _) => Err(unusable_method(method, "is not supported")),
            (None, _, Some(key)) => Ok(Self::PrivateKeyJwt(key)),
            (None, Some(secret), None) => Ok(Self::choose_for_secret(secret, supported)),
            (None, None, None) => Ok(Self::None),
        }
    }

    fn choose_for_secret(secret: &'a Secret, supported: Option<&[String]>) -> Self {
        let takes = |method: &str| match supported {
            // The default of RFC 8414 § 2.
            None => method == "client_secret_basic",
            Some(methods) => methods.iter().any(|it| it == method),
        };
        if takes("client_secret_basic") {
            Self::Basic(secret)
        } else if takes("client_secret_post") {
            Self::Post(secret)
        } else if takes("none") {
            Self::None
        } else {
            Self::Basic(secret)
        }
    }

    /// Adds the client's authentication to `form` and returns the `Authorization` header, if any.
    /// An assertion is valid once: call this again before each retry.
    pub(super) fn apply(
        self,
        form: &mut Form<'a>,
        client_id: &'a str,
        audience: &str,
    ) -> Result<Option<HeaderValue>, KeyError> {
        form.retain(|(name, _)| name != "client_id");
        let mut add = |name: &'static str, value: Cow<'a, str>| form.push((name.into(), value));
        // The assertion may already identify the client (RFC 7521 § 4.1), and `Authorization` does.
        // Servers built with the Python SDK look for `client_id` only in the form.
        if !client_id.is_empty() {
            add("client_id", client_id.into());
        }
        match self {
            Self::Basic(secret) => return Ok(Some(basic_header(client_id, secret))),
            Self::Post(secret) => add("client_secret", secret.expose().into()),
            Self::PrivateKeyJwt(key) => {
                let assertion = key.client_assertion(client_id, audience)?;
                add("client_assertion_type", ASSERTION_TYPE.into());
                add("client_assertion", assertion.expose().to_owned().into());
            }
            Self::None => {}
        }
        Ok(None)
    }
}

/// Form-encodes id and secret first (RFC 6749 § 2.3.1), so that a colon in either is unambiguous.
fn basic_header(client_id: &str, secret: &Secret) -> HeaderValue {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
    // Base64 is always a valid header value: the fallback is never reached.
    let mut value =
        HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests;
