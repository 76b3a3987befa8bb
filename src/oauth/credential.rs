//! A token as requests carry it.

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

/// A token is renewed so long before its end that it is still good when it arrives.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);

/// Of a token younger than this, a renewal is no cure: whoever refuses it refuses the next as well.
const NEW: Duration = Duration::from_secs(10);

/// The tokens of an upstream, ready for use. Prints none of them.
#[derive(Debug)]
pub struct Credential {
    pub(super) tokens: Tokens,
    /// Which state of the file they are.
    pub(super) version: Version,
    authorization: HeaderValue,
    pub(super) dpop: Option<Arc<DpopKey>>,
}

/// Why stored tokens cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the access token holds characters that no header can carry")]
    Token,
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Credential {
    /// Makes them ready. The nonces that a key has learned are kept if `before` has the same one.
    pub(super) fn new(
        tokens: Tokens,
        version: Version,
        before: Option<&Self>,
    ) -> Result<Self, Unusable> {
        let dpop = match &tokens.dpop_key {
            None => None,
            Some(secret) => {
                let same = before.and_then(|before| before.dpop.clone());
                match same.filter(|key| key.secret() == secret) {
                    Some(key) => Some(key),
                    None => Some(Arc::new(DpopKey::from_secret(secret)?)),
                }
            }
        };
        let scheme = if dpop.is_some() { "DPoP" } else { "Bearer" };
        let text = format!("{scheme} {}", tokens.access_token.expose());
        let mut authorization = HeaderValue::from_str(&text).map_err(|_| Unusable::Token)?;
        authorization.set_sensitive(true);
        Ok(Self {
            tokens,
            version,
            authorization,
            dpop,
        })
    }

    /// The headers that authorize one request: the token (RFC 6750 § 2.1), and a proof if it is bound to
    /// a key (RFC 9449 § 7.1), good for this method and url once.
    ///
    /// # Errors
    /// [`KeyError`], when the key cannot sign.
    pub fn sign(
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

    /// Keeps the nonce that an answer brings. Says whether another proof is worth a try.
    pub fn keep_nonce(&self, url: &Url, headers: &HeaderMap) -> bool {
        let key = self.dpop.as_ref();
        key.is_some_and(|key| key.keep_nonce(url, headers))
    }

    /// Whether it ends soon, or has. Of a short life, the last tenth is soon.
    pub(super) fn expires(&self) -> bool {
        let (issued, end) = (self.tokens.issued_at, self.tokens.expires_at);
        let life = issued.zip(end).map(|(issued, end)| end.after(issued) / 10);
        let margin = life.map_or(EXPIRY_MARGIN, |tenth| tenth.min(EXPIRY_MARGIN));
        self.tokens.expire_within(margin, Timestamp::now())
    }

    pub(super) fn is_valid(&self) -> bool {
        !self.tokens.expire_within(Duration::ZERO, Timestamp::now())
    }

    pub(super) fn is_new(&self) -> bool {
        let issued = self.tokens.issued_at;
        issued.is_some_and(|at| Timestamp::now().after(at) < NEW)
    }
}
