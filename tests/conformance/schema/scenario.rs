//! The scenario: a client, the proxy and two servers exchange every kind of message once.

use serde_json::{Value, json};

use crate::schema::logs;
use crate::schema::message_log::MessageLog;
use crate::schema::peer::Peer;
use crate::schema::revision::{MODERN, Pair};
use crate::schema::server;
use crate::schema::table::Side;
use crate::schema::tasks;
use testkit::proxy;
use testkit::upstream::Upstream;

/// Runs the scenario. Returns all messages.
pub(crate) async fn run(pair: Pair) -> MessageLog {
    let mut log = MessageLog::default();
    for capabilities in [pair.client.capabilities(), json!({})] {
        let (a, b) = (
            server::server(pair).start().await,
            server::server(pair).start().await,
        );
        let proxy = proxy::new().upstream("a", &a).upstream("b", &b);
        let declares = capabilities != json!({});
        let mut peer = Peer::connect(proxy, pair.client, capabilities).await;
        match declares {
            true => everything(&mut peer, pair, &a).await,
            false => undeclared(&mut peer, pair).await,
        }
        assert!(peer.client.close().await.success());
        log.record(Side::Client, peer.client.received());
        for server in [a, b] {
            let requests = server.raw.requests().into_iter();
            let posts = requests.filter(|request| request.method == "POST");
            log.record(Side::Upstream, posts.map(|post| post.body));
        }
    }
    log
}

async fn everything(peer: &mut Peer, pair: Pair, a: &Upstream) {
    offers(peer).await;
    if !pair.client.is_modern() {
        peer.expect_result("ping", json!({})).await;
    }
    // The second handshake has the instructions and capabilities of the servers.
    peer.handshake().await;
    errors(peer, pair).await;
    peer.answer_server_requests(pair).await;
    if pair.client.is_modern() && pair.supports_url_mode() && !pair.upstream.is_modern() {
        peer.expect_result("tools/call", json!({"name": "requires_url"}))
            .await;
    }
    if !pair.upstream.is_modern() {
        on_unrelated_stream(pair, a).await;
    }
    if pair.upstream.has_tasks() {
        if pair.client.has_tasks() {
            tasks::run_client_tasks(peer).await;
        }
        tasks::run_proxied_tasks(peer, a).await;
    }
    logs::set_level(peer, pair, a).await;
    changes(peer, pair, a).await;
    cancelled_server_requests(peer, pair).await;
    cancellations(peer, a).await;
}

/// Lists everything and uses items by name.
async fn offers(peer: &mut Peer) {
    let lists = [
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ];
    for method in lists {
        peer.expect_result(method, json!({})).await;
    }
    for name in ["plain", "b__plain"] {
        let arguments = json!({"x": [1.5, null]});
        let token = json!({"progressToken": "t"});
        let params = json!({"name": name, "arguments": arguments, "_meta": token});
        peer.expect_result("tools/call", params).await;
    }
    for name in ["q", "b__q"] {
        peer.expect_result(
            "prompts/get",
            json!({"name": name, "arguments": {"x": "1"}}),
        )
        .await;
    }
    peer.expect_result("resources/read", json!({"uri": "file:///b"}))
        .await;
    let prompt = json!({"type": "ref/prompt", "name": "b__q"});
    let template = json!({"type": "ref/resource", "uri": "b:///{x}"});
    for reference in [prompt, template] {
        let argument = json!({"name": "x", "value": "v"});
        let params = json!({"ref": reference, "argument": argument});
        peer.expect_result("completion/complete", params).await;
    }
}

/// Errors of the proxy itself.
async fn errors(peer: &mut Peer, pair: Pair) {
    let refused = [
        ("tools/call", json!({"name": "none"})),
        ("tools/call", json!({})),
        ("tools/call", json!({"name": "fails"})),
        ("tools/list", json!({"cursor": "c"})),
        ("prompts/get", json!({"name": "none"})),
        ("nothing/known", json!({})),
    ];
    for (method, params) in refused {
        let answer = peer.request(method, params).await;
        assert!(answer["error"]["code"].is_i64(), "{answer}");
    }
    peer.client
        .send_line(r#"{"jsonrpc":"2.0","id":"x","method":7}"#)
        .await;
    if pair.client.allows_errors_without_id() {
        for line in ["{", "[]", r#"{"jsonrpc":"2.0","method":7}"#] {
            peer.client.send_line(line).await;
        }
    }
    // An unknown revision, and a request without client capabilities.
    for version in ["2999-01-01", MODERN.0] {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": version});
        let params = json!({"_meta": meta});
        let line = json!({"jsonrpc": "2.0", "id": "x", "method": "tools/list", "params": params});
        if pair.client.is_modern() {
            peer.client.send_line(line.to_string()).await;
        }
    }
    // The proxy has answered the lines before it.
    peer.handshake().await;
}

/// A server sends requests outside of any call. The proxy responds for a modern client, which
/// cannot receive them.
async fn on_unrelated_stream(pair: Pair, a: &Upstream) {
    let stream = a.event_stream().await;
    stream.request(r#""ping#aside""#, "ping", "{}").await;
    if !pair.client.is_modern() {
        return;
    }
    for (label, request) in pair.server_requests() {
        let id = json!(format!("{label}#aside")).to_string();
        let method = request["method"].as_str().unwrap();
        let params = request["params"].to_string();
        stream.request(&id, method, &params).await;
    }
}

/// The client subscribes to changes, and receives them.
async fn changes(peer: &mut Peer, pair: Pair, a: &Upstream) {
    let uri = "file:///a";
    if pair.client.is_modern() {
        let filter = json!({
            "toolsListChanged": true,
            "promptsListChanged": true,
            "resourcesListChanged": true,
            "resourceSubscriptions": [uri],
        });
        let listen = json!({"notifications": filter});
        peer.send("subscriptions/listen", listen).await;
        let acknowledged = "notifications/subscriptions/acknowledged";
        peer.client.notification(acknowledged).await;
    } else {
        peer.expect_result("resources/subscribe", json!({"uri": uri}))
            .await;
    }
    let of_uri = json!({"uri": uri}).to_string();
    for (what, params) in [
        ("prompts/list_changed", "{}"),
        ("resources/list_changed", "{}"),
        ("resources/updated", &of_uri),
    ] {
        let method = format!("notifications/{what}");
        a.notify(&method, params).await;
        peer.client.notification(&method).await;
    }
    if !pair.client.is_modern() {
        peer.expect_result("resources/unsubscribe", json!({"uri": uri}))
            .await;
    }
}

/// Server requests that are cancelled.
async fn cancelled_server_requests(peer: &mut Peer, pair: Pair) {
    match (pair.client.is_modern(), pair.upstream.is_modern()) {
        (true, _) => return,
        (false, false) => drop(
            peer.expect_result("tools/call", json!({"name": "cancels_request"}))
                .await,
        ),
        (false, true) => {
            let id = peer
                .send("tools/call", json!({"name": "sends_requests"}))
                .await;
            peer.client.incoming_request("sampling/createMessage").await;
            peer.cancel(&id).await;
        }
    }
    peer.client.notification("notifications/cancelled").await;
}

/// Cancels a call, changes the tools, and leaves another call open.
async fn cancellations(peer: &mut Peer, a: &Upstream) {
    let hanging = |count| {
        a.raw
            .wait_for_count(count, |request| request.tool() == "hangs")
    };
    let id = peer.send("tools/call", json!({"name": "hangs"})).await;
    hanging(1).await;
    peer.cancel(&id).await;
    a.wait_for_cancelled().await;
    peer.send("tools/call", json!({"name": "hangs"})).await;
    hanging(2).await;
    a.set_tools([]);
    a.list_changed().await;
    let changed = "notifications/tools/list_changed";
    peer.client.notification(changed).await;
}

/// Server requests that the client has not declared.
async fn undeclared(peer: &mut Peer, pair: Pair) {
    let answer: Value = match (pair.client.is_modern(), pair.upstream.is_modern()) {
        // The input request passes unchanged to a modern client.
        (true, true) => return,
        _ => {
            peer.request("tools/call", json!({"name": "sends_requests"}))
                .await
        }
    };
    assert_eq!(
        answer["error"].is_null(),
        !pair.upstream.is_modern(),
        "{answer}"
    );
}
