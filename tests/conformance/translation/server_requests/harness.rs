//! Servers that send requests, and the responses of clients of both eras.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ServerRequest;
use crate::pairing::Pairing;
use crate::translation::pairing::text;
use testkit::json::{bytes_of, part};
use testkit::proxy::Client;
use testkit::raw::Request;
use testkit::upstream::{self, Builder, ServerStream};

/// The stream on which a legacy server sends its request.
#[derive(Clone, Copy, Debug)]
pub(super) enum RequestSource {
    /// The response stream of the call.
    Call,
    /// The standing event stream, while the call is in flight.
    EventStream,
    /// The only stream of HTTP+SSE.
    HttpSse,
}

pub(super) const REQUEST_SOURCES: [RequestSource; 3] = [
    RequestSource::Call,
    RequestSource::EventStream,
    RequestSource::HttpSse,
];

/// The capabilities of these servers.
pub(super) const OFFERED: &str = r#"{"tools":{},"prompts":{},"resources":{}}"#;

/// Adds a prompt and a resource.
pub(super) fn with_prompts_and_resources(builder: Builder) -> Builder {
    let builder = builder.capabilities(OFFERED);
    builder
        .offers("prompts", [r#"{"name":"p"}"#])
        .offers("resources", [r#"{"uri":"x://1","name":"x"}"#])
}

impl RequestSource {
    /// A server whose tool `t` sends this request with `id`; see [`RequestSource::server`].
    pub(super) fn requesting_server(
        self,
        id: &'static str,
        server_request: &'static ServerRequest,
    ) -> Builder {
        self.server("t", "tools/call", move |stream| async move {
            vec![
                stream
                    .request(id, server_request.method, server_request.params)
                    .await,
            ]
        })
    }

    /// A server that answers `method` with the client's responses to `respond`; see
    /// [`responses_in`].
    pub(super) fn server<F, R>(self, tool: &str, method: &str, respond: F) -> Builder
    where
        F: Fn(ServerStream) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Vec<Vec<u8>>> + Send + 'static,
    {
        let builder = match self {
            Self::Call | Self::EventStream => upstream::legacy(),
            Self::HttpSse => upstream::http_sse(),
        };
        let builder = with_prompts_and_resources(builder).tool(tool).tool("other");
        builder.on_request(method, move |call| {
            let respond = respond.clone();
            async move {
                if call.request.tool() == "other" {
                    return br#"{"content":[]}"#.to_vec();
                }
                let stream = match self {
                    Self::EventStream => call.event_stream().await,
                    Self::Call | Self::HttpSse => call.stream(),
                };
                let received = respond(stream).await.into_iter().map(String::from_utf8);
                let received: Vec<_> = received.map(Result::unwrap).collect();
                json!({"content": [], "messages": [], "contents": [], "responses": received})
                    .to_string()
                    .into_bytes()
            }
        })
    }
}

/// The client's responses that such a server received, unchanged.
pub(super) fn responses_in(response: &Value) -> Vec<String> {
    serde_json::from_value(response["result"]["responses"].clone())
        .unwrap_or_else(|error| panic!("{error} in {response}"))
}

pub(super) fn responses_in_line(line: &[u8]) -> Vec<String> {
    responses_in(&serde_json::from_slice(line).unwrap())
}

/// A result with these input requests by key (without the quotes of JSON) and this state.
pub(super) fn input_required_result(
    server_requests: &[(&str, &ServerRequest)],
    state: Option<&str>,
) -> String {
    let server_requests =
        server_requests
            .iter()
            .map(|(key, ServerRequest { method, params, .. })| {
                format!(r#""{key}":{{ "method":"{method}","params":{params}}}"#)
            });
    let server_requests: Vec<_> = server_requests.collect();
    let state = state.map(|state| format!(r#","requestState": {state}"#));
    let server_requests = match server_requests.is_empty() {
        true => String::new(),
        false => format!(r#","inputRequests":{{{}}}"#, server_requests.join(", ")),
    };
    let state = state.unwrap_or_default();
    format!(r#"{{ "resultType":"input_required"{server_requests}{state},"x":1E2}}"#)
}

/// Panics unless the call is complete.
#[track_caller]
pub(super) fn assert_done(answer: &[u8]) {
    let done = part(answer, &["result", "done"]);
    assert_eq!(done, Some("true"), "{}", text(answer));
}

/// A modern server that answers calls with each of `rounds` in turn, then completes.
pub(super) fn input_requiring_server(pairing: Pairing, rounds: Vec<String>) -> Builder {
    let server = with_prompts_and_resources(pairing.server()).tool("t");
    server.reply_with(respond_in_rounds(rounds))
}

/// Answers the first request with the first of `rounds`, each retry with the next, the last with a
/// result.
pub(super) fn respond_in_rounds(rounds: Vec<String>) -> impl Fn(&Request) -> Vec<u8> + Send + Sync {
    let count = std::sync::atomic::AtomicUsize::new(0);
    move |_| {
        let index = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let done = r#"{"content":[],"messages":[],"contents":[],"ttlMs":0,"cacheScope":"private","resultType":"complete","done":true}"#;
        rounds.get(index).map_or(done, String::as_str).into()
    }
}

/// Calls a tool as a modern client. `retry` is the result with input requests, and the responses
/// (JSON).
pub(super) async fn call(client: &mut Client, tool: &str, retry: Option<(&[u8], &str)>) -> Vec<u8> {
    let members = format!(r#""name":"{tool}","arguments":{{"x":1}}"#);
    request_with_retry(client, "tools/call", &members, retry).await
}

/// Like [`call`], with any method; `members` are those of the parameters.
pub(super) async fn request_with_retry(
    client: &mut Client,
    method: &str,
    members: &str,
    retry: Option<(&[u8], &str)>,
) -> Vec<u8> {
    let id = send(client, method, members, retry).await;
    client.answer_to(&id).await
}

/// Like [`request_with_retry`], without waiting for the response. Returns the id.
pub(super) async fn send(
    client: &mut Client,
    method: &str,
    members: &str,
    retry: Option<(&[u8], &str)>,
) -> String {
    let members = match retry {
        None => members.to_owned(),
        Some((input_required, responses)) => {
            let state = bytes_of(input_required, &["result", "requestState"]);
            format!(r#"{members},"inputResponses":{responses},"requestState":{state}"#)
        }
    };
    let id = format!("{}", 1000 + client.received().len());
    let capabilities = super::all_capabilities().to_string();
    let line = Pairing::ModernToModern.line_with(&capabilities, &id, method, "", &members);
    client.send_line(line).await;
    id
}

/// The input requests of a result by key (JSON).
pub(super) fn requests(line: &[u8]) -> HashMap<String, String> {
    assert_eq!(
        bytes_of(line, &["result", "resultType"]),
        r#""input_required""#
    );
    let requests = bytes_of(line, &["result", "inputRequests"]);
    let requests: HashMap<String, &RawValue> = serde_json::from_str(requests).unwrap();
    requests
        .into_iter()
        .map(|(key, request)| (json!(key).to_string(), request.get().to_owned()))
        .collect()
}

/// The only input request of a result: its key (JSON) and its text.
pub(super) fn only_request(line: &[u8]) -> (String, String) {
    let requests = requests(line);
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.into_iter().next().unwrap()
}
