//! What servers ask: the client whose call it is about, and no other.

use serde_json::{Value, json};

use super::harness::{Era, Peer, Shared};
use testkit::gate::Gate;
use testkit::upstream::{Builder, Kind};

testkit::per_kind! {
    [legacy http_sse]
    each_client_answers_what_its_own_call_asks
}

testkit::per_kind! {
    [legacy]
    a_suspended_call_is_resumed_by_its_own_client_alone
    what_may_be_for_either_client_is_declined
}

testkit::per_kind! {
    [http_sse]
    the_one_client_with_a_call_is_asked
}

/// A server whose tool `ask` asks a person, by the same id as others do, and answers with the answer.
fn asking(kind: Kind, gate: &Gate) -> Builder {
    let gate = gate.clone();
    kind.server().tool("ask").on_call(move |call| {
        let gate = gate.clone();
        async move {
            gate.passed().await;
            let who = call.request.json()["params"]["arguments"]["who"].take();
            let params = json!({"message": who, "requestedSchema": {"type": "object"}}).to_string();
            let id = format!("\"q-{}\"", who.as_str().unwrap());
            let answer = call.request(&id, "elicitation/create", &params).await;
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            let content = [json!({"type": "text", "text": answer["result"].to_string()})];
            json!({"content": content}).to_string().into_bytes()
        }
    })
}

fn accepted(who: &str) -> Value {
    json!({"action": "accept", "content": {"who": who}})
}

async fn answer(client: &mut Peer, who: &str) {
    let question = client.incoming_request("elicitation/create").await;
    assert_eq!(question["params"]["message"], who);
    client.respond(&question, accepted(who)).await;
}

fn text(answer: &Value) -> Value {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

/// Two clients that can be asked, each with a call under way.
async fn calling(shared: &Shared) -> [(&'static str, Peer); 2] {
    let mut clients = [
        ("one", shared.legacy(json!({"elicitation": {}})).await),
        ("two", shared.legacy(json!({"elicitation": {}})).await),
    ];
    for (who, client) in &mut clients {
        client.begin_call("1", "ask", json!({"who": who})).await;
    }
    clients
}

async fn each_client_answers_what_its_own_call_asks(kind: Kind) {
    let gate = Gate::closed();
    let server = asking(kind, &gate).start().await;
    let shared = Shared::before(&server);
    let mut clients = calling(&shared).await;
    server.wait_for_calls(2).await;
    gate.open();
    for (who, client) in &mut clients {
        answer(client, who).await;
    }
    for (who, client) in &mut clients {
        assert_eq!(text(&client.end("1").await), accepted(who));
        assert!(client.all("elicitation/create").await.is_empty());
    }
}

async fn what_may_be_for_either_client_is_declined(kind: Kind) {
    let gate = Gate::closed();
    let server = asking(kind, &gate).start().await;
    let shared = Shared::before(&server);
    let mut clients = calling(&shared).await;
    server.wait_for_calls(2).await;
    // On the stream of the session that both share.
    let stream = server.event_stream().await;
    let params = json!({"message": "either", "requestedSchema": {"type": "object"}});
    let method = "elicitation/create";
    let answer = stream.request("\"q\"", method, &params.to_string()).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["result"], json!({"action": "cancel"}));
    for (_, client) in &mut clients {
        let asked = client.all("elicitation/create").await;
        assert!(asked.is_empty(), "{asked:?}");
    }
}

async fn the_one_client_with_a_call_is_asked(kind: Kind) {
    let gate = Gate::closed();
    gate.open();
    let server = asking(kind, &gate).start().await;
    let shared = Shared::before(&server);
    let mut idle = shared.legacy(json!({"elicitation": {}})).await;
    let mut calls = shared.legacy(json!({"elicitation": {}})).await;
    calls.begin_call("1", "ask", json!({"who": "two"})).await;
    answer(&mut calls, "two").await;
    assert_eq!(text(&calls.end("1").await), accepted("two"));
    assert!(idle.all("elicitation/create").await.is_empty());
}

async fn a_suspended_call_is_resumed_by_its_own_client_alone(kind: Kind) {
    let gate = Gate::closed();
    gate.open();
    let server = asking(kind, &gate).start().await;
    let shared = Shared::before(&server);
    let capabilities = json!({"elicitation": {}});
    let mut clients = shared.clients_with([Era::Modern; 2], capabilities).await;
    let params = json!({"name": "ask", "arguments": {"who": "x"}});
    let mut states = Vec::new();
    for client in &mut clients {
        client.begin("1", "tools/call", params.clone()).await;
        let required = client.end("1").await["result"].take();
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
    two.begin("2", "tools/call", retry(foreign, required)).await;
    let refused = two.end("2").await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    for (client, (state, required)) in [one, two].into_iter().zip(&states) {
        client
            .begin("3", "tools/call", retry(state, required))
            .await;
        assert_eq!(text(&client.end("3").await), accepted("x"));
    }
}
