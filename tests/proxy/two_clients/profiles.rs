//! Different capabilities: who can be asked is asked, about its own calls, and settles them alone.

use serde_json::{Value, json};
use testkit::upstream::Kind;

use super::harness::{Era, Peer, Shared};
use crate::server_requests::helpers::{FORM, StreamKind, ask_params, requesting_server};

per_pair! {
    [legacy http_sse]
    a_client_that_cannot_be_asked_is_refused_and_the_other_asked
    an_answer_of_the_other_client_settles_nothing
}

const ELICIT: &str = "elicitation/create";

/// The parameters of a call of `ask`.
fn ask(id: &str) -> Value {
    serde_json::from_str(&ask_params(id, ELICIT, FORM)).unwrap()
}

fn place(kind: Kind) -> StreamKind {
    match kind {
        Kind::HttpSse => StreamKind::Shared,
        _ => StreamKind::Call,
    }
}

/// What is asked of the client in its call `id`: the id of the question, or the state and its key.
async fn question(client: &mut Peer, id: &str) -> (Value, String) {
    if client.era == Era::Legacy {
        let mut question = client.incoming_request(ELICIT).await;
        return (question["id"].take(), String::new());
    }
    let mut answer = client.end(id).await;
    let result = &mut answer["result"];
    assert_eq!(result["resultType"], "input_required");
    let requests = result["inputRequests"].as_object().unwrap();
    let key = requests.keys().next().unwrap().clone();
    (result["requestState"].take(), key)
}

/// Answers it, as the client that was asked or as another; a modern client by this call, JSON.
async fn answer(
    client: &mut Peer,
    asked: Era,
    (id, key): &(Value, String),
    call: &Value,
    action: &str,
) {
    let result = json!({"action": action});
    match asked {
        Era::Legacy => {
            let response = json!({"jsonrpc": "2.0", "id": id, "result": result});
            client.send_line(response.to_string()).await;
        }
        Era::Modern => {
            let mut params = call.clone();
            params["requestState"] = id.clone();
            params["inputResponses"] = json!({key.as_str(): result});
            client.begin("\"retry\"", "tools/call", params).await;
        }
    }
}

/// The id of the request that has the end of a call that began as `id`.
fn last_id(era: Era, id: &str) -> &str {
    match era {
        Era::Legacy => id,
        Era::Modern => "\"retry\"",
    }
}

async fn a_client_that_cannot_be_asked_is_refused_and_the_other_asked(
    kind: Kind,
    [one, two]: [Era; 2],
) {
    let server = requesting_server(place(kind)).await;
    let shared = Shared::before(&server);
    let mut a = shared.client(one, json!({"elicitation": {}})).await;
    let mut b = shared.client(two, json!({})).await;
    let call = ask("1");
    a.begin("7", "tools/call", call.clone()).await;
    let question = question(&mut a, "7").await;
    let refused = b.finish("7", "tools/call", ask("2")).await;
    let received = &refused["result"]["received"]["error"];
    assert_eq!(received["code"], -32601, "{refused}");
    answer(&mut a, one, &question, &call, "decline").await;
    let end = a.end(last_id(one, "7")).await;
    let received = &end["result"]["received"]["result"];
    assert_eq!(received["action"], "decline", "{end}");
    assert!(b.server_requests().is_empty());
    // Each call went by a session of what its client declares.
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

async fn an_answer_of_the_other_client_settles_nothing(kind: Kind, eras: [Era; 2]) {
    let server = requesting_server(place(kind)).await;
    let shared = Shared::before(&server);
    let capabilities = json!({"elicitation": {}});
    let [mut a, mut b] = shared.clients_with(eras, capabilities).await;
    let call = ask("1");
    a.begin("7", "tools/call", call.clone()).await;
    let question = question(&mut a, "7").await;
    // Only a modern client can come back to a call that it has not made.
    let way = match eras {
        [Era::Modern, Era::Modern] => Era::Modern,
        _ => Era::Legacy,
    };
    answer(&mut b, way, &question, &call, "accept").await;
    if way == Era::Modern {
        let refused = b.end("\"retry\"").await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    b.fence().await;
    assert!(server.responses().is_empty());
    answer(&mut a, eras[0], &question, &call, "decline").await;
    let end = a.end(last_id(eras[0], "7")).await;
    let received = &end["result"]["received"]["result"];
    assert_eq!(received["action"], "decline", "{end}");
    assert!(b.server_requests().is_empty());
    assert_eq!(server.responses().len(), 1);
}
