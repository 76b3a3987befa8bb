//! The tests' own servers say what they promise, asked over plain HTTP.

mod support;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use serde_json::{Value, json};
use support::proxy::with_meta;
use support::raw::{self, Reply};
use support::{Endpoint, sdk, tls, upstream, within};

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Posts a body with these headers beside those of every MCP request.
async fn post(url: &str, headers: &[(&str, &str)], body: impl ToString) -> reqwest::Response {
    let mut request = client()
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    within("a response", request.send()).await.unwrap()
}

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn initialize() -> Value {
    let client_info = json!({"name": "test", "version": "1"});
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client_info});
    request("initialize", params)
}

/// The one JSON message in a response, in whichever way it came.
async fn message(response: reqwest::Response) -> Value {
    let body = within("a body", response.text()).await.unwrap();
    let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let last = data.last().map_or(body.as_str(), str::trim);
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {body}"))
}

/// Reads a stream until it has said `part`.
async fn read_until(response: &mut reqwest::Response, part: &str) -> String {
    let mut text = String::new();
    while !text.contains(part) {
        let chunk = within(part, response.chunk()).await.unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).unwrap());
    }
    text
}

/// Opens a legacy session and gives its headers.
async fn session(url: &str) -> Vec<(&'static str, String)> {
    let response = post(url, &[], initialize()).await;
    assert_eq!(response.status(), 200);
    let id = response.headers()["mcp-session-id"].to_str().unwrap();
    vec![
        ("mcp-session-id", id.to_owned()),
        ("mcp-protocol-version", "2025-11-25".to_owned()),
    ]
}

fn borrowed<'a>(headers: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(k, v)| (*k, v.as_str())).collect()
}

const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");

#[tokio::test]
async fn the_sdk_serves_the_legacy_era_with_sessions_alone() {
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
    let status = response.status();
    let body = within("a body", response.text()).await.unwrap();
    assert!(!body.contains("2026-07-28\"]"), "{status}: {body}");
}

#[tokio::test]
async fn the_sdk_serves_the_modern_era_with_metadata_alone() {
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
async fn the_sdk_reports_progress_and_notices_a_client_that_leaves() {
    let server = sdk::modern().await;
    let headers = [MODERN, ("mcp-method", "tools/call"), ("mcp-name", "slow")];
    let params = |ms| {
        let arguments = json!({"ms": ms});
        with_meta(json!({"name": "slow", "arguments": arguments, "_meta": {"progressToken": "p"}}))
    };
    let mut response = post(&server.url(), &headers, request("tools/call", params(50))).await;
    let said = read_until(&mut response, "took 50 ms").await;
    assert!(said.contains(r#""progressToken":"p""#), "{said}");

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
async fn a_scripted_legacy_server_wants_its_session_and_no_modern_request() {
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
async fn a_scripted_legacy_server_asks_in_the_middle_of_a_call_and_speaks_on_its_own_stream() {
    let server = upstream::legacy().tool("ask").on_call(|call| async move {
        call.progress(1).await;
        let answer = call.ask("77", "roots/list", "{}").await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        json!({"content": [], "asked": answer["result"]})
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
    let said = read_until(&mut response, "roots/list").await;
    assert!(said.contains(r#""progressToken":9"#), "{said}");
    let answer = json!({"jsonrpc": "2.0", "id": 77, "result": {"roots": []}});
    assert_eq!(post(&url, &headers, answer).await.status(), 202);
    read_until(&mut response, r#""asked":{"roots":[]}"#).await;
    assert_eq!(server.wait_for_calls(1).await.len(), 1);

    let names = session
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let stream = client().get(&url).headers(HeaderMap::from_iter(names));
    let stream = stream.header("accept", "text/event-stream").send();
    let mut stream = within("the stream", stream).await.unwrap();
    server.list_changed().await;
    read_until(&mut stream, "notifications/tools/list_changed").await;
}

#[tokio::test]
async fn a_scripted_modern_server_refuses_what_the_specification_lets_it_refuse() {
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
    let cases: [(&str, Vec<(&str, &str)>, &Value, u16, Value); 9] = [
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
async fn a_scripted_modern_server_holds_a_subscription_and_tells_it_what_it_asked_for() {
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
    let said = read_until(&mut stream, "tools/list_changed").await;
    assert!(
        said.contains(r#""io.modelcontextprotocol/subscriptionId":1"#),
        "{said}"
    );
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
async fn a_scripted_http_sse_server_answers_on_its_stream() {
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
    let said = read_until(&mut stream, "search").await;
    assert!(
        said.contains(r#"{"jsonrpc":"2.0","id":1e0,"result""#),
        "{said}"
    );
    assert_eq!(server.calls(), [call.as_bytes()]);
    server.list_changed().await;
    read_until(&mut stream, "list_changed").await;
}

#[tokio::test]
async fn a_raw_server_answers_in_exact_bytes_or_breaks_off() {
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
async fn a_tls_server_is_reached_by_those_who_trust_its_authority() {
    let server = tls::server(|_| async { Reply::json("1") });
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
