//! The client's signing key (`private_key_jwt`, RFC 7523 § 2.2).

use std::time::Duration;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::Secret;
use crate::oauth::tokens::Timestamp;
use crate::random::random_id;

/// The lifetime of an assertion: covers transit time and clock skew.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(300);

/// The PEM markers of a SEC 1 key (RFC 5915 § 4), which `openssl ecparam -genkey` writes.
const SEC1_MARKERS: (&str, &str) = (
    "-----BEGIN EC PRIVATE KEY-----",
    "-----END EC PRIVATE KEY-----",
);

/// Why a key cannot be used. Never quotes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The algorithm is not supported.
    #[error(
        "`oauth.signing_algorithm` is not supported; \
         use one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
    )]
    Algorithm,
    /// The key cannot be read, or is for another algorithm.
    #[error(
        "`oauth.private_key_pem` is not a private key for `oauth.signing_algorithm`; \
         use an unencrypted key in PEM (`openssl pkcs8 -topk8 -nocrypt`)"
    )]
    Unreadable,
    /// The DPoP key cannot be generated, read or used.
    #[error("the key that the tokens are bound to cannot be used; sign in again")]
    Dpop,
}

/// A client's private key with its algorithm.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    algorithm: Algorithm,
}

/// The claims of a client assertion (RFC 7523 § 3).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

impl SigningKey {
    /// Reads a private key: PKCS #8, PKCS #1 for RSA, or SEC 1 for EC. Signs once to verify the
    /// key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(pem: &Secret, algorithm: &str) -> Result<Self, KeyError> {
        let algorithm = parse_algorithm(algorithm)?;
        let bytes = pem.expose().trim().as_bytes();
        let key = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => match sec1_key(pem.expose(), algorithm) {
                Some(key) => Ok(key),
                None => EncodingKey::from_ec_pem(bytes),
            },
            Algorithm::EdDSA => EncodingKey::from_ed_pem(bytes),
            _ => EncodingKey::from_rsa_pem(bytes),
        };
        let key = key.map_err(|_| KeyError::Unreadable)?;
        let read = Self { key, algorithm };
        // Only signing detects a key of another curve or one that is too short.
        read.client_assertion("probe", "probe")?;
        Ok(read)
    }

    /// Signs an assertion of the client's identity, valid once and for `audience` alone. The
    /// audience is the issuer, not the endpoint: an endpoint's operator cannot replay it at another
    /// (draft-ietf-oauth-rfc7523bis § 4).
    ///
    /// # Errors
    /// [`KeyError::Unreadable`].
    pub fn client_assertion(&self, client_id: &str, audience: &str) -> Result<Secret, KeyError> {
        let now = Timestamp::now();
        let claims = Claims {
            iss: client_id,
            sub: client_id,
            aud: audience,
            jti: &random_id(),
            iat: now.0,
            exp: now.plus(ASSERTION_LIFETIME).0,
        };
        let header = Header::new(self.algorithm);
        let signed = jsonwebtoken::encode(&header, &claims, &self.key);
        signed.map(Secret::new).map_err(|_| KeyError::Unreadable)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?}, …)", self.algorithm)
    }
}

fn parse_algorithm(name: &str) -> Result<Algorithm, KeyError> {
    let algorithm: Algorithm = name.parse().map_err(|_| KeyError::Algorithm)?;
    match algorithm {
        // A shared secret is not a private key.
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Err(KeyError::Algorithm),
        asymmetric => Ok(asymmetric),
    }
}

/// Converts a SEC 1 key to PKCS #8, which the JWT library requires.
fn sec1_key(pem: &str, algorithm: Algorithm) -> Option<EncodingKey> {
    // `openssl` writes the curve before the key.
    let (_, rest) = pem.split_once(SEC1_MARKERS.0)?;
    let (body, _) = rest.split_once(SEC1_MARKERS.1)?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    let der = Zeroizing::new(BASE64_STANDARD.decode(body.as_bytes()).ok()?);
    let curve = match algorithm {
        Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        _ => &ECDSA_P256_SHA256_FIXED_SIGNING,
    };
    let pair = EcdsaKeyPair::from_private_key_der(curve, &der).ok()?;
    let document = pair.to_pkcs8v1().ok()?;
    Some(EncodingKey::from_ec_der(document.as_ref()))
}

#[cfg(test)]
mod tests;
