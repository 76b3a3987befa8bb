//! The metadata of the server (RFC 8414, OIDC Discovery), and its paths.

use serde_json::{Map, Value, json};

use super::builder::{Builder, Document, Iss, Registration};
use super::client::AuthMethod;
use super::device;
use super::extras::Dpop;
use super::state::State;
use crate::raw::Reply;

/// Returns the paths of the documents.
pub(super) fn places(script: &Builder) -> Vec<String> {
    let path = &script.path;
    let place = |document: &Document| match document {
        Document::OAuth => format!("/.well-known/oauth-authorization-server{path}"),
        Document::OidcInserted => format!("/.well-known/openid-configuration{path}"),
        Document::OidcAppended => format!("{path}/.well-known/openid-configuration"),
    };
    script.documents.iter().map(place).collect()
}

pub(super) fn reply(state: &State, origin: &str) -> Reply {
    let script = &state.script;
    let mut document = document(script, &format!("{origin}{}", script.path));
    apply(&mut document, &script.metadata);
    Reply::json(Value::Object(document).to_string())
}

/// Adds the members of `changes` to `document`, and removes those that are `null`.
pub(super) fn apply(document: &mut Map<String, Value>, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        match value {
            Value::Null => document.remove(name),
            value => document.insert(name.clone(), value.clone()),
        };
    }
}

fn document(script: &Builder, issuer: &str) -> Map<String, Value> {
    use AuthMethod::{Basic, None, Post, PrivateKeyJwt};
    let at = |name: &str| json!(format!("{issuer}/{name}"));
    let methods = [None, Basic, Post, PrivateKeyJwt].map(AuthMethod::name);
    let mut grants = vec!["authorization_code", "refresh_token", "client_credentials"];
    let mut document = Map::new();
    let mut add = |name: &str, value| document.insert(name.to_owned(), value);
    add("issuer", json!(issuer));
    add("authorization_endpoint", at("authorize"));
    add("token_endpoint", at("token"));
    add("response_types_supported", json!(["code"]));
    add("token_endpoint_auth_methods_supported", json!(methods));
    add(
        "token_endpoint_auth_signing_alg_values_supported",
        json!(["ES256", "RS256"]),
    );
    add("code_challenge_methods_supported", json!(["S256"]));
    if script.registration != Registration::Off {
        add("registration_endpoint", at("register"));
    }
    if script.revocation {
        add("revocation_endpoint", at("revoke"));
    }
    if script.device_interval.is_some() {
        add("device_authorization_endpoint", at("device_authorization"));
        grants.push(device::GRANT);
    }
    grants.extend(script.extras.grants());
    if script.extras.dpop != Dpop::Off {
        add("dpop_signing_alg_values_supported", json!(["ES256"]));
    }
    add("grant_types_supported", json!(grants));
    if !script.scopes.is_empty() {
        add("scopes_supported", json!(script.scopes));
    }
    if script.iss != Iss::Off {
        let name = "authorization_response_iss_parameter_supported";
        add(name, json!(true));
    }
    if script.client_documents.is_some() {
        add("client_id_metadata_document_supported", json!(true));
    }
    if script.documents.iter().any(|d| *d != Document::OAuth) {
        add("jwks_uri", at("jwks"));
        add("subject_types_supported", json!(["public"]));
        add("id_token_signing_alg_values_supported", json!(["RS256"]));
    }
    document
}
