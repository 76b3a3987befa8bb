//! `completion/complete`: which upstream receives it, and how its reference is rewritten.

use serde_json::{Value, json};

use crate::offers::{error_response, result_line, with_empty_lists};
use testkit::json::request_line;
use testkit::proxy::{self, Client};
use testkit::raw::Reply;
use testkit::upstream::{self, Builder, Kind, Upstream};

testkit::per_kind! {
    completion_reaches_its_owner_with_only_the_name_changed
    missing_repeated_or_unknown_reference_is_rejected
    completion_of_a_filtered_item_is_rejected
    upstream_error_is_forwarded_unchanged
}

// HTTP+SSE is left out: there the broken stream is that of the whole connection.
testkit::per_kind! {
    [legacy modern]
    completion_is_retried_when_its_response_breaks_off
}

const METHOD: &str = "completion/complete";

/// A result that parsing and printing would change.
const UNUSUAL_RESULT: &str =
    r#"{ "completion":{"values":["\u00fc\/ü"] ,"total":1.50,"hasMore" : false},"n":[1e400,-0.0]}"#;

/// A server that completes arguments of the prompt `ask` and of two resource templates.
fn completion_server(builder: Builder) -> Builder {
    let capabilities = r#"{"completions":{},"prompts":{},"resources":{}}"#;
    with_empty_lists(builder)
        .capabilities(capabilities)
        .offers("prompts", [r#"{"name":"\u0061sk"}"#])
        .offers("resources", [r#"{"uri":"x://1","name":"one"}"#])
        .offers(
            "resourceTemplates",
            [
                r#"{"uriTemplate":"logs:\/\/{day}","name":"diary"}"#,
                r#"{"uriTemplate":"db://{table}","name":"tables"}"#,
            ],
        )
        .result(METHOD, UNUSUAL_RESULT)
}

/// A legacy server with a prompt `ask` and a template that matches any URI.
async fn other_server() -> Upstream {
    with_empty_lists(upstream::legacy())
        .offers("prompts", [r#"{"name":"ask"}"#])
        .offers("resourceTemplates", [r#"{"uriTemplate":"{any}"}"#])
        .result(METHOD, "{}")
        .start()
        .await
}

/// Starts a proxy before both servers and returns its legacy client.
async fn legacy_client_of(first: &Upstream, second: &Upstream) -> Client {
    let proxy = proxy::new().upstream("a", first).upstream("b", second);
    let mut client = proxy.start().await;
    client.initialize().await;
    client
}

/// Parameters with unknown members and unusual spacing around this reference; `meta` is a member.
fn params(meta: &str, reference: &str) -> String {
    format!(
        r#"{{{meta} "x":1E2,"name":"b__ask","ref" : {{ "n":[ 0.10],{reference} ,"x":{{"name":"b__ask"}}}},"argument":{{"name":"b__ask","value":"\u00fc\/"}} ,"context":{{"arguments":{{"n":"1.0"}} }}}}"#
    )
}

async fn completion_reaches_its_owner_with_only_the_name_changed(kind: Kind) {
    // The reference as the client sends it, and as the upstream receives it.
    let references = [
        (
            r#""name":"b__ask" , "type":"ref\/prompt""#,
            r#""name":"\u0061sk" , "type":"ref\/prompt""#,
        ),
        (
            r#""type":"ref/resource","uri" : "logs:\/\/{day}""#,
            r#""type":"ref/resource","uri" : "logs:\/\/{day}""#,
        ),
        (
            r#""uri":"db://users","type":"ref/resource","name":"b__ask""#,
            r#""uri":"db://users","type":"ref/resource","name":"b__ask""#,
        ),
        (
            r#""uri":"x://1","type":"ref/resource""#,
            r#""uri":"x://1","type":"ref/resource""#,
        ),
    ];
    let meta = proxy::with_meta(json!({}))["_meta"].take().to_string();
    let meta = format!(r#""_meta" : {meta} ,"#);
    let (first, second) = (
        other_server().await,
        completion_server(kind.server()).start().await,
    );
    let mut client = legacy_client_of(&first, &second).await;
    for (sent, received) in references {
        for (client_is_modern, meta) in [(false, ""), (true, meta.as_str())] {
            let case = format!("{received}, modern client: {client_is_modern}");
            let answer = client.exchange_request(METHOD, &params(meta, sent)).await;
            let result = match (client_is_modern, kind) {
                (true, Kind::Legacy | Kind::HttpSse) => {
                    format!(r#"{{"resultType":"complete",{}"#, &UNUSUAL_RESULT[1..])
                }
                _ => UNUSUAL_RESULT.to_owned(),
            };
            assert_eq!(
                answer,
                result_line(&format!(r#""{METHOD}""#), &result),
                "{case}"
            );
            let request = second.requests_of(METHOD).pop().unwrap();
            let forwarded = String::from_utf8(request.params_bytes().unwrap()).unwrap();
            match (client_is_modern, kind) {
                (true, Kind::Modern) => assert_eq!(forwarded, params(meta, received), "{case}"),
                (false, Kind::Modern) => {
                    assert!(
                        forwarded.starts_with(r#"{"_meta":{"io.model"#),
                        "{forwarded}"
                    );
                    assert!(
                        forwarded.ends_with(&params("", received)[1..]),
                        "{forwarded}"
                    );
                }
                (true, _) => {
                    let expected = params(r#""_meta" : {} ,"#, received);
                    assert_eq!(forwarded, expected, "{case}");
                }
                _ => assert_eq!(forwarded, params("", received), "{case}"),
            }
        }
    }
    assert_eq!(second.requests_of(METHOD).len(), 2 * references.len());
    assert_eq!(first.requests_of(METHOD).len(), 0);
}

#[tokio::test]
async fn completion_has_a_method_header_but_no_name_header() {
    let server = completion_server(upstream::modern()).start().await;
    let mut client = proxy::before(&server).await;
    for reference in [
        json!({"type": "ref/prompt", "name": "ask"}),
        json!({"type": "ref/resource", "uri": "logs://{day}"}),
    ] {
        let params = json!({"ref": reference}).to_string();
        let answer = client.exchange_request(METHOD, &params).await;
        assert_eq!(
            answer,
            result_line(&format!(r#""{METHOD}""#), UNUSUAL_RESULT)
        );
        let request = server.requests_of(METHOD).pop().unwrap();
        assert_eq!(request.header("mcp-method"), Some(METHOD));
        assert_eq!(request.header("mcp-name"), None);
    }
}

/// Sends a request that the proxy rejects without forwarding, and returns the error message.
async fn rejection(client: &mut Client, server: &Upstream, params: &str) -> String {
    let before = server.requests_of(METHOD).len();
    let answer: Value =
        serde_json::from_str(&client.exchange_request(METHOD, params).await).unwrap();
    assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    assert_eq!(server.requests_of(METHOD).len(), before, "{params}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}

async fn missing_repeated_or_unknown_reference_is_rejected(kind: Kind) {
    let server = completion_server(kind.server()).start().await;
    let mut client = proxy::before(&server).await;
    for (params, part) in [
        ("{}", "`ref`"),
        (r#"{"ref":7}"#, "`type`"),
        (r#"{"ref":{"name":"ask"}}"#, "`type`"),
        (r#"{"ref":{"type":7,"name":"ask"}}"#, "`type`"),
        (r#"{"ref":{"type":"ref/tool","name":"ask"}}"#, "`ref/tool`"),
        (r#"{"ref":{"type":"ref/prompt"}}"#, "`name`"),
        (r#"{"ref":{"type":"ref/prompt","name":null}}"#, "`name`"),
        (r#"{"ref":{"type":"ref/prompt","uri":"x://1"}}"#, "`name`"),
        (r#"{"ref":{"type":"ref/resource","name":"ask"}}"#, "`uri`"),
        (
            r#"{"ref":{"type":"ref/prompt","name":"ask","name":"ask"}}"#,
            "twice",
        ),
        (
            r#"{"ref":{"type":"ref/prompt","type":"ref/resource","name":"ask"}}"#,
            "twice",
        ),
        (
            r#"{"ref":{"type":"ref/prompt","name":"ask"},"ref":{}}"#,
            "twice",
        ),
        (
            r#"{"ref":{"type":"ref/prompt","name":"Ask"}}"#,
            "unknown prompt `Ask`",
        ),
        (
            r#"{"ref":{"type":"ref/resource","uri":"logs:"}}"#,
            "unknown resource template `logs:`",
        ),
    ] {
        let message = rejection(&mut client, &server, params).await;
        assert!(message.contains(part), "{params}: {message}");
    }
}

async fn completion_of_a_filtered_item_is_rejected(kind: Kind) {
    let filter = json!({"ignore_prompts": "ask", "ignore_resources": ["diary", "db://secret"]});
    let server = completion_server(kind.server()).start().await;
    let proxy = proxy::new().upstream("a", &server);
    let mut client = proxy.extra("a", filter.clone()).start().await;
    client.initialize().await;
    for hidden in [
        json!({"type": "ref/prompt", "name": "ask"}),
        json!({"type": "ref/resource", "uri": "logs://{day}"}),
        json!({"type": "ref/resource", "uri": "logs://1"}),
        json!({"type": "ref/resource", "uri": "db://secret"}),
    ] {
        let params = json!({"ref": hidden}).to_string();
        let message = rejection(&mut client, &server, &params).await;
        assert!(message.contains("filtered out"), "{message}");
    }
    let open = json!({"type": "ref/resource", "uri": "db://{table}"});
    let params = json!({"ref": open}).to_string();
    let answer = client.exchange_request(METHOD, &params).await;
    assert_eq!(
        answer,
        result_line(&format!(r#""{METHOD}""#), UNUSUAL_RESULT)
    );
}

async fn upstream_error_is_forwarded_unchanged(kind: Kind) {
    let error = r#"{ "code":-32601.0,"message":"\u00fc", "data":{"n" : null}}"#;
    let server =
        completion_server(kind.server()).answers(METHOD, move |r| error_response(r, error));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let params = r#"{"ref":{"type":"ref/prompt","name":"ask"}}"#;
    let answer = client.exchange_request(METHOD, params).await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"{METHOD}","error":{error}}}"#);
    assert_eq!(answer, expected);
}

async fn completion_is_retried_when_its_response_breaks_off(kind: Kind) {
    let is_cut = std::sync::atomic::AtomicBool::new(false);
    let server = completion_server(kind.server()).intercept(move |request| {
        let first = request.is(METHOD) && !is_cut.swap(true, std::sync::atomic::Ordering::AcqRel);
        first.then(|| Reply::cut(r#"{"jsonrpc""#))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let params = r#"{"ref":{"type":"ref/prompt","name":"ask"}}"#;
    let answer = client.exchange_request(METHOD, params).await;
    assert_eq!(
        answer,
        result_line(&format!(r#""{METHOD}""#), UNUSUAL_RESULT)
    );
    assert_eq!(server.requests_of(METHOD).len(), 2);
}

#[tokio::test]
async fn completions_are_declared_to_clients_of_both_eras() {
    let server = upstream::legacy().start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let discovered = client.modern("server/discover", json!({})).await;
    assert_eq!(
        discovered["result"]["capabilities"]["completions"],
        json!({})
    );
    let initialized = client.initialize().await;
    assert_eq!(initialized["capabilities"]["completions"], json!({}));
    // Without a prompt or template, every completion is rejected.
    let params = r#"{"ref":{"type":"ref/prompt","name":"ask"}}"#;
    let answer = client
        .exchange(request_line("1.0", METHOD, params), "1.0")
        .await;
    assert!(String::from_utf8(answer).unwrap().contains("-32602"));
}
