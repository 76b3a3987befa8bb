//! The requirements on the token that replaces a refused one.

use http::StatusCode;

use crate::config::Secret;
use crate::oauth::credential::Credential;
use crate::oauth::discovery::challenge::Challenges;

/// Why the upstream refused a request, and which token it requires.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenDemand {
    /// The refused access token.
    pub(crate) refused_token: Option<Secret>,
    /// The address of the resource metadata.
    pub(crate) resource_metadata: Option<String>,
    /// The scope that the request needs.
    pub(crate) scope: Option<String>,
    /// Whether the token was valid but its scope too small.
    pub(crate) is_step_up: bool,
    /// Whether the authorization server has revoked the login.
    pub(crate) is_revoked: bool,
    /// Whether the upstream accepts only tokens bound to a key.
    pub(crate) requires_dpop: bool,
}

impl TokenDemand {
    /// Reads the refusal of a request that was sent with `used`.
    pub(crate) fn from_refusal(
        used: Option<&Credential>,
        status: StatusCode,
        challenges: &Challenges,
    ) -> Self {
        Self {
            refused_token: used.map(|used| used.tokens.access_token.clone()),
            resource_metadata: challenges.resource_metadata().map(str::to_owned),
            scope: challenges.scopes().map(|scopes| scopes.join(" ")),
            is_step_up: status == StatusCode::FORBIDDEN,
            is_revoked: false,
            requires_dpop: challenges.dpop.is_some() && challenges.bearer.is_none(),
        }
    }
}
