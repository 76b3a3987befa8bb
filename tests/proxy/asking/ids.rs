//! Legacy clients of legacy servers: what is asked and answered stays as written, under ids that
//! each side knows.

use serde_json::json;

use crate::asking::helpers::{
    ACCEPTED, FORM, METHODS, PLACES, Place, asking, fence, id_of, legacy_before, legacy_client,
    request_line, text, to_ask, value,
};
use testkit::json::bytes_of;
use testkit::proxy::{self, call_line};

#[tokio::test]
async fn questions_and_answers_stay_as_written_under_ids_of_any_form() {
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
    for place in PLACES {
        let server = asking(place).await;
        let mut client = legacy_before(&server).await;
        for (number, id) in ids.iter().enumerate() {
            let number = format!("10{number}");
            let line = call_line(&number, &to_ask(id, "elicitation/create", params));
            client.send_line(line).await;
            let ask = client.incoming_line("elicitation/create").await;
            let expected = request_line(&id_of(&ask), "elicitation/create", params);
            assert_eq!(text(ask.clone()), expected, "{place:?}");
            let sent = client.answer(&ask, result).await;
            let answer = client.answer_to(&number).await;
            let expected = sent.replace(&id_of(&ask), id);
            assert_eq!(bytes_of(&answer, &["result", "heard"]), expected);
        }
        assert_eq!(server.responses().len(), ids.len(), "{place:?}");
    }
}

#[tokio::test]
async fn several_questions_are_open_at_once_and_answered_in_any_order() {
    for place in PLACES {
        let server = place.server().tool("ask").on_call(move |call| async move {
            let stream = place.stream(&call).await;
            let [a, b, c] = METHODS.map(|(method, params)| {
                let (id, stream) = (format!("{method:?}"), stream.clone());
                async move { stream.request(&id, method, params).await }
            });
            let (a, b, c) = tokio::join!(a, b, c);
            let received = [a, b, c].map(|received| value(&received)["result"]["is"].take());
            json!({"content": [], "heard": received}).to_string().into()
        });
        let server = server.start().await;
        let mut client = legacy_before(&server).await;
        let call = client.send_call("ask", json!({})).await;
        let mut asks = Vec::new();
        for (method, _) in METHODS {
            asks.push((method, client.incoming_request(method).await));
        }
        for (method, ask) in asks.iter().rev() {
            client.respond(ask, json!({"is": method})).await;
        }
        let answer = client.response(call).await;
        let methods = METHODS.map(|(method, _)| method);
        assert_eq!(answer["result"]["heard"], json!(methods), "{place:?}");
    }
}

#[tokio::test]
async fn client_error_response_reaches_the_server_as_written() {
    let error = r#""error":{ "code":-1 ,"message":"\u006eo","data":[1.0]}"#;
    for place in PLACES {
        let server = asking(place).await;
        let mut client = legacy_before(&server).await;
        for (method, params) in METHODS {
            let id = format!("{method:?}");
            client
                .send_line(call_line("70", &to_ask(&id, method, params)))
                .await;
            let ask = client.incoming_line(method).await;
            let sent = client.answer(&ask, error).await;
            let answer = client.answer_to("70").await;
            let expected = sent.replace(&id_of(&ask), &id);
            assert_eq!(bytes_of(&answer, &["result", "heard"]), expected);
        }
    }
}

#[tokio::test]
async fn client_progress_reaches_the_server_that_gave_the_token() {
    let one = asking(Place::Call).await;
    let two = asking(Place::Shared).await;
    let proxy = proxy::new().upstream("one", &one).upstream("two", &two);
    let proxy = proxy.extra("two", json!({"prefix": "two_"}));
    let mut client = legacy_client(proxy).await;
    client.tools().await;
    let params = r#"{ "message":"?","_meta":{"progressToken" : "\u0074"} }"#;
    let to_ask = to_ask("1", "elicitation/create", params);
    let other = to_ask.replace(r#""name":"ask""#, r#""name":"two_ask""#);
    let mut asks = Vec::new();
    for (id, params) in [("81", &to_ask), ("82", &other)] {
        client.send_line(call_line(id, params)).await;
        asks.push(client.incoming_line("elicitation/create").await);
    }
    let token = |ask: &[u8]| {
        let path = ["params", "_meta", "progressToken"];
        bytes_of(ask, &path).to_owned()
    };
    assert_eq!(token(&asks[0]), r#""\u0074""#);
    // Two servers have given the same; the client must know them apart.
    assert_ne!(value(&asks[1])["params"]["_meta"]["progressToken"], "t");
    let line = |token: &str, progress: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{ "progress":{progress},"progressToken":{token} }}}}"#
        )
    };
    client.send_line(line(&token(&asks[1]), "2.0")).await;
    // As decoded, as a client may write it.
    client.send_line(line("\"t\"", "1.0")).await;
    let names = |what: &'static str| move |said: &testkit::raw::Request| said.text().contains(what);
    let received = one
        .wait_for_message("progress", names("progress\":1.0"))
        .await;
    assert_eq!(text(received), line("\"t\"", "1.0"));
    let received = two
        .wait_for_message("progress", names("progress\":2.0"))
        .await;
    assert_eq!(text(received), line(r#""\u0074""#, "2.0"));

    for (ask, id) in asks.iter().zip(["81", "82"]) {
        client.answer(ask, ACCEPTED).await;
        client.answer_to(id).await;
        // Nobody waits for it any more.
        client.send_line(line(&token(ask), "3")).await;
    }
    fence(&mut client).await;
    for server in [&one, &two] {
        assert_eq!(server.requests_of("notifications/progress").len(), 1);
    }
}

#[tokio::test]
async fn answers_to_what_nobody_asked_harm_nothing() {
    for place in PLACES {
        let server = asking(place).await;
        let mut client = legacy_before(&server).await;
        client
            .send_line(call_line("90", &to_ask("5", "elicitation/create", FORM)))
            .await;
        let ask = client.incoming_line("elicitation/create").await;
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
        client.answer(&ask, ACCEPTED).await;
        // The same again.
        client.answer(&ask, ACCEPTED).await;
        let answer = client.answer_to("90").await;
        assert_eq!(value(&answer)["result"]["heard"]["id"], 5, "{place:?}");
        fence(&mut client).await;
        assert_eq!(server.responses().len(), 1, "{place:?}");
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
    for place in PLACES {
        let server = asking(place).await;
        for (number, (capabilities, methods)) in undeclared.iter().enumerate() {
            let mut client = proxy::new().upstream("a", &server).start().await;
            client.initialize_with(capabilities.clone()).await;
            for (index, (method, params)) in methods.iter().enumerate() {
                let id = format!("\"{number}.{index}\"");
                let line = call_line("60", &to_ask(&id, method, params));
                let answer = value(&client.exchange(line, "60").await);
                let received = &answer["result"]["heard"];
                assert_eq!(received["error"]["code"], -32601, "{place:?} {method}");
            }
            assert!(
                client.server_requests().is_empty(),
                "{place:?} {capabilities}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_asks_outside_of_any_call() {
    for place in [Place::Aside, Place::Shared] {
        let server = asking(place).await;
        let mut client = legacy_before(&server).await;
        let stream = server.event_stream().await;
        // The client has said that it is there once it has the tools.
        client.tools().await;
        for (method, params) in METHODS {
            let id = format!("{method:?}");
            let asked = stream.request(&id, method, params);
            let answered = async {
                let ask = client.incoming_line(method).await;
                let expected = request_line(&id_of(&ask), method, params);
                assert_eq!(text(ask.clone()), expected);
                client.answer(&ask, r#""result":{"x":1.0}"#).await
            };
            let (received, _) = tokio::join!(asked, answered);
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":1.0}}}}"#);
            assert_eq!(text(received), expected, "{place:?}");
        }
    }
}
