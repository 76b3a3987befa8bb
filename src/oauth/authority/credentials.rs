//! How a client says who it is (RFC 6749 § 2.3, RFC 7523 § 2.2).

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use url::form_urlencoded::byte_serialize;

use super::error::TokenError;
use super::form::Form;
use super::signing::{KeyError, SigningKey};
use crate::config::Secret;
use crate::oauth::tokens::Client;

/// The only kind of client assertion that anybody takes (RFC 7523 § 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A way for a client to prove that it is the one it names.
#[derive(Debug, Clone, Copy)]
pub(in crate::oauth) enum Credentials<'a> {
    /// None: a public client, or one that cannot keep a secret.
    None,
    /// `client_secret_basic`: in the `Authorization` header.
    Basic(&'a Secret),
    /// `client_secret_post`: in the body.
    Post(&'a Secret),
    /// `private_key_jwt`: a signature.
    Key(&'a SigningKey),
}

impl<'a> Credentials<'a> {
    /// The way that the client is registered with, else the best that we have the means for and
    /// the server takes (`token_endpoint_auth_methods_supported`).
    pub(super) fn of(
        client: &'a Client,
        key: Option<&'a SigningKey>,
        supported: Option<&[String]>,
    ) -> Result<Self, TokenError> {
        let secret = client.client_secret.as_ref();
        let secret = secret.filter(|secret| !secret.expose().is_empty());
        let lacking = |method: &str, lack| TokenError::Authentication {
            method: method.to_owned(),
            lack,
        };
        let method = client.token_endpoint_auth_method.as_deref();
        match (method.filter(|method| !method.is_empty()), secret, key) {
            (Some("none"), _, _) => Ok(Self::None),
            (Some("client_secret_basic"), Some(secret), _) => Ok(Self::Basic(secret)),
            (Some("client_secret_post"), Some(secret), _) => Ok(Self::Post(secret)),
            // Who gives no secret expects none, whatever it calls that.
            (Some("client_secret_basic" | "client_secret_post"), None, _) => Ok(Self::None),
            (Some("private_key_jwt"), _, Some(key)) => Ok(Self::Key(key)),
            (Some(method @ "private_key_jwt"), _, None) => Err(lacking(method, "needs a key")),
            (Some(method), _, _) => Err(lacking(method, "is not known here")),
            (None, _, Some(key)) => Ok(Self::Key(key)),
            (None, Some(secret), None) => Ok(Self::by_secret(secret, supported)),
            (None, None, None) => Ok(Self::None),
        }
    }

    fn by_secret(secret: &'a Secret, supported: Option<&[String]>) -> Self {
        let takes = |method: &str| match supported {
            // RFC 8414 § 2 gives the default.
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

    /// Puts what says who we are into `form`, and gives what belongs into `Authorization`. What an
    /// assertion says it says once: a request that is sent again has to be given anew.
    pub(super) fn apply(
        self,
        form: &mut Form<'a>,
        client_id: &'a str,
        audience: &str,
    ) -> Result<Option<HeaderValue>, KeyError> {
        form.retain(|(name, _)| name != "client_id");
        let mut add = |name: &'static str, value: Cow<'a, str>| form.push((name.into(), value));
        // An assertion may be all that a client has (RFC 7521 § 4.1). Beside `Authorization` it says
        // nothing new, but servers of the Python SDK look for it nowhere else.
        if !client_id.is_empty() {
            add("client_id", client_id.into());
        }
        match self {
            Self::Basic(secret) => return Ok(Some(basic(client_id, secret))),
            Self::Post(secret) => add("client_secret", secret.expose().into()),
            Self::Key(key) => {
                let assertion = key.client_assertion(client_id, audience)?;
                add("client_assertion_type", ASSERTION_TYPE.into());
                add("client_assertion", assertion.expose().to_owned().into());
            }
            Self::None => {}
        }
        Ok(None)
    }
}

/// Both parts are encoded as in a form first (RFC 6749 § 2.3.1): a colon would part them elsewhere.
fn basic(client_id: &str, secret: &Secret) -> HeaderValue {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
    // Base64 is fit for a header, so that the other case does not come.
    let mut value =
        HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests;
