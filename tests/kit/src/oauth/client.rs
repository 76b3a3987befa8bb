//! Registered clients and their redirect URIs.

use serde_json::{Value, json};

use super::key::Key;
use super::params::{Scopes, joined, random, scopes};

/// The authentication method of a client (`token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AuthMethod {
    /// None: a public client.
    None,
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
    /// `private_key_jwt`, RFC 7523
    PrivateKeyJwt,
}

impl AuthMethod {
    /// Returns the name in metadata and registrations.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// A registered client.
#[derive(Clone)]
pub struct Client {
    pub(super) id: String,
    pub(super) method: AuthMethod,
    pub(super) secret: Option<String>,
    pub(super) key: Option<Key>,
    pub(super) redirect_uris: Vec<String>,
    pub(super) grants: Vec<String>,
    /// The allowed scopes; `None` if the registration named none.
    pub(super) scopes: Option<Scopes>,
}

/// Returns a public client registered by hand, for every grant, without a redirect URI.
pub fn client(id: &str) -> Client {
    let grants = [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        super::device::GRANT,
        super::assertions::JWT_BEARER,
        super::assertions::TOKEN_EXCHANGE,
    ];
    Client {
        id: id.to_owned(),
        method: AuthMethod::None,
        secret: None,
        key: None,
        redirect_uris: Vec::new(),
        grants: grants.map(str::to_owned).into(),
        scopes: None,
    }
}

impl Client {
    /// Uses a secret in the `Authorization` header.
    #[must_use]
    pub fn secret_basic(mut self, secret: &str) -> Self {
        (self.method, self.secret) = (AuthMethod::Basic, Some(secret.to_owned()));
        self
    }

    /// Uses a secret in the body.
    #[must_use]
    pub fn secret_post(mut self, secret: &str) -> Self {
        (self.method, self.secret) = (AuthMethod::Post, Some(secret.to_owned()));
        self
    }

    /// Uses a token signed with this key.
    #[must_use]
    pub fn private_key(mut self, key: &Key) -> Self {
        (self.method, self.key) = (AuthMethod::PrivateKeyJwt, Some(key.clone()));
        self
    }

    /// Adds a redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, uri: &str) -> Self {
        self.redirect_uris.push(uri.to_owned());
        self
    }

    /// Allows only these grants.
    #[must_use]
    pub fn grants<'a>(mut self, grants: impl IntoIterator<Item = &'a str>) -> Self {
        self.grants = grants.into_iter().map(str::to_owned).collect();
        self
    }

    /// Allows only these scopes.
    #[must_use]
    pub fn scopes(mut self, list: &str) -> Self {
        self.scopes = Some(scopes(list));
        self
    }

    /// Issues a secret if the method of the client requires one.
    pub(super) fn with_new_secret(mut self) -> Self {
        let needed = matches!(self.method, AuthMethod::Basic | AuthMethod::Post);
        self.secret = needed.then(|| random("client-secret"));
        self
    }

    /// Returns the registration response (RFC 7591 § 3.2.1).
    pub(super) fn description(&self) -> Value {
        let mut description = json!({
            "client_id": self.id,
            "client_id_issued_at": 1_700_000_000,
            "redirect_uris": self.redirect_uris,
            "grant_types": self.grants,
            "token_endpoint_auth_method": self.method.name(),
        });
        if let Some(secret) = &self.secret {
            description["client_secret"] = json!(secret);
            description["client_secret_expires_at"] = json!(0);
        }
        if let Some(scopes) = &self.scopes {
            description["scope"] = json!(joined(scopes));
        }
        description
    }

    /// Returns `true` if `asked` equals one of the redirect URIs. On a loopback address the port may differ
    /// (RFC 8252 § 7.3), unless `exact_ports`.
    pub(super) fn redirects_to(&self, asked: &str, exact_ports: bool) -> bool {
        self.redirect_uris.iter().any(|registered| {
            let portless = || portless(asked).is_some() && portless(asked) == portless(registered);
            registered == asked || !exact_ports && portless()
        })
    }
}

/// Returns a loopback URI without its port: the host, and the part after the port.
fn portless(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"]
        .into_iter()
        .find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let after = match rest.strip_prefix(':') {
        Some(port) => port.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    Some((host, after))
}
