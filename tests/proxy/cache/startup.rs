//! The initial listing after a start, while servers are unavailable or slow.

use serde_json::json;

use crate::cache::{fill_cache, list_changes, replace_with_hanging};
use testkit::gate::Gate;
use testkit::json::text_of;
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream::{self, Kind, tool};

testkit::per_kind! {
    cached_tools_are_listed_byte_for_byte_while_server_hangs
    tools_changed_since_the_cache_are_notified_once
}

/// Longer than any test may take.
const FOREVER: &str = "1h";

fn lists_tools(request: &Request) -> bool {
    request.is("tools/list")
}

async fn cached_tools_are_listed_byte_for_byte_while_server_hangs(kind: Kind) {
    let odd = r#"{ "inputSchema" : {"type":"object","x":1.0E+2, "y":"é\u00e9\/"},"name":"odd\u002fname", "annotations":{"readOnlyHint":true},"new":[ 1,2 ] }"#;
    let server = kind.server().tool("plain").tool_raw(odd).start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    let list = r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#;
    let mut client = proxy().start().await;
    client.initialize().await;
    let first = client.exchange(list, r#""l""#).await;
    assert!(client.close().await.success());
    let _hanging = replace_with_hanging(&server).await;

    let mut client = proxy().env("PROXY_STARTUP_WAIT", FOREVER).start().await;
    client.initialize().await;
    let second = client.exchange(list, r#""l""#).await;
    assert_eq!(
        String::from_utf8(second).unwrap(),
        String::from_utf8(first).unwrap()
    );
    assert_eq!(list_changes(&client, "tools"), 0);
}

#[tokio::test]
async fn initial_listing_does_not_wait_for_cached_servers() {
    // The server completes the handshake but does not list its tools, so without a cache the proxy would wait.
    let gate = Gate::closed();
    let server = upstream::legacy().tool("slow").holding(&gate, lists_tools);
    let (server, other) = (server.start().await, upstream::modern().tool("quick"));
    let other = other.start().await;
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("a", &server);
        proxy.upstream("b", &other)
    };
    gate.open();
    fill_cache(proxy()).await;
    gate.close();

    let mut client = proxy().env("PROXY_STARTUP_WAIT", FOREVER).start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["slow", "quick"]);
    let answer = client.call("slow", json!({"n": 1})).await;
    assert_eq!(text_of(&answer), r#"slow {"n":1}"#);
}

#[tokio::test]
async fn one_hanging_server_of_ten_does_not_delay_the_listing() {
    let mut servers = Vec::new();
    for at in 0..10 {
        servers.push(upstream::legacy().tool(&format!("t{at}")).start().await);
    }
    let home = proxy::home();
    let proxy = || {
        let names = servers.iter().enumerate();
        let proxy = names.fold(proxy::new(), |proxy, (at, server)| {
            proxy.upstream(&format!("u{at}"), server)
        });
        proxy.home(&home).env("PROXY_STARTUP_WAIT", FOREVER)
    };
    fill_cache(proxy()).await;
    let _hanging = replace_with_hanging(&servers[4]).await;

    let mut client = proxy().start().await;
    client.initialize().await;
    let names = client.tool_names().await;
    let expected: Vec<_> = (0..10).map(|at| format!("t{at}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn names_are_stable_while_the_first_upstream_is_disconnected() {
    let mut first = upstream::legacy().tool("search").tool("own").start().await;
    let second = upstream::modern().tool("search").start().await;
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("one", &first);
        proxy.upstream("two", &second)
    };
    fill_cache(proxy()).await;
    first.raw.stop().await;

    let mut client = proxy().start().await;
    client.initialize().await;
    let names = ["search", "own", "two__search"];
    assert_eq!(client.tool_names().await, names);
    client.call("two__search", json!({})).await;
    assert_eq!(second.calls().len(), 1);
    first.restart();
    client.wait_for_stderr("tools=2 name=one").await;
    client.call("search", json!({})).await;
    assert_eq!(client.tool_names().await, names);
    assert_eq!((first.calls().len(), second.calls().len()), (1, 1));
    assert_eq!(list_changes(&client, "tools"), 0);
}

async fn tools_changed_since_the_cache_are_notified_once(kind: Kind) {
    let mut server = kind.server().tool("old").tool("stays").start().await;
    let home = proxy::home();
    let proxy = proxy::new().home(&home).upstream("a", &server);
    fill_cache(proxy).await;
    server.raw.stop().await;

    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["old", "stays"]);
    server.set_tools([&*tool("stays"), &*tool("new")]);
    server.restart();
    client
        .notification("notifications/tools/list_changed")
        .await;
    assert_eq!(client.tool_names().await, ["stays", "new"]);
    client.call("new", json!({})).await;
    assert_eq!(list_changes(&client, "tools"), 1);
    assert!(client.close().await.success());

    // The cache now has the new tools.
    server.raw.stop().await;
    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.start().await;
    assert_eq!(client.tool_names().await, ["stays", "new"]);
}

#[tokio::test]
async fn call_of_a_cached_tool_follows_the_new_era_of_its_server() {
    // For a modern server the argument is also sent as a header.
    let tool = r#"{"name":"t","inputSchema":{"type":"object","properties":{"q":{"type":"string","x-mcp-header":"Q"}}}}"#;
    let old = upstream::legacy().tool_raw(tool).start().await;
    let home = proxy::home();
    fill_cache(proxy::new().home(&home).upstream("a", &old)).await;
    old.raw.stop().await;
    let new = upstream::modern()
        .tool_raw(tool)
        .start_at(old.raw.address());

    let mut client = proxy::new().home(&home).upstream("a", &old).start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["t"]);
    client.wait_for_stderr("era=\"modern\"").await;
    client.call("t", json!({"q": "x"})).await;
    let call = new.wait_for_request("tools/call").await;
    assert_eq!(call.header("mcp-param-q"), Some("x"));
    assert_eq!(new.requests_of("tools/call").len(), 1);
}

#[tokio::test]
async fn call_of_an_uncached_tool_waits_for_the_live_listing() {
    let gate = Gate::closed();
    let server = upstream::legacy().tool("old").holding(&gate, lists_tools);
    let server = server.start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    gate.open();
    fill_cache(proxy()).await;
    gate.close();
    server.set_tools([&*tool("new")]);

    let mut client = proxy().env("PROXY_STARTUP_WAIT", FOREVER).start().await;
    client.initialize().await;
    let call = client.send_call("new", json!({})).await;
    assert_eq!(client.tool_names().await, ["old"]);
    gate.open();
    assert_eq!(text_of(&client.response(call).await), "new {}");
}
