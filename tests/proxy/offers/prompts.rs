//! `prompts/get`: the right upstream, by the name that it knows.

use serde_json::json;

use crate::offers::{LISTS, asked, error_to, exchange, listed, offering, result_line};
use testkit::raw::Reply;
use testkit::upstream::Kind;
use testkit::{proxy, upstream};

testkit::per_kind! {
    only_the_name_of_a_colliding_prompt_changes_on_its_way
    a_prompt_can_be_got_before_any_was_listed
    an_unknown_prompt_is_refused_by_its_name_and_reaches_nobody
    an_error_of_the_upstream_passes_as_it_is
}

// With HTTP+SSE the stream of the whole connection would break off.
testkit::per_kind! {
    [legacy modern]
    what_only_reads_is_sent_again_when_its_answer_breaks_off
}

/// A result with everything that a parser and a printer would change.
const ODD: &str = concat!(
    r#"{ "resultType":"complete","messages":[{"role":"user","content":{"type":"text","#,
    r#""text":"\u00fc\/ü"}} ],"n":[1.50,1e400,-0.0],"description" : "d"}"#
);
const ASK: &str = r#"{ "name":"\u0061sk","title":"T"}"#;

async fn only_the_name_of_a_colliding_prompt_changes_on_its_way(kind: Kind) {
    let first = offering(upstream::legacy()).offers("prompts", [r#"{"name":"ask"}"#]);
    let first = first.start().await;
    let server = offering(kind.server()).offers("prompts", [ASK]);
    let server = server.result("prompts/get", ODD).start().await;
    let proxy = proxy::new().upstream("a", &first).upstream("b", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    let renamed = r#"{ "name":"b__ask","title":"T"}"#;
    let expected = format!(r#"[{{"name":"ask"}},{renamed}]"#);
    assert_eq!(listed(&mut client, LISTS[0]).await, expected);

    let arguments = r#"{"name":"b__ask", "s":"\u00fc\/","n":"1.0" }"#;
    let params = |name: &str| format!(r#"{{ "arguments":{arguments} ,"x":1E2,"name" : {name}"#);
    let asking = format!("{}}}", params(r#""b__ask""#));
    let answer = exchange(&mut client, "prompts/get", &asking).await;
    assert_eq!(answer, result_line(r#""prompts/get""#, ODD));
    let request = server
        .raw
        .wait_for(|request| request.is("prompts/get"))
        .await;
    let got = String::from_utf8(request.params_bytes().unwrap()).unwrap();
    match kind {
        Kind::Modern => {
            assert!(got.starts_with(r#"{"_meta":"#), "{got}");
            let end = &params(r#""\u0061sk""#)[1..];
            assert!(got.ends_with(&format!("{end}}}")), "{got}");
        }
        _ => assert_eq!(got, format!("{}}}", params(r#""\u0061sk""#))),
    }
    assert_eq!(request.argument_bytes().unwrap(), arguments.as_bytes());
    assert_eq!(asked(&first, "prompts/get").len(), 0);
    assert_eq!(asked(&server, "prompts/get").len(), 1);
}

async fn a_prompt_can_be_got_before_any_was_listed(kind: Kind) {
    let server = offering(kind.server()).offers("prompts", [ASK]);
    let server = server.result("prompts/get", ODD).start().await;
    let mut client = proxy::before(&server).await;
    let asking = r#"{"name":"ask"}"#;
    for _ in 0..2 {
        let answer = exchange(&mut client, "prompts/get", asking).await;
        assert_eq!(answer, result_line(r#""prompts/get""#, ODD));
    }
    assert_eq!(asked(&server, "prompts/list").len(), 1);
}

async fn an_unknown_prompt_is_refused_by_its_name_and_reaches_nobody(kind: Kind) {
    let server = offering(kind.server())
        .offers("prompts", [ASK])
        .start()
        .await;
    let mut client = proxy::before(&server).await;
    for name in ["a__ask", "Ask", "nö", ""] {
        let refused = client
            .request_in_era("prompts/get", json!({"name": name}))
            .await;
        assert_eq!(refused["error"]["code"], -32602);
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{name}`")), "{message}");
    }
    for params in ["{}", r#"{"name":7}"#, r#"{"name":"ask","name":"ask"}"#] {
        let refused = exchange(&mut client, "prompts/get", params).await;
        assert!(refused.contains("-32602"), "{params}: {refused}");
    }
    assert_eq!(asked(&server, "prompts/get").len(), 0);
}

async fn an_error_of_the_upstream_passes_as_it_is(kind: Kind) {
    let error = r#"{ "code":-32602.0,"message":"\u00fc", "data":{"argument" : null}}"#;
    let server = offering(kind.server()).offers("prompts", [ASK]);
    let server = server.answers("prompts/get", move |request| error_to(request, error));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let answer = exchange(&mut client, "prompts/get", r#"{"name":"ask"}"#).await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"prompts/get","error":{error}}}"#);
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_modern_upstream_is_told_the_native_name_in_the_headers() {
    let prompts = [r#"{"name":"ask"}"#, r#"{"name":"fr\u00e4ge"}"#];
    let first = offering(upstream::legacy()).offers("prompts", prompts);
    let first = first.start().await;
    let server = offering(upstream::modern()).offers("prompts", prompts);
    let server = server.result("prompts/get", ODD).start().await;
    let proxy = proxy::new().upstream("a", &first).upstream("b", &server);
    let mut client = proxy.start().await;
    client.initialize().await;
    let names = listed(&mut client, LISTS[0]).await;
    let names: Vec<serde_json::Value> = serde_json::from_str(&names).unwrap();
    for (index, header) in [(2, "ask"), (3, "=?base64?ZnLDpGdl?=")] {
        let params = json!({"name": names[index]["name"]}).to_string();
        let answer = exchange(&mut client, "prompts/get", &params).await;
        assert_eq!(answer, result_line(r#""prompts/get""#, ODD));
        let request = asked(&server, "prompts/get").pop().unwrap();
        assert_eq!(request.header("mcp-method"), Some("prompts/get"));
        assert_eq!(request.header("mcp-name"), Some(header));
    }
}

async fn what_only_reads_is_sent_again_when_its_answer_breaks_off(kind: Kind) {
    let cuts = std::sync::Mutex::new(vec!["prompts/get", "resources/read"]);
    let server = offering(kind.server()).offers("prompts", [ASK]);
    let server = server
        .result("prompts/get", ODD)
        .result("resources/read", ODD)
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
        let answer = exchange(&mut client, method, params).await;
        let expected = result_line(&format!(r#""{method}""#), ODD);
        assert_eq!(answer, expected);
        assert_eq!(asked(&server, method).len(), 2, "{method}");
    }
}
