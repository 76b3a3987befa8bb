//! Key pairs of clients (RFC 7523), and the tokens signed with them (RFC 7519).

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{digest, signature};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

/// A key pair of a client. Clones share the pair.
#[derive(Clone)]
pub struct Key {
    pair: Arc<KeyPair>,
    /// The name of the algorithm, as in `signing_algorithm` and in the header of a token.
    pub algorithm: &'static str,
}

impl Key {
    /// Creates a key for `ES256`.
    pub fn es256() -> Self {
        Self {
            pair: Arc::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()),
            algorithm: "ES256",
        }
    }

    /// Creates a key for `RS256`.
    pub fn rs256() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
        Self {
            pair: Arc::new(pair.unwrap()),
            algorithm: "RS256",
        }
    }

    /// Returns the private key, PKCS #8 in PEM, for the configuration of a client.
    pub fn private_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// Returns a signed token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(self.algorithm, claims)
    }

    /// Returns a token that is signed correctly, but names the algorithm `named` in its header.
    pub fn sign_as(&self, named: &str, claims: &Value) -> String {
        self.sign_with(&json!({"alg": named, "typ": "JWT"}), claims)
    }

    /// Returns a signed token with this header.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let (random, key) = (SystemRandom::new(), self.pair.serialized_der());
        if self.algorithm == "RS256" {
            let pair = signature::RsaKeyPair::from_pkcs8(key).unwrap();
            let mut signature = vec![0; pair.public_modulus_len()];
            let padding = &signature::RSA_PKCS1_SHA256;
            pair.sign(padding, &random, message, &mut signature)
                .unwrap();
            return signature;
        }
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = signature::EcdsaKeyPair::from_pkcs8(algorithm, key).unwrap();
        pair.sign(&random, message).unwrap().as_ref().to_vec()
    }

    /// Returns the claims of a token signed with this key and its algorithm.
    pub(super) fn verified(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if decoded(header)?["alg"] != self.algorithm {
            return None;
        }
        let algorithm: &dyn signature::VerificationAlgorithm = match self.algorithm {
            "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
            _ => &signature::ECDSA_P256_SHA256_FIXED,
        };
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = self.pair.public_key_raw();
        algorithm
            .verify_sig(public, signed.as_bytes(), &signature)
            .ok()?;
        decoded(claims)
    }
}

/// Returns the `typ` in the header of a token.
pub(super) fn typ(token: &str) -> Option<String> {
    let header = decoded(token.split('.').next()?)?;
    header["typ"].as_str().map(str::to_owned)
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Returns the `S256` challenge of a verifier (RFC 7636 § 4.2).
pub fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}
