//! Timeouts while a server request waits for the user, and while the event stream is not open yet.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server_requests::helpers::{
    ACCEPTED, FORM, STREAM_KINDS, all_capabilities, ask_params, legacy_client, requesting_server,
    value,
};
use testkit::gate::Gate;
use testkit::proxy::{self, call_line};
use testkit::raw::{Reply, Request};
use testkit::upstream;

/// The call timeout of the upstreams, shorter than the user's delay in the tests.
const SHORT: &str = "400ms";

#[tokio::test]
async fn server_waiting_for_user_input_may_exceed_its_timeout() {
    let clock = upstream::legacy().tool("clock").held_by(&Gate::closed());
    let clock = clock.start().await;
    for stream_kind in STREAM_KINDS {
        let server = requesting_server(stream_kind).await;
        let proxy = proxy::new().upstream("a", &server).upstream("b", &clock);
        let short = json!({"timeout": SHORT});
        let proxy = proxy.extra("a", short.clone()).extra("b", short);
        let mut client = legacy_client(proxy).await;
        client
            .send_line(call_line(
                "40",
                &ask_params("1", "elicitation/create", FORM),
            ))
            .await;
        let server_request = client.incoming_line("elicitation/create").await;
        // Two calls without a server request time out meanwhile.
        for _ in 0..2 {
            let silent = client.call("clock", json!({})).await;
            assert_eq!(silent["error"]["code"], -31003, "{stream_kind:?} {silent}");
        }
        client.answer(&server_request, ACCEPTED).await;
        let answer = value(&client.answer_to("40").await);
        assert_eq!(
            answer["result"]["received"]["id"], 1,
            "{stream_kind:?} {answer}"
        );
    }
}

#[tokio::test]
async fn server_silent_after_the_users_response_times_out() {
    for stream_kind in STREAM_KINDS {
        let server = stream_kind
            .server()
            .tool("ask")
            .on_call(move |call| async move {
                let stream = stream_kind.stream(&call).await;
                stream.request("1", "elicitation/create", FORM).await;
                call.cancelled().await;
                br#"{"content":[]}"#.to_vec()
            });
        let server = server.start().await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = legacy_client(proxy.extra("a", json!({"timeout": SHORT}))).await;
        let call = client.send_call("ask", json!({})).await;
        let server_request = client.incoming_line("elicitation/create").await;
        client.answer(&server_request, ACCEPTED).await;
        let answer = client.response(call).await;
        assert_eq!(answer["error"]["code"], -31003, "{stream_kind:?} {answer}");
    }
}

/// When the server received `initialize`, the event stream request and the first call.
#[derive(Debug, Default, Clone, Copy)]
struct Times {
    initialized: Option<Instant>,
    opened: Option<Instant>,
    called: Option<Instant>,
}

#[tokio::test]
async fn early_call_waits_until_the_event_stream_is_open() {
    let times = Arc::new(Mutex::new(Times::default()));
    let (seen, gate) = (times.clone(), Gate::closed());
    let opens = gate.clone();
    let server = upstream::legacy().tool("early").guarded(move |request| {
        let (seen, opens) = (seen.clone(), opens.clone());
        async move {
            if request.method == "GET" {
                opens.passed().await;
                seen.lock().unwrap().opened = Some(Instant::now());
            }
            let mut seen = seen.lock().unwrap();
            if request.is("initialize") {
                seen.initialized = Some(Instant::now());
            }
            if request.is("tools/call") {
                seen.called = Some(Instant::now());
            }
            None
        }
    });
    let server = server.start().await;
    let quick = upstream::legacy().tool("quick").without_server_stream();
    let quick = quick.start().await;
    let proxy = proxy::new().upstream("a", &server).upstream("b", &quick);
    let mut client = legacy_client(proxy).await;
    let early = client.send_call("early", json!({})).await;
    // A call to a server without an event stream does not wait. The early call would have ended by then, too.
    let answer = client.call("quick", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    gate.open();
    let answer = client.response(early).await;
    assert!(answer["result"].is_object(), "{answer}");
    let times = *times.lock().unwrap();
    let (initialized, called) = (times.initialized.unwrap(), times.called.unwrap());
    let in_order = times.opened.is_some_and(|opened| opened <= called);
    // The proxy waits about one second. On a slower machine the test proves nothing.
    assert!(
        in_order || called - initialized > Duration::from_millis(900),
        "{times:?}"
    );
}

#[tokio::test]
async fn call_is_sent_although_the_standalone_stream_never_opens() {
    let server = upstream::legacy()
        .tool("ask")
        .intercept(|request| (request.method == "GET").then(Reply::hang));
    let server = server.on_call(|call| async move {
        call.request("1", "elicitation/create", FORM).await;
        br#"{"content":[]}"#.to_vec()
    });
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize_with(all_capabilities()).await;
    let call = client.send_call("ask", json!({})).await;
    let server_request = client.incoming_line("elicitation/create").await;
    client.answer(&server_request, ACCEPTED).await;
    let answer = client.response(call).await;
    assert!(answer["result"].is_object(), "{answer}");
}

#[tokio::test]
async fn unanswered_server_request_extends_no_other_timeout() {
    let server = upstream::legacy()
        .tool("ask")
        .tool("silent")
        .on_call(|call| async move {
            if call.request.tool() == "ask" {
                call.stream().request("1", "elicitation/create", FORM).await;
            }
            call.cancelled().await;
            br#"{"content":[]}"#.to_vec()
        });
    let server = server.start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = legacy_client(proxy.extra("a", json!({"timeout": SHORT}))).await;
    let call = client.send_call("ask", json!({})).await;
    client.incoming_line("elicitation/create").await;
    client.cancel(call).await;
    let silent = client.call("silent", json!({})).await;
    assert_eq!(silent["error"]["code"], -31003, "{silent}");
    // The server receives the cancellation of the call that timed out.
    let timed_out =
        |response: &Request| String::from_utf8_lossy(&response.body).contains("no answer in time");
    server.wait_for_message("a cancellation", timed_out).await;
}
