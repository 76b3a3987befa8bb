//! What a refused request says about the token that is to replace the refused one.

use http::StatusCode;

use crate::config::Secret;
use crate::oauth::credential::Credential;
use crate::oauth::discovery::challenge::Challenges;

/// Why the upstream refused a request, and what it wants instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenDemand {
    /// The access token that was refused.
    pub(crate) refused_token: Option<Secret>,
    /// Where its resource metadata are.
    pub(crate) resource_metadata: Option<String>,
    /// The scope that the request needs.
    pub(crate) scope: Option<String>,
    /// Whether the token was good and its scope too small.
    pub(crate) is_step_up: bool,
    /// Whether the authorization server has taken the login back.
    pub(crate) is_revoked: bool,
    /// Whether only tokens bound to a key are taken.
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
