//! Grants by assertions about a user.
//!
//! - A client exchanges an assertion for an access token (RFC 7523 § 2.1).
//! - A client exchanges an ID token for such an assertion
//!   (RFC 8693, draft-ietf-oauth-identity-assertion-authz-grant).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::key::typ;
use super::params::{Refusal, random, secret_json};
use super::state::State;
use super::token::Asking;
use crate::raw::Reply;

/// The name of the grant.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The name of the grant.
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// The `typ` of an identity assertion.
const ID_JAG_TYP: &str = "oauth-id-jag+jwt";

/// The maximum lifetime of an assertion, in seconds.
const LIFETIME: u64 = 3600;

/// Returns the time in `seconds` from now, as a `NumericDate`.
pub(super) fn later(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() + seconds
}

pub(super) fn jwt_bearer(state: &State, asking: &Asking) -> Result<Reply, Refusal> {
    let (key, issuer) = state.script.extras.trusted.as_ref().unwrap();
    let (client, params) = (&asking.client, &asking.params);
    let assertion = params.required("assertion")?;
    state.memory().secrets.push(assertion.to_owned());
    let refuse = |text: &str| Err(Refusal::grant(format!("the assertion {text}")));
    let Some(claims) = key.verified(assertion) else {
        return refuse("is not signed with the trusted key");
    };
    if claims["iss"] != issuer.as_str() || claims["sub"].as_str().is_none_or(str::is_empty) {
        return refuse("is of another issuer, or has no subject");
    }
    if claims["aud"] != asking.issuer.as_str() {
        return refuse("is for another server");
    }
    if !alive(&claims) {
        return refuse("has expired, or lives too long");
    }
    if typ(assertion).as_deref() == Some(ID_JAG_TYP) {
        if claims["client_id"] != client.id.as_str() {
            return refuse("is for another client");
        }
        if claims["resource"].as_str() != params.get("resource") {
            return refuse("is for another resource");
        }
    }
    let id = claims["jti"].as_str().unwrap_or_default().to_owned();
    if id.is_empty() || !state.memory().assertions.insert(id) {
        return refuse("was used before");
    }
    let grant = state.grant(client, params)?;
    Ok(state.tokens(&grant, None, asking))
}

fn alive(claims: &Value) -> bool {
    let left = claims["exp"].as_u64().unwrap_or(0).saturating_sub(later(0));
    (1..=LIFETIME).contains(&left)
}

pub(super) fn token_exchange(state: &State, asking: &Asking) -> Result<Reply, Refusal> {
    let (key, client_there) = state.script.extras.provider.as_ref().unwrap();
    let params = &asking.params;
    for (name, only) in [
        ("subject_token_type", ID_TOKEN),
        ("requested_token_type", ID_JAG),
    ] {
        if params.required(name)? != only {
            return Err(Refusal::request(format!("`{name}` is not `{only}`")));
        }
    }
    let claims = key.verified(params.required("subject_token")?);
    let claims = claims.filter(|claims| {
        let ours = claims["iss"] == asking.issuer.as_str();
        ours && claims["aud"] == asking.client.id.as_str() && alive(claims)
    });
    let claims = claims.ok_or_else(|| Refusal::grant("the ID token is not valid for you"))?;
    let mut asserted = json!({
        "iss": asking.issuer,
        "sub": claims["sub"],
        "aud": params.required("audience")?,
        "resource": params.required("resource")?,
        "client_id": client_there,
        "iat": later(0),
        "exp": later(300),
        "jti": random("jag"),
    });
    if let Some(scope) = params.get("scope") {
        asserted["scope"] = json!(scope);
    }
    let assertion = key.sign_with(&json!({"alg": key.algorithm, "typ": ID_JAG_TYP}), &asserted);
    state.memory().secrets.push(assertion.clone());
    Ok(secret_json(&json!({
        "access_token": assertion,
        "issued_token_type": ID_JAG,
        "token_type": "N_A",
        "expires_in": 300,
    })))
}
