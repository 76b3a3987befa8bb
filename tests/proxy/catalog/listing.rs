//! Listings are read page by page, and filtered as the configuration says.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use testkit::json::{answer, text_of};
use testkit::raw::Reply;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    all_pages_of_all_listings_are_merged
    listing_with_a_repeated_cursor_ends
}

const NAMES: [&str; 7] = ["g", "f", "e", "d", "c", "b", "a"];

async fn all_pages_of_all_listings_are_merged(kind: Kind) {
    for page_size in [1, 3, 7, 100] {
        let server = kind.server();
        let server = NAMES.iter().fold(server, |server, name| server.tool(name));
        let server = server.page_size(page_size).start().await;
        let other = upstream::modern().tool("x").tool("y").page_size(1);
        let other = other.start().await;
        let proxy = proxy::new().upstream("a", &server).upstream("b", &other);
        let mut client = proxy.start().await;

        let names = client.tool_names().await;
        assert_eq!(names[..7], NAMES, "{page_size} a page");
        assert_eq!(names[7..], ["x", "y"]);
        let pages = server.requests_of("tools/list").len();
        assert_eq!(pages, NAMES.len().div_ceil(page_size));
        let response = client.call("a", json!({})).await;
        assert_eq!(text_of(&response), "a {}");
    }
}

async fn listing_with_a_repeated_cursor_ends(kind: Kind) {
    let endless = r#"{"tools":[{"name":"t","inputSchema":{}}],"nextCursor":"again"}"#;
    let server = kind.server().result("tools/list", endless).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;

    assert_eq!(client.tool_names().await, ["t"]);
    let pages = server.requests_of("tools/list").len();
    assert!(pages <= 3, "{pages} pages");
}

#[tokio::test]
async fn listing_with_endless_cursors_ends_and_delays_no_other() {
    let page = AtomicUsize::new(0);
    let endless = upstream::legacy().intercept(move |request| {
        request.is("tools/list").then(|| {
            let page = page.fetch_add(1, Ordering::Relaxed);
            let tool = json!({"name": "t", "inputSchema": {}});
            let result = json!({"tools": [tool], "nextCursor": format!("page {page}")});
            Reply::json(answer(request, &result))
        })
    });
    let (endless, good) = (endless.start().await, upstream::modern().tool("good"));
    let good = good.start().await;
    let proxy = proxy::new().upstream("a", &endless).upstream("b", &good);
    let mut client = proxy.start().await;
    client.initialize().await;

    client.wait_for_tools(&["t", "good"]).await;
    let response = client.call("good", json!({})).await;
    assert_eq!(text_of(&response), "good {}");
}

#[tokio::test]
async fn upstream_without_tools_is_connected() {
    let bare = upstream::legacy().intercept(|request| {
        request.is("tools/list").then(|| {
            let id = String::from_utf8(request.id_bytes().unwrap()).unwrap();
            let error = r#"{"code":-32601,"message":"Method not found"}"#;
            Reply::json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
        })
    });
    let (bare, good) = (bare.start().await, upstream::legacy().tool("good"));
    let good = good.start().await;
    let proxy = proxy::new().upstream("a", &bare).upstream("b", &good);
    let mut client = proxy.start().await;

    assert_eq!(client.tool_names().await, ["good"]);
    client.wait_for_stderr("tools=0 name=a").await;
    assert_eq!(bare.requests_of("initialize").len(), 1);
}

#[tokio::test]
async fn filters_decide_which_tools_are_listed_and_callable() {
    let cases = [
        (json!({"include_tools": ["GET_*"]}), vec!["get_a", "Get_B"]),
        (
            json!({"ignore_tools": ["*_b"]}),
            vec!["get_a", "set_a", "other"],
        ),
        (
            json!({"include_tools": ["*_?"], "ignore_tools": ["get_B"]}),
            vec!["get_a", "set_a"],
        ),
        (json!({"include_tools": ["none"]}), vec![]),
        (
            json!({"include_tools": [], "ignore_tools": []}),
            vec!["get_a", "Get_B", "set_a", "other"],
        ),
        (
            json!({"include_tools": ["*"], "ignore_tools": ["*"]}),
            vec![],
        ),
    ];
    let all = ["get_a", "Get_B", "set_a", "other"];
    for (filter, expected) in cases {
        let server = all.iter().fold(upstream::legacy(), |s, name| s.tool(name));
        let server = server.page_size(2).start().await;
        let proxy = proxy::new().upstream("a", &server);
        let mut client = proxy.extra("a", filter.clone()).start().await;

        assert_eq!(client.tool_names().await, expected, "{filter}");
        for name in all {
            let response = client.call(name, json!({})).await;
            match expected.contains(&name) {
                true => assert_eq!(text_of(&response), format!("{name} {{}}")),
                false => assert_eq!(response["error"]["code"], -32602, "{name}"),
            }
        }
        assert_eq!(server.calls().len(), expected.len(), "{filter}");
    }
}

#[tokio::test]
async fn filter_applies_to_native_names_of_its_own_upstream() {
    let first = upstream::legacy().tool("search").tool("find").start().await;
    let second = upstream::modern().tool("search").tool("find").start().await;
    let proxy = proxy::new()
        .upstream("a", &first)
        .upstream("b", &second)
        .extra("b", json!({"include_tools": ["search"]}));
    let mut client = proxy.start().await;
    assert_eq!(client.tool_names().await, ["search", "find", "b__search"]);
}

#[tokio::test]
async fn filtered_tool_reserves_no_name() {
    let first = upstream::legacy().tool("search").tool("find").start().await;
    let second = upstream::legacy().tool("search").start().await;
    let proxy = proxy::new()
        .upstream("a", &first)
        .upstream("b", &second)
        .extra("a", json!({"ignore_tools": ["SEARCH"]}));
    let mut client = proxy.start().await;
    assert_eq!(client.tool_names().await, ["find", "search"]);
    client.call("search", json!({})).await;
    assert_eq!((first.calls().len(), second.calls().len()), (0, 1));
}
