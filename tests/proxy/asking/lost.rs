//! Legacy clients of legacy servers: questions that nobody wants answered any more.

use serde_json::json;

use crate::asking::helpers::{
    ACCEPTED, FORM, PLACES, Place, asking, fence, id_of, legacy_before, legacy_client,
    request_line, to_ask, value,
};
use testkit::json::bytes_of;
use testkit::proxy::{self, call_line};
use testkit::raw::{Reply, event};
use testkit::upstream::{self, ServerStream};

/// Asks, and cancels that in these words.
async fn ask_and_cancel(stream: &ServerStream, ask: &str, cancel: &str) {
    stream.send(ask).await;
    stream.send(cancel).await;
}

#[tokio::test]
async fn server_cancellation_of_a_question_uses_the_clients_id() {
    let cancel = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{ "reason":"\u0061","requestId": {id} ,"x":1.0}}}}"#
        )
    };
    for place in PLACES {
        let server = place.server().tool("ask").tool("echo");
        let server = server.on_call(move |call| async move {
            if call.request.tool() == "ask" {
                let stream = place.stream(&call).await;
                let ask = request_line(r#""\u0061""#, "elicitation/create", FORM);
                ask_and_cancel(&stream, &ask, &cancel("\"a\"")).await;
                // Nobody knows this one.
                stream.send(cancel("\"b\"")).await;
                stream.read().await;
            }
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = legacy_before(&server).await;
        let call = client.send_call("ask", json!({})).await;
        let ask = client.incoming_line("elicitation/create").await;
        let cancelled = client.notification_line("notifications/cancelled").await;
        let expected = cancel(&id_of(&ask));
        assert_eq!(String::from_utf8(cancelled).unwrap(), expected, "{place:?}");
        client.response(call).await;
        // Too late.
        client.answer(&ask, ACCEPTED).await;
        fence(&mut client).await;
        let responses = server.responses();
        let answers = responses.iter().filter(|it| !it.text().contains("read-"));
        assert_eq!(answers.count(), 0, "{place:?}");
        assert_eq!(client.received_with("notifications/cancelled").len(), 1);
    }
}

#[tokio::test]
async fn lost_session_cancels_its_question_and_ignores_the_answer() {
    for place in PLACES {
        let server = asking(place).await;
        let mut client = legacy_before(&server).await;
        server.event_stream().await;
        client
            .send_line(call_line("50", &to_ask("1", "elicitation/create", FORM)))
            .await;
        let ask = client.incoming_line("elicitation/create").await;
        server.expire_sessions();
        let cancelled = client.notification("notifications/cancelled").await;
        let id = &value(&ask)["id"];
        assert_eq!(cancelled["params"]["requestId"], *id, "{place:?}");
        client.answer(&ask, ACCEPTED).await;
        fence(&mut client).await;
        assert!(server.responses().is_empty(), "{place:?}");
    }
}

#[tokio::test]
async fn a_question_whose_call_is_lost_is_cancelled() {
    let ask = request_line("1", "elicitation/create", FORM);
    let server = upstream::legacy().tool("ask").tool("echo");
    let server = server.intercept(move |request| {
        (request.tool() == "ask").then(|| Reply::sse([event(&ask)]).broken_off())
    });
    let server = server.start().await;
    let mut client = legacy_before(&server).await;
    let answer = client.call("ask", json!({})).await;
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    let ask = client.incoming_request("elicitation/create").await;
    let cancelled = client.notification("notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], ask["id"]);
    client.respond(&ask, json!({"action": "accept"})).await;
    fence(&mut client).await;
    assert!(server.responses().is_empty());
}

#[tokio::test]
async fn a_call_that_has_asked_is_not_sent_again_when_it_is_lost() {
    let tool =
        r#"{"name":"ask","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#;
    let ask = request_line("1", "elicitation/create", FORM);
    let server = upstream::legacy().tool_raw(tool).intercept(move |request| {
        (request.tool() == "ask").then(|| Reply::sse([event(&ask)]).broken_off())
    });
    let server = server.start().await;
    let mut client = legacy_before(&server).await;
    let answer = client.call("ask", json!({})).await;
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    assert_eq!(server.requests_of("tools/call").len(), 1);
}

#[tokio::test]
async fn call_cancelled_during_a_question_is_cancelled_at_the_server() {
    for place in PLACES {
        let server = place.server().tool("ask").tool("echo");
        let server = server.on_call(move |call| async move {
            if call.request.tool() == "ask" {
                let stream = place.stream(&call).await;
                stream
                    .send(request_line("1", "elicitation/create", FORM))
                    .await;
                call.cancelled().await;
            }
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = legacy_before(&server).await;
        let call = client.send_call("ask", json!({})).await;
        let ask = client.incoming_line("elicitation/create").await;
        client.cancel(call).await;
        let notification = server.wait_for_cancelled().await;
        let sent = server.calls().remove(0);
        assert_eq!(
            bytes_of(&notification, &["params", "requestId"]),
            id_of(&sent)
        );
        // The server has not taken its question back, so its answer is still the server's.
        client.answer(&ask, ACCEPTED).await;
        let answer = |said: &testkit::raw::Request| said.rpc_method().is_empty();
        server.wait_for_message("the answer", answer).await;
        fence(&mut client).await;
        let lines = client.received();
        let to_call = lines.iter().map(|line| value(line));
        let to_call = to_call.filter(|line| line["method"].is_null() && line["id"] == call);
        assert_eq!(to_call.count(), 0, "{place:?}");
    }
}

#[tokio::test]
async fn one_servers_loss_leaves_the_questions_of_another() {
    let one = asking(Place::Aside).await;
    let two = asking(Place::Aside).await;
    let proxy = proxy::new().upstream("one", &one).upstream("two", &two);
    let proxy = proxy.extra("two", json!({"prefix": "two_"}));
    let mut client = legacy_client(proxy).await;
    client.tools().await;
    let of_one = to_ask("1", "elicitation/create", FORM);
    let of_two = of_one.replace(r#""name":"ask""#, r#""name":"two_ask""#);
    client.send_line(call_line("51", &of_one)).await;
    let lost = client.incoming_request("elicitation/create").await;
    client.send_line(call_line("52", &of_two)).await;
    let kept = client.incoming_line("elicitation/create").await;
    one.expire_sessions();
    let cancelled = client.notification("notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], lost["id"]);
    client.answer(&kept, ACCEPTED).await;
    let answer = value(&client.answer_to("52").await);
    assert_eq!(answer["result"]["heard"]["id"], 1, "{answer}");
    assert_eq!(client.received_with("notifications/cancelled").len(), 1);
}
