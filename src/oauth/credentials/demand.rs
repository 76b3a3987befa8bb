//! What a refused request says about the token that is to replace the refused one.

use http::StatusCode;

use crate::config::Secret;
use crate::oauth::credential::Credential;
use crate::oauth::discovery::challenge::Challenges;

/// Why the upstream refused a request, and what it wants instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenDemand {
    /// The access token that was refused.
    pub(crate) refused: Option<Secret>,
    /// Where its resource metadata are.
    pub(crate) resource_metadata: Option<String>,
    /// The scope that the request needs.
    pub(crate) scope: Option<String>,
    /// Whether the token was good and its scope too small.
    pub(crate) step_up: bool,
    /// Whether the authorization server has taken the login back.
    pub(crate) revoked: bool,
    /// Whether only tokens bound to a key are taken.
    pub(crate) dpop: bool,
}

impl TokenDemand {
    /// Reads the refusal of a request that was sent with `used`.
    pub(crate) fn of(
        used: Option<&Credential>,
        status: StatusCode,
        challenges: &Challenges,
    ) -> Self {
        Self {
            refused: used.map(|used| used.tokens.access_token.clone()),
            resource_metadata: challenges.resource_metadata().map(str::to_owned),
            scope: challenges.scopes().map(|scopes| scopes.join(" ")),
            step_up: status == StatusCode::FORBIDDEN,
            revoked: false,
            dpop: challenges.dpop.is_some() && challenges.bearer.is_none(),
        }
    }
}
