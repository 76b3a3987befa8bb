//! A call that an upstream fails gets an error that a user or a model can act on.
//! It names the upstream, the cause, whether the call may have run, and the remedy.
//! Other upstreams are not affected.

use serde_json::{Value, json};
use testkit::proxy;
use testkit::raw::{Reply, Request, event};
use testkit::upstream::{self, Upstream};

/// The size limit of messages, in bytes. Only the messages that must be too large exceed it.
const LIMIT: usize = 20_000;

/// The faults, each named after the tool whose calls fail with it.
const FAULTS: [&str; 26] = [
    "never_answered",
    "stalled_stream",
    "stalled_body",
    "status_400",
    "status_401",
    "status_403",
    "status_404",
    "status_405",
    "status_429",
    "status_500",
    "status_503",
    "status_503_later",
    "redirect_elsewhere",
    "html",
    "cut",
    "reset",
    "not_json",
    "not_utf8",
    "not_json_rpc",
    "empty",
    "accepted",
    "wrong_id",
    "large_event",
    "large_body",
    "stream_without_reply",
    "stream_broken_off",
];

fn fault_reply(request: &Request) -> Option<Reply> {
    if !request.is("tools/call") {
        return None;
    }
    let event_stream = |head: Reply| head.header("content-type", "text/event-stream");
    Some(match request.tool().as_str() {
        "never_answered" => Reply::hang(),
        "stalled_stream" => event_stream(stalled_reply(": one moment\n\n")),
        "stalled_body" => stalled_reply("{\"jsonrpc\"").header("content-type", "application/json"),
        "status_400" => Reply::json(r#"{"detail":"missing field `q`"}"#).with_status(400),
        "status_401" => Reply::status(401).header("www-authenticate", "Bearer"),
        "status_403" => Reply::status(403),
        "status_404" => Reply::status(404),
        "status_405" => Reply::status(405),
        "status_429" => Reply::status(429).header("retry-after", "30"),
        "status_500" => text("boom\r\n\x1b[31mtraceback").with_status(500),
        "status_503_later" => Reply::status(503).header("retry-after", "7"),
        "status_503" => html("<h1>Busy</h1>").with_status(503),
        "redirect_elsewhere" => {
            Reply::status(307).header("location", "https://elsewhere.example/mcp")
        }
        "html" => html("<!doctype html><title>Sign in</title>"),
        "cut" => Reply::cut(r#"{"jsonrpc":"2.0","id":1,"resu"#),
        "reset" => Reply::reset(),
        "not_json" => Reply::json(r#"{"jsonrpc":"2.0","id":1,"result":{oops}}"#),
        "not_utf8" => Reply::json(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\"}"),
        "not_json_rpc" => Reply::json(r#"{"ok":true}"#),
        "empty" => Reply::status(200).header("content-type", "application/json"),
        "accepted" => Reply::status(202),
        "wrong_id" => Reply::json(r#"{"jsonrpc":"2.0","id":"other","result":{}}"#),
        "large_event" => Reply::sse([event(large(request))]),
        "large_body" => Reply::json(large(request)),
        "stream_without_reply" => Reply::sse([": bye\n\n"]),
        "stream_broken_off" => Reply::sse([": bye\n\n"]).broken_off(),
        _ => return None,
    })
}

/// A reply that stops after the first bytes of its body and stays open.
fn stalled_reply(first: &'static str) -> Reply {
    let (sender, chunks) = tokio::sync::mpsc::channel(1);
    sender.try_send(first.into()).unwrap();
    std::mem::forget(sender);
    Reply::stream(chunks)
}

fn text(body: &str) -> Reply {
    Reply::status(200)
        .header("content-type", "text/plain")
        .body(body)
}

fn html(body: &str) -> Reply {
    Reply::status(200)
        .header("content-type", "text/html; charset=utf-8")
        .body(body)
}

/// A response that is valid, but exceeds the size limit.
fn large(request: &Request) -> Vec<u8> {
    let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
    let result = json!({"content": [], "resultType": "complete", "_": "x".repeat(LIMIT)});
    json!({"jsonrpc": "2.0", "id": id, "result": result})
        .to_string()
        .into_bytes()
}

async fn start_failing_server(kind: upstream::Builder) -> Upstream {
    let kind = FAULTS.iter().fold(kind, |kind, name| kind.tool(name));
    kind.intercept(fault_reply).start().await
}

/// Makes all faulty calls of `bad` concurrently, each with a call to another upstream that must
/// succeed. Returns the errors, one a line.
async fn collect_errors(bad: &Upstream) -> String {
    let good = upstream::modern().tool("works").start().await;
    let mut client = proxy::new()
        .upstream("bad", bad)
        .extra("bad", json!({"timeout": "1500ms", "oauth": false}))
        .upstream("good", &good)
        .env("PROXY_MAX_MESSAGE_BYTES", LIMIT.to_string())
        .start()
        .await;
    client.initialize().await;
    assert_eq!(client.tools().await.len(), FAULTS.len() + 1);
    let mut calls = Vec::new();
    for name in FAULTS {
        let bad = client.send_request("tools/call", json!({"name": name}));
        let bad = bad.await;
        let good = client.send_request("tools/call", json!({"name": "works"}));
        calls.push((name, bad, good.await));
    }
    let mut messages = String::new();
    for (name, bad, good) in calls {
        let works = client.response(good).await;
        let content = &works["result"]["content"][0]["text"];
        assert_eq!(content, "works without arguments", "{works}");
        let failed = client.response(bad).await;
        messages.push_str(&describe(name, &failed));
    }
    client.assert_every_line_is_json_rpc();
    assert_eq!(client.call("works", json!({})).await["error"], Value::Null);
    messages
}

/// An error on one line. The proxy's own request ids, which count up, are written as N.
fn describe(name: &str, failed: &Value) -> String {
    let error = &failed["error"];
    let message = error["message"]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {failed}"));
    let message = match message.split_once(r#"(id "other" instead of "#) {
        Some((head, tail)) => {
            let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
            format!(r#"{head}(id "other" instead of N{tail}"#)
        }
        None => message.to_owned(),
    };
    // The number of an error differs between systems.
    let message = message.split(" (os error ").enumerate();
    let message = message.map(|(at, part)| match (at, part.split_once(')')) {
        (1.., Some((_, rest))) => rest,
        _ => part,
    });
    let message: String = message.collect();
    assert_eq!(error["data"]["upstream"], "bad", "{failed}");
    let status = &error["data"]["httpStatus"];
    let outcome = error["data"]["outcome"].as_str().unwrap();
    format!("{name}: {} {status} {outcome}: {message}\n", error["code"])
}

#[tokio::test]
async fn call_error_names_upstream_cause_remedy_and_others_succeed() {
    let (modern, legacy) = (
        start_failing_server(upstream::modern()),
        start_failing_server(upstream::legacy()),
    );
    let (modern, legacy) = (modern.await, legacy.await);
    let (modern, legacy) = tokio::join!(collect_errors(&modern), collect_errors(&legacy));
    insta::assert_snapshot!(modern, @r#"
    never_answered: -31003 null unknown: `bad` did not answer `tools/call`: the server did not begin to respond within 1.5 s; raise its `first_byte_timeout` if it needs longer (the call may have run: check before you send it again)
    stalled_stream: -31003 null unknown: `bad` did not answer `tools/call`: the server gave no sign of life for 1.5 s; raise its `timeout` if it needs longer (the call may have run: check before you send it again)
    stalled_body: -31003 null unknown: `bad` did not answer `tools/call`: the server gave no sign of life for 1.5 s; raise its `timeout` if it needs longer (the call may have run: check before you send it again)
    status_400: -31005 400 not run: `bad` did not answer `tools/call`: the server returned HTTP 400 Bad Request: {"detail":"missing field `q`"}
    status_401: -31002 401 not run: `bad` did not answer `tools/call`: the server requires credentials (HTTP 401); put a token into its `headers`
    status_403: -31005 403 not run: `bad` did not answer `tools/call`: the server returned HTTP 403 Forbidden; check the credentials in its `headers`
    status_404: -31005 404 not run: `bad` did not answer `tools/call`: the server returned HTTP 404 Not Found; check its `url` and `transport`
    status_405: -31005 405 not run: `bad` did not answer `tools/call`: the server returned HTTP 405 Method Not Allowed; check its `url` and `transport`
    status_429: -31005 429 not run: `bad` did not answer `tools/call`: the server returned HTTP 429 Too Many Requests; try again in 30 s
    status_500: -31005 500 unknown: `bad` did not answer `tools/call`: the server returned HTTP 500 Internal Server Error: boom   [31mtraceback; try again later (the call may have run: check before you send it again)
    status_503: -31005 503 unknown: `bad` did not answer `tools/call`: the server returned HTTP 503 Service Unavailable; try again later (the call may have run: check before you send it again)
    status_503_later: -31005 503 not run: `bad` did not answer `tools/call`: the server returned HTTP 503 Service Unavailable; try again in 7 s
    redirect_elsewhere: -31005 null not run: `bad` did not answer `tools/call`: the server redirects to https://elsewhere.example, where its credentials must not go; if you trust that address, set it as `url`
    html: -31006 null unknown: `bad` did not answer `tools/call`: the server responded with text/html instead of JSON; check that its `url` is the MCP endpoint (the call may have run: check before you send it again)
    cut: -31004 null unknown: `bad` did not answer `tools/call`: the connection broke before the response: error decoding response body: error reading a body from connection: end of file before message length reached (the call may have run: check before you send it again)
    reset: -31004 null unknown: `bad` did not answer `tools/call`: the connection broke before the response: error sending request: client error (SendRequest): connection error: Connection reset by peer (the call may have run: check before you send it again)
    not_json: -31006 null unknown: `bad` did not answer `tools/call`: the server sent an invalid response: not JSON: key must be a string at line 1 column 35 (the call may have run: check before you send it again)
    not_utf8: -31006 null unknown: `bad` did not answer `tools/call`: the server sent an invalid response: not UTF-8 (the call may have run: check before you send it again)
    not_json_rpc: -31006 null unknown: `bad` did not answer `tools/call`: the server sent an invalid response: not a JSON-RPC message: `method`, `result` and `error` are missing (the call may have run: check before you send it again)
    empty: -31006 200 unknown: `bad` did not answer `tools/call`: the server accepted the request (HTTP 200 OK) and sent no response (the call may have run: check before you send it again)
    accepted: -31006 202 unknown: `bad` did not answer `tools/call`: the server accepted the request (HTTP 202 Accepted) and sent no response (the call may have run: check before you send it again)
    wrong_id: -31006 null unknown: `bad` did not answer `tools/call`: the server responded to another request (id "other" instead of N) (the call may have run: check before you send it again)
    large_event: -31007 null unknown: `bad` did not answer `tools/call`: the server's response exceeds 20000 bytes; raise PROXY_MAX_MESSAGE_BYTES to accept it (the call may have run: check before you send it again)
    large_body: -31007 null unknown: `bad` did not answer `tools/call`: the server's response exceeds 20000 bytes; raise PROXY_MAX_MESSAGE_BYTES to accept it (the call may have run: check before you send it again)
    stream_without_reply: -31004 null unknown: `bad` did not answer `tools/call`: the server ended its event stream before the response (the call may have run: check before you send it again)
    stream_broken_off: -31004 null unknown: `bad` did not answer `tools/call`: the connection broke before the response: error decoding response body: error reading a body from connection: unexpected EOF during chunk size line (the call may have run: check before you send it again)
    "#);
    // The errors of a legacy upstream are equal, except 404, which ends a session.
    let differences = modern.lines().zip(legacy.lines()).filter(|(a, b)| a != b);
    let differences: Vec<_> = differences.map(|(_, legacy)| legacy).collect();
    assert_eq!(legacy.lines().count(), FAULTS.len());
    insta::assert_snapshot!(differences.join("\n"), @"status_404: -31004 null not run: `bad` did not answer `tools/call`: the session with the server expired; try again");
}
