//! Server requests: only the client of the call receives them.

use serde_json::{Value, json};

use super::harness::{Era, EraClient, SharedProxy};
use testkit::gate::Gate;
use testkit::upstream::{Builder, Kind};

testkit::per_kind! {
    [legacy http_sse]
    each_client_gets_the_server_request_of_its_own_call
}

testkit::per_kind! {
    [legacy]
    suspended_call_is_resumed_only_by_its_own_client
    server_request_for_either_client_is_cancelled
}

testkit::per_kind! {
    [http_sse]
    server_request_goes_to_the_only_client_with_a_call
}

/// A server whose tool `ask` sends an elicitation once the gate is open, and returns its response.
fn eliciting_server(kind: Kind, gate: &Gate) -> Builder {
    let gate = gate.clone();
    kind.server().tool("ask").on_call(move |call| {
        let gate = gate.clone();
        async move {
            gate.passed().await;
            let name = call.request.json()["params"]["arguments"]["name"].take();
            let params =
                json!({"message": name, "requestedSchema": {"type": "object"}}).to_string();
            let id = format!("\"q-{}\"", name.as_str().unwrap());
            let answer = call.request(&id, "elicitation/create", &params).await;
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            let content = [json!({"type": "text", "text": answer["result"].to_string()})];
            json!({"content": content}).to_string().into_bytes()
        }
    })
}

fn accepted(name: &str) -> Value {
    json!({"action": "accept", "content": {"name": name}})
}

async fn accept(client: &mut EraClient, name: &str) {
    let elicitation = client.incoming_request("elicitation/create").await;
    assert_eq!(elicitation["params"]["message"], name);
    client.respond(&elicitation, accepted(name)).await;
}

fn parse_text(answer: &Value) -> Value {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

/// Connects two clients with the elicitation capability, each with a call in flight.
async fn two_calling_clients(proxy: &SharedProxy) -> [(&'static str, EraClient); 2] {
    let mut clients = [
        (
            "one",
            proxy.connect_legacy(json!({"elicitation": {}})).await,
        ),
        (
            "two",
            proxy.connect_legacy(json!({"elicitation": {}})).await,
        ),
    ];
    for (name, client) in &mut clients {
        client.start_call("1", "ask", json!({"name": name})).await;
    }
    clients
}

async fn each_client_gets_the_server_request_of_its_own_call(kind: Kind) {
    let gate = Gate::closed();
    let server = eliciting_server(kind, &gate).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut clients = two_calling_clients(&proxy).await;
    server.wait_for_calls(2).await;
    gate.open();
    for (name, client) in &mut clients {
        accept(client, name).await;
    }
    for (name, client) in &mut clients {
        assert_eq!(parse_text(&client.response_to("1").await), accepted(name));
        assert!(client.take_messages("elicitation/create").await.is_empty());
    }
}

async fn server_request_for_either_client_is_cancelled(kind: Kind) {
    let gate = Gate::closed();
    let server = eliciting_server(kind, &gate).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut clients = two_calling_clients(&proxy).await;
    server.wait_for_calls(2).await;
    // The event stream belongs to the session that both clients share.
    let stream = server.event_stream().await;
    let params = json!({"message": "either", "requestedSchema": {"type": "object"}});
    let method = "elicitation/create";
    let answer = stream.request("\"q\"", method, &params.to_string()).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["result"], json!({"action": "cancel"}));
    for (_, client) in &mut clients {
        let elicitations = client.take_messages("elicitation/create").await;
        assert!(elicitations.is_empty(), "{elicitations:?}");
    }
}

async fn server_request_goes_to_the_only_client_with_a_call(kind: Kind) {
    let gate = Gate::closed();
    gate.open();
    let server = eliciting_server(kind, &gate).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let mut idle = proxy.connect_legacy(json!({"elicitation": {}})).await;
    let mut calling = proxy.connect_legacy(json!({"elicitation": {}})).await;
    calling.start_call("1", "ask", json!({"name": "two"})).await;
    accept(&mut calling, "two").await;
    assert_eq!(parse_text(&calling.response_to("1").await), accepted("two"));
    assert!(idle.take_messages("elicitation/create").await.is_empty());
}

async fn suspended_call_is_resumed_only_by_its_own_client(kind: Kind) {
    let gate = Gate::closed();
    gate.open();
    let server = eliciting_server(kind, &gate).start().await;
    let proxy = SharedProxy::with_upstream(&server);
    let capabilities = json!({"elicitation": {}});
    let mut clients = proxy.connect_two_with([Era::Modern; 2], capabilities).await;
    let params = json!({"name": "ask", "arguments": {"name": "x"}});
    let mut states = Vec::new();
    for client in &mut clients {
        client
            .start_request("1", "tools/call", params.clone())
            .await;
        let required = client.response_to("1").await["result"].take();
        assert_eq!(required["resultType"], "input_required", "{required}");
        states.push((required["requestState"].clone(), required));
    }
    assert_ne!(states[0].0, states[1].0);
    let retry = |state: &Value, required: &Value| {
        let key = required["inputRequests"].as_object().unwrap().keys().next();
        let mut params = params.clone();
        params["requestState"] = state.clone();
        params["inputResponses"] = json!({key.unwrap().as_str(): accepted("x")});
        params
    };
    let [one, two] = &mut clients;
    let (foreign, required) = &states[0];
    two.start_request("2", "tools/call", retry(foreign, required))
        .await;
    let rejected = two.response_to("2").await;
    assert_eq!(rejected["error"]["code"], -32602, "{rejected}");
    for (client, (state, required)) in [one, two].into_iter().zip(&states) {
        client
            .start_request("3", "tools/call", retry(state, required))
            .await;
        assert_eq!(parse_text(&client.response_to("3").await), accepted("x"));
    }
}
