//! DPoP proofs (RFC 9449), checked by every rule of § 4.3.

use aws_lc_rs::{digest, signature};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::assertions::later;
use super::params::{Refusal, random};
use super::state::State;
use crate::raw::Request;

/// The allowed clock skew of a client, in seconds.
const SKEW: u64 = 60;

/// Returns the nonce that proofs for `url` must contain.
pub(super) fn nonce(state: &State, url: &str) -> String {
    let mut memory = state.memory();
    let nonce = memory.nonces.entry(url.to_owned());
    nonce.or_insert_with(|| random("nonce")).clone()
}

/// Checks the proof of a request to `url`, with `token` if there is one. Returns the thumbprint of its key
/// (RFC 7638); `None` without a proof.
pub(super) fn proved(
    state: &State,
    request: &Request,
    url: &str,
    token: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let proofs = request.headers.iter().filter(|(name, _)| name == "dpop");
    let proofs: Vec<_> = proofs.map(|(_, value)| value.as_str()).collect();
    let refuse = |text: &str| Refusal::new("invalid_dpop_proof", format!("the proof {text}"));
    let proof = match proofs[..] {
        [] => return Ok(None),
        [proof] => proof,
        _ => return Err(refuse("is not alone")),
    };
    let (header, claims) = verified(proof).ok_or_else(|| refuse("is not signed by its key"))?;
    let rules = [
        (header["typ"] == "dpop+jwt", "is of another type"),
        (
            claims["htm"] == request.method.as_str(),
            "is for another method",
        ),
        (claims["htu"] == url, "is for another address"),
        (
            claims["iat"]
                .as_u64()
                .is_some_and(|iat| iat.abs_diff(later(0)) <= SKEW),
            "is of another time",
        ),
        (
            claims["ath"].as_str() == token.map(hash).as_deref(),
            "is for another token",
        ),
    ];
    if let Some((_, text)) = rules.iter().find(|(holds, _)| !holds) {
        return Err(refuse(text));
    }
    let id = claims["jti"].as_str().unwrap_or_default();
    if id.is_empty() || !state.memory().assertions.insert(format!("dpop {id}")) {
        return Err(refuse("was used before"));
    }
    let nonce_due = state.script.extras.nonces.then(|| nonce(state, url));
    if nonce_due.is_some() && claims["nonce"].as_str() != nonce_due.as_deref() {
        let refusal = Refusal::new("use_dpop_nonce", "the proof needs the nonce");
        return Err(Refusal {
            nonce: nonce_due,
            ..refusal
        });
    }
    Ok(Some(thumbprint(&header["jwk"])))
}

fn verified(proof: &str) -> Option<(Value, Value)> {
    let (signed, signature) = proof.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let (header, claims) = (decoded(header)?, decoded(claims)?);
    let jwk = &header["jwk"];
    let private = jwk.as_object()?.contains_key("d");
    if header["alg"] != "ES256" || jwk["kty"] != "EC" || jwk["crv"] != "P-256" || private {
        return None;
    }
    let mut point = vec![4];
    for part in ["x", "y"] {
        point.extend(BASE64_URL_SAFE_NO_PAD.decode(jwk[part].as_str()?).ok()?);
    }
    let key = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.verify(signed.as_bytes(), &signature).ok()?;
    Some((header, claims))
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn hash(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn thumbprint(jwk: &Value) -> String {
    let (x, y) = (&jwk["x"], &jwk["y"]);
    hash(&format!(r#"{{"crv":"P-256","kty":"EC","x":{x},"y":{y}}}"#))
}
