//! Tool definitions pass byte for byte. Only the name changes, if two upstreams have the same.

use serde_json::json;

use testkit::json::{bytes_of, text_of};
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    tool_definition_passes_byte_for_byte
    only_the_name_changes_in_a_renamed_definition
    multi_line_definition_is_sent_on_one_line
}

/// A definition that parsing and printing would change.
const ODD: &str = concat!(
    r#"{ "x-first":1.50,"name" : "odd", "description":"\u00fc\/ü \ud83d\ude00 \"name\":\"odd\"","#,
    r#""inputSchema":{"type":"object","properties":{"name":{"const":"odd"},"n":{"maximum":1e400,"#,
    r#""default":-0.0,"multipleOf":1E-2},"big":{"const":12345678901234567890123}} ,"required":[ ]},"#,
    r#""outputSchema":{"type":"object","$defs":{"name":true}},"annotations":{"title":"T","readOnlyHint":true},"#,
    r#""execution":{"taskSupport":"optional"},"_meta":{"name":"odd","a.b/c":null},"zz":[{},[]]}"#,
);

/// The line of stdout with the response to `tools/list`.
async fn tools_list_line(client: &mut proxy::Client) -> String {
    let line = client.exchange(
        r#"{"jsonrpc":"2.0","id":"list","method":"tools/list"}"#,
        r#""list""#,
    );
    String::from_utf8(line.await).unwrap()
}

async fn tool_definition_passes_byte_for_byte(kind: Kind) {
    let server = kind.server().tool("before").tool_raw(ODD).tool("after");
    let server = server.start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;

    let expected = format!(
        r#"{{"jsonrpc":"2.0","id":"list","result":{{"tools":[{},{ODD},{}]}}}}"#,
        upstream::tool("before"),
        upstream::tool("after")
    );
    assert_eq!(tools_list_line(&mut client).await, expected);
}

async fn only_the_name_changes_in_a_renamed_definition(kind: Kind) {
    let server = kind.server();
    let first = upstream::legacy().tool("odd").start().await;
    let server = server.tool_raw(ODD).start().await;
    let proxy = proxy::new().upstream("a", &first).upstream("b", &server);
    let mut client = proxy.start().await;
    client.initialize().await;

    let expected = ODD.replacen(r#""name" : "odd""#, r#""name" : "b__odd""#, 1);
    let listing = tools_list_line(&mut client).await;
    assert!(listing.contains(&expected), "{listing}");
    let response = client.call("b__odd", json!({})).await;
    assert_eq!(text_of(&response), "odd {}");
}

async fn multi_line_definition_is_sent_on_one_line(kind: Kind) {
    let pretty = "{\n  \"name\": \"pretty\",\r\n\t\"inputSchema\": {\n }\n}";
    let server = kind.server().tool_raw(pretty).start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    client.initialize().await;
    client.wait_for_tools(&["pretty"]).await;
    let listing = tools_list_line(&mut client).await;
    // A line break between tokens may become a space.
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    let found = dense(&listing).contains(&dense(pretty));
    assert!(found, "{listing}");
    client.assert_every_line_is_json_rpc();
}

#[tokio::test]
async fn param_header_tool_is_listed_as_is_and_called_by_native_name() {
    let tool = concat!(
        r#"{"name":"find","inputSchema":{"type":"object","#,
        r#""properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}"#
    );
    let first = upstream::legacy().tool_raw(tool).start().await;
    let second = upstream::modern().tool_raw(tool).start().await;
    let proxy = proxy::new().upstream("a", &first).upstream("b", &second);
    let mut client = proxy.start().await;
    client.initialize().await;
    client.wait_for_tools(&["find", "b__find"]).await;

    let listing = tools_list_line(&mut client).await;
    let renamed = tool.replace(r#""find""#, r#""b__find""#);
    assert!(
        listing.contains(&format!("[{tool},{renamed}]")),
        "{listing}"
    );
    for name in ["find", "b__find"] {
        let response = client.call(name, json!({"region": "eu"})).await;
        assert_eq!(text_of(&response), r#"find {"region":"eu"}"#);
    }
    let call = |request: &testkit::raw::Request| request.is("tools/call");
    let call_of_first = first.raw.wait_for(call).await;
    assert_eq!(call_of_first.header("mcp-param-region"), None);
    let call_of_second = second.raw.wait_for(call).await;
    assert_eq!(call_of_second.header("mcp-param-region"), Some("eu"));
    assert_eq!(call_of_second.header("mcp-name"), Some("find"));
}

#[tokio::test]
async fn clients_of_both_eras_get_the_same_tools() {
    // The test cannot parse 1e400.
    let odd = ODD.replace("1e400", "1e300");
    let server = upstream::modern().tool_raw(&odd).tool("more").start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let modern = client.modern("tools/list", json!({})).await;
    let legacy = client.request("tools/list", json!({})).await;
    assert_eq!(modern["result"]["tools"], legacy["result"]["tools"]);
    // A modern result has a type and a cache lifetime.
    for (key, value) in [("resultType", "complete"), ("cacheScope", "private")] {
        assert_eq!(modern["result"][key], value, "{key}");
        assert!(legacy["result"][key].is_null(), "{key}");
    }
    assert!(modern["result"]["ttlMs"].is_u64());
}

/// Only the modern era allows output schemas and structured content that are no objects.
/// A legacy client rejects the whole list or result that contains one
/// (MCP 2026-07-28 § Tools, Structured Content; 2025-11-25 § Tools).
#[tokio::test]
async fn non_object_structured_content_is_hidden_from_legacy_client() {
    const WITH: &str = r#"{"content":[ ],"structuredContent":[1.0],"resultType":"complete"}"#;
    const WITHOUT: &str = r#"{"content":[ ],"resultType":"complete"}"#;
    let tool = r#"{"name":"a","outputSchema":{"type":"array"} ,"inputSchema":{"type":"object"}}"#;
    let reduced = r#"{"name":"a","inputSchema":{"type":"object"}}"#;
    for (server, listed, expected_result) in [
        (upstream::modern(), reduced, WITHOUT),
        // A legacy server breaks its own revision with this. The proxy does not correct it.
        (upstream::legacy(), tool, WITH),
    ] {
        let server = server.tool_raw(tool).result("tools/call", WITH);
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        client.initialize().await;
        let expected =
            format!(r#"{{"jsonrpc":"2.0","id":"list","result":{{"tools":[{listed}]}}}}"#);
        assert_eq!(tools_list_line(&mut client).await, expected);
        let call = r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"a"}}"#;
        let response = client.exchange(call, r#""c""#).await;
        assert_eq!(bytes_of(&response, &["result"]), expected_result);
        let modern = client.modern("tools/call", json!({"name": "a"})).await;
        assert_eq!(modern["result"]["structuredContent"], json!([1.0]));
        let modern = client.modern("tools/list", json!({})).await;
        assert_eq!(
            modern["result"]["tools"][0]["outputSchema"]["type"],
            "array"
        );
    }
}
