//! `completion/complete`: whom it reaches, and in which words.

use serde_json::{Value, json};

use crate::offers::{asked, error_to, exchange, line, offering, result_line};
use testkit::proxy::{self, Client};
use testkit::raw::Reply;
use testkit::upstream::{self, Builder, Kind, Upstream};

testkit::per_kind! {
    completion_reaches_its_owner_with_only_the_name_changed
    what_it_refers_to_must_be_said_once_and_be_known
    for_what_a_filter_hides_nothing_is_completed
    an_error_of_the_upstream_passes_as_it_is
}

// With HTTP+SSE the stream of the whole connection would break off.
testkit::per_kind! {
    [legacy modern]
    it_is_asked_again_when_its_answer_breaks_off
}

const METHOD: &str = "completion/complete";

/// A result with everything that a parser and a printer would change.
const ODD: &str =
    r#"{ "completion":{"values":["\u00fc\/ü"] ,"total":1.50,"hasMore" : false},"n":[1e400,-0.0]}"#;

/// A server that completes arguments of the prompt `ask`, of `logs://{day}` and of `db://`.
fn completing(builder: Builder) -> Builder {
    let capabilities = r#"{"completions":{},"prompts":{},"resources":{}}"#;
    offering(builder)
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
        .result(METHOD, ODD)
}

/// A legacy server that has a prompt `ask` and a template of its own.
async fn other() -> Upstream {
    offering(upstream::legacy())
        .offers("prompts", [r#"{"name":"ask"}"#])
        .offers("resourceTemplates", [r#"{"uriTemplate":"{any}"}"#])
        .result(METHOD, "{}")
        .start()
        .await
}

/// A client of both, past the handshake of a legacy one.
async fn before(first: &Upstream, second: &Upstream) -> Client {
    let proxy = proxy::new().upstream("a", first).upstream("b", second);
    let mut client = proxy.start().await;
    client.initialize().await;
    client
}

/// Parameters full of what they need not have, around this reference, and `meta`, a member.
fn params(meta: &str, reference: &str) -> String {
    format!(
        r#"{{{meta} "x":1E2,"name":"b__ask","ref" : {{ "n":[ 0.10],{reference} ,"x":{{"name":"b__ask"}}}},"argument":{{"name":"b__ask","value":"\u00fc\/"}} ,"context":{{"arguments":{{"n":"1.0"}} }}}}"#
    )
}

async fn completion_reaches_its_owner_with_only_the_name_changed(kind: Kind) {
    // As the client writes it, and as the upstream is to get it.
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
    let (first, second) = (other().await, completing(kind.server()).start().await);
    let mut client = before(&first, &second).await;
    for (written, native) in references {
        for (client_is_modern, meta) in [(false, ""), (true, meta.as_str())] {
            let case = format!("{native}, modern client: {client_is_modern}");
            let answer = exchange(&mut client, METHOD, &params(meta, written)).await;
            let result = match (client_is_modern, kind) {
                (true, Kind::Legacy | Kind::HttpSse) => {
                    format!(r#"{{"resultType":"complete",{}"#, &ODD[1..])
                }
                _ => ODD.to_owned(),
            };
            assert_eq!(
                answer,
                result_line(&format!(r#""{METHOD}""#), &result),
                "{case}"
            );
            let request = asked(&second, METHOD).pop().unwrap();
            let got = String::from_utf8(request.params_bytes().unwrap()).unwrap();
            match (client_is_modern, kind) {
                (true, Kind::Modern) => assert_eq!(got, params(meta, native), "{case}"),
                (false, Kind::Modern) => {
                    assert!(got.starts_with(r#"{"_meta":{"io.model"#), "{got}");
                    assert!(got.ends_with(&params("", native)[1..]), "{got}");
                }
                (true, _) => {
                    let expected = params(r#""_meta" : {} ,"#, native);
                    assert_eq!(got, expected, "{case}");
                }
                _ => assert_eq!(got, params("", native), "{case}"),
            }
        }
    }
    assert_eq!(asked(&second, METHOD).len(), 2 * references.len());
    assert_eq!(asked(&first, METHOD).len(), 0);
}

#[tokio::test]
async fn completion_has_a_method_header_but_no_name_header() {
    let server = completing(upstream::modern()).start().await;
    let mut client = proxy::before(&server).await;
    for reference in [
        json!({"type": "ref/prompt", "name": "ask"}),
        json!({"type": "ref/resource", "uri": "logs://{day}"}),
    ] {
        let params = json!({"ref": reference}).to_string();
        let answer = exchange(&mut client, METHOD, &params).await;
        assert_eq!(answer, result_line(&format!(r#""{METHOD}""#), ODD));
        let request = asked(&server, METHOD).pop().unwrap();
        assert_eq!(request.header("mcp-method"), Some(METHOD));
        assert_eq!(request.header("mcp-name"), None);
    }
}

/// The refusal of a request, which reaches nobody.
async fn refusal(client: &mut Client, server: &Upstream, params: &str) -> String {
    let before = asked(server, METHOD).len();
    let answer: Value = serde_json::from_str(&exchange(client, METHOD, params).await).unwrap();
    assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    assert_eq!(asked(server, METHOD).len(), before, "{params}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}

async fn what_it_refers_to_must_be_said_once_and_be_known(kind: Kind) {
    let server = completing(kind.server()).start().await;
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
        let message = refusal(&mut client, &server, params).await;
        assert!(message.contains(part), "{params}: {message}");
    }
}

async fn for_what_a_filter_hides_nothing_is_completed(kind: Kind) {
    let filter = json!({"ignore_prompts": "ask", "ignore_resources": ["diary", "db://secret"]});
    let server = completing(kind.server()).start().await;
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
        let message = refusal(&mut client, &server, &params).await;
        assert!(message.contains("filtered out"), "{message}");
    }
    let open = json!({"type": "ref/resource", "uri": "db://{table}"});
    let params = json!({"ref": open}).to_string();
    let answer = exchange(&mut client, METHOD, &params).await;
    assert_eq!(answer, result_line(&format!(r#""{METHOD}""#), ODD));
}

async fn an_error_of_the_upstream_passes_as_it_is(kind: Kind) {
    let error = r#"{ "code":-32601.0,"message":"\u00fc", "data":{"n" : null}}"#;
    let server = completing(kind.server()).answers(METHOD, move |r| error_to(r, error));
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let params = r#"{"ref":{"type":"ref/prompt","name":"ask"}}"#;
    let answer = exchange(&mut client, METHOD, params).await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"{METHOD}","error":{error}}}"#);
    assert_eq!(answer, expected);
}

async fn it_is_asked_again_when_its_answer_breaks_off(kind: Kind) {
    let is_cut = std::sync::atomic::AtomicBool::new(false);
    let server = completing(kind.server()).intercept(move |request| {
        let first = request.is(METHOD) && !is_cut.swap(true, std::sync::atomic::Ordering::AcqRel);
        first.then(|| Reply::cut(r#"{"jsonrpc""#))
    });
    let server = server.start().await;
    let mut client = proxy::before(&server).await;
    let params = r#"{"ref":{"type":"ref/prompt","name":"ask"}}"#;
    let answer = exchange(&mut client, METHOD, params).await;
    assert_eq!(answer, result_line(&format!(r#""{METHOD}""#), ODD));
    assert_eq!(asked(&server, METHOD).len(), 2);
}

#[tokio::test]
async fn clients_of_both_eras_are_told_that_there_are_completions() {
    let server = upstream::legacy().start().await;
    let mut client = proxy::new().upstream("a", &server).start().await;
    let discovered = client.modern("server/discover", json!({})).await;
    assert_eq!(
        discovered["result"]["capabilities"]["completions"],
        json!({})
    );
    let initialized = client.initialize().await;
    assert_eq!(initialized["capabilities"]["completions"], json!({}));
    // Without a prompt or template there is nothing to complete, and it is said so.
    let params = r#"{"ref":{"type":"ref/prompt","name":"ask"}}"#;
    let answer = client.exchange(line("1.0", METHOD, params), "1.0").await;
    assert!(String::from_utf8(answer).unwrap().contains("-32602"));
}
