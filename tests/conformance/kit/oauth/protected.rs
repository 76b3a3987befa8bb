//! A protected upstream: accepted tokens and challenges.

use serde_json::json;

use crate::kit::oauth::raw_client::{Setup, get, setup};
use testkit::Endpoint;
use testkit::http::{MODERN, initialize, message, post, request, session};
use testkit::oauth::{self, Browser, Part, Place, Protected};
use testkit::proxy::with_meta;
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    every_kind_of_upstream_can_be_protected
}

/// Posts a call of `tool` with this `Authorization`.
async fn call(upstream: &Protected, tool: &str, authorization: &str) -> reqwest::Response {
    let body = request("tools/call", with_meta(json!({"name": tool})));
    let mut headers = vec![MODERN, ("mcp-method", "tools/call"), ("mcp-name", tool)];
    if !authorization.is_empty() {
        headers.push(("authorization", authorization));
    }
    post(&upstream.url(), &headers, body).await
}

fn bearer(login: &crate::kit::oauth::raw_client::Answer) -> String {
    format!("Bearer {}", login.text("access_token"))
}

#[tokio::test]
async fn token_is_accepted_by_its_own_upstream_while_valid() {
    let setup = setup(oauth::server()).await;
    let other = oauth::protect(&setup.server, upstream::modern().tool("search"));
    let other = other.start().await;
    let login = setup.login("").await;
    let good = bearer(&login);
    let response = call(&setup.upstream, "search", &good).await;
    assert_eq!(response.status(), 200);
    assert!(message(response).await["result"].is_object());
    assert_eq!(setup.upstream.calls().len(), 1);

    let lower = good.to_lowercase();
    for (upstream, authorization) in [
        (&other, good.as_str()),
        (&setup.upstream, "Bearer unknown"),
        (&setup.upstream, login.text("access_token")),
        (&setup.upstream, login.text("refresh_token")),
        (&setup.upstream, &lower),
    ] {
        let response = call(upstream, "search", authorization).await;
        assert_eq!(response.status(), 401, "{authorization}");
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    let in_url = format!(
        "{}?access_token={}",
        setup.upstream.url(),
        login.text("access_token")
    );
    assert_eq!(post(&in_url, &[], initialize()).await.status(), 400);

    setup.server.expire_access_tokens();
    assert_eq!(call(&setup.upstream, "search", &good).await.status(), 401);
    let new = setup.refresh(login.text("refresh_token"));
    let new = bearer(&setup.token(&new).await);
    assert_eq!(call(&setup.upstream, "search", &new).await.status(), 200);
    setup.server.revoke_all();
    assert_eq!(call(&setup.upstream, "search", &new).await.status(), 401);
    assert_eq!(setup.upstream.calls().len(), 2);
    let refused = setup.upstream.refused();
    let token = |header: &str| header["Bearer ".len()..].to_owned();
    assert_eq!(refused.first(), Some(&(401, "unknown".to_owned())));
    assert_eq!(refused.last(), Some(&(401, token(&new))));
}

#[tokio::test]
async fn grant_is_valid_for_its_resource_only() {
    let setup = setup(oauth::server()).await;
    let other = oauth::protect(&setup.server, upstream::modern());
    let other = other.start().await.url();
    let back = setup.back(&setup.request("")).await;
    let exchange = setup.exchange(back["code"].as_str().unwrap());
    let answer = setup
        .token(&exchange.with("resource", other.as_str()))
        .await;
    assert_eq!(answer.error(), "invalid_target");
    let login = setup.login("").await;
    let refresh = setup.refresh(login.text("refresh_token"));
    let elsewhere = refresh.clone().with("resource", other.as_str());
    assert_eq!(setup.token(&elsewhere).await.error(), "invalid_target");
    assert_eq!(setup.token(&refresh).await.status, 200);
}

#[tokio::test]
async fn tool_that_needs_more_scopes_sends_a_challenge() {
    let server = oauth::server().scopes("use read write");
    let setup = setup(server).await;
    let tools = upstream::modern().tool("read").tool("write");
    let upstream = oauth::protect(&setup.server, tools)
        .scopes("use")
        .tool_scopes("write", "write")
        .open("server/discover");
    let upstream = upstream.start().await;
    let resource = upstream.url();
    let moved = Setup {
        server: setup.server,
        upstream,
    };
    assert_eq!(moved.upstream.url(), resource);
    let less = bearer(&moved.login("use").await);
    assert_eq!(call(&moved.upstream, "read", &less).await.status(), 200);
    let response = call(&moved.upstream, "write", &less).await;
    assert_eq!(response.status(), 403);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    for part in [
        "error=\"insufficient_scope\"",
        "scope=\"use write\"",
        "resource_metadata=",
    ] {
        assert!(challenge.contains(part), "{challenge}");
    }
    let more = bearer(&moved.login("use write").await);
    assert_eq!(call(&moved.upstream, "write", &more).await.status(), 200);
    let none = bearer(&moved.login("").await);
    assert_eq!(call(&moved.upstream, "read", &none).await.status(), 403);

    let discover = request("server/discover", with_meta(json!({})));
    let headers = [MODERN, ("mcp-method", "server/discover")];
    let response = post(&moved.upstream.url(), &headers, discover).await;
    assert_eq!(response.status(), 200);
}

async fn every_kind_of_upstream_can_be_protected(kind: Kind) {
    let server = oauth::server().start().await;
    let upstream = oauth::protect(&server, kind.server().tool("search"))
        .start()
        .await;
    let response = post(&upstream.url(), &[], initialize()).await;
    assert_eq!(response.status(), 401);
    assert_eq!(get(&upstream.url()).await.status, 401);
    let document = get(&upstream.metadata_url()).await.body;
    assert_eq!(document["resource"], upstream.url());
    let open = oauth::protect(&server, kind.server())
        .open("initialize")
        .start();
    let open = open.await;
    if kind == Kind::Legacy {
        session(&open.url()).await;
    }
}

#[tokio::test]
async fn upstream_can_be_its_own_authorization_server() {
    let server = oauth::server().documents([]).start().await;
    let upstream = oauth::protect(&server, upstream::modern().tool("search"));
    let upstream = upstream.same_origin().place(Place::Nowhere).start().await;
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(get(&upstream.raw.url_of(path)).await.status, 404, "{path}");
    }
    // The authorization endpoint responds, although the request is invalid.
    assert_eq!(get(&upstream.raw.url_of("/authorize")).await.status, 400);
    assert_eq!(server.count(Part::Authorization), 1);

    let server = oauth::server().start().await;
    let upstream = oauth::protect(&server, upstream::modern());
    let upstream = upstream.same_origin().start().await;
    let place = "/.well-known/oauth-authorization-server";
    let document = get(&upstream.raw.url_of(place)).await.body;
    assert_eq!(document["issuer"], upstream.raw.url_of(""));
    let resource = get(&upstream.metadata_url()).await.body;
    assert_eq!(
        resource["authorization_servers"],
        json!([document["issuer"]])
    );
}

#[tokio::test]
async fn upstream_moved_to_another_server_rejects_earlier_tokens() {
    let first = setup(oauth::server()).await;
    let login = bearer(&first.login("").await);
    assert_eq!(call(&first.upstream, "search", &login).await.status(), 200);
    let second = oauth::server()
        .client(crate::kit::oauth::raw_client::app())
        .start()
        .await;
    first.upstream.move_to(&second);
    assert_eq!(call(&first.upstream, "search", &login).await.status(), 401);
    let document = get(&first.upstream.metadata_url()).await.body;
    assert_eq!(document["authorization_servers"], json!([second.issuer()]));
    let moved = Setup {
        server: second,
        upstream: first.upstream,
    };
    let login = bearer(&moved.login("").await);
    assert_eq!(call(&moved.upstream, "search", &login).await.status(), 200);
}

#[tokio::test]
async fn browser_does_not_follow_a_json_document() {
    let setup = setup(oauth::server()).await;
    let page = Browser::consenting()
        .open(&setup.upstream.metadata_url())
        .await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("authorization_servers"));
}
