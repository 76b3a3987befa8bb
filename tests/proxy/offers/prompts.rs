//! `prompts/get`: the upstream that has the prompt receives it, under its own name for the prompt.

use serde_json::json;

use crate::offers::{LISTS, error_response, list_items, result_line, with_empty_lists};
use testkit::raw::Reply;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    only_the_name_of_a_colliding_prompt_is_changed
    prompt_get_works_before_the_client_lists_prompts
    unknown_prompt_is_rejected_by_name_and_not_forwarded
    upstream_error_is_forwarded_unchanged
}

// HTTP+SSE is left out: there the broken stream is that of the whole connection.
testkit::per_kind! {
    [legacy modern]
    get_and_read_are_retried_when_the_response_breaks_off
}

/// A result that parsing and printing would change.
const UNUSUAL_RESULT: &str = concat!(
    r#"{ "resultType":"complete","messages":[{"role":"user","content":{"type":"text","#,
    r#""text":"\u00fc\/ü"}} ],"n":[1.50,1e400,-0.0],"description" : "d"}"#
);
const PROMPT: &str = r#"{ "name":"\u0061sk","title":"T"}"#;

async fn only_the_name_of_a_colliding_prompt_is_changed(kind: Kind) {
    let first = with_empty_lists(upstream::legacy()).offers("prompts", [r#"{"name":"ask"}"#]);
    let first = first.start().await;
    let server = with_empty_lists(kind.server()).offers("prompts", [PROMPT]);
    let server = server.result("prompts/get", UNUSUAL_RESULT).start().await;
    let proxy = proxy::new().upstream("a", &first).upstream("b", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    let renamed = r#"{ "name":"b__ask","title":"T"}"#;
    let expected = format!(r#"[{{"name":"ask"}},{renamed}]"#);
    assert_eq!(list_items(&mut client, LISTS[0]).await, expected);

    let arguments = r#"{"name":"b__ask", "s":"\u00fc\/","n":"1.0" }"#;
    let params = |name: &str| format!(r#"{{ "arguments":{arguments} ,"x":1E2,"name" : {name}"#);
    let get = format!("{}}}", params(r#""b__ask""#));
    let answer = client.exchange_request("prompts/get", &get).await;
    assert_eq!(answer, result_line(r#""prompts/get""#, UNUSUAL_RESULT));
    let request = server
        .raw
        .wait_for(|request| request.is("prompts/get"))
        .await;
    let forwarded = String::from_utf8(request.params_bytes().unwrap()).unwrap();
    match kind {
        Kind::Modern => {
            assert!(forwarded.starts_with(r#"{"_meta":"#), "{forwarded}");
            let end = &params(r#""\u0061sk""#)[1..];
            assert!(forwarded.ends_with(&format!("{end}}}")), "{forwarded}");
        }
        _ => assert_eq!(forwarded, format!("{}}}", params(r#""\u0061sk""#))),
    }
    assert_eq!(request.argument_bytes().unwrap(), arguments.as_bytes());
    assert_eq!(first.requests_of("prompts/get").len(), 0);
    assert_eq!(server.requests_of("prompts/get").len(), 1);
}

async fn prompt_get_works_before_the_client_lists_prompts(kind: Kind) {
    let server = with_empty_lists(kind.server()).offers("prompts", [PROMPT]);
    let server = server.result("prompts/get", UNUSUAL_RESULT).start().await;
    let mut client = proxy::before(&server).await;
    let get = r#"{"name":"ask"}"#;
    for _ in 0..2 {
        let answer = client.exchange_request("prompts/get", get).await;
        assert_eq!(answer, result_line(r#""prompts/get""#, UNUSUAL_RESULT));
    }
    assert_eq!(server.requests_of("prompts/list").len(), 1);
}

async fn unknown_prompt_is_rejected_by_name_and_not_forwarded(kind: Kind) {
    let server = with_empty_lists(kind.server())
        .offers("prompts", [PROMPT])
        .start()
        .await;
    let mut client = proxy::before(&server).await;
    for name in ["a__ask", "Ask", "nö", ""] {
        let rejected = client
            .request_in_era("prompts/get", json!({"name": name}))
            .await;
        assert_eq!(rejected["error"]["code"], -32602);
        let message = rejected["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{name}`")), "{message}");
    }
    for params in ["{}", r#"{"name":7}"#, r#"{"name":"ask","name":"ask"}"#] {
        let rejected = client.exchange_request("prompts/get", params).await;
        assert!(rejected.contains("-32602"), "{params}: {rejected}");
    }
    assert_eq!(server.requests_of("prompts/get").len(), 0);
}

async fn upstream_error_is_forwarded_unchanged(kind: Kind) {
    let error = r#"{ "code":-32602.0,"message":"\u00fc", "data":{"argument" : null}}"#;
    let server = with_empty_lists(kind.server()).offers("prompts", [PROMPT]);
    let server = server.answers("prompts/get", move |request| error_response(request, error));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let answer = client
        .exchange_request("prompts/get", r#"{"name":"ask"}"#)
        .await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"prompts/get","error":{error}}}"#);
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn modern_upstream_gets_its_own_prompt_name_in_the_headers() {
    let prompts = [r#"{"name":"ask"}"#, r#"{"name":"fr\u00e4ge"}"#];
    let first = with_empty_lists(upstream::legacy()).offers("prompts", prompts);
    let first = first.start().await;
    let server = with_empty_lists(upstream::modern()).offers("prompts", prompts);
    let server = server.result("prompts/get", UNUSUAL_RESULT).start().await;
    let proxy = proxy::new().upstream("a", &first).upstream("b", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    let names = list_items(&mut client, LISTS[0]).await;
    let names: Vec<serde_json::Value> = serde_json::from_str(&names).unwrap();
    for (index, header) in [(2, "ask"), (3, "=?base64?ZnLDpGdl?=")] {
        let params = json!({"name": names[index]["name"]}).to_string();
        let answer = client.exchange_request("prompts/get", &params).await;
        assert_eq!(answer, result_line(r#""prompts/get""#, UNUSUAL_RESULT));
        let request = server.requests_of("prompts/get").pop().unwrap();
        assert_eq!(request.header("mcp-method"), Some("prompts/get"));
        assert_eq!(request.header("mcp-name"), Some(header));
    }
}

async fn get_and_read_are_retried_when_the_response_breaks_off(kind: Kind) {
    let cuts = std::sync::Mutex::new(vec!["prompts/get", "resources/read"]);
    let server = with_empty_lists(kind.server()).offers("prompts", [PROMPT]);
    let server = server
        .result("prompts/get", UNUSUAL_RESULT)
        .result("resources/read", UNUSUAL_RESULT)
        .intercept(move |request| {
            let mut cuts = cuts.lock().unwrap();
            let cut = cuts.iter().position(|method| request.is(method))?;
            cuts.remove(cut);
            Some(Reply::cut(r#"{"jsonrpc""#))
        });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    for (method, params) in [
        ("prompts/get", r#"{"name":"ask"}"#),
        ("resources/read", r#"{"uri":"x://1"}"#),
    ] {
        let answer = client.exchange_request(method, params).await;
        let expected = result_line(&format!(r#""{method}""#), UNUSUAL_RESULT);
        assert_eq!(answer, expected);
        assert_eq!(server.requests_of(method).len(), 2, "{method}");
    }
}
