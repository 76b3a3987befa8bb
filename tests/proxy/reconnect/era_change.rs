//! An upstream that changes its era or transport at the same URL, without closing a connection.

use serde_json::{Value, json};

use crate::reconnect::{counting_server, run_count};
use testkit::raw::{Reply, Request};
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    call_to_an_upstream_that_changed_era_runs_once
}

testkit::per_kind! {
    [legacy modern]
    rejection_by_an_unchanged_server_is_probed_once
}

/// `was`: the first kind of the upstream.
async fn call_to_an_upstream_that_changed_era_runs_once(was: Kind) {
    for is in Kind::ALL.into_iter().filter(|is| *is != was) {
        let (first, before) = counting_server(was.server());
        let (second, after) = counting_server(is.server());
        let server = upstream::changing(first, second);
        let mut client = proxy::before(&server).await;
        let answer = client.call("work", json!({})).await;
        assert!(answer["result"].is_object(), "{answer}");
        server.change();
        for runs in 1..=3 {
            let answer = client.call("work", json!({})).await;
            assert!(answer["result"].is_object(), "then {is}: {answer}");
            assert_eq!(
                (run_count(&before), run_count(&after)),
                (1, runs),
                "then {is}"
            );
        }
    }
}

/// Returns a JSON-RPC error with this status, with the id of the request or with none.
fn refusal(request: &Request, status: u16, code: i64, without_id: bool) -> Reply {
    let id: Value = serde_json::from_slice(&request.id_bytes().unwrap()).unwrap();
    let id = if without_id { Value::Null } else { id };
    let error = json!({"code": code, "message": "no session `x`", "data": {"a": 1.0}});
    let body = json!({"jsonrpc": "2.0", "id": id, "error": error});
    Reply::json(body.to_string()).with_status(status)
}

/// A response of a server of the same era that looks like one of another era.
type Answer = fn(&Request) -> Reply;

async fn rejection_by_an_unchanged_server_is_probed_once(kind: Kind) {
    let answers: [(&str, Answer); 4] = [
        ("invalid params", |request| {
            refusal(request, 400, -32602, false)
        }),
        ("invalid request", |request| {
            refusal(request, 400, -32600, false)
        }),
        ("an error without an id", |request| {
            refusal(request, 400, -32600, true)
        }),
        ("unsupported", |request| {
            refusal(request, 405, -32600, false)
        }),
    ];
    for (what, answer) in answers {
        if kind == Kind::Legacy && what == "an error without an id" {
            // For a legacy server this means a lost session.
            continue;
        }
        let server = kind
            .server()
            .tool("work")
            .intercept(move |request| request.is("tools/call").then(|| answer(request)));
        let server = server.start().await;
        let mut client = proxy::before(&server).await;
        for calls in 1..=5 {
            let answer = client.call("work", json!({})).await;
            let error = &answer["error"];
            assert_eq!(error["message"], "no session `x`", "{what}: {answer}");
            assert_eq!(error["data"], json!({"a": 1.0}), "{what}");
            assert_eq!(server.requests_of("tools/call").len(), calls, "{what}");
        }
        let probes = server.requests_of("server/discover").len();
        assert!(probes <= 2, "{what}: {probes}");
        let sessions = server.requests_of("initialize").len();
        assert!(sessions <= 1, "{what}: {sessions}");
    }
}
