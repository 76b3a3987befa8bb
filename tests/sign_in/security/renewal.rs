//! Renewal of a login: one refresh for all callers, and no failure that discards the login.

use serde_json::{Value, json};

use crate::security::{call, failing_call, setup, sign_in};
use testkit::oauth::{self, Part, Registration, Resource};
use testkit::{proxy, upstream};

#[tokio::test]
async fn five_calls_with_one_expired_token_make_one_refresh() {
    let setup = setup(oauth::server()).await;
    let mut client = setup.signed_in(Value::Null).await;
    setup.expire();
    let gate = setup.server.hold(Part::Token);
    let call = json!({"name": "search", "arguments": {}});
    let mut ids = Vec::new();
    for _ in 0..5 {
        let call = proxy::with_meta(call.clone());
        ids.push(client.send_request("tools/call", call).await);
    }
    // The code exchange, and the refresh that the five calls wait for.
    setup.server.wait_for(Part::Token, 2).await;
    gate.open();
    for id in ids {
        let answer = client.response(id).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    assert_eq!(setup.server.grants("refresh_token").len(), 1);
    assert_eq!(setup.server.reuses(), 0);
}

#[tokio::test]
async fn expired_token_is_renewed_before_it_is_sent() {
    let setup = setup(oauth::server()).await;
    drop(setup.signed_in(Value::Null).await);
    let old = setup.stored("tokens.json")["access_token"].clone();
    setup.expire();
    let mut client = setup.start(Value::Null).await;
    client.wait_for_tools(&["search"]).await;
    let refused = setup.upstream.refused();
    assert!(
        refused
            .iter()
            .all(|(_, token)| *token != *old.as_str().unwrap())
    );
    assert_eq!(setup.server.grants("refresh_token").len(), 1);
}

#[tokio::test]
async fn token_without_refresh_token_is_used_until_rejected() {
    let setup = setup(oauth::server().without_refresh_tokens()).await;
    drop(setup.signed_in(Value::Null).await);
    // The token has expired by its announced lifetime; the server still accepts it.
    setup.age();
    let mut client = setup.start(Value::Null).await;
    client.wait_for_tools(&["search"]).await;
    call(&mut client).await;
    assert_eq!(setup.server.count(Part::Token), 1);
    assert_eq!(setup.server.count(Part::Authorization), 1);

    setup.server.expire_access_tokens();
    let message = failing_call(&mut client).await;
    assert!(
        message.contains("the server needs you to sign in"),
        "{message}"
    );
}

#[tokio::test]
async fn failing_refresh_keeps_the_login() {
    let setup = setup(oauth::server()).await;
    let mut client = setup.signed_in(Value::Null).await;
    setup.expire();
    for status in [500, 503, 429] {
        setup.server.fail(Part::Token, status);
        let message = failing_call(&mut client).await;
        assert!(message.contains("try again later"), "{message}");
    }
    setup.server.recover(Part::Token);
    call(&mut client).await;
    assert_eq!(setup.server.count(Part::Authorization), 1);
}

#[tokio::test]
async fn hanging_refresh_blocks_no_other_call_and_is_stored() {
    let setup = setup(oauth::server()).await;
    let other = upstream::modern().tool("other").start().await;
    let proxy = setup.proxy(Value::Null).upstream("b", &other);
    let mut client = crate::security::started(proxy).await;
    sign_in(&client).await;
    client.wait_for_tools(&["search", "other"]).await;
    setup.expire();
    let gate = setup.server.hold(Part::Token);
    let params = proxy::with_meta(json!({"name": "search", "arguments": {}}));
    let id = client.send_request("tools/call", params).await;
    setup.server.wait_for(Part::Token, 2).await;
    let answer = client.call("other", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    client.cancel(id).await;
    gate.open();
    // The refresh response was stored after its call was cancelled.
    call(&mut client).await;
    assert_eq!(setup.server.grants("refresh_token").len(), 1);
    assert_eq!(setup.server.reuses(), 0);
}

#[tokio::test]
async fn revoked_login_requires_a_new_sign_in() {
    let setup = setup(oauth::server()).await;
    let mut client = setup.signed_in(Value::Null).await;
    setup.server.revoke_all();
    setup.expire();
    let message = failing_call(&mut client).await;
    assert!(
        message.contains("the server needs you to sign in"),
        "{message}"
    );
    let page = client.sign_in_page("a", 1).await;
    assert!(message.contains(&page), "{message}");
    oauth::Browser::consenting().open(&page).await;
    client.wait_for_stderr("signed in").await;
    call(&mut client).await;
    assert_eq!(
        setup.server.count(Part::Registration),
        1,
        "it is still the same client"
    );
}

#[tokio::test]
async fn client_registers_again_if_its_port_is_taken() {
    let setup = setup(oauth::server().exact_ports()).await;
    drop(setup.signed_in(Value::Null).await);
    let used = setup
        .authorization()
        .get("redirect_uri")
        .unwrap()
        .to_owned();
    let used = url::Url::parse(&used)
        .unwrap()
        .socket_addrs(|| None)
        .unwrap();
    let taken = std::net::TcpListener::bind(used[0]).unwrap();
    setup.server.revoke_all();
    setup.expire();
    let mut client = setup.start(Value::Null).await;
    assert_eq!(sign_in(&client).await.status, 200);
    client.wait_for_tools(&["search"]).await;
    assert_eq!(setup.server.count(Part::Registration), 2);
    drop(taken);
}

#[tokio::test]
async fn client_unknown_to_the_server_registers_again() {
    let setup = setup(oauth::server()).await;
    let mut client = setup.signed_in(Value::Null).await;
    setup.server.forget_clients();
    setup.expire();
    failing_call(&mut client).await;
    let page = client.sign_in_page("a", 1).await;
    oauth::Browser::consenting().open(&page).await;
    call(&mut client).await;
    assert_eq!(setup.server.count(Part::Registration), 2);
}

#[tokio::test]
async fn entra_like_server_accepts_the_sign_in() {
    // No registration, no `resource`, a scope in every refresh, an exact redirect URI.
    let known = oauth::client("app").redirect_uri("http://localhost/callback");
    let server = oauth::server()
        .client(known)
        .registration(Registration::Off);
    let server = server.resource(Resource::Refused).scope_on_refresh();
    let server = server.scopes("api://app/.default").offline_access();
    let setup = setup(server).await;
    let keys = json!({
        "client_id": "app", "resource": "off", "redirect_uri": "http://localhost/callback",
        "scopes": "api://app/.default offline_access",
    });
    let client = setup.start(keys).await;
    let page = client.sign_in_page("a", 0).await;
    assert!(
        page.contains("redirect_uri=http%3A%2F%2Flocalhost%3A"),
        "{page}"
    );
}
