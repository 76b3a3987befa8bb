//! Why an upstream has no usable token, with the remedy.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::authority::TokenError;
use super::authority::signing::KeyError;
use super::error::DiscoveryError;
use super::login::login_error::LoginError;
use super::store::StoreError;
use crate::config::UpstreamName;
use crate::disk::DiskError;

/// Why a request cannot be authorized. The texts follow the upstream's name; the remedy follows a
/// semicolon.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    /// The user has to sign in.
    #[error("{0}")]
    Required(Box<SignInRequired>),
    /// The login ended without tokens.
    #[error("{0}")]
    Login(Arc<LoginError>),
    /// No authorization server was found, or none that may be used.
    #[error("{0}")]
    Discovery(Arc<DiscoveryError>),
    /// The authorization server issued no token.
    #[error("{0}")]
    Token(Arc<TokenError>),
    /// The stored login cannot be read or written.
    #[error("{0}")]
    Store(Arc<StoreError>),
    /// The callback listener cannot listen.
    #[error("cannot wait for the browser: {0}; set `oauth.redirect_uri` to another port")]
    Callback(Arc<std::io::Error>),
    /// No client is configured, and the server registers none.
    #[error(
        "the authorization server `{issuer}` has no client registration; register a client there{} \
         and set `oauth.client_id` (or `{variable}`)",
        redirect_hint(.redirect_uri.as_deref())
    )]
    NoClient {
        /// The authorization server.
        issuer: String,
        /// The redirect URI, which has to be registered too.
        redirect_uri: Option<String>,
        /// The environment variable for the client id.
        variable: String,
    },
    /// The configured client belongs to another authorization server (MCP 2026-07-28
    /// § Authorization Server Binding).
    #[error(
        "the authorization server changed from `{expected}` to `{found}`, for which `oauth.client_id` is not registered; \
         register it there, then run `mcp-manifold logout {upstream}`"
    )]
    IssuerChanged {
        /// The upstream.
        upstream: UpstreamName,
        /// The issuer that the client belongs to.
        expected: String,
        /// The current issuer.
        found: String,
    },
    /// The upstream refused a new token like the one before.
    #[error(
        "the server refuses a token that was just issued for it; report this to the server's operator, or run `mcp-manifold login {0}`"
    )]
    TokenRefused(UpstreamName),
    /// The server did not grant the required scope.
    #[error(
        "the server requires the scope `{scope}`, which was requested and not granted; ask the server's operator for it"
    )]
    InsufficientScope {
        /// The required scope.
        scope: String,
    },
}

impl SignInError {
    /// Returns `true` if the user is signing in now, so that a short wait may help.
    #[must_use]
    pub fn is_waiting_for_browser(&self) -> bool {
        matches!(self, Self::Required(needed) if needed.browser_opened)
    }

    /// Returns `true` if the request may succeed later, without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Discovery(error) => error.is_transient(),
            Self::Token(error) => error.is_transient(),
            Self::Store(error) => matches!(**error, StoreError::Disk(DiskError::Busy { .. })),
            _ => false,
        }
    }

    /// Returns the sign-in page, if any.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::Required(needed) => needed.url.as_ref(),
            _ => None,
        }
    }
}

impl From<DiscoveryError> for SignInError {
    fn from(error: DiscoveryError) -> Self {
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

fn redirect_hint(uri: Option<&str>) -> String {
    uri.map_or_else(String::new, |uri| format!(" with the redirect URI `{uri}`"))
}

/// The steps that the user has to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRequired {
    /// The upstream to sign in to.
    pub upstream: UpstreamName,
    /// The sign-in page, once known.
    pub url: Option<Url>,
    /// The code to enter there (RFC 8628 § 3.3).
    pub user_code: Option<String>,
    /// Whether a browser has opened the page.
    pub browser_opened: bool,
    /// Why no browser was opened, as a clause.
    pub no_browser_reason: Option<&'static str>,
}

impl SignInRequired {
    /// The reason if the user chose to open the page without help.
    pub const NOT_REQUESTED: &'static str = "not requested";
}

impl fmt::Display for SignInRequired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server needs you to sign in")?;
        if let Some(why) = self.no_browser_reason {
            write!(f, " (no browser was opened: {why})")?;
        }
        f.write_str("; ")?;
        match (&self.url, &self.user_code) {
            (Some(url), Some(user_code)) => write!(f, "open {url} and enter {user_code}, or ")?,
            (Some(url), None) if self.browser_opened => {
                write!(f, "finish it in your browser ({url}) or ")?;
            }
            (Some(url), None) => write!(f, "open {url} or ")?,
            (None, _) => {}
        }
        write!(f, "run `mcp-manifold login {}`", self.upstream)
    }
}
