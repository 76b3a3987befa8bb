//! Clients of each era with upstreams of each kind: listing, calls and errors.

use serde_json::{Value, json};

use testkit::json::text_of;
use testkit::upstream::Kind;
use testkit::{Endpoint, proxy, sdk, upstream};

testkit::per_kind! {
    client_of_either_era_lists_and_calls_tools_of_any_upstream
    upstream_errors_pass_unchanged
    unlisted_tool_is_rejected_without_an_upstream_request
    modern_metadata_reaches_modern_upstreams_only
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    Legacy,
    Modern,
}

const CLIENTS: [Client; 2] = [Client::Legacy, Client::Modern];

impl Client {
    async fn connect_to(self, upstream: &impl Endpoint) -> proxy::Client {
        let mut client = proxy::new().upstream("a", upstream).start().await;
        if self == Client::Legacy {
            client.initialize().await;
        }
        client
    }

    /// Asserts that a modern client receives a `resultType`.
    fn check(self, response: &Value) {
        if self == Client::Modern {
            assert_eq!(response["result"]["resultType"], "complete", "{response}");
        }
    }
}

async fn client_of_either_era_lists_and_calls_tools_of_any_upstream(kind: Kind) {
    for client_era in CLIENTS {
        let server = kind.server().tool("search").tool("find").start().await;
        let mut client = client_era.connect_to(&server).await;

        assert_eq!(client.tool_names().await, ["search", "find"]);
        let response = client.call("find", json!({"q": "ü", "n": 1.50})).await;
        client_era.check(&response);
        assert_eq!(text_of(&response), r#"find {"n":1.5,"q":"ü"}"#);
    }
}

async fn upstream_errors_pass_unchanged(kind: Kind) {
    let error = r#"{"code":-32099,"message":"no \u00fc","data":{"n":1.50,"more":[ ]}}"#;
    let failed = r#"{"content":[],"isError":true,"_meta":{"x":1e2}"#;
    for client_era in CLIENTS {
        let server = kind
            .server()
            .tool("fails")
            .tool("refused")
            .reply_with(move |call| {
                let id = String::from_utf8(call.id_bytes().unwrap()).unwrap();
                match call.tool().as_str() {
                    "refused" => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
                    _ => format!(r#"{failed},"resultType":"complete"}}"#),
                }
                .into_bytes()
            });
        let server = server.start().await;
        let mut client = client_era.connect_to(&server).await;

        let call = |id: u32, name: &str| {
            let params = match client_era {
                Client::Legacy => json!({"name": name}),
                Client::Modern => proxy::with_meta(json!({"name": name})),
            };
            json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
        };
        let refused = client.exchange(call(91, "refused").to_string(), "91").await;
        let expected = format!(r#"{{"jsonrpc":"2.0","id":91,"error":{error}}}"#);
        let refused = String::from_utf8(refused).unwrap();
        assert_eq!(refused, expected, "{client_era:?}");

        let answer = client.exchange(call(92, "fails").to_string(), "92").await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(failed), "{client_era:?}: {answer}");
    }
}

async fn unlisted_tool_is_rejected_without_an_upstream_request(kind: Kind) {
    for client_era in CLIENTS {
        let server = kind.server().tool("search").start().await;
        let mut client = client_era.connect_to(&server).await;

        let response = client.call("other", json!({})).await;
        assert_eq!(response["error"]["code"], -32602, "{response}");
        let requests = server.raw.requests();
        assert!(!requests.iter().any(|request| request.is("tools/call")));
    }
}

async fn modern_metadata_reaches_modern_upstreams_only(kind: Kind) {
    let meta = |call: &[u8]| {
        let mut call: Value = serde_json::from_slice(call).unwrap();
        call["params"]["_meta"].take()
    };
    for client_era in CLIENTS {
        let server = kind.server().tool("search").start().await;
        let mut client = client_era.connect_to(&server).await;
        let own = json!({"example.com/trace": "t-1", "progressToken": 7});
        let params = json!({"name": "search", "_meta": own});
        client.request_in_era("tools/call", params).await;

        let meta = meta(&server.calls()[0]);
        let has = |key: &str| !meta[format!("io.modelcontextprotocol/{key}")].is_null();
        for key in ["protocolVersion", "clientInfo", "clientCapabilities"] {
            let expected = kind == Kind::Modern;
            assert_eq!(has(key), expected, "{client_era:?} {key}: {meta}");
        }
        assert_eq!(meta["example.com/trace"], "t-1", "{client_era:?}");
        assert_eq!(meta["progressToken"], 7, "{client_era:?}");
    }
}

#[tokio::test]
async fn official_servers_of_every_era_are_listed_and_called() {
    for client_era in CLIENTS {
        let servers = [
            ("legacy", sdk::legacy().await),
            ("modern", sdk::modern().await),
            ("modern", sdk::dual().await),
        ];
        for (era, server) in servers {
            let mut client = client_era.connect_to(&server).await;
            let mut names = client.tool_names().await;
            names.sort();
            assert_eq!(names, ["add", "echo", "slow"]);
            client.wait_for_stderr(era).await;

            let response = client.call("echo", json!({"text": "hello"})).await;
            client_era.check(&response);
            assert_eq!(text_of(&response), "hello");
            let response = client.call("add", json!({"a": 2, "b": 40})).await;
            assert_eq!(text_of(&response), "42");
            let response = client.call("add", json!({"a": "two"})).await;
            let failed = response["error"]["code"] == -32602;
            assert!(
                failed || response["result"]["isError"] == true,
                "{response}"
            );
        }
    }
}

#[tokio::test]
async fn upstreams_of_all_eras_serve_one_client_at_once() {
    for client_era in CLIENTS {
        let legacy = upstream::legacy().tool("old").start().await;
        let modern = upstream::modern().tool("new").start().await;
        let http_sse = upstream::http_sse().tool("oldest").start().await;
        let proxy = proxy::new()
            .upstream("a", &legacy)
            .upstream("b", &modern)
            .upstream("c", &http_sse);
        let mut client = proxy.start().await;
        if client_era == Client::Legacy {
            client.initialize().await;
        }

        let names = ["old", "new", "oldest"];
        assert_eq!(client.tool_names().await, names);
        for name in names {
            let response = client.call(name, json!({})).await;
            assert_eq!(text_of(&response), format!("{name} {{}}"));
        }
    }
}
