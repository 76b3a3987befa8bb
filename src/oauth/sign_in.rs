//! Why there is no usable token for an upstream, with what to do about it.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::authority::TokenError;
use super::authority::signing::KeyError;
use super::error::OAuthError;
use super::login::login_error::LoginError;
use super::store::StoreError;
use crate::config::UpstreamName;
use crate::disk::DiskError;

/// Why a request cannot be authorized. The texts follow the upstream's name; the remedy stands after a semicolon.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    /// A person has to sign in.
    #[error("{0}")]
    Required(Box<SignInRequired>),
    /// The login came to its end, without tokens.
    #[error("{0}")]
    Login(Arc<LoginError>),
    /// No authorization server, or none that may be used.
    #[error("{0}")]
    Discovery(Arc<OAuthError>),
    /// The authorization server issues no token.
    #[error("{0}")]
    Token(Arc<TokenError>),
    /// The login cannot be read or kept.
    #[error("{0}")]
    Store(Arc<StoreError>),
    /// The loopback address for the browser cannot be had.
    #[error("cannot wait for the browser: {0}; set `oauth.redirect_uri` to another port")]
    Callback(Arc<std::io::Error>),
    /// Nobody knows as which client to sign in.
    #[error(
        "its authorization server `{issuer}` registers no clients by itself; register one there{} \
         and set `oauth.client_id` (or `{variable}`)",
        with_redirect(.redirect_uri.as_deref())
    )]
    NoClient {
        /// The authorization server.
        issuer: String,
        /// Where the browser comes back to, which has to be registered too.
        redirect_uri: Option<String>,
        /// The variable that gives the client's id.
        variable: String,
    },
    /// Credentials of one authorization server must not go to another
    /// (MCP 2026-07-28 § Authorization Server Binding).
    #[error(
        "its authorization server was `{known}` and is `{found}` now, for which `oauth.client_id` was not registered; \
         register it there, then run `mcp-manifold logout {upstream}`"
    )]
    IssuerChanged {
        /// The upstream.
        upstream: UpstreamName,
        /// Where the credentials belong.
        known: String,
        /// Who asks for them now.
        found: String,
    },
    /// A new token was refused like the one before.
    #[error(
        "it refuses a token that was issued for it just now; report it to who runs the server, or try `mcp-manifold login {0}`"
    )]
    TokenRefused(UpstreamName),
    /// More scopes are asked for than anybody grants.
    #[error(
        "it wants the scope `{scope}`, which was asked for and not granted; ask who runs the server for it"
    )]
    InsufficientScope {
        /// What it wants.
        scope: String,
    },
}

impl SignInError {
    /// Whether a person is at it just now, so that waiting a moment is worth it.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Required(needed) if needed.opened)
    }

    /// Whether it may be over the next time, without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Discovery(error) => error.is_transient(),
            Self::Token(error) => error.is_transient(),
            Self::Store(error) => matches!(**error, StoreError::Disk(DiskError::Busy { .. })),
            _ => false,
        }
    }

    /// The address at which a person signs in, if there is one.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::Required(needed) => needed.url.as_ref(),
            _ => None,
        }
    }
}

impl From<OAuthError> for SignInError {
    fn from(error: OAuthError) -> Self {
        Self::Discovery(Arc::new(error))
    }
}

impl From<TokenError> for SignInError {
    fn from(error: TokenError) -> Self {
        Self::Token(Arc::new(error))
    }
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<LoginError> for SignInError {
    fn from(error: LoginError) -> Self {
        Self::Login(Arc::new(error))
    }
}

impl From<KeyError> for SignInError {
    fn from(error: KeyError) -> Self {
        TokenError::from(error).into()
    }
}

impl From<SignInRequired> for SignInError {
    fn from(needed: SignInRequired) -> Self {
        Self::Required(Box::new(needed))
    }
}

fn with_redirect(uri: Option<&str>) -> String {
    uri.map_or_else(String::new, |uri| format!(" with the redirect URI `{uri}`"))
}

/// What a person has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRequired {
    /// Where to sign in.
    pub upstream: UpstreamName,
    /// The page, once it is known.
    pub url: Option<Url>,
    /// What to enter there, when it asks for a code (RFC 8628 § 3.3).
    pub code: Option<String>,
    /// Whether the page was opened in a browser.
    pub opened: bool,
    /// Why no browser was opened, as a clause.
    pub closed: Option<&'static str>,
}

impl fmt::Display for SignInRequired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it needs you to sign in")?;
        if let Some(why) = self.closed {
            write!(f, " (no browser was opened: {why})")?;
        }
        f.write_str("; ")?;
        match (&self.url, &self.code) {
            (Some(url), Some(code)) => write!(f, "open {url} and enter {code}, or ")?,
            (Some(url), None) if self.opened => write!(f, "finish it in your browser ({url}) or ")?,
            (Some(url), None) => write!(f, "open {url} or ")?,
            (None, _) => {}
        }
        write!(f, "run `mcp-manifold login {}`", self.upstream)
    }
}
