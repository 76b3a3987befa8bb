//! Legacy clients of legacy servers: server requests whose sender, call or session has ended.

use serde_json::json;

use crate::server_requests::helpers::{
    ACCEPTED, FORM, STREAM_KINDS, StreamKind, ask_params, barrier, legacy_client, legacy_client_of,
    raw_id, requesting_server, value,
};
use testkit::json::{bytes_of, request_line};
use testkit::proxy::{self, call_line};
use testkit::raw::{Reply, event};
use testkit::upstream::{self, ServerStream};

/// Sends a request and its cancellation.
async fn send_and_cancel(stream: &ServerStream, server_request: &str, cancel: &str) {
    stream.send(server_request).await;
    stream.send(cancel).await;
}

#[tokio::test]
async fn cancelled_server_request_is_cancelled_with_the_clients_id() {
    let cancel = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{ "reason":"\u0061","requestId": {id} ,"x":1.0}}}}"#
        )
    };
    for stream_kind in STREAM_KINDS {
        let server = stream_kind.server().tool("ask").tool("echo");
        let server = server.on_call(move |call| async move {
            if call.request.tool() == "ask" {
                let stream = stream_kind.stream(&call).await;
                let server_request = request_line(r#""\u0061""#, "elicitation/create", FORM);
                send_and_cancel(&stream, &server_request, &cancel("\"a\"")).await;
                // The cancellation of an unknown request is not forwarded.
                stream.send(cancel("\"b\"")).await;
                stream.read().await;
            }
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = legacy_client_of(&server).await;
        let call = client.send_call("ask", json!({})).await;
        let server_request = client.incoming_line("elicitation/create").await;
        let cancelled = client.notification_line("notifications/cancelled").await;
        let expected = cancel(&raw_id(&server_request));
        assert_eq!(
            String::from_utf8(cancelled).unwrap(),
            expected,
            "{stream_kind:?}"
        );
        client.response(call).await;
        // A response after the cancellation is not forwarded.
        client.answer(&server_request, ACCEPTED).await;
        barrier(&mut client).await;
        let responses = server.responses();
        let answers = responses.iter().filter(|it| !it.text().contains("read-"));
        assert_eq!(answers.count(), 0, "{stream_kind:?}");
        assert_eq!(client.received_with("notifications/cancelled").len(), 1);
    }
}

#[tokio::test]
async fn lost_session_cancels_its_request_and_ignores_the_response() {
    for stream_kind in STREAM_KINDS {
        let server = requesting_server(stream_kind).await;
        let mut client = legacy_client_of(&server).await;
        server.event_stream().await;
        client
            .send_line(call_line(
                "50",
                &ask_params("1", "elicitation/create", FORM),
            ))
            .await;
        let server_request = client.incoming_line("elicitation/create").await;
        server.expire_sessions();
        let cancelled = client.notification("notifications/cancelled").await;
        let id = &value(&server_request)["id"];
        assert_eq!(cancelled["params"]["requestId"], *id, "{stream_kind:?}");
        client.answer(&server_request, ACCEPTED).await;
        barrier(&mut client).await;
        assert!(server.responses().is_empty(), "{stream_kind:?}");
    }
}

#[tokio::test]
async fn server_request_of_a_lost_call_is_cancelled() {
    let server_request = request_line("1", "elicitation/create", FORM);
    let server = upstream::legacy().tool("ask").tool("echo");
    let server = server.intercept(move |request| {
        (request.tool() == "ask").then(|| Reply::sse([event(&server_request)]).broken_off())
    });
    let server = server.start().await;
    let mut client = legacy_client_of(&server).await;
    let answer = client.call("ask", json!({})).await;
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    let server_request = client.incoming_request("elicitation/create").await;
    let cancelled = client.notification("notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], server_request["id"]);
    client
        .respond(&server_request, json!({"action": "accept"}))
        .await;
    barrier(&mut client).await;
    assert!(server.responses().is_empty());
}

#[tokio::test]
async fn lost_call_with_a_server_request_is_not_sent_again() {
    let tool =
        r#"{"name":"ask","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#;
    let server_request = request_line("1", "elicitation/create", FORM);
    let server = upstream::legacy().tool_raw(tool).intercept(move |request| {
        (request.tool() == "ask").then(|| Reply::sse([event(&server_request)]).broken_off())
    });
    let server = server.start().await;
    let mut client = legacy_client_of(&server).await;
    let answer = client.call("ask", json!({})).await;
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    assert_eq!(server.requests_of("tools/call").len(), 1);
}

#[tokio::test]
async fn call_cancelled_during_a_server_request_is_cancelled_upstream() {
    for stream_kind in STREAM_KINDS {
        let server = stream_kind.server().tool("ask").tool("echo");
        let server = server.on_call(move |call| async move {
            if call.request.tool() == "ask" {
                let stream = stream_kind.stream(&call).await;
                stream
                    .send(request_line("1", "elicitation/create", FORM))
                    .await;
                call.cancelled().await;
            }
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let mut client = legacy_client_of(&server).await;
        let call = client.send_call("ask", json!({})).await;
        let server_request = client.incoming_line("elicitation/create").await;
        client.cancel(call).await;
        let notification = server.wait_for_cancelled().await;
        let sent = server.calls().remove(0);
        assert_eq!(
            bytes_of(&notification, &["params", "requestId"]),
            raw_id(&sent)
        );
        // The server did not cancel its request, so the response is still forwarded.
        client.answer(&server_request, ACCEPTED).await;
        let answer = |message: &testkit::raw::Request| message.rpc_method().is_empty();
        server.wait_for_message("the response", answer).await;
        barrier(&mut client).await;
        let lines = client.received();
        let to_call = lines.iter().map(|line| value(line));
        let to_call = to_call.filter(|line| line["method"].is_null() && line["id"] == call);
        assert_eq!(to_call.count(), 0, "{stream_kind:?}");
    }
}

#[tokio::test]
async fn lost_session_leaves_requests_of_another_server_pending() {
    let one = requesting_server(StreamKind::Standalone).await;
    let two = requesting_server(StreamKind::Standalone).await;
    let proxy = proxy::new().upstream("one", &one).upstream("two", &two);
    let proxy = proxy.extra("two", json!({"prefix": "two_"}));
    let mut client = legacy_client(proxy).await;
    client.tools().await;
    let call_to_one = ask_params("1", "elicitation/create", FORM);
    let call_to_two = call_to_one.replace(r#""name":"ask""#, r#""name":"two_ask""#);
    client.send_line(call_line("51", &call_to_one)).await;
    let lost = client.incoming_request("elicitation/create").await;
    client.send_line(call_line("52", &call_to_two)).await;
    let pending = client.incoming_line("elicitation/create").await;
    one.expire_sessions();
    let cancelled = client.notification("notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], lost["id"]);
    client.answer(&pending, ACCEPTED).await;
    let answer = value(&client.answer_to("52").await);
    assert_eq!(answer["result"]["received"]["id"], 1, "{answer}");
    assert_eq!(client.received_with("notifications/cancelled").len(), 1);
}
