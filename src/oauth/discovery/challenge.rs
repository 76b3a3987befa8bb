//! Bearer and DPoP challenges: what a server requires when it refuses a request.

mod header;

#[cfg(test)]
mod tests;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use header::RawChallenge;

/// The longest `error_description` for messages, in characters.
const DESCRIPTION_CHARS: usize = 200;

/// One challenge for an access token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The address of the protected resource metadata (RFC 9728 § 5.1), unchecked.
    pub resource_metadata: Option<String>,
    /// The scopes that the request needs, separated by spaces (RFC 6750 § 3).
    pub scope: Option<String>,
    /// Why the token was refused: `invalid_token`, `insufficient_scope` (RFC 6750 § 3.1),
    /// `use_dpop_nonce` (RFC 9449 § 9).
    pub error: Option<String>,
    /// The reason as text: one line of at most 200 characters without control characters.
    pub error_description: Option<String>,
    /// The algorithms for DPoP proofs, separated by spaces (RFC 9449 § 7.1).
    pub algs: Option<String>,
}

/// The challenges of a response that an OAuth client can satisfy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenges {
    /// For a bearer token (RFC 6750 § 3).
    pub bearer: Option<Challenge>,
    /// For a token bound to a key (RFC 9449 § 7.1).
    pub dpop: Option<Challenge>,
}

impl Challenges {
    /// Reads every `WWW-Authenticate` line (RFC 9110 § 11.6.1). Skips malformed parts.
    ///
    /// Of several challenges of a scheme, uses the first with resource metadata, otherwise the
    /// first.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        let challenges = header::parse(lines.map(http::HeaderValue::as_bytes));
        let best = |scheme: &str| {
            let mut all = challenges.iter().filter(|raw| raw.scheme == scheme);
            let first = all.clone().next()?;
            let named = all.find(|raw| raw.parameter("resource_metadata").is_some());
            Some(Challenge::new(named.unwrap_or(first)))
        };
        Self {
            bearer: best("bearer"),
            dpop: best("dpop"),
        }
    }

    /// Returns the address of the protected resource metadata, from either challenge.
    #[must_use]
    pub fn resource_metadata(&self) -> Option<&str> {
        self.first_present(|challenge| challenge.resource_metadata.as_deref())
    }

    /// Returns the scopes that the request needs, from either challenge. An empty list means none;
    /// `None` means that no challenge names any.
    #[must_use]
    pub fn scopes(&self) -> Option<Vec<&str>> {
        let scope = self.first_present(|challenge| challenge.scope.as_deref())?;
        Some(scope.split_ascii_whitespace().collect())
    }

    /// Returns `true` if either challenge has this `error`.
    #[must_use]
    pub fn has_error(&self, error: &str) -> bool {
        let mut both = self.bearer.iter().chain(&self.dpop);
        both.any(|challenge| challenge.error.as_deref() == Some(error))
    }

    fn first_present<'a>(
        &'a self,
        part: impl Fn(&'a Challenge) -> Option<&'a str>,
    ) -> Option<&'a str> {
        self.bearer.iter().chain(&self.dpop).find_map(part)
    }
}

impl Challenge {
    fn new(raw: &RawChallenge) -> Self {
        let text = |name| raw.parameter(name).map(str::to_owned);
        let description = raw.parameter("error_description").map(|text| {
            let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            shown.take(DESCRIPTION_CHARS).collect()
        });
        Self {
            resource_metadata: text("resource_metadata"),
            scope: text("scope"),
            error: text("error"),
            error_description: description,
            algs: text("algs"),
        }
    }
}
