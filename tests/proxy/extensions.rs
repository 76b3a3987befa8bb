//! Requests that no revision of MCP defines reach the upstream that supports them, and no other.

use serde_json::json;

use testkit::proxy;
use testkit::raw::Reply;
use testkit::upstream::{self, Kind, Upstream};

testkit::per_kind! {
    extension_result_of_the_only_upstream_passes_unchanged
}

/// A result with unusual spelling and white space.
const RESULT: &str = r#"{ "skills":[ {"n" : 1.0e0} ],"resultType":"complete", "ttlMs":0 }"#;

/// The number of requests for `method` that a server received.
fn request_count(server: &Upstream, method: &str) -> usize {
    let requests = server.raw.requests();
    let matching = requests.iter().filter(|request| {
        let message: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        message["method"] == method
    });
    matching.count()
}

async fn extension_result_of_the_only_upstream_passes_unchanged(kind: Kind) {
    let server = kind.server().result("skills/list", RESULT).start().await;
    let mut client = proxy::before(&server).await;
    let request =
        r#"{"jsonrpc":"2.0","id":"s","method":"skills/list","params":{"q":1e2, "z" : [ ]}}"#;
    let response = client.exchange(request, r#""s""#).await;
    let expected = format!(r#""result":{RESULT}"#);
    let response = String::from_utf8(response.to_vec()).unwrap();
    assert!(response.contains(&expected), "{response}");
    assert_eq!(request_count(&server, "skills/list"), 1);
}

#[tokio::test]
async fn extension_request_goes_to_the_upstream_that_declares_it() {
    let capabilities = [
        r#"{"tools":{},"extensions":{"io.modelcontextprotocol/skills":{}}}"#,
        r#"{"tools":{},"skills":{}}"#,
    ];
    for declared in capabilities {
        let plain = upstream::modern().tool("a").start().await;
        let skilled = upstream::modern().tool("b").capabilities(declared);
        let skilled = skilled.result("skills/list", RESULT).start().await;
        let mut client = proxy::new()
            .upstream("plain", &plain)
            .upstream("skilled", &skilled)
            .start()
            .await;
        client.initialize().await;
        let response = client.request("skills/list", json!({})).await;
        assert_eq!(
            response["result"]["skills"],
            json!([{"n": 1.0}]),
            "{response}"
        );
        let response = client.request("paint/now", json!({})).await;
        assert_eq!(response["error"]["code"], -32601, "{response}");
        assert_eq!(request_count(&plain, "skills/list"), 0);
        assert_eq!(
            request_count(&plain, "paint/now") + request_count(&skilled, "paint/now"),
            0
        );
    }
}

#[tokio::test]
async fn mcp_methods_of_another_era_are_not_forwarded() {
    let server = upstream::modern().tool("a").start().await;
    let mut client = proxy::before(&server).await;
    for method in ["subscriptions/listen", "tasks/update", "tasks/get"] {
        let response = client.request(method, json!({})).await;
        assert_eq!(response["error"]["code"], -32601, "{response}");
        // The proxy's own listen has a filter.
        let requests = server.requests_of(method).into_iter();
        let mut passed =
            requests.filter(|request| request.json()["params"]["notifications"].is_null());
        assert!(passed.next().is_none());
    }
}

#[tokio::test]
async fn extension_request_with_a_lost_response_is_not_resent() {
    let server = upstream::legacy().intercept(|request| {
        let lost = request.body.windows(11).any(|part| part == b"skills/drop");
        lost.then(Reply::reset)
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let response = client.request("skills/drop", json!({})).await;
    assert_eq!(
        response["error"]["data"]["outcome"], "unknown",
        "{response}"
    );
    assert_eq!(request_count(&server, "skills/drop"), 1);
}
