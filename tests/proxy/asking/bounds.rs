//! Servers that ask too much, or what nobody can read: the proxy bears it, and the others do not notice.

use serde_json::{Value, json};

use crate::asking::helpers::{
    ACCEPTED, FORM, fence, id_of, legacy_before, legacy_client, modern_before, request_line,
    required, retry, value,
};
use crate::asking::parking::parked;
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream;

/// How many questions of one server may wait.
const MOST: usize = 1024;

/// How many questions of one call may wait while it is parked.
const MOST_PARKED: usize = 64;

#[tokio::test]
async fn server_flooding_its_client_is_refused_and_others_are_served() {
    let flood = upstream::legacy().tool("flood").on_call(|call| async move {
        for number in 0..MOST + 100 {
            call.send(request_line(&number.to_string(), "roots/list", "{}"))
                .await;
        }
        call.wait_for_message("the answers", |response: &Request| {
            response.json()["id"] == 0 && response.json()["result"].is_object()
        })
        .await;
        br#"{"content":[]}"#.to_vec()
    });
    let flood = flood.start().await;
    let other = crate::asking::helpers::asking(crate::asking::helpers::Place::Aside).await;
    let proxy = proxy::new().upstream("a", &flood).upstream("b", &other);
    let mut client = legacy_client(proxy).await;
    client.tools().await;
    let call = client.send_call("flood", json!({})).await;
    let refused =
        |response: &Request| response.method == "POST" && response.json()["error"].is_object();
    let refusals = flood.raw.wait_for_count(100, refused).await;
    for refusal in refusals {
        assert_eq!(refusal.json()["error"]["code"], -32603);
        assert!(refusal.json()["id"].as_u64().unwrap() >= MOST as u64);
    }
    let params = value(crate::asking::helpers::to_ask("7", "elicitation/create", FORM).as_bytes());
    let to_other = client.send_call("ask", params["arguments"].clone()).await;
    let ask = client.incoming_line("elicitation/create").await;
    client.answer(&ask, ACCEPTED).await;
    let answer = client.response(to_other).await;
    assert!(answer["result"].is_object(), "{answer}");

    let asked = client.received_with("roots/list");
    assert_eq!(asked.len(), MOST);
    client.respond(&asked[0], json!({"roots": []})).await;
    client.response(call).await;
}

#[tokio::test]
async fn a_parked_call_takes_up_so_many_questions_and_no_more() {
    let server = upstream::legacy()
        .tool("work")
        .tool("echo")
        .on_call(|call| async move {
            if call.request.tool() == "work" {
                for number in 0..=MOST_PARKED {
                    call.send(request_line(&number.to_string(), "roots/list", "{}"))
                        .await;
                }
                call.wait_for_message("the answers", |response: &Request| {
                    response.json()["id"] == 0
                })
                .await;
            }
            br#"{"content":[]}"#.to_vec()
        });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let (params, state, _) = parked(&mut client, json!({})).await;
    let refused = |response: &Request| response.json()["id"] == MOST_PARKED;
    let refused = value(&server.wait_for_message("the refusal", refused).await);
    assert_eq!(refused["error"]["code"], -32603, "{refused}");
    let id = client
        .send_request_in_era("tools/call", retry(params.clone(), &state, json!({})))
        .await;
    let (state, questions) = required(&client.answer_to(&id.to_string()).await);
    assert_eq!(questions.len(), MOST_PARKED);
    let responses = questions
        .iter()
        .map(|(key, _)| (key.clone(), json!({"roots": []})));
    let responses: serde_json::Map<_, _> = responses.collect();
    let again = retry(params, &state, responses.into());
    let answer = client.request_in_era("tools/call", again).await;
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(server.responses().len(), MOST_PARKED + 1);
}

#[tokio::test]
async fn odd_server_requests_are_passed_or_refused_without_harm() {
    let odd = [
        r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":[1,{"mode":"url"}]}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","id":{"a":[1]},"method":"sampling/createMessage","params":7}"#,
        r#"{"jsonrpc":"2.0","id":[],"method":"roots/list","params":null}"#,
        r#"{"jsonrpc":"2.0","id":2,"id":3,"method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"roots/list","params":{"_meta":7}}"#,
        r#"{"jsonrpc":"2.0","id":5,"m\u0065thod":"roots\/list","params":{"_m\u0065ta":{"progressToken":{}}}}"#,
        r#"{"jsonrpc":"2.0","id":6,"method":"","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"x/y","params":{"_meta":{"progressToken":1,"progressToken":2}}}"#,
        r#"{"jsonrpc":"2.0","id":8,"method":"elicitation/create","params":{"mode":7,"mode":null}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":[]}}"#,
    ];
    for line in odd {
        for modern in [false, true] {
            let server = upstream::legacy().tool("work").tool("echo");
            let server = server.on_call(move |call| async move {
                if call.request.tool() == "work" {
                    call.send(line).await;
                    call.event_stream().await.send(line).await;
                }
                br#"{"content":[]}"#.to_vec()
            });
            let server = server.start().await;
            let mut client = match modern {
                true => modern_before(&server).await,
                false => legacy_before(&server).await,
            };
            let answer = client.call("work", json!({})).await;
            assert!(
                answer["result"].is_object() || answer["error"].is_object(),
                "{line}: {answer}"
            );
            for asked in client.server_requests() {
                client.respond(&asked, json!({"x": 1})).await;
            }
            fence(&mut client).await;
            client.assert_every_line_is_json_rpc();
            assert!(
                !client.stderr().contains("panicked"),
                "{line}: {}",
                client.stderr()
            );
            assert!(client.close().await.success(), "{line}");
        }
    }
}

#[tokio::test]
async fn odd_messages_of_clients_are_borne() {
    let server = crate::asking::parked::asking_once().await;
    let mut client = modern_before(&server).await;
    let (params, state, questions) = parked(&mut client, json!({})).await;
    let with = |key: &str, odd: &str| {
        let mut text = proxy::with_meta(params.clone()).to_string();
        text.truncate(text.len() - 1);
        format!(r#"{text},"{key}":{odd}}}"#)
    };
    let params_of = [
        with("requestState", "7"),
        with("requestState", "[]"),
        with("requestState", r#""\ud800""#),
        with("requestState", r#""mcp-manifold:\u0000""#),
        with("inputResponses", "7"),
    ];
    // None of them is a retry of what waits. What is no handle of ours is a call of its own.
    for (number, params) in params_of.iter().enumerate() {
        let id = format!("7{number}");
        let line = proxy::call_line(&id, params);
        let answer = client.exchange(line, &id).await;
        assert!(!id_of(&answer).is_empty());
    }
    let odd = [
        r#"{"jsonrpc":"2.0","id":[],"result":{}}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"mcp-manifold-18446744073709551616","error":7}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":[]}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":7}"#,
    ];
    for line in odd {
        client.send_line(line).await;
    }
    let responses: Value = crate::asking::parking::accept(&questions);
    let answer = client
        .request_in_era("tools/call", retry(params, &state, responses))
        .await;
    assert_eq!(answer["result"]["heard"], "accept", "{answer}");
    client.assert_every_line_is_json_rpc();
    assert!(!client.stderr().contains("panicked"), "{}", client.stderr());
}
