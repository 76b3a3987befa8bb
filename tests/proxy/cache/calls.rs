//! Calls and other requests for cached items.

use serde_json::json;

use crate::cache::{fill_cache, with_all_kinds};
use testkit::gate::Gate;
use testkit::json::text_of;
use testkit::proxy;
use testkit::raw::{self, Reply};
use testkit::upstream::{self, Kind};

testkit::per_kind! {
    call_of_a_cached_tool_waits_for_its_server
}

async fn call_of_a_cached_tool_waits_for_its_server(kind: Kind) {
    let gate = Gate::closed();
    let server = kind.server().tool("t").holding(&gate, |_| true);
    let server = server.start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    gate.open();
    fill_cache(proxy()).await;
    gate.close();

    let mut client = proxy().start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["t"]);
    let call = client.send_call("t", json!({"n": 1})).await;
    // The ping is answered after the proxy has read the call.
    client.request("ping", json!({})).await;
    assert!(server.calls().is_empty());
    gate.open();
    assert_eq!(text_of(&client.response(call).await), r#"t {"n":1}"#);
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn request_to_an_unavailable_server_fails_and_is_not_run() {
    let server = with_all_kinds(upstream::legacy()).start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("shop", &server);
    fill_cache(proxy()).await;
    server.raw.stop().await;

    let mut client = proxy().env("PROXY_CONNECT_WAIT", "1s").start().await;
    client.initialize().await;
    let requests = [
        ("tools/call", json!({"name": "tool", "arguments": {}})),
        ("prompts/get", json!({"name": "prompt"})),
        ("resources/read", json!({"uri": "x://1"})),
        ("resources/read", json!({"uri": "x://by-template"})),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "prompt"}, "argument": {"name": "a", "value": ""}}),
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/resource", "uri": "x://{n}"}, "argument": {"name": "n", "value": ""}}),
        ),
    ];
    for (method, params) in requests {
        let failed = client.request_in_era(method, params.clone()).await;
        let error = &failed["error"];
        let text = error["message"].as_str().unwrap_or_default();
        assert!(text.contains("`shop`"), "{method} {params}: {failed}");
        assert!(text.contains("cannot connect"), "{method}: {failed}");
        assert_eq!(error["code"], -31001, "{method}: {failed}");
        assert_eq!(error["data"]["outcome"], "not run", "{failed}");
    }
}

#[tokio::test]
async fn cached_tools_stay_during_sign_in_or_a_failing_handshake() {
    for (status, code) in [(401, -31002), (404, -31005)] {
        let server = with_all_kinds(upstream::legacy()).start().await;
        let home = proxy::home();
        let proxy = || {
            let proxy = proxy::new().home(&home).upstream("a", &server);
            proxy.extra("a", json!({"oauth": false, "transport": "http"}))
        };
        fill_cache(proxy()).await;
        server.raw.stop().await;
        let _rejecting = raw::server_at(server.raw.address(), move |_| async move {
            Reply::status(status)
        });

        let mut client = proxy().start().await;
        client.initialize().await;
        client.wait_for_stderr("not connected").await;
        assert_eq!(client.tool_names().await, ["tool"], "{status}");
        let prompts = client.request_in_era("prompts/list", json!({})).await;
        assert_eq!(prompts["result"]["prompts"][0]["name"], "prompt");
        let failed = client.call("tool", json!({})).await;
        assert_eq!(failed["error"]["code"], code, "{status}: {failed}");
        assert_eq!(failed["error"]["data"]["httpStatus"], status, "{failed}");
    }
}
