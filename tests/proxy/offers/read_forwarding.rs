//! `resources/read`: what the upstream and the client receive, and how cancellation ends it.

use serde_json::json;

use crate::offers::{error_response, result_line, with_empty_lists};
use testkit::json::request_line;
use testkit::raw::Reply;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    read_is_forwarded_unchanged_in_both_directions
    modern_client_gets_results_and_errors_of_its_era
    cancelled_request_ends_upstream_without_a_response
}

async fn read_is_forwarded_unchanged_in_both_directions(kind: Kind) {
    let result = r#"{ "resultType":"complete","contents":[{"uri":"x:\/\/1","blob":"AA=="} ],"n":1.50,"ttlMs":7}"#;
    let params = r#"{ "x":1E2,"uri" : "x:\/\/\u0031"}"#;
    let server = with_empty_lists(kind.server()).offers("resources", [r#"{"uri":"x://1"}"#]);
    let server = server.result("resources/read", result).start().await;
    let mut client = proxy::before(&server).await;
    let answer = client.exchange_request("resources/read", params).await;
    assert_eq!(answer, result_line(r#""resources/read""#, result));
    let request = server.requests_of("resources/read").remove(0);
    let forwarded = String::from_utf8(request.params_bytes().unwrap()).unwrap();
    match kind {
        Kind::Modern => assert!(forwarded.ends_with(&params[1..]), "{forwarded}"),
        _ => assert_eq!(forwarded, params),
    }
}

#[tokio::test]
async fn modern_upstream_gets_the_uri_in_the_headers() {
    let server = with_empty_lists(upstream::modern());
    let server = server.result(
        "resources/read",
        r#"{"resultType":"complete","contents":[]}"#,
    );
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    for (uri, header) in [
        ("x://a/b?c=%20", "x://a/b?c=%20"),
        ("x://ü", "=?base64?eDovL8O8?="),
        ("x://a\nb", "=?base64?eDovL2EKYg==?="),
        (" x", "=?base64?IHg=?="),
    ] {
        let answer = client
            .request_in_era("resources/read", json!({"uri": uri}))
            .await;
        assert_eq!(answer["result"]["contents"], json!([]), "{answer}");
        let request = server.requests_of("resources/read").pop().unwrap();
        assert_eq!(request.header("mcp-method"), Some("resources/read"));
        assert_eq!(request.header("mcp-name"), Some(header));
    }
}

async fn modern_client_gets_results_and_errors_of_its_era(kind: Kind) {
    let server = with_empty_lists(kind.server()).answers("resources/read", |request| match request
        .json()["params"]["uri"]
        .as_str()
    {
        Some("x://1") => br#"{"contents":[1.0]}"#.to_vec(),
        _ => error_response(request, r#"{"message":"none", "code":-32002}"#),
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let (found, missing) = match kind {
        // Messages of a modern server are not adapted.
        Kind::Modern => (r#"{"contents":[1.0]}"#, "-32002"),
        _ => (
            r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[1.0]}"#,
            "-32602",
        ),
    };
    let read = |uri: &str| proxy::with_meta(json!({"uri": uri})).to_string();
    let answer = client
        .exchange_request("resources/read", &read("x://1"))
        .await;
    assert_eq!(answer, result_line(r#""resources/read""#, found));
    let answer = client
        .exchange_request("resources/read", &read("x://2"))
        .await;
    let error = format!(r#"{{"message":"none", "code":{missing}}}"#);
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"resources/read","error":{error}}}"#);
    assert_eq!(answer, expected);
}

async fn cancelled_request_ends_upstream_without_a_response(kind: Kind) {
    for (method, params) in [
        ("resources/read", r#"{"uri":"x://1"}"#),
        ("prompts/get", r#"{"name":"ask"}"#),
    ] {
        let server = with_empty_lists(kind.server()).offers("prompts", [r#"{"name":"ask"}"#]);
        let server = server.intercept(move |request| {
            let reply = || match kind {
                // With HTTP+SSE, responses come on the event stream.
                Kind::HttpSse => Reply::status(202),
                _ => Reply::hang(),
            };
            request.is(method).then(reply)
        });
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        client
            .send_line(request_line(r#""c""#, method, params))
            .await;
        let request = server.raw.wait_for(|request| request.is(method)).await;
        let before = client.received().len();
        let cancelled = json!({"requestId": "c"});
        client.notify("notifications/cancelled", cancelled).await;
        match kind {
            Kind::Modern => {
                let disconnected = server.raw.wait_for_disconnect().await;
                assert_eq!(disconnected.body, request.body);
            }
            _ => {
                let notification = server.wait_for_cancelled().await;
                let notification: serde_json::Value =
                    serde_json::from_slice(&notification).unwrap();
                assert_eq!(notification["params"]["requestId"], request.json()["id"]);
            }
        }
        // The id is free again, and the cancelled request got no response.
        let pong = client.exchange(request_line(r#""c""#, "ping", "{}"), r#""c""#);
        let pong = String::from_utf8(pong.await).unwrap();
        assert_eq!(pong, result_line(r#""c""#, "{}"));
        assert!(client.close().await.success());
        assert_eq!(client.received().len(), before + 1);
    }
}
