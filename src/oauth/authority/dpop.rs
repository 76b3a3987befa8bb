//! Proof of possession: tokens that are of use to the holder of a key alone (RFC 9449).
//!
//! A [`DpopKey`] makes one proof a request and remembers the nonces that servers want to see in
//! them, by the address that gave them: those of an authorization server and of an upstream are
//! not the same, even on one origin (§ 9).

use std::collections::HashMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use super::signing::KeyError;
use crate::config::Secret;
use crate::oauth::tokens::Timestamp;
use crate::random::random_id;
use crate::sync::Mutex;

/// The header of a proof.
pub const DPOP: &str = "dpop";

/// The header that brings the next nonce (§ 8.1).
const DPOP_NONCE: &str = "dpop-nonce";

/// The longest nonce that is kept, in bytes: they are to be short, and go into every request.
const MAX_NONCE: usize = 1024;

/// The algorithm of our proofs, which every server knows that knows any.
pub const DPOP_ALGORITHM: &str = "ES256";

/// A key that tokens are bound to.
pub struct DpopKey {
    key: EncodingKey,
    public: Jwk,
    secret: Secret,
    // std's Mutex: held for one map operation, never across an await.
    nonces: Mutex<HashMap<String, String>>,
}

/// What a proof says (§ 4.2).
#[derive(Serialize)]
struct Claims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

impl DpopKey {
    /// A new key.
    ///
    /// # Errors
    /// [`KeyError::Dpop`] when the system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let made = made.map_err(|_| KeyError::Dpop)?;
        Self::from_pkcs8(made.as_ref())
    }

    /// The key that `tokens.json` holds.
    ///
    /// # Errors
    /// [`KeyError::Dpop`] when it is none.
    pub fn from_secret(secret: &Secret) -> Result<Self, KeyError> {
        let document = BASE64_STANDARD.decode(secret.expose());
        let document = Zeroizing::new(document.map_err(|_| KeyError::Dpop)?);
        Self::from_pkcs8(&document)
    }

    fn from_pkcs8(document: &[u8]) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ec_der(document);
        let mut public =
            Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(|_| KeyError::Dpop)?;
        // Only what makes the key (RFC 7638 § 3.2): the header already names the algorithm.
        public.common = jsonwebtoken::jwk::CommonParameters::default();
        Ok(Self {
            key,
            public,
            secret: Secret::new(BASE64_STANDARD.encode(document)),
            nonces: Mutex::default(),
        })
    }

    /// The key as `tokens.json` holds it: PKCS #8 in base64.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The name of the key: what `cnf.jkt` in a token says (§ 6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.public.thumbprint(ThumbprintHash::SHA256)
    }

    /// The value of the `DPoP` header for one request, with the nonce that its address last wanted.
    /// A proof is good once: a request that is sent again needs another.
    ///
    /// # Errors
    /// [`KeyError::Dpop`].
    pub fn proof(
        &self,
        method: &Method,
        url: &Url,
        access_token: Option<&Secret>,
    ) -> Result<HeaderValue, KeyError> {
        let target = target(url);
        let nonce = self.nonces.lock().get(&target).cloned();
        let hash = |token: &Secret| {
            BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token.expose().as_bytes()))
        };
        let claims = Claims {
            jti: &random_id(),
            htm: method.as_str(),
            htu: &target,
            iat: Timestamp::now().0,
            ath: access_token.map(hash),
            nonce,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(self.public.clone());
        let signed = jsonwebtoken::encode(&header, &claims, &self.key);
        let signed = signed.map_err(|_| KeyError::Dpop)?;
        let mut value = HeaderValue::try_from(signed).map_err(|_| KeyError::Dpop)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Keeps the nonce that an answer brings, whatever its status (§ 8.2), and says whether there
    /// was one: only then is it of use to answer `use_dpop_nonce` with a new proof.
    pub fn keep_nonce(&self, url: &Url, headers: &HeaderMap) -> bool {
        let nonce = headers.get(DPOP_NONCE).and_then(|it| it.to_str().ok());
        let Some(nonce) = nonce.filter(|nonce| (1..=MAX_NONCE).contains(&nonce.len())) else {
            return false;
        };
        self.nonces.lock().insert(target(url), nonce.to_owned());
        true
    }
}

impl std::fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DpopKey(…)")
    }
}

/// `htu`: the address "without query and fragment parts" (§ 4.2).
fn target(url: &Url) -> String {
    let mut target = url.clone();
    target.set_query(None);
    target.set_fragment(None);
    target.into()
}

#[cfg(test)]
mod tests;
