//! A token in the form that requests need.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::authority::dpop::{DPOP, DpopKey};
use super::authority::signing::KeyError;
use super::store::Version;
use super::tokens::{Timestamp, Tokens};

/// Tokens are renewed this long before expiry, so that they are still valid on arrival.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);

/// Renewing a younger token does not help: an upstream that refuses it refuses the next one too.
const NEW_TOKEN_AGE: Duration = Duration::from_secs(10);

/// The tokens of an upstream, ready for use. `Debug` prints no secret.
#[derive(Debug)]
pub struct Credential {
    pub(super) tokens: Tokens,
    /// The version of the file with these tokens.
    pub(super) version: Version,
    authorization: HeaderValue,
    pub(super) dpop: Option<Arc<DpopKey>>,
}

/// Why stored tokens cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnusableTokens {
    #[error("the access token contains characters that no header can carry")]
    Token,
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Credential {
    /// Prepares tokens for use. Keeps the nonces of the DPoP key if `previous` has the same key.
    pub(super) fn new(
        tokens: Tokens,
        version: Version,
        previous: Option<&Self>,
    ) -> Result<Self, UnusableTokens> {
        let dpop = match &tokens.dpop_key {
            None => None,
            Some(secret) => {
                let same = previous.and_then(|previous| previous.dpop.clone());
                match same.filter(|key| key.secret() == secret) {
                    Some(key) => Some(key),
                    None => Some(Arc::new(DpopKey::from_secret(secret)?)),
                }
            }
        };
        let scheme = if dpop.is_some() { "DPoP" } else { "Bearer" };
        let text = format!("{scheme} {}", tokens.access_token.expose());
        let mut authorization = HeaderValue::from_str(&text).map_err(|_| UnusableTokens::Token)?;
        authorization.set_sensitive(true);
        Ok(Self {
            tokens,
            version,
            authorization,
            dpop,
        })
    }

    /// Returns the headers that authorize one request: the token (RFC 6750 § 2.1), and a DPoP proof
    /// for a bound token (RFC 9449 § 7.1). The proof is valid once, for this method and URL.
    ///
    /// # Errors
    /// [`KeyError`] if the key cannot sign.
    pub fn authorization_headers(
        &self,
        method: &Method,
        url: &Url,
    ) -> Result<impl Iterator<Item = (HeaderName, HeaderValue)> + use<>, KeyError> {
        let key = self.dpop.as_ref();
        let token = Some(&self.tokens.access_token);
        let proof = key.map(|key| key.proof(method, url, token)).transpose()?;
        let proof = proof.map(|proof| (HeaderName::from_static(DPOP), proof));
        Ok(iter::once((AUTHORIZATION, self.authorization.clone())).chain(proof))
    }

    /// Stores the DPoP nonce of a response. Returns `true` if a retry with a new proof may succeed.
    pub fn store_nonce(&self, url: &Url, headers: &HeaderMap) -> bool {
        let key = self.dpop.as_ref();
        key.is_some_and(|key| key.store_nonce(url, headers))
    }

    /// Returns `true` if the token has expired or expires soon. For a short lifetime, the last
    /// tenth is soon.
    pub(super) fn expires_soon(&self) -> bool {
        let (issued, end) = (self.tokens.issued_at, self.tokens.expires_at);
        let life = issued
            .zip(end)
            .map(|(issued, end)| end.duration_since(issued) / 10);
        let margin = life.map_or(EXPIRY_MARGIN, |tenth| tenth.min(EXPIRY_MARGIN));
        self.tokens.expires_within(margin, Timestamp::now())
    }

    pub(super) fn has_expired(&self) -> bool {
        self.tokens.expires_within(Duration::ZERO, Timestamp::now())
    }

    pub(super) fn is_new(&self) -> bool {
        let issued = self.tokens.issued_at;
        issued.is_some_and(|at| Timestamp::now().duration_since(at) < NEW_TOKEN_AGE)
    }
}
