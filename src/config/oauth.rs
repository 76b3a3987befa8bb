//! The configuration of the sign-in to an upstream, with validated values.
//!
//! Missing values are discovered at the upstream, so that the defaults suit servers that publish
//! the metadata that MCP requires.

mod address;
mod field;
mod grant;
mod read;
mod redirect;
mod variables;

#[cfg(test)]
mod tests;

use std::time::Duration;

use url::Url;

use super::Secret;

pub(super) use read::read;
pub use redirect::{LoopbackHost, RedirectUri};
pub(super) use variables::Credentials;

/// The default time after an unfinished login during which no browser opens automatically. It does not annoy
/// the user, and allows a retry after a break.
const LOGIN_RETRY: Duration = Duration::from_secs(10 * 60);

/// The configuration of the sign-in to one upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct OAuth {
    /// The id of a pre-registered client (`client_id`, or `PROXY_<NAME>_CLIENT_ID`).
    pub client_id: Option<String>,
    /// The client's secret (`client_secret`, or `PROXY_<NAME>_CLIENT_SECRET`).
    pub client_secret: Option<Secret>,
    /// The url of the client's metadata document, its client id at servers that support this
    /// (draft-ietf-oauth-client-id-metadata-document-00 § 3).
    pub client_metadata_url: Option<Url>,
    /// The key with which the client signs assertions instead of sending a secret (RFC 7523 § 2.2).
    pub private_key: Option<PrivateKey>,
    /// The redirect URI, if it must be a certain one.
    pub redirect_uri: Option<RedirectUri>,
    /// The scopes to request; empty for none, `None` for those that the upstream names.
    pub scopes: Option<Vec<String>>,
    /// The `resource` of token requests.
    pub resource: Resource,
    /// The issuer of the authorization server to use, one of those that the upstream names. As written:
    /// https, or http on this machine.
    pub authorization_server: Option<String>,
    /// Further parameters of the authorization request. Parameters that the flow sets itself and
    /// repeated names are excluded.
    pub authorize_params: Vec<(String, String)>,
    /// Whether a browser may open automatically.
    pub login: Login,
    /// The time after an unfinished login during which no browser opens automatically.
    pub login_retry: Duration,
    /// Whether the authorization server must advertise PKCE.
    pub pkce: Pkce,
    /// The grant for tokens, with its parameters.
    pub grant: GrantChoice,
}

impl Default for OAuth {
    fn default() -> Self {
        Self {
            client_id: None,
            client_secret: None,
            client_metadata_url: None,
            private_key: None,
            redirect_uri: None,
            scopes: None,
            resource: Resource::default(),
            authorization_server: None,
            authorize_params: Vec::new(),
            login: Login::default(),
            login_retry: LOGIN_RETRY,
            pkce: Pkce::default(),
            grant: GrantChoice::default(),
        }
    }
}

/// A private key and its signature algorithm.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivateKey {
    /// The key in PEM (RFC 7468 § 10). Only the PEM markers are checked.
    pub pem: Secret,
    /// The registered algorithm, one of [`PrivateKey::ALGORITHMS`].
    pub algorithm: String,
}

impl PrivateKey {
    /// The algorithms that a client may sign with (RFC 7518 § 3.1, RFC 8037 § 3.1).
    pub const ALGORITHMS: [&str; 9] = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];
}

/// The `resource` parameter of token requests (RFC 8707 § 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Resource {
    /// The published resource of the upstream, else its url.
    #[default]
    Discovered,
    /// No parameter, since some servers reject it.
    Off,
    /// This URI, as written.
    Uri(String),
}

/// When a browser opens to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Login {
    /// Also when the upstream is first needed.
    #[default]
    Auto,
    /// Only when the user runs `mcp-manifold login`.
    Manual,
}

/// Whether an authorization server must advertise PKCE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pkce {
    /// A server that does not is rejected, as MCP requires.
    #[default]
    Required,
    /// The user states that the server supports PKCE without advertising it.
    Assumed,
}

/// The grant by which tokens are requested.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum GrantChoice {
    /// The user signs in with a browser on this machine (RFC 6749 § 4.1).
    #[default]
    AuthorizationCode,
    /// The user signs in with a browser on any device (RFC 8628).
    Device,
    /// The client itself is authorized (RFC 6749 § 4.4). `client_id` and either `client_secret` or
    /// `private_key` are set.
    ClientCredentials,
    /// An issued assertion is exchanged for tokens (RFC 7523 § 2.1).
    JwtBearer {
        /// The signed JWT.
        assertion: Secret,
    },
    /// The identity provider of an enterprise authenticates the user
    /// (MCP extension Enterprise-Managed Authorization).
    Enterprise(Enterprise),
}

impl GrantChoice {
    /// Whether the user has to sign in.
    #[must_use]
    pub fn requires_user_action(&self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::Device)
    }
}

/// The identity provider of an enterprise, and the client's registration there.
#[derive(Debug, Clone, PartialEq)]
pub struct Enterprise {
    /// The client id at the provider.
    pub idp_client_id: String,
    /// The client secret at the provider.
    pub idp_client_secret: Option<Secret>,
    /// The ID token of the user who signed in at the provider.
    pub idp_id_token: Secret,
    /// The provider's issuer, as written.
    pub idp_issuer: Option<String>,
    /// The provider's token endpoint: https, or http on this machine.
    pub idp_token_endpoint: Url,
}
