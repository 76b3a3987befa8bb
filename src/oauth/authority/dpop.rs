//! DPoP: proof of possession of the key that a token is bound to (RFC 9449).
//!
//! A [`DpopKey`] makes one proof per request. It stores the nonces that servers require, by
//! address. An authorization server and an upstream have separate nonces, even on one origin (§ 9).

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

/// The request header with the proof.
pub const DPOP: &str = "dpop";

/// The response header with the next nonce (§ 8.1).
const DPOP_NONCE: &str = "dpop-nonce";

/// The longest stored nonce, in bytes. Every request carries it.
const MAX_NONCE: usize = 1024;

/// The algorithm of the proofs: every server with DPoP supports it.
pub const DPOP_ALGORITHM: &str = "ES256";

/// A key that tokens are bound to.
pub struct DpopKey {
    key: EncodingKey,
    public: Jwk,
    secret: Secret,
    nonces: Mutex<HashMap<String, String>>,
}

/// The claims of a proof (§ 4.2).
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
    /// Generates a key.
    ///
    /// # Errors
    /// [`KeyError::Dpop`] if the system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let document = document.map_err(|_| KeyError::Dpop)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Reads a key from `tokens.json`.
    ///
    /// # Errors
    /// [`KeyError::Dpop`] if the text is no key.
    pub fn from_secret(secret: &Secret) -> Result<Self, KeyError> {
        let document = BASE64_STANDARD.decode(secret.expose());
        let document = Zeroizing::new(document.map_err(|_| KeyError::Dpop)?);
        Self::from_pkcs8(&document)
    }

    fn from_pkcs8(document: &[u8]) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ec_der(document);
        let mut public =
            Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(|_| KeyError::Dpop)?;
        // Only the members that make the key (RFC 7638 § 3.2): the header already names the
        // algorithm.
        public.common = jsonwebtoken::jwk::CommonParameters::default();
        Ok(Self {
            key,
            public,
            secret: Secret::new(BASE64_STANDARD.encode(document)),
            nonces: Mutex::default(),
        })
    }

    /// Returns the key in the form of `tokens.json`: PKCS #8 in base64.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the key's thumbprint: `cnf.jkt` in a token (§ 6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.public.thumbprint(ThumbprintHash::SHA256)
    }

    /// Returns the `DPoP` header for one request, with the newest nonce of its address. A proof is
    /// valid once: a retry needs another.
    ///
    /// # Errors
    /// [`KeyError::Dpop`].
    pub fn proof(
        &self,
        method: &Method,
        url: &Url,
        access_token: Option<&Secret>,
    ) -> Result<HeaderValue, KeyError> {
        let target = target_uri(url);
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

    /// Stores the nonce of a response with any status (§ 8.2). Returns `true` if there was one:
    /// only then can a new proof satisfy `use_dpop_nonce`.
    pub fn store_nonce(&self, url: &Url, headers: &HeaderMap) -> bool {
        let nonce = headers.get(DPOP_NONCE).and_then(|it| it.to_str().ok());
        let Some(nonce) = nonce.filter(|nonce| (1..=MAX_NONCE).contains(&nonce.len())) else {
            return false;
        };
        self.nonces.lock().insert(target_uri(url), nonce.to_owned());
        true
    }
}

impl std::fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DpopKey(…)")
    }
}

/// Returns `htu`: the address "without query and fragment parts" (§ 4.2).
fn target_uri(url: &Url) -> String {
    let mut target = url.clone();
    target.set_query(None);
    target.set_fragment(None);
    target.into()
}

#[cfg(test)]
mod tests;
