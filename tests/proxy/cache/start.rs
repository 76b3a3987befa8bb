//! The first listing after a start, while servers are not there or not ready.

use serde_json::json;

use crate::cache::{hang, learn, told};
use testkit::gate::Gate;
use testkit::json::text_of;
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream::{self, Kind, tool};

testkit::per_kind! {
    cached_tools_are_listed_byte_for_byte_while_server_hangs
    tools_that_have_changed_meanwhile_are_announced_once
}

/// Longer than any test may take: who waits for this fails.
const NEVER: &str = "1h";

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
    let hole = hang(&server).await;

    let mut client = proxy().env("PROXY_STARTUP_WAIT", NEVER).start().await;
    client.initialize().await;
    let second = client.exchange(list, r#""l""#).await;
    assert_eq!(
        String::from_utf8(second).unwrap(),
        String::from_utf8(first).unwrap()
    );
    assert_eq!(told(&client, "tools"), 0);
    drop(hole);
}

#[tokio::test]
async fn nothing_is_waited_for_that_is_remembered() {
    // It shakes hands and never lists its tools again: it would be waited for as long as may be.
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
    learn(proxy()).await;
    gate.close();

    let mut client = proxy().env("PROXY_STARTUP_WAIT", NEVER).start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["slow", "quick"]);
    let answer = client.call("slow", json!({"n": 1})).await;
    assert_eq!(text_of(&answer), r#"slow {"n":1}"#);
}

#[tokio::test]
async fn one_black_hole_among_ten_is_listed_at_once_with_the_others() {
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
        proxy.home(&home).env("PROXY_STARTUP_WAIT", NEVER)
    };
    learn(proxy()).await;
    let hole = hang(&servers[4]).await;

    let mut client = proxy().start().await;
    client.initialize().await;
    let names = client.tool_names().await;
    let expected: Vec<_> = (0..10).map(|at| format!("t{at}")).collect();
    assert_eq!(names, expected);
    drop(hole);
}

#[tokio::test]
async fn names_are_stable_while_the_first_upstream_is_away_and_back() {
    let mut first = upstream::legacy().tool("search").tool("own").start().await;
    let second = upstream::modern().tool("search").start().await;
    let home = proxy::home();
    let proxy = || {
        let proxy = proxy::new().home(&home).upstream("one", &first);
        proxy.upstream("two", &second)
    };
    learn(proxy()).await;
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
    assert_eq!(told(&client, "tools"), 0);
}

async fn tools_that_have_changed_meanwhile_are_announced_once(kind: Kind) {
    let mut server = kind.server().tool("old").tool("stays").start().await;
    let home = proxy::home();
    let proxy = proxy::new().home(&home).upstream("a", &server);
    learn(proxy).await;
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
    assert_eq!(told(&client, "tools"), 1);
    assert!(client.close().await.success());

    // And that is what is remembered from now on.
    server.raw.stop().await;
    let proxy = proxy::new().home(&home).upstream("a", &server);
    let mut client = proxy.start().await;
    assert_eq!(client.tool_names().await, ["stays", "new"]);
}

#[tokio::test]
async fn one_that_speaks_another_era_now_is_called_in_its_own_way() {
    // Of a modern server the argument goes into a header as well.
    let tool = r#"{"name":"t","inputSchema":{"type":"object","properties":{"q":{"type":"string","x-mcp-header":"Q"}}}}"#;
    let old = upstream::legacy().tool_raw(tool).start().await;
    let home = proxy::home();
    learn(proxy::new().home(&home).upstream("a", &old)).await;
    old.raw.stop().await;
    let new = upstream::modern()
        .tool_raw(tool)
        .start_at(old.raw.address());

    let mut client = proxy::new().home(&home).upstream("a", &old).start().await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["t"]);
    client.wait_for_stderr("era=\"modern\"").await;
    client.call("t", json!({"q": "x"})).await;
    let call = new.asked("tools/call").await;
    assert_eq!(call.header("mcp-param-q"), Some("x"));
    assert_eq!(new.asks("tools/call").len(), 1);
}

#[tokio::test]
async fn a_tool_that_nobody_remembers_is_waited_for() {
    let gate = Gate::closed();
    let server = upstream::legacy().tool("old").holding(&gate, lists_tools);
    let server = server.start().await;
    let home = proxy::home();
    let proxy = || proxy::new().home(&home).upstream("a", &server);
    gate.open();
    learn(proxy()).await;
    gate.close();
    server.set_tools([&*tool("new")]);

    let mut client = proxy().env("PROXY_STARTUP_WAIT", NEVER).start().await;
    client.initialize().await;
    let call = client.send_call("new", json!({})).await;
    assert_eq!(client.tool_names().await, ["old"]);
    gate.open();
    assert_eq!(text_of(&client.response(call).await), "new {}");
}
