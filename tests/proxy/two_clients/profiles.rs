//! Clients with different capabilities.
//!
//! A server request goes to the client of the call, if it has the capability. Only that client can
//! respond.

use serde_json::{Value, json};
use testkit::upstream::Kind;

use super::harness::{Era, EraClient, SharedProxy};
use crate::server_requests::helpers::{FORM, StreamKind, ask_params, requesting_server};

per_pair! {
    [legacy http_sse]
    only_the_client_with_the_capability_gets_server_requests
    response_of_the_other_client_does_not_resolve_a_request
}

testkit::per_kind! {
    [legacy http_sse]
    each_client_profile_gets_one_upstream_session
}

const ELICIT: &str = "elicitation/create";

/// The parameters of a call of the tool `ask`.
fn ask(id: &str) -> Value {
    serde_json::from_str(&ask_params(id, ELICIT, FORM)).unwrap()
}

fn stream_kind(kind: Kind) -> StreamKind {
    match kind {
        Kind::HttpSse => StreamKind::Shared,
        _ => StreamKind::Call,
    }
}

/// Waits for the server request of the call `id`.
///
/// Returns its id for a legacy client, and the request state and the input key for a modern one.
async fn next_server_request(client: &mut EraClient, id: &str) -> (Value, String) {
    if client.era == Era::Legacy {
        let mut request = client.incoming_request(ELICIT).await;
        return (request["id"].take(), String::new());
    }
    let mut answer = client.response_to(id).await;
    let result = &mut answer["result"];
    assert_eq!(result["resultType"], "input_required");
    let requests = result["inputRequests"].as_object().unwrap();
    let key = requests.keys().next().unwrap().clone();
    (result["requestState"].take(), key)
}

/// Responds to a server request of a client of this era; a modern client retries `call`.
async fn respond(
    client: &mut EraClient,
    era: Era,
    (id, key): &(Value, String),
    call: &Value,
    action: &str,
) {
    let result = json!({"action": action});
    match era {
        Era::Legacy => {
            let response = json!({"jsonrpc": "2.0", "id": id, "result": result});
            client.send_line(response.to_string()).await;
        }
        Era::Modern => {
            let mut params = call.clone();
            params["requestState"] = id.clone();
            params["inputResponses"] = json!({key.as_str(): result});
            client
                .start_request("\"retry\"", "tools/call", params)
                .await;
        }
    }
}

/// The id of the request whose response is the result of the call `id`.
fn final_id(era: Era, id: &str) -> &str {
    match era {
        Era::Legacy => id,
        Era::Modern => "\"retry\"",
    }
}

async fn only_the_client_with_the_capability_gets_server_requests(
    kind: Kind,
    [one, two]: [Era; 2],
) {
    let server = requesting_server(stream_kind(kind)).await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut a = proxy.connect(one, json!({"elicitation": {}})).await;
    let mut b = proxy.connect(two, json!({})).await;
    let call = ask("1");
    a.start_request("7", "tools/call", call.clone()).await;
    let request = next_server_request(&mut a, "7").await;
    let rejected = b.request_with_id("7", "tools/call", ask("2")).await;
    let received = &rejected["result"]["received"]["error"];
    assert_eq!(received["code"], -32601, "{rejected}");
    respond(&mut a, one, &request, &call, "decline").await;
    let end = a.response_to(final_id(one, "7")).await;
    let received = &end["result"]["received"]["result"];
    assert_eq!(received["action"], "decline", "{end}");
    assert!(b.server_requests().is_empty());
    // Each call used a session that declares the capabilities of its client.
    let opened = server.requests_of("initialize").into_iter();
    let declared: Vec<_> = opened
        .map(|request| request.json()["params"]["capabilities"].take())
        .collect();
    assert!(declared.contains(&json!({})), "{declared:?}");
    let supports_server_requests = |it: &Value| it["elicitation"].is_object();
    assert!(
        declared.iter().any(supports_server_requests),
        "{declared:?}"
    );
}

async fn response_of_the_other_client_does_not_resolve_a_request(kind: Kind, eras: [Era; 2]) {
    let server = requesting_server(stream_kind(kind)).await;
    let proxy = SharedProxy::with_upstream(&server);
    let capabilities = json!({"elicitation": {}});
    let [mut a, mut b] = proxy.connect_two_with(eras, capabilities).await;
    let call = ask("1");
    a.start_request("7", "tools/call", call.clone()).await;
    let request = next_server_request(&mut a, "7").await;
    // Only a modern client can retry a call of another client.
    let era = match eras {
        [Era::Modern, Era::Modern] => Era::Modern,
        _ => Era::Legacy,
    };
    respond(&mut b, era, &request, &call, "accept").await;
    if era == Era::Modern {
        let rejected = b.response_to("\"retry\"").await;
        assert_eq!(rejected["error"]["code"], -32602, "{rejected}");
    }
    b.barrier().await;
    assert!(server.responses().is_empty());
    respond(&mut a, eras[0], &request, &call, "decline").await;
    let end = a.response_to(final_id(eras[0], "7")).await;
    let received = &end["result"]["received"]["result"];
    assert_eq!(received["action"], "decline", "{end}");
    assert!(b.server_requests().is_empty());
    assert_eq!(server.responses().len(), 1);
}

async fn each_client_profile_gets_one_upstream_session(kind: Kind) {
    let server = kind.server().tool("t").start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let capabilities = [json!({"roots": {}}), json!({"sampling": {}})];
    let mut clients = [
        proxy.connect_legacy(capabilities[0].clone()).await,
        proxy.connect_legacy(capabilities[1].clone()).await,
    ];
    for round in ["1", "2", "3"] {
        for client in &mut clients {
            client.start_call(round, "t", json!({})).await;
            let answer = client.response_to(round).await;
            assert!(answer.get("result").is_some(), "{answer}");
        }
    }
    let opened = server.requests_of("initialize").into_iter();
    let declared: Vec<_> = opened
        .map(|request| request.json()["params"]["capabilities"].take())
        .collect();
    assert_eq!(declared, capabilities);
}
