//! Parked calls whose client does not come back, or goes.

use serde_json::{Value, json};

use crate::asking::helpers::{
    FORM, METHODS, PLACES, SAMPLE, fence, modern_before, modern_client, request_line, retry, value,
};
use crate::asking::parked::asking_once;
use crate::asking::parking::{accept, parked};
use testkit::gate::Gate;
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream;

/// Whether this answers the request with this id.
fn answers(id: &str) -> impl Fn(&Request) -> bool + use<> {
    let id = id.as_bytes().to_vec();
    move |response| response.rpc_method().is_empty() && response.id_bytes().as_ref() == Some(&id)
}

#[tokio::test]
async fn a_client_that_does_not_come_back_in_time_has_its_call_ended() {
    for place in PLACES {
        let server = place
            .server()
            .tool("work")
            .tool("echo")
            .on_call(move |call| async move {
                if call.request.tool() == "work" {
                    let stream = place.stream(&call).await;
                    for (method, params) in METHODS {
                        let id = format!("{method:?}");
                        stream.send(request_line(&id, method, params)).await;
                    }
                    call.cancelled().await;
                }
                br#"{"content":[]}"#.to_vec()
            });
        let server = server.start().await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = modern_client(proxy.env("PROXY_INPUT_WAIT", "300ms")).await;
        let (params, state, questions) = parked(&mut client, json!({})).await;
        let declined = server
            .wait_for_message("an answer", answers(r#""elicitation/create""#))
            .await;
        assert_eq!(value(&declined)["result"], json!({"action": "cancel"}));
        for (method, _) in &METHODS[1..] {
            let id = format!("{method:?}");
            let refused = value(&server.wait_for_message("an answer", answers(&id)).await);
            assert_eq!(refused["error"]["code"], -32603, "{place:?} {refused}");
        }
        let cancelled = value(&server.wait_for_cancelled().await);
        let call = value(&server.calls()[0]);
        assert_eq!(cancelled["params"]["requestId"], call["id"], "{place:?}");
        // Too late.
        let again = retry(params, &state, accept(&questions));
        let answer = client.request_in_era("tools/call", again).await;
        assert_eq!(answer["error"]["code"], -32602, "{place:?} {answer}");
        fence(&mut client).await;
        assert_eq!(server.responses().len(), 3, "{place:?}");
        assert_eq!(server.requests_of("notifications/cancelled").len(), 1);
    }
}

#[tokio::test]
async fn a_retry_that_is_cancelled_ends_its_call_at_the_server() {
    let server = upstream::legacy()
        .tool("work")
        .tool("echo")
        .on_call(|call| async move {
            if call.request.tool() == "work" {
                call.request("1", "elicitation/create", FORM).await;
                call.progress(1).await;
                call.cancelled().await;
            }
            br#"{"content":[]}"#.to_vec()
        });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let meta = json!({"_meta": {"progressToken": "t"}});
    let (params, state, questions) = parked(&mut client, meta).await;
    let again = retry(params, &state, accept(&questions));
    let id = client.send_request_in_era("tools/call", again).await;
    client.notification("notifications/progress").await;
    client.cancel(id).await;
    let cancelled = value(&server.wait_for_cancelled().await);
    let call = value(&server.calls()[0]);
    assert_eq!(cancelled["params"]["requestId"], call["id"]);
    fence(&mut client).await;
    let lines: Vec<Value> = client.received().iter().map(|line| value(line)).collect();
    assert!(
        !lines
            .iter()
            .any(|line| line["method"].is_null() && line["id"] == id)
    );
}

#[tokio::test]
async fn a_retry_that_is_cancelled_at_once_leaves_nothing_behind() {
    for _ in 0..5 {
        let server = asking_once().await;
        let proxy = proxy::new().upstream("a", &server);
        let proxy = proxy.env("PROXY_INPUT_WAIT", "500ms");
        let mut client = modern_client(proxy).await;
        let (params, state, questions) = parked(&mut client, json!({})).await;
        let again = retry(params, &state, accept(&questions));
        let id = client.send_request_in_era("tools/call", again).await;
        client.cancel(id).await;
        // Whether the call was taken up by then or not, the server hears of its end, or has
        // ended it.
        let call = value(&server.calls()[0]);
        let any = answers(&format!("\"of {}\"", call["id"]));
        let end = |response: &Request| response.is("notifications/cancelled") || any(response);
        server.wait_for_message("the end", end).await;
        fence(&mut client).await;
    }
}

#[tokio::test]
async fn a_proxy_that_ends_tells_the_servers_of_parked_calls() {
    for place in PLACES {
        let held = Gate::closed();
        let server = place.server().tool("work").on_call(move |call| {
            let held = held.clone();
            async move {
                let stream = place.stream(&call).await;
                stream
                    .send(request_line("1", "elicitation/create", FORM))
                    .await;
                held.passed().await;
                br#"{"content":[]}"#.to_vec()
            }
        });
        let server = server.start().await;
        let mut client = modern_before(&server).await;
        parked(&mut client, json!({})).await;
        assert!(client.close().await.success());
        let cancelled = value(&server.wait_for_cancelled().await);
        let call = value(&server.calls()[0]);
        assert_eq!(cancelled["params"]["requestId"], call["id"], "{place:?}");
    }
}

#[tokio::test]
async fn a_retry_goes_on_though_a_question_follows_its_answers() {
    // The server asks anew as soon as it is answered, before it has ended.
    let server = upstream::legacy().tool("work").on_call(|call| async move {
        let first = call.request("1", "elicitation/create", FORM).await;
        let second = call.request("2", "sampling/createMessage", SAMPLE).await;
        let received = [first, second].map(|received| value(&received)["result"].take());
        json!({"content": [], "heard": received}).to_string().into()
    });
    let server = server.start().await;
    let mut client = modern_before(&server).await;
    let (params, state, questions) = parked(&mut client, json!({})).await;
    // Answers that are no objects, under keys with escapes, are the server's to judge.
    let key = questions[0].0.replacen('a', "\\u0061", 1);
    let line = |id: &str, state: &str, responses: &str| {
        let mut params = client_params(&params);
        params.truncate(params.len() - 1);
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params},"inputResponses":{responses},"requestState":{state}}}}}"#
        )
    };
    let answer = client
        .exchange(line("71", &state, &format!(r#"{{"{key}":7}}"#)), "71")
        .await;
    let (state, questions) = crate::asking::helpers::required(&answer);
    // No object at all answers nothing.
    let answer = client.exchange(line("72", &state, "[1]"), "72").await;
    let (state, again) = crate::asking::helpers::required(&answer);
    assert_eq!(again, questions);
    // Of equal keys the last one counts.
    let key = &questions[0].0;
    let twice = format!(r#"{{"{key}":1,"{key}":null}}"#);
    let answer = client.exchange(line("73", &state, &twice), "73").await;
    assert_eq!(value(&answer)["result"]["heard"], json!([7, null]));
}

/// Parameters as a modern client sends them.
fn client_params(params: &Value) -> String {
    let mut params = params.clone();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        crate::asking::helpers::everything();
    proxy::with_meta(params).to_string()
}
