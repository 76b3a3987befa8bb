//! Tests of the raw, TLS and SDK test servers, over plain HTTP.

use serde_json::json;
use testkit::http::{
    MODERN, borrowed, client, initialize, message, post, read_until, request, session,
};
use testkit::proxy::with_meta;
use testkit::raw::{self, Reply};
use testkit::{Endpoint, sdk, tls, within};

#[tokio::test]
async fn legacy_sdk_server_requires_a_session() {
    let server = sdk::legacy().await;
    let url = server.url();
    let session = session(&url).await;
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let response = post(&url, &borrowed(&session), initialized).await;
    assert_eq!(response.status(), 202);

    let call = request(
        "tools/call",
        json!({"name": "add", "arguments": {"a": 2, "b": 3}}),
    );
    let answer = message(post(&url, &borrowed(&session), call).await).await;
    assert_eq!(answer["result"]["content"][0]["text"], "5");

    let probe = request("server/discover", with_meta(json!({})));
    let headers = [MODERN, ("mcp-method", "server/discover")];
    let response = post(&url, &headers, probe).await;
    assert_eq!(response.status(), 400);
    let refused = message(response).await;
    let supported = json!(["2025-11-25", "2025-06-18"]);
    assert_eq!(
        refused["error"]["data"]["supported"], supported,
        "{refused}"
    );
}

#[tokio::test]
async fn modern_sdk_server_requires_metadata() {
    let server = sdk::modern().await;
    let url = server.url();
    let params = json!({"name": "echo", "arguments": {"text": "hello"}});
    let headers = [MODERN, ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    let call = request("tools/call", with_meta(params.clone()));
    let answer = message(post(&url, &headers, call).await).await;
    assert_eq!(answer["result"]["content"][0]["text"], "hello");

    let refused = message(post(&url, &headers, request("tools/call", params)).await).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let refused = message(post(&url, &[], initialize()).await).await;
    assert!(refused["error"].is_object(), "{refused}");
}

#[tokio::test]
async fn sdk_server_reports_progress_and_sees_disconnects() {
    let server = sdk::modern().await;
    let headers = [MODERN, ("mcp-method", "tools/call"), ("mcp-name", "slow")];
    let params = |ms| {
        let arguments = json!({"ms": ms});
        with_meta(json!({"name": "slow", "arguments": arguments, "_meta": {"progressToken": "p"}}))
    };
    let mut response = post(&server.url(), &headers, request("tools/call", params(50))).await;
    let text = read_until(&mut response, "took 50 ms").await;
    assert!(text.contains(r#""progressToken":"p""#), "{text}");

    let mut response = post(
        &server.url(),
        &headers,
        request("tools/call", params(60_000)),
    )
    .await;
    read_until(&mut response, "progress").await;
    drop(response);
    server.wait_for_cancelled(1).await;
}

#[tokio::test]
async fn raw_server_replies_in_exact_bytes_or_breaks_off() {
    let server = raw::server(|request| async move {
        match request.rpc_method().as_str() {
            "whole" => Reply::json(request.id_bytes().unwrap()),
            "events" => Reply::sse([": hello\r\n\r\n", "data: 1\r\rdata: 2\n\n"]),
            "cut" => Reply::cut("{\"half\":"),
            "reset" => Reply::reset(),
            "raw" => Reply::raw("HTTP/1.1 200 Fine\r\ncontent-length: 2\r\n\r\nok"),
            _ => Reply::hang(),
        }
    });
    let url = server.url();
    let of = |method: &str| format!(r#"{{"id": -0.10e+5 ,"method":"{method}","n":1e999}}"#);
    let text = async |method| post(&url, &[], of(method)).await.text().await;
    assert_eq!(text("whole").await.unwrap(), "-0.10e+5");
    assert_eq!(
        text("events").await.unwrap(),
        ": hello\r\n\r\ndata: 1\r\rdata: 2\n\n"
    );
    assert_eq!(text("raw").await.unwrap(), "ok");
    assert!(text("cut").await.is_err());
    assert!(client().post(&url).body(of("reset")).send().await.is_err());

    let hanging = tokio::spawn(client().post(&url).body(of("hang")).send());
    assert_eq!(
        server.wait_for(|request| request.is("hang")).await.path,
        "/mcp"
    );
    hanging.abort();
    assert!(server.wait_for_disconnect().await.is("hang"));
    let address = server.address();
    server.stop().await;
    assert!(client().post(&url).send().await.unwrap_err().is_connect());
    let back = raw::server_at(address, |_| async { Reply::status(204) });
    assert_eq!(
        client().post(back.url()).send().await.unwrap().status(),
        204
    );
}

#[tokio::test]
async fn tls_server_is_trusted_through_its_authority() {
    let server = tls::server(raw::handler_of(|_| async { Reply::json("1") }));
    assert!(client().get(server.url()).send().await.is_err());
    let authority = std::fs::read(server.authority()).unwrap();
    let authority = reqwest::Certificate::from_pem(&authority).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority]);
    let response = client.build().unwrap().get(server.url()).send();
    let response = within("a response", response).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "1");
    assert_eq!(server.raw.requests().len(), 1);
}
