//! Step-up: a call that needs more scopes than were granted (403 `insufficient_scope`).

use serde_json::{Value, json};

use crate::security::{Setup, call, failing_call, setup_with, sign_in_by};
use testkit::oauth::{self, Browser, Part, scopes};
use testkit::raw::Reply;
use testkit::{proxy, upstream};

/// A server where `search` needs `write`, and everything else `read`.
async fn setup() -> Setup {
    let server = oauth::server().scopes("read write");
    setup_with(server, |it| {
        it.scopes("read").tool_scopes("search", "write")
    })
    .await
}

#[tokio::test]
async fn step_up_requests_granted_scopes_too_even_after_a_restart() {
    let setup = setup().await;
    drop(setup.signed_in(Value::Null).await);
    assert_eq!(setup.authorization().scopes(), Some(scopes("read")));

    let mut client = setup.start(Value::Null).await;
    client.wait_for_tools(&["search"]).await;
    let message = failing_call(&mut client).await;
    let page = client.sign_in_page("a", 0).await;
    assert!(message.contains(&page), "{message}");
    assert!(!message.contains("expired"), "{message}");
    Browser::consenting().open(&page).await;
    assert_eq!(setup.authorization().scopes(), Some(scopes("read write")));
    client.wait_for_stderr("signed in").await;
    call(&mut client).await;
    // The client registered again for the wider scope; no refresh was sent in vain.
    assert!(setup.server.grants("refresh_token").is_empty());
    assert_eq!(setup.server.refusals(), []);
}

#[tokio::test]
async fn scope_that_was_not_granted_is_not_requested_again() {
    let setup = setup().await;
    let mut client = setup.signed_in(Value::Null).await;
    failing_call(&mut client).await;
    let page = client.sign_in_page("a", 1).await;
    Browser::consenting().granting("read").open(&page).await;
    client.wait_for_stderr("signed in").await;
    for _ in 0..3 {
        let message = failing_call(&mut client).await;
        assert!(
            message.contains("which was requested and not granted"),
            "{message}"
        );
        assert!(
            message.contains("`") && message.contains("write"),
            "{message}"
        );
    }
    assert_eq!(setup.server.count(Part::Authorization), 2);
    assert!(setup.server.grants("refresh_token").is_empty());
}

/// A server that requires scopes which it has granted.
async fn always_insufficient_scope(server: oauth::Builder) -> Setup {
    let server = server.scopes("read write").start().await;
    let never = upstream::modern().tool("search").intercept(|request| {
        let challenge = r#"Bearer error="insufficient_scope", scope="read write""#;
        let signed = request.is("tools/call") && request.header("authorization").is_some();
        signed.then(|| Reply::status(403).header("www-authenticate", challenge))
    });
    let upstream = oauth::protect(&server, never).scopes("read write");
    Setup {
        upstream: upstream.start().await,
        server,
        home: proxy::home(),
    }
}

#[tokio::test]
async fn repeated_insufficient_scope_ends_in_an_error() {
    let known = oauth::client("nightly").secret_basic("secret");
    let machine = json!({
        "grant": "client_credentials", "client_id": "nightly", "client_secret": "secret",
    });
    for (server, keys) in [
        (oauth::server(), Value::Null),
        (oauth::server().client(known), machine),
    ] {
        let setup = always_insufficient_scope(server).await;
        let mut client = setup.start(keys.clone()).await;
        if keys.is_null() {
            sign_in_by(&client, &Browser::consenting()).await;
        }
        client.wait_for_tools(&["search"]).await;
        let message = failing_call(&mut client).await;
        let expected = "which was requested and not granted";
        assert!(message.contains(expected), "{message}");
        assert_eq!(setup.server.count(Part::Token), 1);
        assert!(setup.server.count(Part::Authorization) <= 1);
        let requests = setup.upstream.raw.requests();
        let calls = requests.iter().filter(|it| it.is("tools/call"));
        assert_eq!(calls.count(), 1);
    }
}

#[tokio::test]
async fn other_403_is_forwarded_and_starts_no_sign_in() {
    let server = oauth::server().start().await;
    let forbidden = || {
        let reply = Reply::status(403).body("not on Sundays");
        reply.header("content-type", "text/plain")
    };
    let forbidding = upstream::modern().tool("search").intercept(move |request| {
        let is_call = request.is("tools/call") && request.header("authorization").is_some();
        is_call.then(forbidden)
    });
    let setup = Setup {
        upstream: oauth::protect(&server, forbidding).start().await,
        server,
        home: proxy::home(),
    };
    let mut client = setup.signed_in(json!({})).await;
    let message = failing_call(&mut client).await;
    assert!(message.contains("HTTP 403"), "{message}");
    assert!(message.contains("not on Sundays"), "{message}");
    assert_eq!(setup.server.count(Part::Authorization), 1);
    assert_eq!(setup.server.count(Part::Token), 1);
}
