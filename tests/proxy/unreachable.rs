//! Upstreams that cannot be reached are reported with a remedy, and do not affect the others.

use serde_json::json;
use testkit::raw::{self, Reply};
use testkit::{Endpoint, proxy, tls, upstream};

/// The URL of a port that refuses connections.
async fn closed_port() -> String {
    let server = raw::server(|_| async { Reply::hang() });
    server.stop().await;
    server.url()
}

/// The text of an error without its number, which differs between systems.
fn without_os_error_number(text: &str) -> String {
    match text.split_once(" (os error ") {
        Some((head, tail)) => format!("{head}{}", tail.split_once(')').unwrap().1),
        None => text.to_owned(),
    }
}

#[tokio::test]
async fn call_to_a_stopped_upstream_names_it_and_has_not_run() {
    let stopped = upstream::legacy().tool("pay").start().await;
    let good = upstream::legacy().tool("works").start().await;
    let mut client = proxy::new()
        .upstream("shop", &stopped)
        .upstream("good", &good)
        .env("PROXY_CONNECT_WAIT", "300ms")
        .start()
        .await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["pay", "works"]);
    stopped.raw.stop().await;
    let port = stopped.raw.address().port().to_string();
    let failed = client.call("pay", json!({})).await;
    let message = failed["error"]["message"].as_str().unwrap();
    let message = message.replace(&port, "PORT");
    let message = without_os_error_number(&message);
    let data = &failed["error"]["data"];
    let wait = data["retryAfterSeconds"].as_u64().unwrap();
    let message = message.replace(&format!("in {wait} s"), "in N s");
    insta::assert_snapshot!(message, @"`shop` did not answer `tools/call`: cannot connect to the server: error sending request: client error (Connect): tcp connect error: Connection refused; check its `url`, and that it is running (next attempt in N s)");
    assert_eq!(data["upstream"], "shop", "{failed}");
    assert_eq!(data["outcome"], "not run", "{failed}");
    assert!(client.call("works", json!({})).await["result"].is_object());
}

#[tokio::test]
async fn untrusted_certificate_is_reported_with_the_remedy() {
    let untrusted = upstream::modern().tool("pay").start_tls().await;
    let good = upstream::modern().tool("works").start().await;
    let mut client = proxy::new()
        .upstream("shop", &untrusted)
        .upstream("good", &good)
        .start()
        .await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["works"]);
    client.wait_for_stderr("not connected").await;
    let warning = client.stderr();
    let warning = warning.lines().find(|line| line.contains("not connected"));
    let warning = warning.unwrap().split(" retry_in").next().unwrap().trim();
    insta::assert_snapshot!(warning, @"WARN upstream: not connected error=cannot connect to the server: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer; if a company's CA signed its certificate, name that CA's PEM file in NODE_EXTRA_CA_CERTS");
    assert!(client.call("works", json!({})).await["result"].is_object());
    assert_eq!(untrusted.raw.requests().len(), 0);
}

#[tokio::test]
async fn certificate_turned_untrusted_fails_the_call_unsent() {
    let trusted = upstream::modern().tool("pay").start_tls().await;
    let mut client = proxy::new()
        .upstream("shop", &trusted)
        .env("SSL_CERT_FILE", trusted.authority().to_str().unwrap())
        .start()
        .await;
    client.initialize().await;
    assert_eq!(client.tool_names().await, ["pay"]);
    trusted.raw.stop().await;
    let other = tls::server_at(
        trusted.raw.address(),
        raw::handler_of(|_| async { Reply::hang() }),
    );
    let failed = client.call("pay", json!({})).await;
    insta::assert_snapshot!(failed["error"]["message"].as_str().unwrap(), @"`shop` did not answer `tools/call`: cannot connect to the server: error sending request: client error (Connect): invalid peer certificate: BadSignature; if a company's CA signed its certificate, name that CA's PEM file in NODE_EXTRA_CA_CERTS");
    let data = json!({"upstream": "shop", "outcome": "not run"});
    assert_eq!(failed["error"]["data"], data, "{failed}");
    assert_eq!(other.raw.requests().len(), 0);
}

#[tokio::test]
async fn three_unusable_upstreams_do_not_delay_the_other_two() {
    let refused = closed_port().await;
    let silent = raw::server(|_| async { Reply::hang() });
    let signed_out = raw::server(|_| async {
        let challenge = r#"Bearer resource_metadata="http://127.0.0.1/none""#;
        Reply::status(401).header("www-authenticate", challenge)
    });
    let (legacy, modern) = (upstream::legacy(), upstream::modern());
    let legacy = legacy.tool("one").tool("two").start().await;
    let modern = modern.tool("three").start().await;
    let mut client = proxy::new()
        .upstream("refused", &refused)
        .upstream("silent", &silent)
        .upstream("signed-out", &signed_out)
        .upstream("legacy", &legacy)
        .upstream("modern", &modern)
        .start()
        .await;
    client.initialize().await;
    // The listing waits for the silent upstream for a while. The calls do not.
    let list = client.send_request("tools/list", json!({})).await;
    for (name, text) in [("one", "one {}"), ("three", "three {}"), ("two", "two {}")] {
        let response = client.call(name, json!({})).await;
        assert_eq!(response["result"]["content"][0]["text"], text, "{response}");
    }
    let listed = client.response(list).await;
    let names = listed["result"]["tools"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    for part in ["name=refused", "name=signed-out"] {
        client.wait_for_stderr(part).await;
    }
    client.assert_every_line_is_json_rpc();
}
