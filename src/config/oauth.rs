//! How to sign in to an upstream: what the user says about it, valid by construction.
//!
//! What is not said is found out by asking the upstream, so that the default suits one that
//! publishes what MCP wants it to publish.

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

/// How long after a login that nobody finished no browser is opened by itself: long enough
/// that nobody is pestered, short enough that coming back from a break is another chance.
const LOGIN_RETRY: Duration = Duration::from_secs(10 * 60);

/// What is configured about signing in to one upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct OAuth {
    /// The client that was registered beforehand (`client_id`, or `PROXY_<NAME>_CLIENT_ID`).
    pub client_id: Option<String>,
    /// Its secret (`client_secret`, or `PROXY_<NAME>_CLIENT_SECRET`).
    pub client_secret: Option<Secret>,
    /// The address of the client's metadata, which is its id where a server takes such
    /// (draft-ietf-oauth-client-id-metadata-document-00 § 3).
    pub client_metadata_url: Option<Url>,
    /// The key that the client signs with instead of having a secret (RFC 7523 § 2.2).
    pub private_key: Option<PrivateKey>,
    /// Where the browser comes back to, when it must be a certain place.
    pub redirect_uri: Option<RedirectUri>,
    /// What to ask for; empty means no scope at all. `None`: what the upstream says.
    pub scopes: Option<Vec<String>>,
    /// What tokens are asked for.
    pub resource: Resource,
    /// The issuer of the authorization server to use of those that the upstream names, as
    /// written: https, or http on this machine.
    pub authorization_server: Option<String>,
    /// What else goes into the address of the sign-in page. None of them is one that the flow
    /// sets itself, and no name is there twice.
    pub authorize_params: Vec<(String, String)>,
    /// Whether a browser may be opened by itself.
    pub login: Login,
    /// How long after a login that nobody finished no browser is opened by itself.
    pub login_retry: Duration,
    /// Whether PKCE must be advertised.
    pub pkce: Pkce,
    /// How tokens are come by, with what that way needs.
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

/// A private key and how to sign with it.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivateKey {
    /// The key in PEM (RFC 7468 § 10); looks like one, but nobody tried it yet.
    pub pem: Secret,
    /// One of [`PrivateKey::ALGORITHMS`], as it was registered.
    pub algorithm: String,
}

impl PrivateKey {
    /// The algorithms that a client may sign with (RFC 7518 § 3.1, RFC 8037 § 3.1).
    pub const ALGORITHMS: [&str; 9] = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];
}

/// What the `resource` of requests for tokens is (RFC 8707 § 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Resource {
    /// What the upstream publishes, else its url.
    #[default]
    Discovered,
    /// Nothing: some servers refuse the parameter.
    Off,
    /// This, as written.
    Uri(String),
}

/// When a browser is opened to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Login {
    /// When the upstream is first needed, too.
    #[default]
    Auto,
    /// When somebody runs `mcp-manifold login`, and never otherwise.
    Manual,
}

/// Whether an authorization server must advertise PKCE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pkce {
    /// One that does not is refused, as MCP demands.
    #[default]
    Required,
    /// Somebody configured that it has it without saying so.
    Assumed,
}

/// How tokens are come by.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum GrantChoice {
    /// A person signs in with a browser on this machine (RFC 6749 § 4.1).
    #[default]
    AuthorizationCode,
    /// A person signs in with a browser anywhere (RFC 8628).
    Device,
    /// The client itself is entitled (RFC 6749 § 4.4). There are `client_id` and either
    /// `client_secret` or `private_key`.
    ClientCredentials,
    /// Somebody issued an assertion that is exchanged (RFC 7523 § 2.1).
    JwtBearer {
        /// The signed JWT.
        assertion: Secret,
    },
    /// The enterprise's identity provider vouches for the person
    /// (MCP extension Enterprise-Managed Authorization).
    Enterprise(Enterprise),
}

impl GrantChoice {
    /// Whether tokens are come by through a person who signs in.
    #[must_use]
    pub fn requires_user_action(&self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::Device)
    }
}

/// The identity provider of an enterprise, and what it knows us by.
#[derive(Debug, Clone, PartialEq)]
pub struct Enterprise {
    /// The client as the provider knows it.
    pub idp_client_id: String,
    /// Its secret there.
    pub idp_client_secret: Option<Secret>,
    /// The ID token of the person who signed in at the provider.
    pub idp_id_token: Secret,
    /// Who the provider is, as written.
    pub idp_issuer: Option<String>,
    /// Where it exchanges tokens: https, or http on this machine.
    pub idp_token_endpoint: Url,
}
