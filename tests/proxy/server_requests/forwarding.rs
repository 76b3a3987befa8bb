//! Legacy clients of legacy servers: server requests and responses are forwarded as written, with ids
//! mapped for each side.

use serde_json::json;

use crate::server_requests::helpers::{
    ACCEPTED, FORM, METHODS, STREAM_KINDS, StreamKind, ask_params, barrier, legacy_client,
    legacy_client_of, raw_id, requesting_server, text, value,
};
use testkit::json::{bytes_of, request_line};
use testkit::proxy::{self, call_line};

#[tokio::test]
async fn server_requests_are_forwarded_as_written_with_any_id() {
    let ids = [
        r#""plain""#,
        r#""\u0061\/\u00e9 \"""#,
        "0",
        "-1.50",
        "1E2",
        "123456789012345678901234567890",
        "\"mcp-manifold-1\"",
    ];
    let params = r#"{ "x":1.0E2 ,"message":"\u0041\/","requestedSchema":{} }"#;
    let result = r#""result":{ "action" : "accept","content":{"n":1.50,"s":"\u0061\/"} }"#;
    for stream_kind in STREAM_KINDS {
        let server = requesting_server(stream_kind).await;
        let mut client = legacy_client_of(&server).await;
        for (number, id) in ids.iter().enumerate() {
            let number = format!("10{number}");
            let line = call_line(&number, &ask_params(id, "elicitation/create", params));
            client.send_line(line).await;
            let server_request = client.incoming_line("elicitation/create").await;
            let expected = request_line(&raw_id(&server_request), "elicitation/create", params);
            assert_eq!(text(server_request.clone()), expected, "{stream_kind:?}");
            let sent = client.answer(&server_request, result).await;
            let answer = client.answer_to(&number).await;
            let expected = sent.replace(&raw_id(&server_request), id);
            assert_eq!(bytes_of(&answer, &["result", "received"]), expected);
        }
        assert_eq!(server.responses().len(), ids.len(), "{stream_kind:?}");
    }
}

#[tokio::test]
async fn server_requests_are_concurrent_and_answered_in_any_order() {
    for stream_kind in STREAM_KINDS {
        let server = stream_kind
            .server()
            .tool("ask")
            .on_call(move |call| async move {
                let stream = stream_kind.stream(&call).await;
                let [a, b, c] = METHODS.map(|(method, params)| {
                    let (id, stream) = (format!("{method:?}"), stream.clone());
                    async move { stream.request(&id, method, params).await }
                });
                let (a, b, c) = tokio::join!(a, b, c);
                let received = [a, b, c].map(|received| value(&received)["result"]["is"].take());
                json!({"content": [], "received": received})
                    .to_string()
                    .into()
            });
        let server = server.start().await;
        let mut client = legacy_client_of(&server).await;
        let call = client.send_call("ask", json!({})).await;
        let mut server_requests = Vec::new();
        for (method, _) in METHODS {
            server_requests.push((method, client.incoming_request(method).await));
        }
        for (method, server_request) in server_requests.iter().rev() {
            client.respond(server_request, json!({"is": method})).await;
        }
        let answer = client.response(call).await;
        let methods = METHODS.map(|(method, _)| method);
        assert_eq!(
            answer["result"]["received"],
            json!(methods),
            "{stream_kind:?}"
        );
    }
}

#[tokio::test]
async fn client_error_response_reaches_the_server_as_written() {
    let error = r#""error":{ "code":-1 ,"message":"\u006eo","data":[1.0]}"#;
    for stream_kind in STREAM_KINDS {
        let server = requesting_server(stream_kind).await;
        let mut client = legacy_client_of(&server).await;
        for (method, params) in METHODS {
            let id = format!("{method:?}");
            client
                .send_line(call_line("70", &ask_params(&id, method, params)))
                .await;
            let server_request = client.incoming_line(method).await;
            let sent = client.answer(&server_request, error).await;
            let answer = client.answer_to("70").await;
            let expected = sent.replace(&raw_id(&server_request), &id);
            assert_eq!(bytes_of(&answer, &["result", "received"]), expected);
        }
    }
}

#[tokio::test]
async fn client_progress_reaches_the_server_that_gave_the_token() {
    let one = requesting_server(StreamKind::Call).await;
    let two = requesting_server(StreamKind::Shared).await;
    let proxy = proxy::new().upstream("one", &one).upstream("two", &two);
    let proxy = proxy.extra("two", json!({"prefix": "two_"}));
    let mut client = legacy_client(proxy).await;
    client.tools().await;
    let params = r#"{ "message":"?","_meta":{"progressToken" : "\u0074"} }"#;
    let first = ask_params("1", "elicitation/create", params);
    let second = first.replace(r#""name":"ask""#, r#""name":"two_ask""#);
    let mut server_requests = Vec::new();
    for (id, params) in [("81", &first), ("82", &second)] {
        client.send_line(call_line(id, params)).await;
        server_requests.push(client.incoming_line("elicitation/create").await);
    }
    let token = |server_request: &[u8]| {
        let path = ["params", "_meta", "progressToken"];
        bytes_of(server_request, &path).to_owned()
    };
    assert_eq!(token(&server_requests[0]), r#""\u0074""#);
    // Two servers use the same token, so the client receives another one for the second server.
    assert_ne!(
        value(&server_requests[1])["params"]["_meta"]["progressToken"],
        "t"
    );
    let line = |token: &str, progress: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{ "progress":{progress},"progressToken":{token} }}}}"#
        )
    };
    client
        .send_line(line(&token(&server_requests[1]), "2.0"))
        .await;
    // A client may write the token without its escapes.
    client.send_line(line("\"t\"", "1.0")).await;
    let contains =
        |part: &'static str| move |message: &testkit::raw::Request| message.text().contains(part);
    let received = one
        .wait_for_message("progress", contains("progress\":1.0"))
        .await;
    assert_eq!(text(received), line("\"t\"", "1.0"));
    let received = two
        .wait_for_message("progress", contains("progress\":2.0"))
        .await;
    assert_eq!(text(received), line(r#""\u0074""#, "2.0"));

    for (server_request, id) in server_requests.iter().zip(["81", "82"]) {
        client.answer(server_request, ACCEPTED).await;
        client.answer_to(id).await;
        // Progress after the response is not forwarded.
        client.send_line(line(&token(server_request), "3")).await;
    }
    barrier(&mut client).await;
    for server in [&one, &two] {
        assert_eq!(server.requests_of("notifications/progress").len(), 1);
    }
}

#[tokio::test]
async fn responses_to_unknown_ids_are_ignored() {
    for stream_kind in STREAM_KINDS {
        let server = requesting_server(stream_kind).await;
        let mut client = legacy_client_of(&server).await;
        client
            .send_line(call_line(
                "90",
                &ask_params("5", "elicitation/create", FORM),
            ))
            .await;
        let server_request = client.incoming_line("elicitation/create").await;
        for id in [
            "5",
            "null",
            "\"mcp-manifold-\"",
            "\"mcp-manifold-99\"",
            "{}",
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},{ACCEPTED}}}"#);
            client.send_line(line).await;
        }
        client.answer(&server_request, ACCEPTED).await;
        // A second response to the same request.
        client.answer(&server_request, ACCEPTED).await;
        let answer = client.answer_to("90").await;
        assert_eq!(
            value(&answer)["result"]["received"]["id"],
            5,
            "{stream_kind:?}"
        );
        barrier(&mut client).await;
        assert_eq!(server.responses().len(), 1, "{stream_kind:?}");
        client.assert_every_line_is_json_rpc();
    }
}

#[tokio::test]
async fn undeclared_request_is_refused_without_reaching_the_client() {
    let by_url = r#"{"mode":"url","url":"http://localhost/","message":"?"}"#;
    let undeclared = [
        (json!({}), METHODS.to_vec()),
        (
            json!({"elicitation": {}, "sampling": {}}),
            vec![("roots/list", "{}"), ("elicitation/create", by_url)],
        ),
        (
            json!({"elicitation": {"url": {}}}),
            vec![("elicitation/create", FORM)],
        ),
    ];
    for stream_kind in STREAM_KINDS {
        let server = requesting_server(stream_kind).await;
        for (number, (capabilities, methods)) in undeclared.iter().enumerate() {
            let mut client = proxy::new().upstream("a", &server).start().await;
            client.initialize_with(capabilities.clone()).await;
            for (index, (method, params)) in methods.iter().enumerate() {
                let id = format!("\"{number}.{index}\"");
                let line = call_line("60", &ask_params(&id, method, params));
                let answer = value(&client.exchange(line, "60").await);
                let received = &answer["result"]["received"];
                assert_eq!(
                    received["error"]["code"], -32601,
                    "{stream_kind:?} {method}"
                );
            }
            assert!(
                client.server_requests().is_empty(),
                "{stream_kind:?} {capabilities}"
            );
        }
    }
}

#[tokio::test]
async fn server_request_outside_of_a_call_reaches_the_client() {
    for stream_kind in [StreamKind::Standalone, StreamKind::Shared] {
        let server = requesting_server(stream_kind).await;
        let mut client = legacy_client_of(&server).await;
        let stream = server.event_stream().await;
        // Once the client has the tools, the proxy has received `notifications/initialized`.
        client.tools().await;
        for (method, params) in METHODS {
            let id = format!("{method:?}");
            let pending_request = stream.request(&id, method, params);
            let client_response = async {
                let server_request = client.incoming_line(method).await;
                let expected = request_line(&raw_id(&server_request), method, params);
                assert_eq!(text(server_request.clone()), expected);
                client
                    .answer(&server_request, r#""result":{"x":1.0}"#)
                    .await
            };
            let (received, _) = tokio::join!(pending_request, client_response);
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":1.0}}}}"#);
            assert_eq!(text(received), expected, "{stream_kind:?}");
        }
    }
}
