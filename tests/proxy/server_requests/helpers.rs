//! Clients that declare all capabilities, and servers that send requests on the stream that a test selects.

use serde_json::{Value, json};

use testkit::Endpoint;
use testkit::json::{bytes_of, part};
use testkit::proxy::{self, Client};
use testkit::upstream::{Builder, Call, ServerStream, Upstream, http_sse, legacy};

/// The parameters of a form elicitation.
pub(crate) const FORM: &str =
    r#"{"message":"Name?","requestedSchema":{"type":"object","properties":{}}}"#;

/// The parameters of a sampling request.
pub(crate) const SAMPLE: &str = r#"{"messages":[],"maxTokens":1}"#;

/// The `result` member of a response that accepts an elicitation.
pub(crate) const ACCEPTED: &str = r#""result":{"action":"accept","content":{}}"#;

/// The methods of server requests, each with parameters.
pub(crate) const METHODS: [(&str, &str); 3] = [
    ("elicitation/create", FORM),
    ("sampling/createMessage", SAMPLE),
    ("roots/list", "{}"),
];

/// Capabilities for every kind of server request.
pub(crate) fn all_capabilities() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": true}})
}

/// Starts a proxy with the upstream `a` and returns its legacy client with all capabilities.
pub(crate) async fn legacy_client_of(server: &(impl Endpoint + ?Sized)) -> Client {
    legacy_client(proxy::new().upstream("a", server)).await
}

/// Starts the proxy and returns its legacy client with all capabilities.
pub(crate) async fn legacy_client(proxy: proxy::Builder) -> Client {
    let mut client = proxy.start().await;
    client.initialize_with(all_capabilities()).await;
    client
}

/// Starts a proxy with the upstream `a` and returns its modern client with all capabilities.
pub(crate) async fn modern_client_of(server: &(impl Endpoint + ?Sized)) -> Client {
    modern_client(proxy::new().upstream("a", server)).await
}

/// Starts the proxy and returns its modern client with all capabilities.
pub(crate) async fn modern_client(proxy: proxy::Builder) -> Client {
    let mut client = proxy.start().await;
    client.declare(all_capabilities());
    client
}

/// The stream on which a legacy server sends its request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StreamKind {
    /// The response stream of the call.
    Call,
    /// The standalone event stream of the session.
    Standalone,
    /// The single event stream of HTTP+SSE.
    Shared,
}

pub(crate) const STREAM_KINDS: [StreamKind; 3] =
    [StreamKind::Call, StreamKind::Standalone, StreamKind::Shared];

impl StreamKind {
    /// Returns a server with such a stream.
    pub(crate) fn server(self) -> Builder {
        match self {
            Self::Call | Self::Standalone => legacy(),
            Self::Shared => http_sse(),
        }
    }

    /// Returns that stream during a call.
    pub(crate) async fn stream(self, call: &Call) -> ServerStream {
        match self {
            Self::Call | Self::Shared => call.stream(),
            Self::Standalone => call.event_stream().await,
        }
    }
}

/// Starts a server whose tool `ask` sends the request in its arguments (`id`, `method`, `params`).
///
/// Its result holds the response in `received`. The tool `echo` sends no request.
pub(crate) async fn requesting_server(stream_kind: StreamKind) -> Upstream {
    let server = stream_kind.server().tool("ask").tool("echo");
    let server = server.on_call(move |call| async move {
        if call.request.tool() == "echo" {
            return br#"{"content":[]}"#.to_vec();
        }
        let argument = |key: &str| {
            let body = &call.request.body;
            bytes_of(body, &["params", "arguments", key]).to_owned()
        };
        let method: String = serde_json::from_str(&argument("method")).unwrap();
        let stream = stream_kind.stream(&call).await;
        let received = stream
            .request(&argument("id"), &method, &argument("params"))
            .await;
        let received = String::from_utf8(received).unwrap();
        format!(r#"{{"content":[],"received":{received}}}"#).into_bytes()
    });
    server.start().await
}

/// Returns the parameters of a call to `ask`.
pub(crate) fn ask_params(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"name":"ask","arguments":{{"id":{id},"method":"{method}","params":{params}}}}}"#)
}

/// Returns a line as text.
pub(crate) fn text(line: impl Into<Vec<u8>>) -> String {
    String::from_utf8(line.into()).unwrap()
}

/// Parses a line as JSON.
pub(crate) fn value(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

/// Returns the id of a line as written.
pub(crate) fn raw_id(line: &[u8]) -> String {
    bytes_of(line, &["id"]).to_owned()
}

/// Returns `requestState` and the input requests of an `input_required` result.
pub(crate) fn parse_input_required(answer: &[u8]) -> (String, Vec<(String, Value)>) {
    let response = value(answer);
    let result = &response["result"];
    assert_eq!(result["resultType"], "input_required", "{response}");
    let state = part(answer, &["result", "requestState"]);
    let input_requests = result["inputRequests"].as_object().unwrap();
    let input_requests = input_requests
        .iter()
        .map(|(key, it)| (key.clone(), it.clone()));
    (
        state.unwrap_or_default().to_owned(),
        input_requests.collect(),
    )
}

/// Returns the parameters of a retry: `params` with `requestState` and `inputResponses`.
pub(crate) fn retry_params(mut params: Value, state: &str, responses: Value) -> Value {
    params["requestState"] = serde_json::from_str(state).unwrap();
    params["inputResponses"] = responses;
    params
}

/// Calls `echo` and waits for its result, so that all earlier messages have been processed.
pub(crate) async fn barrier(client: &mut Client) {
    let answer = client.call("echo", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
}
