//! How long the proxy waits: for a person who is asked, and for the stream on which a server asks.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::asking::helpers::{
    ACCEPTED, FORM, PLACES, asking, everything, legacy_client, to_ask, value,
};
use testkit::gate::Gate;
use testkit::proxy::{self, call_line};
use testkit::raw::{Reply, Request};
use testkit::upstream;

/// Shorter than the time that a person is given below.
const SHORT: &str = "400ms";

#[tokio::test]
async fn server_waiting_for_a_person_may_exceed_its_timeout() {
    let clock = upstream::legacy().tool("clock").held_by(&Gate::closed());
    let clock = clock.start().await;
    for place in PLACES {
        let server = asking(place).await;
        let proxy = proxy::new().upstream("a", &server).upstream("b", &clock);
        let short = json!({"timeout": SHORT});
        let proxy = proxy.extra("a", short.clone()).extra("b", short);
        let mut client = legacy_client(proxy).await;
        client
            .send_line(call_line("40", &to_ask("1", "elicitation/create", FORM)))
            .await;
        let ask = client.incoming_line("elicitation/create").await;
        // A call that nobody is asked for ends after that time, twice.
        for _ in 0..2 {
            let silent = client.call("clock", json!({})).await;
            assert_eq!(silent["error"]["code"], -31003, "{place:?} {silent}");
        }
        client.answer(&ask, ACCEPTED).await;
        let answer = value(&client.answer_to("40").await);
        assert_eq!(answer["result"]["heard"]["id"], 1, "{place:?} {answer}");
    }
}

#[tokio::test]
async fn server_silent_after_the_persons_answer_times_out() {
    for place in PLACES {
        let server = place.server().tool("ask").on_call(move |call| async move {
            let stream = place.stream(&call).await;
            stream.request("1", "elicitation/create", FORM).await;
            call.cancelled().await;
            br#"{"content":[]}"#.to_vec()
        });
        let server = server.start().await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = legacy_client(proxy.extra("a", json!({"timeout": SHORT}))).await;
        let call = client.send_call("ask", json!({})).await;
        let ask = client.incoming_line("elicitation/create").await;
        client.answer(&ask, ACCEPTED).await;
        let answer = client.response(call).await;
        assert_eq!(answer["error"]["code"], -31003, "{place:?} {answer}");
    }
}

/// When a session begins, and when its stream and its first call come, as the server sees it.
#[derive(Debug, Default, Clone, Copy)]
struct Times {
    begun: Option<Instant>,
    opened: Option<Instant>,
    called: Option<Instant>,
}

#[tokio::test]
async fn an_early_call_waits_until_its_server_can_ask() {
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
                seen.begun = Some(Instant::now());
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
    // What need not wait is answered, and the early call would have been, too.
    let answer = client.call("quick", json!({})).await;
    assert!(answer["result"].is_object(), "{answer}");
    gate.open();
    let answer = client.response(early).await;
    assert!(answer["result"].is_object(), "{answer}");
    let times = *times.lock().unwrap();
    let (begun, called) = (times.begun.unwrap(), times.called.unwrap());
    let in_order = times.opened.is_some_and(|opened| opened <= called);
    // On a machine so slow that the wait was over, nothing is proved.
    assert!(
        in_order || called - begun > Duration::from_millis(900),
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
    client.initialize_with(everything()).await;
    let call = client.send_call("ask", json!({})).await;
    let ask = client.incoming_line("elicitation/create").await;
    client.answer(&ask, ACCEPTED).await;
    let answer = client.response(call).await;
    assert!(answer["result"].is_object(), "{answer}");
}

#[tokio::test]
async fn a_question_that_nobody_answers_excuses_no_other_call() {
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
    let asked = client.send_call("ask", json!({})).await;
    client.incoming_line("elicitation/create").await;
    client.cancel(asked).await;
    let silent = client.call("silent", json!({})).await;
    assert_eq!(silent["error"]["code"], -31003, "{silent}");
    // The server learns that nobody waits any more.
    let gave_up =
        |response: &Request| String::from_utf8_lossy(&response.body).contains("no answer in time");
    server.wait_for_message("a cancellation", gave_up).await;
}
