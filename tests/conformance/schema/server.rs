//! The servers of a scenario: they offer every kind of item and send every server request.

use serde_json::{Value, json};

use crate::schema::revision::{MODERN, Pair, Revision};
use crate::schema::tasks;
use testkit::raw::{Reply, Request};
use testkit::upstream::{self, Builder, Call};

/// A server of the pair's revision.
pub(crate) fn server(pair: Pair) -> Builder {
    let builder = match pair.upstream {
        MODERN => upstream::modern(),
        Revision("2024-11-05") => upstream::http_sse(),
        Revision(version) => upstream::legacy().versions([version]),
    };
    let tools = [
        "plain",
        "sends_requests",
        "requires_url",
        "cancels_request",
        "hangs",
        "fails",
    ];
    let builder = tools
        .iter()
        .fold(builder, |builder, name| builder.tool(name));
    let builder = match pair.upstream.has_tasks() {
        true => tasks::with_task_tools(builder),
        false => builder,
    };
    let uri = "file:///a";
    builder
        .capabilities(&capabilities(pair).to_string())
        .instructions("Use it well.")
        .page_size(1)
        .offers(
            "prompts",
            [
                r#"{"name":"p"}"#,
                r#"{"name":"q","arguments":[{"name":"x"}]}"#,
            ],
        )
        .offers(
            "resources",
            [
                r#"{"name":"a","uri":"file:///a"}"#,
                r#"{"name":"b","uri":"file:///b"}"#,
            ],
        )
        .offers(
            "resourceTemplates",
            [
                r#"{"name":"t","uriTemplate":"a:///{x}"}"#,
                r#"{"name":"u","uriTemplate":"b:///{x}"}"#,
            ],
        )
        .result("logging/setLevel", "{}")
        .result("resources/subscribe", "{}")
        .result("resources/unsubscribe", "{}")
        .result("prompts/get", &result(pair, json!({"messages": []})))
        .result(
            "completion/complete",
            &result(pair, json!({"completion": {"values": ["v"]}})),
        )
        .result(
            "resources/read",
            &read(pair, json!({"contents": [{"uri": uri, "text": "!"}]})),
        )
        .intercept(|request| (request.tool() == "fails").then(|| Reply::status(500)))
        .on_call(move |call| async move { called(pair, call).await })
}

fn capabilities(pair: Pair) -> Value {
    let changing = json!({"listChanged": true});
    let resources = json!({"listChanged": true, "subscribe": true});
    let mut all = json!({"tools": changing, "prompts": changing, "resources": resources});
    all["completions"] = json!({});
    all["logging"] = json!({});
    if pair.upstream.has_tasks() {
        let calls = json!({"tools": {"call": {}}});
        all["tasks"] = json!({"list": {}, "cancel": {}, "requests": calls});
    }
    all
}

/// A result in the format of the servers' era.
fn result(pair: Pair, mut result: Value) -> String {
    if pair.upstream.is_modern() {
        result["resultType"] = json!("complete");
    }
    result.to_string()
}

fn read(pair: Pair, mut contents: Value) -> String {
    if pair.upstream.is_modern() {
        contents["ttlMs"] = json!(0);
        contents["cacheScope"] = json!("private");
    }
    result(pair, contents)
}

async fn called(pair: Pair, call: Call) -> Vec<u8> {
    let done = result(pair, json!({"content": [{"type": "text", "text": "done"}]}));
    let is_modern = pair.upstream.is_modern();
    if !call.request.json()["params"]["task"].is_null() {
        return tasks::created(&call.request);
    }
    let is_first = call.request.json()["params"]["inputResponses"].is_null();
    match call.request.tool().as_str() {
        "sends_requests" if is_modern && is_first => return required(pair).to_string().into(),
        "sends_requests" if !is_modern => {
            for (label, request) in pair.server_requests() {
                send_request(&call, label, &request).await;
            }
        }
        "requires_url" => return refusal(pair, &call.request),
        "cancels_request" => {
            let request = r#"{"jsonrpc":"2.0","id":"roots/list#0","method":"roots/list"}"#;
            call.send(request).await;
            let params = r#"{"requestId":"roots/list#0","reason":"enough"}"#;
            call.send(format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#
            ))
            .await;
        }
        "hangs" => std::future::pending().await,
        _ => {}
    }
    done.into()
}

async fn send_request(call: &Call, label: &str, request: &Value) {
    // Unique per server: two calls of a scenario send requests.
    let id = format!("{label}#{}", call.request.json()["id"]);
    let method = request["method"].as_str().unwrap();
    call.request(
        &json!(id).to_string(),
        method,
        &request["params"].to_string(),
    )
    .await;
}

/// All input requests at once, as a modern server sends them.
fn required(pair: Pair) -> Value {
    let requests = pair.server_requests().into_iter();
    let requests: serde_json::Map<_, _> = requests
        .map(|(label, request)| (label.to_owned(), request))
        .collect();
    json!({"resultType": "input_required", "inputRequests": requests, "requestState": "s"})
}

/// Error -32042 of 2025-11-25: the user must visit a URL first.
fn refusal(pair: Pair, request: &Request) -> Vec<u8> {
    let data = json!({"elicitations": [pair.url_params()]});
    let error = json!({"code": -32042, "message": "?", "data": data});
    let id = &request.json()["id"];
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}
