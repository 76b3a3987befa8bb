//! Parameters of authorization and token requests: scopes, resources, configured extras.

use serde_json::{Value, json};

use crate::security::{Setup, call, setup, setup_with, started};
use testkit::Endpoint;
use testkit::desktop::Desktop;
use testkit::oauth::{self, Challenge, Params, Resource, scopes};

/// Runs a login with these keys. Returns the parameters of the page, of the refresh and of the code
/// exchange.
async fn login_requests(setup: &Setup, keys: Value) -> [Params; 3] {
    let mut client = setup.signed_in(keys).await;
    setup.expire();
    call(&mut client).await;
    assert_eq!(setup.server.refusals(), []);
    let code = setup.server.grants("authorization_code").remove(0);
    let refresh = setup.server.grants("refresh_token").remove(0);
    [setup.authorization(), refresh, code]
}

#[tokio::test]
async fn every_refresh_sends_resource_and_scope() {
    let server = oauth::server().scopes("read write").scope_on_refresh();
    let setup = setup_with(server, |it| it.scopes("read write")).await;
    let mut client = setup.signed_in(Value::Null).await;
    let resource = setup.upstream.url();
    for round in 0..3 {
        setup.expire();
        call(&mut client).await;
        let refresh = &setup.server.grants("refresh_token")[round];
        assert_eq!(refresh.get("resource"), Some(resource.as_str()));
        assert_eq!(refresh.scopes(), Some(scopes("read write")));
    }
    let page = setup.authorization();
    assert_eq!(page.get("resource"), Some(resource.as_str()));
    assert_eq!(setup.server.refusals(), []);
}

#[tokio::test]
async fn resource_parameter_can_be_turned_off() {
    for off in [json!("off"), json!(false)] {
        let setup = setup(oauth::server().resource(Resource::Refused)).await;
        for params in login_requests(&setup, json!({"resource": off})).await {
            assert_eq!(params.get("resource"), None);
        }
    }
}

#[tokio::test]
async fn configured_resource_is_requested() {
    let other = testkit::upstream::modern().tool("other");
    let setup = setup(oauth::server().resource(Resource::Optional)).await;
    // The server issues a token for this resource too; the upstream then rejects it.
    let other = oauth::protect(&setup.server, other).start().await;
    let desktop = Desktop::start();
    let proxy = setup.proxy(json!({"resource": other.url()}));
    let client = started(proxy.on(&desktop)).await;
    crate::security::sign_in(&client).await;
    let code = setup.server.grants("authorization_code").remove(0);
    for params in [setup.authorization(), code] {
        assert_eq!(params.get("resource"), Some(other.url().as_str()));
    }
    // A new token that is rejected opens no second page.
    client
        .wait_for_stderr("refuses a token that was just issued for it")
        .await;
    assert_eq!(desktop.pages().await.len(), 1);
}

#[tokio::test]
async fn authorize_params_are_added_to_the_page_only() {
    let params = json!({"access_type": "offline", "prompt": "consent", "audience": "https://api.example/?a&b"});
    let setup = setup(oauth::server()).await;
    let [page, refresh, code] = login_requests(&setup, json!({"authorize_params": params})).await;
    for (name, value) in params.as_object().unwrap() {
        assert_eq!(page.get(name), value.as_str());
        assert_eq!((code.get(name), refresh.get(name)), (None, None));
    }
}

#[tokio::test]
async fn empty_scope_list_requests_no_scope() {
    let server = || {
        oauth::server()
            .scopes("read")
            .metadata_with(json!({"scopes_supported": null}))
    };
    let document = json!({"scopes_supported": []});
    let setup = setup_with(server(), |it| it.document_with(document)).await;
    for params in login_requests(&setup, Value::Null).await {
        assert_eq!(params.scopes(), None);
    }
    let document = json!({"scopes_supported": ["read"]});
    let setup = setup_with(server(), |it| it.document_with(document)).await;
    for params in login_requests(&setup, json!({"scopes": []})).await {
        assert_eq!(params.scopes(), None);
    }
}

#[tokio::test]
async fn configured_scopes_replace_all_others() {
    let document = json!({"scopes_supported": ["read", "write"]});
    let challenge = r#"Bearer resource_metadata="{metadata}", scope="read""#;
    for configured in [json!(["write", "admin"]), json!("write admin")] {
        let server = oauth::server().scopes("read write admin");
        let setup = setup_with(server, |it| {
            let challenge = Challenge::Text(challenge.to_owned());
            it.document_with(document.clone()).challenge(challenge)
        });
        let setup = setup.await;
        let [page, refresh, _] = login_requests(&setup, json!({"scopes": configured})).await;
        for params in [page, refresh] {
            assert_eq!(params.scopes(), Some(scopes("write admin")));
        }
    }
}

#[tokio::test]
async fn metadata_scopes_are_used_if_the_challenge_names_none() {
    let document = json!({"scopes_supported": ["read", "write"]});
    let server = oauth::server().scopes("read write").offline_access();
    let setup = setup_with(server, |it| it.document_with(document)).await;
    let [page, ..] = login_requests(&setup, Value::Null).await;
    // The proxy adds `offline_access`, since the server advertises it.
    assert_eq!(page.scopes(), Some(scopes("read write offline_access")));
}

#[tokio::test]
async fn refresh_requests_granted_scopes_only() {
    let server = oauth::server().scopes("read write").scope_on_refresh();
    let document = json!({"scopes_supported": ["read", "write"]});
    let setup = setup_with(server, |it| it.document_with(document)).await;
    let mut client = setup.start(Value::Null).await;
    let browser = oauth::Browser::consenting().granting("read");
    crate::security::sign_in_by(&client, &browser).await;
    client.wait_for_tools(&["search"]).await;
    setup.expire();
    call(&mut client).await;
    assert_eq!(
        setup.server.grants("refresh_token")[0].scopes(),
        Some(scopes("read"))
    );
}
