//! Clients that can be asked anything, and servers that ask it on the stream that a test names.

use serde_json::{Value, json};

use testkit::Endpoint;
use testkit::json::{bytes_of, part};
use testkit::proxy::{self, Client};
use testkit::upstream::{Builder, Call, ServerStream, Upstream, http_sse, legacy};

/// The parameters of an elicitation by a form.
pub(crate) const FORM: &str =
    r#"{"message":"Name?","requestedSchema":{"type":"object","properties":{}}}"#;

/// The parameters of a sampling.
pub(crate) const SAMPLE: &str = r#"{"messages":[],"maxTokens":1}"#;

/// What a person answers who goes along, as a member of a response.
pub(crate) const ACCEPTED: &str = r#""result":{"action":"accept","content":{}}"#;

/// The methods by which a client is asked, each with parameters.
pub(crate) const METHODS: [(&str, &str); 3] = [
    ("elicitation/create", FORM),
    ("sampling/createMessage", SAMPLE),
    ("roots/list", "{}"),
];

/// What a client declares that can be asked anything.
pub(crate) fn everything() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": true}})
}

/// A proxy before one server, `a`, and a legacy client that can be asked anything.
pub(crate) async fn legacy_before(server: &(impl Endpoint + ?Sized)) -> Client {
    legacy_client(proxy::new().upstream("a", server)).await
}

/// A legacy client of this proxy that can be asked anything.
pub(crate) async fn legacy_client(proxy: proxy::Builder) -> Client {
    let mut client = proxy.start().await;
    client.initialize_with(everything()).await;
    client
}

/// A proxy before one server, `a`, and a modern client that can be asked anything.
pub(crate) async fn modern_before(server: &(impl Endpoint + ?Sized)) -> Client {
    modern_client(proxy::new().upstream("a", server)).await
}

/// A modern client of this proxy that can be asked anything.
pub(crate) async fn modern_client(proxy: proxy::Builder) -> Client {
    let mut client = proxy.start().await;
    client.declare(everything());
    client
}

/// Where a legacy server asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// On the stream of the call.
    Call,
    /// On the standalone stream of the session.
    Aside,
    /// On the one stream of HTTP+SSE.
    Shared,
}

pub(crate) const PLACES: [Place; 3] = [Place::Call, Place::Aside, Place::Shared];

impl Place {
    /// A server that can ask there.
    pub(crate) fn server(self) -> Builder {
        match self {
            Self::Call | Self::Aside => legacy(),
            Self::Shared => http_sse(),
        }
    }

    /// The stream to ask on, in a call.
    pub(crate) async fn stream(self, call: &Call) -> ServerStream {
        match self {
            Self::Call | Self::Shared => call.stream(),
            Self::Aside => call.event_stream().await,
        }
    }
}

/// A server whose tool `ask` asks here what its arguments say (`id`, `method`, `params`), and
/// whose result has the answer in `received`. Another tool, `echo`, asks nothing.
pub(crate) async fn asking(place: Place) -> Upstream {
    let server = place.server().tool("ask").tool("echo");
    let server = server.on_call(move |call| async move {
        if call.request.tool() == "echo" {
            return br#"{"content":[]}"#.to_vec();
        }
        let said = |key: &str| {
            let body = &call.request.body;
            bytes_of(body, &["params", "arguments", key]).to_owned()
        };
        let method: String = serde_json::from_str(&said("method")).unwrap();
        let stream = place.stream(&call).await;
        let received = stream.request(&said("id"), &method, &said("params")).await;
        let received = String::from_utf8(received).unwrap();
        format!(r#"{{"content":[],"heard":{received}}}"#).into_bytes()
    });
    server.start().await
}

/// The parameters of a call of `ask`.
pub(crate) fn to_ask(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"name":"ask","arguments":{{"id":{id},"method":"{method}","params":{params}}}}}"#)
}

/// The text of a line.
pub(crate) fn text(line: impl Into<Vec<u8>>) -> String {
    String::from_utf8(line.into()).unwrap()
}

/// A line as JSON.
pub(crate) fn value(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

/// A request as a server wrote it, under the id under which the client has it.
pub(crate) fn request_line(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The id of a line, as written.
pub(crate) fn id_of(line: &[u8]) -> String {
    bytes_of(line, &["id"]).to_owned()
}

/// The `requestState` of a result that requires input, and its questions.
pub(crate) fn required(answer: &[u8]) -> (String, Vec<(String, Value)>) {
    let what = value(answer);
    let result = &what["result"];
    assert_eq!(result["resultType"], "input_required", "{what}");
    let state = part(answer, &["result", "requestState"]);
    let questions = result["inputRequests"].as_object().unwrap();
    let questions = questions.iter().map(|(key, it)| (key.clone(), it.clone()));
    (state.unwrap_or_default().to_owned(), questions.collect())
}

/// The parameters of a retry: `params`, an object, with the handle and the answers (JSON).
pub(crate) fn retry(mut params: Value, state: &str, responses: Value) -> Value {
    params["requestState"] = serde_json::from_str(state).unwrap();
    params["inputResponses"] = responses;
    params
}

/// Has one call of `echo` answered: what was under way before it has been dealt with.
pub(crate) async fn fence(client: &mut Client) {
    let answer = client.call("echo", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
}
