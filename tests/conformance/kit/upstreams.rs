//! The scripted upstreams follow their revision and check that clients do.

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use testkit::http::{
    MODERN, borrowed, client, initialize, message, post, read_until, request, session,
};
use testkit::proxy::with_meta;
use testkit::{Endpoint, upstream, within};

#[tokio::test]
async fn legacy_server_requires_its_session_and_no_modern_request() {
    let server = upstream::legacy()
        .tool("search")
        .page_size(1)
        .tool("find")
        .start()
        .await;
    let url = server.url();
    let probe = request("server/discover", with_meta(json!({})));
    let response = post(&url, &[MODERN, ("mcp-method", "server/discover")], probe).await;
    assert_eq!(response.status(), 400);
    assert_eq!(message(response).await["error"]["code"], -32000);

    let session = session(&url).await;
    let list = |params| request("tools/list", params);
    let page = message(post(&url, &borrowed(&session), list(json!({}))).await).await;
    assert_eq!(page["result"]["tools"][0]["name"], "search");
    let next = json!({"cursor": page["result"]["nextCursor"]});
    let page = message(post(&url, &borrowed(&session), list(next)).await).await;
    assert_eq!(page["result"]["tools"][0]["name"], "find");
    assert_eq!(page["result"]["nextCursor"], Value::Null);

    let without_version = &borrowed(&session)[..1];
    assert_eq!(
        post(&url, without_version, list(json!({}))).await.status(),
        400
    );
    server.expire_sessions();
    let response = post(&url, &borrowed(&session), list(json!({}))).await;
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn legacy_server_sends_requests_in_calls_and_on_its_stream() {
    let server = upstream::legacy().tool("ask").on_call(|call| async move {
        call.progress(1).await;
        let answer = call.request("77", "roots/list", "{}").await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        json!({"content": [], "roots": answer["result"]})
            .to_string()
            .into_bytes()
    });
    let server = server.start().await;
    let url = server.url();
    let session = session(&url).await;
    let headers = borrowed(&session);
    let call = request(
        "tools/call",
        json!({"name": "ask", "_meta": {"progressToken": 9}}),
    );
    let mut response = post(&url, &headers, call).await;
    let text = read_until(&mut response, "roots/list").await;
    assert!(text.contains(r#""progressToken":9"#), "{text}");
    let answer = json!({"jsonrpc": "2.0", "id": 77, "result": {"roots": []}});
    assert_eq!(post(&url, &headers, answer).await.status(), 202);
    read_until(&mut response, r#""roots":{"roots":[]}"#).await;
    assert_eq!(server.wait_for_calls(1).await.len(), 1);

    let names = session
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let stream = client().get(&url).headers(HeaderMap::from_iter(names));
    let stream = stream.header("accept", "text/event-stream").send();
    let mut stream = within("the stream", stream).await.unwrap();
    server.list_changed().await;
    read_until(&mut stream, "notifications/tools/list_changed").await;
    let event_stream = server.event_stream().await;
    let response =
        tokio::spawn(async move { event_stream.request("78", "roots/list", "{}").await });
    read_until(&mut stream, "roots/list").await;
    let answer = r#"{"jsonrpc":"2.0","id":78,"result":{"roots":[ ]}}"#;
    assert_eq!(post(&url, &headers, answer).await.status(), 202);
    assert_eq!(response.await.unwrap(), answer.as_bytes());
}

#[tokio::test]
async fn modern_server_rejects_all_that_the_specification_permits() {
    let schema = json!({"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
    let tool = json!({"name": "query", "inputSchema": schema}).to_string();
    let server = upstream::modern().tool_raw(&tool).start().await;
    let arguments = json!({"region": " Zürich"});
    let params = json!({"name": "query", "arguments": arguments});
    let call = request("tools/call", with_meta(params.clone()));
    let method = ("mcp-method", "tools/call");
    let (name, wrong_name) = (("mcp-name", "query"), ("mcp-name", "other"));
    let encoded_name = ("mcp-name", "=?base64?cXVlcnk=?=");
    let (region, bare) = (
        ("mcp-param-region", "=?base64?IFrDvHJpY2g=?="),
        ("mcp-param-region", "Zurich"),
    );
    let mut older = call.clone();
    older["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("1900-01-01");
    let bare_call = request("tools/call", params);
    let unknown = request("tools/paint", with_meta(json!({})));
    let old = ("mcp-protocol-version", "1900-01-01");
    type Headers<'a> = Vec<(&'a str, &'a str)>;
    let cases: [(&str, Headers, &Value, u16, Value); 9] = [
        (
            "as it must be",
            vec![MODERN, method, name, region],
            &call,
            200,
            Value::Null,
        ),
        (
            "encoded",
            vec![MODERN, method, encoded_name, region],
            &call,
            200,
            Value::Null,
        ),
        (
            "no version",
            vec![method, name, region],
            &call,
            400,
            json!(-32020),
        ),
        (
            "no method",
            vec![MODERN, name, region],
            &call,
            400,
            json!(-32020),
        ),
        (
            "wrong name",
            vec![MODERN, method, wrong_name, region],
            &call,
            400,
            json!(-32020),
        ),
        (
            "wrong argument",
            vec![MODERN, method, name, bare],
            &call,
            400,
            json!(-32020),
        ),
        (
            "no metadata",
            vec![MODERN, method, name, region],
            &bare_call,
            400,
            json!(-32602),
        ),
        (
            "version",
            vec![old, method, name, region],
            &older,
            400,
            json!(-32022),
        ),
        (
            "unknown",
            vec![MODERN, ("mcp-method", "tools/paint")],
            &unknown,
            404,
            json!(-32601),
        ),
    ];
    for (case, headers, body, status, code) in cases {
        let response = post(&server.url(), &headers, body).await;
        assert_eq!(response.status(), status, "{case}");
        assert_eq!(message(response).await["error"]["code"], code, "{case}");
    }
}

#[tokio::test]
async fn modern_server_notifies_a_subscription_of_what_it_requested() {
    let server = upstream::modern()
        .tool("search")
        .instructions("Look here")
        .start()
        .await;
    let url = server.url();
    let discover = request("server/discover", with_meta(json!({})));
    let response = post(&url, &[MODERN, ("mcp-method", "server/discover")], discover).await;
    let discovery = message(response).await;
    assert_eq!(
        discovery["result"]["supportedVersions"],
        json!(["2026-07-28"])
    );
    assert_eq!(discovery["result"]["instructions"], "Look here");

    let filter = json!({"toolsListChanged": true, "promptsListChanged": true});
    let listen = request(
        "subscriptions/listen",
        with_meta(json!({"notifications": filter})),
    );
    let headers = [MODERN, ("mcp-method", "subscriptions/listen")];
    let mut stream = post(&url, &headers, listen).await;
    let first = read_until(&mut stream, "acknowledged").await;
    assert!(
        first.contains(r#""notifications":{"toolsListChanged":true}"#),
        "{first}"
    );
    server.list_changed().await;
    let text = read_until(&mut stream, "tools/list_changed").await;
    assert!(
        text.contains(r#""io.modelcontextprotocol/subscriptionId":1"#),
        "{text}"
    );
    server.cancel_subscriptions().await;
    let text = read_until(&mut stream, "notifications/cancelled").await;
    assert!(text.contains(r#""requestId":1"#), "{text}");
    drop(stream);
    assert!(
        server
            .raw
            .wait_for_disconnect()
            .await
            .is("subscriptions/listen")
    );
}

#[tokio::test]
async fn http_sse_server_responds_on_its_event_stream() {
    let server = upstream::http_sse().tool("search").start().await;
    assert_eq!(post(&server.url(), &[], initialize()).await.status(), 405);
    let stream = client().get(server.url()).send();
    let mut stream = within("the stream", stream).await.unwrap();
    let first = read_until(&mut stream, "\n\n").await;
    let path = first
        .strip_prefix("event: endpoint\ndata: ")
        .unwrap()
        .trim();
    let endpoint = server.raw.url_of(path);

    let call = r#"{"jsonrpc":"2.0","id":1e0,"method":"tools/call","params":{"name":"search","arguments":{"n":1.0}}}"#;
    assert_eq!(post(&endpoint, &[], initialize()).await.status(), 202);
    read_until(&mut stream, r#""protocolVersion":"2024-11-05""#).await;
    assert_eq!(post(&endpoint, &[], call).await.status(), 202);
    let text = read_until(&mut stream, "search").await;
    assert!(
        text.contains(r#"{"jsonrpc":"2.0","id":1e0,"result""#),
        "{text}"
    );
    assert_eq!(server.calls(), [call.as_bytes()]);
    server.list_changed().await;
    read_until(&mut stream, "list_changed").await;
}
