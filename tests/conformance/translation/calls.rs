//! Listings, the requests that use their items, and ping, progress and cancellation.

mod utilities;

use serde_json::{Value, json};

use crate::pairing::Pairing;
use crate::translation::pairing::{META_KEYS, meta_of};
use testkit::json::{bytes_of, part};
use testkit::proxy;
use testkit::raw::Request;
use testkit::upstream::{Builder, Upstream};
use utilities::*;

crate::translation::rows! {
    tools_list {
        legacy_to_legacy ("MCP 2025-11-25 § Tools, Listing Tools" => tools_differ_in_their_name_only)
        legacy_to_modern ("MCP 2026-07-28 § Tools, Listing Tools" => tools_differ_in_their_name_only)
        modern_to_legacy ("MCP 2026-07-28 § Tools, Listing Tools" => tools_differ_in_their_name_only)
        modern_to_modern ("MCP 2026-07-28 § Tools, Listing Tools" => tools_differ_in_their_name_only)
    }
    unusable_tools {
        legacy_to_legacy ("MCP 2025-11-25 § Tools, Tool" => tools_are_listed_with_any_schema)
        legacy_to_modern ("MCP 2026-07-28 § Tools, x-mcp-header" => tools_with_invalid_param_headers_are_omitted)
        modern_to_legacy ("MCP 2025-11-25 § Tools, Tool" => tools_are_listed_with_any_schema)
        modern_to_modern ("MCP 2026-07-28 § Tools, x-mcp-header" => tools_with_invalid_param_headers_are_omitted)
    }
    tools_call {
        legacy_to_legacy ("MCP 2025-11-25 § Tools, Calling Tools" => calls_reach_their_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Tools, Calling Tools" => calls_reach_their_upstream)
        modern_to_legacy ("MCP 2025-11-25 § Tools, Calling Tools" => calls_reach_their_upstream)
        modern_to_modern ("MCP 2026-07-28 § Tools, Calling Tools" => calls_reach_their_upstream)
    }
    prompts_get {
        legacy_to_legacy ("MCP 2025-11-25 § Prompts, Getting a Prompt" => prompts_are_read_from_their_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Prompts, Getting a Prompt" => prompts_are_read_from_their_upstream)
        modern_to_legacy ("MCP 2025-11-25 § Prompts, Getting a Prompt" => prompts_are_read_from_their_upstream)
        modern_to_modern ("MCP 2026-07-28 § Prompts, Getting a Prompt" => prompts_are_read_from_their_upstream)
    }
    resources_read {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Reading Resources" => resources_are_read_from_their_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Resources, Reading Resources" => resources_are_read_from_their_upstream)
        modern_to_legacy ("MCP 2025-11-25 § Resources, Reading Resources" => resources_are_read_from_their_upstream)
        modern_to_modern ("MCP 2026-07-28 § Resources, Reading Resources" => resources_are_read_from_their_upstream)
    }
    completion {
        legacy_to_legacy ("MCP 2025-11-25 § Completion, Requesting Completions" => completions_reach_their_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Completion, Requesting Completions" => completions_reach_their_upstream)
        modern_to_legacy ("MCP 2025-11-25 § Completion, Requesting Completions" => completions_reach_their_upstream)
        modern_to_modern ("MCP 2026-07-28 § Completion, Requesting Completions" => completions_reach_their_upstream)
    }
    lists {
        legacy_to_legacy ("MCP 2025-11-25 § Resources, Listing Resources" => listings_are_merged)
        legacy_to_modern ("MCP 2026-07-28 § Resources, Listing Resources" => listings_are_merged)
        modern_to_legacy ("MCP 2026-07-28 § Resources, Listing Resources" => listings_are_merged)
        modern_to_modern ("MCP 2026-07-28 § Resources, Listing Resources" => listings_are_merged)
    }
    ping {
        legacy_to_legacy ("MCP 2025-11-25 § Ping, Behavior Requirements" => ping_is_answered_by_the_proxy)
        legacy_to_modern ("MCP 2025-11-25 § Ping, Behavior Requirements" => ping_is_answered_by_the_proxy)
        modern_to_legacy ("MCP 2026-07-28 § Key Changes, Major changes" => ping_is_an_unknown_method)
        modern_to_modern ("MCP 2026-07-28 § Key Changes, Major changes" => ping_is_an_unknown_method)
    }
    ping_of_the_server {
        legacy_to_legacy ("MCP 2025-11-25 § Ping, Behavior Requirements" => ping_of_the_upstream_is_answered_by_the_proxy)
        legacy_to_modern ["a modern upstream sends no requests"]
        modern_to_legacy ("MCP 2025-11-25 § Ping, Behavior Requirements" => ping_of_the_upstream_is_answered_by_the_proxy)
        modern_to_modern ["a modern upstream sends no requests"]
    }
    progress {
        legacy_to_legacy ("MCP 2025-11-25 § Progress, Progress Flow" => progress_passes_before_the_response)
        legacy_to_modern ("MCP 2026-07-28 § Progress, Progress Flow" => progress_passes_before_the_response)
        modern_to_legacy ("MCP 2026-07-28 § Progress, Progress Flow" => progress_passes_before_the_response)
        modern_to_modern ("MCP 2026-07-28 § Progress, Progress Flow" => progress_passes_before_the_response)
    }
    progress_of_the_client {
        legacy_to_legacy ("MCP 2025-11-25 § Progress, Progress Flow" => progress_of_the_client_passes_unchanged)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Sending Messages" => progress_of_the_client_is_dropped)
        modern_to_legacy ["a modern client receives no requests"]
        modern_to_modern ["a modern client receives no requests"]
    }
    cancelled {
        legacy_to_legacy ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => cancellation_reaches_the_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Streamable HTTP, Cancellation" => cancellation_closes_the_stream)
        modern_to_legacy ("MCP 2025-11-25 § Cancellation, Cancellation Flow" => cancellation_reaches_the_upstream)
        modern_to_modern ("MCP 2026-07-28 § Streamable HTTP, Cancellation" => cancellation_closes_the_stream)
    }
    cancelled_by_the_server {
        legacy_to_legacy ("MCP 2025-11-25 § Cancellation, Behavior Requirements" => server_request_is_cancelled_by_the_upstream)
        legacy_to_modern ("MCP 2026-07-28 § Cancellation, Cancellation Flow" => subscription_cancelled_upstream_is_reopened)
        modern_to_legacy ("MCP 2026-07-28 § Cancellation, Cancellation Flow" => modern_client_receives_no_cancellation)
        modern_to_modern ("MCP 2026-07-28 § Cancellation, Cancellation Flow" => subscription_cancelled_upstream_is_reopened)
    }
}

const ALL: &str = r#"{"tools":{"listChanged":true},"prompts":{},"resources":{},"completions":{}}"#;

/// A tool definition with unusual formatting; its name is `NAME`.
const TOOL: &str = r#"{ "inputSchema":{"type":"object","x":1E2}, "name":"NAME" ,"execution":{"taskSupport":"optional"},"x":[ ]}"#;

async fn tools_differ_in_their_name_only(pairing: Pairing) {
    for (a, b) in pairing.servers().into_iter().zip(pairing.servers()) {
        let tool = TOOL.replace("NAME", "t");
        let a = a.tool_raw(&tool).tool("hidden").start().await;
        let b = b.tool_raw(&tool).start().await;
        let proxy = proxy::new().upstream("a", &a).upstream("b", &b);
        let proxy = proxy.extra("a", json!({"ignore_tools": ["HID*"]}));
        let mut client = proxy.start().await;
        pairing.handshake(&mut client, json!({})).await;
        let line = pairing.line("1", "tools/list", "", "");
        let line = client.exchange(line, "1").await;
        let listed = bytes_of(&line, &["result", "tools"]);
        let expected = format!("[{tool},{}]", TOOL.replace("NAME", "b__t"));
        assert_eq!(listed, expected);
    }
}

/// A tool whose parameter header has an invalid name.
const UNUSABLE: &str = r#"{"name":"unusable","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"a b"}}}}"#;

async fn tools_are_listed_with_any_schema(pairing: Pairing) {
    for builder in pairing.servers() {
        let server = builder.tool("t").tool_raw(UNUSABLE).start().await;
        let mut client = pairing.client(&server).await;
        assert_eq!(client.tool_names().await, ["t", "unusable"]);
    }
}

async fn tools_with_invalid_param_headers_are_omitted(pairing: Pairing) {
    let server = pairing.server().tool("t").tool_raw(UNUSABLE).start().await;
    let mut client = pairing.client(&server).await;
    assert_eq!(client.tool_names().await, ["t"]);
    client.wait_for_stderr("unusable").await;
}

/// Two upstreams with equal names: each has a tool `t`, a prompt `p`, a resource and a template.
async fn equal_upstreams(pairing: Pairing, change: impl Fn(Builder) -> Builder) -> [Upstream; 2] {
    let make = |name: &'static str| {
        let resource = format!(r#"{{"uri":"x://{name}","name":"x"}}"#);
        let template = format!(r#"{{"uriTemplate":"x://{name}/{{n}}","name":"x"}}"#);
        let server = pairing.server().capabilities(ALL).tool("t");
        let server = server
            .offers("prompts", [r#"{"name":"p"}"#])
            .offers("resources", [&*resource])
            .offers("resourceTemplates", [&*template]);
        change(server).start()
    };
    [make("a").await, make("b").await]
}

/// Sends a request and asserts that only `b` receives it. Returns the received request and the line
/// of the response.
async fn call_b(
    pairing: Pairing,
    [a, b]: &[Upstream; 2],
    method: &str,
    members: &str,
) -> (Request, Vec<u8>) {
    let mut client = pairing.client_of_two(a, b).await;
    let line = pairing.line(r#""\u0061/1""#, method, r#""x":1E2"#, members);
    let answer = client.exchange(line, r#""\u0061/1""#).await;
    assert!(a.requests_of(method).is_empty(), "{method}");
    let mut request = b.requests_of(method);
    assert_eq!(
        request.len(),
        1,
        "{method}: {}",
        String::from_utf8_lossy(&answer)
    );
    let request = request.remove(0);
    let meta = meta_of(&request);
    for key in &META_KEYS[..3] {
        assert_eq!(meta[key].is_null(), pairing.legacy_upstream(), "{meta}");
    }
    let name = request.header("mcp-name").is_some();
    assert!(!name || !pairing.legacy_upstream());
    (request, answer)
}

/// Asserts that the parameters and the result passed unchanged.
fn assert_passed(
    pairing: Pairing,
    (request, answer): &(Request, Vec<u8>),
    rest: &str,
    result: &str,
) {
    let params = String::from_utf8(request.params_bytes().unwrap()).unwrap();
    let end = format!("{rest}}}");
    assert!(params.ends_with(&end), "{params} does not end with {end}");
    let got = bytes_of(answer, &["result"]);
    let added = matches!(pairing, Pairing::ModernToLegacy);
    assert!(got.ends_with(&result[1..]), "{got} is not {result}");
    assert_eq!(got == result, !added, "{got} is not {result}");
    let kind = part(answer, &["result", "resultType"]);
    assert_eq!(kind.is_some(), !pairing.legacy_client());
}

async fn calls_reach_their_upstream(pairing: Pairing) {
    let result = r#"{ "content":[ ],"x":1E2RT}"#;
    let result = typed_result(pairing, result);
    let answer = result.clone();
    let upstreams = equal_upstreams(pairing, move |server| {
        let answer = answer.clone();
        server.reply_with(move |_| answer.clone().into_bytes())
    });
    let members = r#""name":"b__t" , "arguments":{ "x":1.0,"x":"\u00e9"},"y":null"#;
    let passed = call_b(pairing, &upstreams.await, "tools/call", members).await;
    assert_passed(pairing, &passed, &members.replace("b__t", "t"), &result);
}

/// A result with the `resultType` of the upstream's era.
fn typed_result(pairing: Pairing, result: &str) -> String {
    // Legacy results have no `resultType`; a legacy client does not need it from a modern upstream.
    let kind = match pairing {
        Pairing::ModernToModern => r#", "resultType":"complete""#,
        _ => "",
    };
    result.replace("RT", kind)
}

async fn prompts_are_read_from_their_upstream(pairing: Pairing) {
    let result = typed_result(pairing, r#"{ "messages":[ ],"x":1E2RT}"#);
    let upstreams = equal_upstreams(pairing, |server| server.result("prompts/get", &result)).await;
    let names = prompt_names(pairing, &upstreams).await;
    let members = format!(r#""name":"{}" , "arguments":{{ "x":"\u00e9"}}"#, names[1]);
    let passed = call_b(pairing, &upstreams, "prompts/get", &members).await;
    assert_passed(pairing, &passed, &members.replace(&names[1], "p"), &result);
}

/// The names of the prompts in the client's listing.
async fn prompt_names(pairing: Pairing, [a, b]: &[Upstream; 2]) -> Vec<String> {
    let mut client = pairing.client_of_two(a, b).await;
    let response = client.request_in_era("prompts/list", json!({})).await;
    let prompts = response["result"]["prompts"].as_array().unwrap();
    let name = |prompt: &Value| prompt["name"].as_str().unwrap().to_owned();
    prompts.iter().map(name).collect()
}

async fn resources_are_read_from_their_upstream(pairing: Pairing) {
    let hints = r#"{ "contents":[ ],"x":1E2,"ttlMs":9,"cacheScope":"private"RT}"#;
    let result = typed_result(pairing, hints);
    let upstreams =
        equal_upstreams(pairing, |server| server.result("resources/read", &result)).await;
    let members = r#""uri":"x:\/\/b""#;
    let passed = call_b(pairing, &upstreams, "resources/read", members).await;
    assert_passed(pairing, &passed, members, &result);
}

async fn completions_reach_their_upstream(pairing: Pairing) {
    let result = typed_result(pairing, r#"{ "completion":{"values":[ "\u00e9"]}RT}"#);
    let make = async || {
        equal_upstreams(pairing, |server| {
            server.result("completion/complete", &result)
        })
        .await
    };
    let argument = r#""argument":{"name":"n" ,"value":"\u00e9"}"#;
    let servers = make().await;
    let names = prompt_names(pairing, &servers).await;
    let of_prompt = format!(
        r#""ref":{{"type":"ref/prompt", "name":"{}"}},{argument}"#,
        names[1]
    );
    let passed = call_b(pairing, &servers, "completion/complete", &of_prompt).await;
    assert_passed(
        pairing,
        &passed,
        &of_prompt.replace(&names[1], "p"),
        &result,
    );
    let of_template = format!(r#""ref":{{"type":"ref/resource","uri":"x://b/{{n}}"}},{argument}"#);
    let passed = call_b(pairing, &make().await, "completion/complete", &of_template).await;
    assert_passed(pairing, &passed, &of_template, &result);
}

async fn listings_are_merged(pairing: Pairing) {
    let [a, b] = equal_upstreams(pairing, |server| server).await;
    let mut client = pairing.client_of_two(&a, &b).await;
    for (method, member, key, listed) in [
        ("prompts/list", "prompts", "name", ["p", "b__p"]),
        ("resources/list", "resources", "uri", ["x://a", "x://b"]),
        (
            "resources/templates/list",
            "resourceTemplates",
            "uriTemplate",
            ["x://a/{n}", "x://b/{n}"],
        ),
    ] {
        let response = client.request_in_era(method, json!({})).await;
        let items = response["result"][member].as_array().unwrap();
        let found: Vec<_> = items.iter().map(|item| &item[key]).collect();
        assert_eq!(found, listed, "{method}");
        let hints = ["resultType", "ttlMs", "cacheScope"].map(|hint| &response["result"][hint]);
        let modern = !pairing.legacy_client();
        assert!(
            hints.iter().all(|hint| hint.is_null() != modern),
            "{response}"
        );
    }
}
