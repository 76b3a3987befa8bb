//! The registration request, and what is kept of the response.

use serde_json::json;

use super::*;
use crate::oauth::address::Issuer;
use crate::oauth::address::tests::upstream;

fn server(methods: Option<Value>) -> AuthorizationServer {
    let mut document = json!({
        "issuer": "https://id.example",
        "token_endpoint": "https://id.example/token",
    });
    if let Some(methods) = methods {
        document["token_endpoint_auth_methods_supported"] = methods;
    }
    let upstream = upstream("https://mcp.example/mcp");
    let issuer = Issuer::parse("issuer", "https://id.example", &upstream).unwrap();
    AuthorizationServer::parse(document.to_string().as_bytes(), &issuer, &upstream).unwrap()
}

#[test]
fn a_public_client_is_registered_where_supported() {
    let cases = [
        (None, "none"),
        (Some(json!(["client_secret_basic", "none"])), "none"),
        (
            Some(json!(["client_secret_post", "client_secret_basic"])),
            "client_secret_basic",
        ),
        (
            Some(json!(["client_secret_post", "private_key_jwt"])),
            "client_secret_post",
        ),
        (Some(json!(["private_key_jwt"])), "none"),
    ];
    for (methods, expected) in cases {
        assert_eq!(
            auth_method(&server(methods.clone())),
            expected,
            "{methods:?}"
        );
    }
}

#[test]
fn empty_members_are_dropped_and_others_kept() {
    let mut answer = json!({
        "client_id": "c",
        "client_secret": null,
        "client_secret_expires_at": "never",
        "token_endpoint_auth_method": "",
        "redirect_uris": {},
        "registration_access_token": "kept",
    });
    let answer = answer.as_object_mut().unwrap();
    drop_empty_members(answer);
    let expected = json!({"client_id": "c", "registration_access_token": "kept"});
    assert_eq!(Value::from(answer.clone()), expected);
}
