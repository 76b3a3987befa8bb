//! Public tool names follow from the configuration, not from the order of connections.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use testkit::json::{answer, text_of};
use testkit::raw::{Reply, event};
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    later_upstream_of_a_name_collision_prefixes_its_tools
    invalid_tool_names_are_mapped_and_routed_back
}

/// A server that sends its listing when the test opens the gate.
struct GatedServer {
    server: upstream::Upstream,
    gate: mpsc::Sender<Bytes>,
}

impl GatedServer {
    async fn start() -> Self {
        let (gate, listing) = mpsc::channel(1);
        let listing = Mutex::new(Some(listing));
        let server = upstream::legacy().tool("search").tool("own");
        let server = server.intercept(move |request| match request.is("tools/list") {
            true => listing.lock().unwrap().take().map(Reply::stream),
            false => None,
        });
        let server = server.start().await;
        Self { server, gate }
    }

    async fn open(&self, tools: &[&str]) {
        let list = |request: &testkit::raw::Request| request.is("tools/list");
        let request = self.server.raw.wait_for(list).await;
        let schema = json!({"type": "object"});
        let tools = tools.iter();
        let tools: Vec<_> = tools
            .map(|name| json!({"name": name, "inputSchema": schema}))
            .collect();
        let message = event(answer(&request, &json!({"tools": tools})));
        self.gate.send(message.into()).await.unwrap();
    }
}

#[tokio::test]
async fn tool_order_follows_the_configuration_not_connection_order() {
    let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]];
    for order in orders {
        let servers = [
            GatedServer::start().await,
            GatedServer::start().await,
            GatedServer::start().await,
        ];
        let names = ["one", "two", "three"];
        let mut proxy = proxy::new();
        for (name, gated) in names.iter().zip(&servers) {
            proxy = proxy.upstream(name, &gated.server);
        }
        let mut client = proxy.start().await;
        client.initialize().await;
        let id = client.send_request("tools/list", json!({})).await;
        for index in order {
            servers[index]
                .open(&["search", &format!("own{index}")])
                .await;
            let connected = format!("tools=2 name={}", names[index]);
            client.wait_for_stderr(&connected).await;
        }

        client.response(id).await;
        let expected = [
            "search",
            "own0",
            "two__search",
            "own1",
            "three__search",
            "own2",
        ];
        assert_eq!(client.tool_names().await, expected, "{order:?}");
        for (index, public) in ["search", "two__search", "three__search"]
            .iter()
            .enumerate()
        {
            client.call(public, json!({})).await;
            let calls = servers.each_ref().map(|gated| gated.server.calls().len());
            let mut expected = [0; 3];
            expected[..=index].fill(1);
            assert_eq!(calls, expected, "{order:?}: {public}");
        }
    }
}

#[tokio::test]
async fn early_call_waits_for_the_upstream_that_owns_the_name() {
    let (first, second) = (GatedServer::start().await, GatedServer::start().await);
    let proxy = proxy::new().upstream("one", &first.server);
    let mut client = proxy.upstream("two", &second.server).start().await;
    client.initialize().await;
    second.open(&["search"]).await;
    client.wait_for_stderr("tools=1 name=two").await;
    let id = client
        .send_request("tools/call", json!({"name": "search"}))
        .await;
    // The pong means that the proxy has read the call.
    client.request("ping", json!({})).await;
    first.open(&["search"]).await;

    assert!(client.response(id).await["result"].is_object());
    assert_eq!(first.server.calls().len(), 1);
    assert!(second.server.calls().is_empty());
}

async fn later_upstream_of_a_name_collision_prefixes_its_tools(kind: Kind) {
    let first = kind.server().tool("search").tool("first").start().await;
    let second = upstream::modern().tool("search").tool("second");
    let second = second.start().await;
    let third = upstream::legacy().tool("search").tool("two__search");
    let third = third.start().await;
    let proxy = proxy::new()
        .upstream("one", &first)
        .upstream("two", &second)
        .upstream("three", &third);
    let mut client = proxy.start().await;

    let names = client.tool_names().await;
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(names[..2], ["search", "first"]);
    assert_eq!(names[3..], ["second", "three__search", "two__search"]);
    // A generated name does not replace the native name of another tool.
    assert!(names[2].starts_with("two__search_"), "{names:?}");

    client.call(&names[2], json!({"n": 2})).await;
    client.call("two__search", json!({"n": 3})).await;
    let text = |bodies: Vec<Vec<u8>>| String::from_utf8(bodies.concat()).unwrap();
    let (second, third) = (text(second.calls()), text(third.calls()));
    assert!(second.contains(r#""name":"search""#), "{second}");
    assert!(third.contains(r#""name":"two__search""#), "{third}");
    assert_eq!(first.calls().len(), 0);
}

async fn invalid_tool_names_are_mapped_and_routed_back(kind: Kind) {
    let long = "long_".repeat(30);
    let natives = ["get.user", "get/user", "größe", "with space", long.as_str()];
    let server = kind.server();
    let server = natives.iter().fold(server, |s, name| s.tool(name));
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;

    let names = client.tool_names().await;
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), natives.len());
    for (public, native) in names.iter().zip(natives) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(public.chars().all(allowed), "{public}");
        assert!(public.len() <= 64, "{public}");
        let response = client.call(public, json!({})).await;
        assert_eq!(text_of(&response), format!("{native} {{}}"));
    }
}

#[tokio::test]
async fn same_configuration_gives_same_names_in_every_run() {
    let first = upstream::legacy().tool("a.b").tool("search").start().await;
    let second = upstream::legacy().tool("a.b").tool("search").start().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let proxy = proxy::new()
            .upstream("one", &first)
            .upstream("two", &second);
        runs.push(proxy.start().await.tool_names().await);
    }
    assert_eq!(runs[0].len(), 4);
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0], runs[2]);
}
