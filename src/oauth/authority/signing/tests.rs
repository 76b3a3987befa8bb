//! Keys of every kind, and their signatures.

use aws_lc_rs::encoding::AsDer;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
};
use serde_json::{Value, json};

use super::*;

fn pem(pair: &KeyPair) -> Secret {
    Secret::new(pair.serialize_pem())
}

/// Returns the claims of a token for `audience`, verified with the key of `pair`.
fn verified(token: &str, pair: &KeyPair, algorithm: Algorithm, audience: &str) -> Value {
    let public = pair.public_key_pem();
    let public = public.as_bytes();
    let key = match algorithm {
        Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(public),
        Algorithm::EdDSA => DecodingKey::from_ed_pem(public),
        _ => DecodingKey::from_rsa_pem(public),
    };
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[audience]);
    let read = jsonwebtoken::decode::<Value>(token, &key.unwrap(), &validation);
    read.unwrap().claims
}

#[test]
fn every_algorithm_signs_what_its_public_key_verifies() {
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let p256 = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let cases = [
        ("RS256", &rsa),
        ("RS384", &rsa),
        ("RS512", &rsa),
        ("PS256", &rsa),
        ("PS384", &rsa),
        ("PS512", &rsa),
        ("ES256", &p256),
        ("ES384", &p384),
        ("EdDSA", &ed),
    ];
    for (name, pair) in cases {
        let key = SigningKey::new(&pem(pair), name).unwrap();
        let token = key
            .client_assertion("client", "https://id.example")
            .unwrap();
        let algorithm = name.parse().unwrap();
        let claims = verified(token.expose(), pair, algorithm, "https://id.example");
        assert_eq!(claims["iss"], "client", "{name}");
    }
}

#[test]
fn an_assertion_names_client_and_issuer_and_expires_soon() {
    let pair = KeyPair::generate().unwrap();
    let key = SigningKey::new(&pem(&pair), "ES256").unwrap();
    let (before, token) = (
        Timestamp::now().0,
        key.client_assertion("client", "https://id.example/")
            .unwrap(),
    );
    let header = jsonwebtoken::decode_header(token.expose()).unwrap();
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    let audience = "https://id.example/";
    let claims = verified(token.expose(), &pair, Algorithm::ES256, audience);
    let (iat, exp) = (
        claims["iat"].as_u64().unwrap(),
        claims["exp"].as_u64().unwrap(),
    );
    assert!((before..=Timestamp::now().0).contains(&iat));
    assert_eq!(exp - iat, ASSERTION_LIFETIME.as_secs());
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(
        claims,
        json!({"iss": "client", "sub": "client", "aud": audience, "jti": jti, "iat": iat, "exp": exp})
    );
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(jti).unwrap();
    assert_eq!(bytes.len(), 16, "unguessable");
    let next = key.client_assertion("client", audience).unwrap();
    let next = verified(next.expose(), &pair, Algorithm::ES256, audience);
    assert_ne!(next["jti"], jti, "each is valid once");
}

#[test]
fn keys_written_by_openssl_are_read() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = pair.private_key().as_der().unwrap();
    let body = BASE64_STANDARD.encode(der.as_ref());
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(64)
        .map(|it| std::str::from_utf8(it).unwrap())
        .collect();
    let (begin, end) = SEC1_MARKERS;
    let curve = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let sec1 = format!("{begin}\n{}\n{end}\n", lines.join("\n"));
    let texts = [
        sec1.clone(),
        format!("{curve}{sec1}"),
        sec1.replace('\n', "\r\n"),
        format!("\n  {sec1}\n"),
    ];
    for text in texts {
        assert!(
            SigningKey::new(&Secret::new(text.clone()), "ES256").is_ok(),
            "{text}"
        );
        let other = SigningKey::new(&Secret::new(text), "ES384");
        assert_eq!(
            other.unwrap_err(),
            KeyError::Unreadable,
            "the key is of another curve"
        );
    }
}

#[test]
fn a_key_that_cannot_sign_is_rejected_when_read() {
    let p256 = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let good = p256.serialize_pem();
    let public = p256.public_key_pem();
    let cut = &good[..good.len() / 2];
    let cases = [
        (good.as_str(), "ES384", KeyError::Unreadable),
        (&good, "RS256", KeyError::Unreadable),
        (&good, "EdDSA", KeyError::Unreadable),
        (&ed.serialize_pem(), "ES256", KeyError::Unreadable),
        (&public, "ES256", KeyError::Unreadable),
        (cut, "ES256", KeyError::Unreadable),
        ("", "ES256", KeyError::Unreadable),
        ("secret", "RS256", KeyError::Unreadable),
        (
            "-----BEGIN EC PRIVATE KEY----------END EC PRIVATE KEY-----",
            "ES256",
            KeyError::Unreadable,
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "RS256",
            KeyError::Unreadable,
        ),
        (&good, "HS256", KeyError::Algorithm),
        (&good, "none", KeyError::Algorithm),
        (&good, "", KeyError::Algorithm),
    ];
    for (text, algorithm, expected) in cases {
        let read = SigningKey::new(&Secret::new(text.to_owned()), algorithm);
        assert_eq!(read.unwrap_err(), expected, "{algorithm} {text}");
    }
    assert_eq!(
        format!("{:?}", SigningKey::new(&pem(&p256), "ES256")),
        "Ok(SigningKey(ES256, …))"
    );
}
