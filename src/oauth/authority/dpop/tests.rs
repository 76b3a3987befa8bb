//! Proofs as a server verifies them.

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// Returns header and claims of a proof, after checking its signature with the key in its header.
fn read(proof: &HeaderValue) -> (Value, Value) {
    let proof = proof.to_str().unwrap();
    let header = proof.split('.').next().unwrap();
    let header: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let jwk: Jwk = serde_json::from_value(header["jwk"].clone()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let read = jsonwebtoken::decode::<Value>(proof, &key, &validation).unwrap();
    (header, read.claims)
}

fn nonce(value: &'static str) -> HeaderMap {
    let value = HeaderValue::from_static(value);
    HeaderMap::from_iter([(DPOP_NONCE.parse().unwrap(), value)])
}

#[test]
fn a_proof_has_the_public_key_and_names_the_request() {
    let key = DpopKey::generate().unwrap();
    let address = url("https://ID.example:443/token?tenant=1#top");
    let proof = key.proof(&Method::POST, &address, None).unwrap();
    assert!(proof.is_sensitive());
    let (header, claims) = read(&proof);
    let jwk = &header["jwk"];
    let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
    let expected = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    assert_eq!(
        header,
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": expected})
    );
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
    assert_eq!(key.thumbprint(), thumbprint, "RFC 7638 § 3");
    let (jti, iat) = (
        claims["jti"].as_str().unwrap(),
        claims["iat"].as_u64().unwrap(),
    );
    assert!(Timestamp::now().0 - iat < 60);
    let expected =
        json!({"jti": jti, "htm": "POST", "htu": "https://id.example/token", "iat": iat});
    assert_eq!(claims, expected);
}

#[test]
fn a_proof_for_a_token_contains_its_hash() {
    let key = DpopKey::generate().unwrap();
    // RFC 9449 § 7.1.
    let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned());
    let proof = key.proof(&Method::GET, &url("https://a.example/mcp"), Some(&token));
    let (_, claims) = read(&proof.unwrap());
    assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    assert_eq!(claims["htm"], "GET");
}

#[test]
fn no_two_proofs_are_the_same() {
    let key = DpopKey::generate().unwrap();
    let proof = || {
        key.proof(&Method::POST, &url("https://a.example/"), None)
            .unwrap()
    };
    assert_ne!(read(&proof()).1["jti"], read(&proof()).1["jti"]);
}

#[test]
fn a_stored_key_is_the_same_key() {
    let key = DpopKey::generate().unwrap();
    let again = DpopKey::from_secret(key.secret()).unwrap();
    assert_eq!(again.thumbprint(), key.thumbprint());
    assert_ne!(DpopKey::generate().unwrap().thumbprint(), key.thumbprint());
    assert_eq!(format!("{key:?}"), "DpopKey(…)");
    for broken in ["", "AAAA", "?", "-----BEGIN PRIVATE KEY-----"] {
        let read = DpopKey::from_secret(&Secret::new(broken.to_owned()));
        assert_eq!(read.unwrap_err(), KeyError::Dpop, "{broken}");
    }
}

#[test]
fn a_nonce_is_sent_only_to_the_address_that_issued_it() {
    let key = DpopKey::generate().unwrap();
    let (token, mcp) = (
        url("https://a.example/token?x=1"),
        url("https://a.example/mcp"),
    );
    let shown = |url: &Url| read(&key.proof(&Method::POST, url, None).unwrap()).1["nonce"].clone();
    assert!(key.store_nonce(&token, &nonce("first")));
    assert_eq!((shown(&token), shown(&mcp)), (json!("first"), Value::Null));
    assert!(key.store_nonce(&mcp, &nonce("other")));
    assert!(key.store_nonce(&token, &nonce("second")));
    assert_eq!(
        (shown(&token), shown(&mcp)),
        (json!("second"), json!("other"))
    );

    assert!(!key.store_nonce(&token, &HeaderMap::new()), "there is none");
    assert!(!key.store_nonce(&token, &nonce("")));
    let long = HeaderValue::try_from("n".repeat(MAX_NONCE + 1)).unwrap();
    let long = HeaderMap::from_iter([(DPOP_NONCE.parse().unwrap(), long)]);
    assert!(!key.store_nonce(&token, &long));
    assert_eq!(shown(&token), "second");
}
