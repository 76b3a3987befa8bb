//! Tokens are sent to the upstream's own origin only.

use serde_json::Value;

use crate::security::{Setup, sign_in};
use testkit::oauth::{self, Part};
use testkit::raw::{self, Reply};
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    token_is_sent_with_every_request_on_every_transport
}

/// A server that must not receive any request.
fn elsewhere() -> raw::Server {
    raw::server(|_| async { Reply::json("{}") })
}

async fn protected(tools: upstream::Builder) -> Setup {
    let server = oauth::server().start().await;
    Setup {
        upstream: oauth::protect(&server, tools).start().await,
        server,
        home: proxy::home(),
    }
}

#[tokio::test]
async fn redirect_sends_no_token_to_another_origin() {
    for status in [302, 307, 308] {
        let elsewhere = elsewhere();
        let target = elsewhere.url_of("/mcp");
        let tools = upstream::modern().tool("search").intercept(move |request| {
            let signed = request.header("authorization").is_some();
            signed.then(|| Reply::status(status).header("location", &target))
        });
        let setup = protected(tools).await;
        let client = setup.start(Value::Null).await;
        sign_in(&client).await;
        client.wait_for_stderr("the server redirects to").await;
        assert_eq!(elsewhere.connections(), 0);
    }
}

#[tokio::test]
async fn sse_endpoint_of_another_origin_gets_no_token() {
    let elsewhere = elsewhere();
    let target = elsewhere.url_of("/message");
    let tools = upstream::http_sse()
        .tool("search")
        .intercept(move |request| {
            let signed = request.method == "GET" && request.header("authorization").is_some();
            let endpoint = format!("event: endpoint\ndata: {target}\n\n");
            signed.then(|| Reply::sse([endpoint]))
        });
    let setup = protected(tools).await;
    let client = setup.start(Value::Null).await;
    sign_in(&client).await;
    client.wait_for_stderr(&elsewhere.url_of("")).await;
    assert_eq!(elsewhere.connections(), 0);
}

async fn token_is_sent_with_every_request_on_every_transport(kind: Kind) {
    let setup = protected(kind.server().tool("search")).await;
    let mut client = setup.signed_in(Value::Null).await;
    crate::security::call(&mut client).await;
    let requests = setup.upstream.raw.requests();
    let to_it = requests
        .iter()
        .filter(|it| !it.path.contains("/.well-known/"));
    // A server may be probed for two transports before it requires a sign-in.
    let unsigned = to_it
        .filter(|it| it.header("authorization").is_none())
        .count();
    assert!(unsigned <= 2, "{unsigned} requests without a token");
    assert!(requests.iter().all(|it| !it.path.contains("access-")));
    client.close().await;
    let requests = setup.upstream.raw.requests();
    let last = requests.last().unwrap();
    assert!(
        last.header("authorization").is_some(),
        "{} {}",
        last.method,
        last.path
    );
}

#[tokio::test]
async fn authorization_server_redirect_is_not_followed_with_secrets() {
    let elsewhere = elsewhere();
    let target = elsewhere.url_of("/token");
    let server = oauth::server().intercept(move |request| {
        let token = request.path == "/token";
        token.then(|| Reply::status(307).header("location", &target))
    });
    let setup = crate::security::setup(server).await;
    let client = setup.start(Value::Null).await;
    let page = sign_in(&client).await;
    assert_eq!(page.status, 400, "{}", page.text);
    assert_eq!(setup.server.count(Part::Token), 1);
    assert_eq!(elsewhere.connections(), 0);
}
