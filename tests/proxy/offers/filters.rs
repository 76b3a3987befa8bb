//! Filters: the proxy neither lists nor requests a filtered item, under any of its names.

use serde_json::{Value, json};

use crate::offers::{LISTS, error_response, list_items, result_line, with_empty_lists};
use testkit::proxy::{self, Client};
use testkit::upstream::{self, Builder, Kind, Upstream};

testkit::per_kind! {
    filtered_prompt_is_neither_listed_nor_requested
    filtered_prompt_causes_no_name_collision
    resources_and_templates_are_filtered_by_uri_and_by_name
    filtered_uri_is_never_requested
    resource_filtered_at_one_upstream_is_read_from_the_next
    read_is_rejected_while_the_filtered_names_are_unknown
}

/// The result of `prompts/get` and `resources/read`.
const RESULT: &str = r#"{"resultType":"complete","messages":[],"contents":[],"n":1.0}"#;

/// A server that lists these resources and templates (URI, name), and answers any read.
fn server(builder: Builder, resources: &[(&str, &str)], templates: &[(&str, &str)]) -> Builder {
    let define = |key: &str, items: &[(&str, &str)]| -> Vec<String> {
        let define = |(uri, name): &(&str, &str)| json!({key: uri, "name": name}).to_string();
        items.iter().map(define).collect()
    };
    let resources = define("uri", resources);
    let templates = define("uriTemplate", templates);
    with_empty_lists(builder)
        .offers("resources", resources.iter().map(String::as_str))
        .offers("resourceTemplates", templates.iter().map(String::as_str))
        .result("resources/read", RESULT)
        .result("prompts/get", RESULT)
}

/// Starts a proxy before one server, with these configuration keys, and returns its legacy client.
async fn client_with_filter(server: &Upstream, filter: Value) -> Client {
    let proxy = proxy::new().upstream("a", server).extra("a", filter);
    let mut client = proxy.start().await;
    client.initialize().await;
    client
}

/// The name or URI of each listed item.
async fn listed_keys(client: &mut Client, list: (&str, &str, &str)) -> Vec<String> {
    let items: Vec<Value> = serde_json::from_str(&list_items(client, list).await).unwrap();
    let key = |item: &Value| item[list.2].as_str().unwrap().to_owned();
    items.iter().map(key).collect()
}

/// Requests an item and returns whether the server received the request.
///
/// Panics if the proxy did not forward the request and did not reject it as filtered.
async fn is_forwarded(
    client: &mut Client,
    server: &Upstream,
    method: &str,
    params: &Value,
) -> bool {
    let before = server.requests_of(method).len();
    let answer = client.exchange_request(method, &params.to_string()).await;
    let is_forwarded = server.requests_of(method).len() > before;
    match is_forwarded {
        true => assert_eq!(answer, result_line(&format!(r#""{method}""#), RESULT)),
        false => {
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
            let message = answer["error"]["message"].as_str().unwrap();
            let subject = params["uri"].as_str().or(params["name"].as_str()).unwrap();
            assert!(message.contains(&format!("`{subject}`")), "{message}");
            assert!(message.contains("filtered out"), "{message}");
        }
    }
    is_forwarded
}

async fn is_read(client: &mut Client, server: &Upstream, uri: &str) -> bool {
    is_forwarded(client, server, "resources/read", &json!({"uri": uri})).await
}

async fn filtered_prompt_is_neither_listed_nor_requested(kind: Kind) {
    let filter = json!({"include_prompts": ["Plan*", "ask"], "ignorePrompts": "*_OLD"});
    let all = ["plan", "plan_old", "ask", "write"];
    let prompts = all.map(|name| json!({"name": name}).to_string());
    let server = server(kind.server(), &[], &[]);
    let server = server.offers("prompts", prompts.iter().map(String::as_str));
    let server = server.page_size(1).start().await;
    let mut client = client_with_filter(&server, filter.clone()).await;
    for (name, expected) in all.into_iter().zip([true, false, true, false]) {
        let params = json!({"name": name});
        let found = is_forwarded(&mut client, &server, "prompts/get", &params).await;
        assert_eq!(found, expected, "{name}");
    }
    let found = listed_keys(&mut client, LISTS[0]).await;
    assert_eq!(found, ["plan", "ask"]);
}

async fn filtered_prompt_causes_no_name_collision(kind: Kind) {
    let prompts = [r#"{"name":"ask"}"#];
    let hiding = server(kind.server(), &[], &[]).offers("prompts", prompts);
    let second = server(kind.server(), &[], &[]).offers("prompts", prompts);
    let (hiding, second) = (hiding.start().await, second.start().await);
    let proxy = proxy::new().upstream("a", &hiding).upstream("b", &second);
    let proxy = proxy.extra("a", json!({"ignore_prompts": ["a*"]}));
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(listed_keys(&mut client, LISTS[0]).await, ["ask"]);
    let ask = |name: &str| json!({"name": name});
    assert!(is_forwarded(&mut client, &second, "prompts/get", &ask("ask")).await);
    for name in ["a__ask", "b__ask"] {
        assert!(!is_forwarded(&mut client, &second, "prompts/get", &ask(name)).await);
    }
    assert_eq!(hiding.requests_of("prompts/get").len(), 0);
}

async fn resources_and_templates_are_filtered_by_uri_and_by_name(kind: Kind) {
    let resources = [("x://1", "one"), ("x://2", "two"), ("y://3", "three")];
    let templates = [("x://{a}/t", "one"), ("y://{a}/t", "four")];
    for (filter, shown_resources, shown_templates) in [
        (json!({}), vec!["x://1", "x://2", "y://3"], vec![0, 1]),
        (
            json!({"include_resources": ["X://*"]}),
            vec!["x://1", "x://2"],
            vec![0],
        ),
        (json!({"includeResources": "One"}), vec!["x://1"], vec![0]),
        (
            json!({"include_resources": ["x://*", "t*"], "ignore_resources": ["two", "*4"]}),
            vec!["x://1", "y://3"],
            vec![0],
        ),
        (json!({"ignoreResources": "*"}), vec![], vec![]),
        (
            json!({"ignore_tools": "*", "include_prompts": "none"}),
            vec!["x://1", "x://2", "y://3"],
            vec![0, 1],
        ),
    ] {
        let server = server(kind.server(), &resources, &templates).start().await;
        let mut client = client_with_filter(&server, filter.clone()).await;
        let found = listed_keys(&mut client, LISTS[1]).await;
        assert_eq!(found, shown_resources, "{filter}");
        let expected: Vec<_> = shown_templates.iter().map(|at| templates[*at].0).collect();
        let found = listed_keys(&mut client, LISTS[2]).await;
        assert_eq!(found, expected, "{filter}");
        for (uri, _) in resources {
            let expected = shown_resources.contains(&uri);
            let found = is_read(&mut client, &server, uri).await;
            assert_eq!(found, expected, "{uri} by {filter}");
        }
    }
}

async fn filtered_uri_is_never_requested(kind: Kind) {
    let resources = [("logs://listed", "listed"), ("logs://secret", "secret")];
    let templates = [
        ("logs://{day}", "diary"),
        ("db://{table}", "tables"),
        ("db://{table}/{row}", "rows"),
    ];
    let cases: [(Value, &[(&str, bool)]); 6] = [
        (
            json!({"ignore_resources": ["logs://*", "x://no"]}),
            &[
                ("logs://listed", false),
                ("logs://1", false),
                ("LOGS://1", false),
                ("x://no", false),
                ("x://1", true),
                ("db://1", true),
            ],
        ),
        // The template that matches the URI is filtered by its name.
        (
            json!({"ignore_resources": "rows"}),
            &[("db://t/1", false), ("db://t", true), ("logs://1", true)],
        ),
        // The listed resource is filtered by its name; the template that matches it is not.
        (
            json!({"ignore_resources": "secret"}),
            &[("logs://secret", false), ("logs://1", true)],
        ),
        (
            json!({"include_resources": "diary"}),
            &[
                ("logs://1", true),
                ("logs://listed", false),
                ("db://1", false),
                ("x://1", false),
            ],
        ),
        (
            json!({"include_resources": ["logs://2*", "x://1"]}),
            &[
                ("logs://2026", true),
                ("logs://1", false),
                ("x://1", true),
                ("x://2", false),
            ],
        ),
        (
            json!({"include_resources": "diary", "ignore_resources": "*secret*"}),
            &[("logs://my-secrets", false), ("logs://1", true)],
        ),
    ];
    let server = server(kind.server(), &resources, &templates).start().await;
    for (filter, uris) in &cases {
        let mut client = client_with_filter(&server, filter.clone()).await;
        for (uri, expected) in *uris {
            let found = is_read(&mut client, &server, uri).await;
            assert_eq!(found, *expected, "{uri} by {filter}");
        }
    }
}

async fn resource_filtered_at_one_upstream_is_read_from_the_next(kind: Kind) {
    let items = ([("x://1", "one")], [("logs://{day}", "diary")]);
    let hiding = server(kind.server(), &items.0, &items.1).start().await;
    let second = server(kind.server(), &items.0, &items.1).start().await;
    let proxy = proxy::new().upstream("a", &hiding).upstream("b", &second);
    let proxy = proxy.extra("a", json!({"ignore_resources": ["one", "logs://1", "y*"]}));
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(listed_keys(&mut client, LISTS[1]).await, ["x://1"]);
    for uri in ["x://1", "logs://1", "y://1"] {
        assert!(is_read(&mut client, &second, uri).await, "{uri}");
    }
    assert_eq!(hiding.requests_of("resources/read").len(), 0);
    assert!(is_read(&mut client, &hiding, "logs://2").await);
}

async fn read_is_rejected_while_the_filtered_names_are_unknown(kind: Kind) {
    for failing in ["resources/list", "resources/templates/list"] {
        let server = server(kind.server(), &[], &[]).answers(failing, |request| {
            error_response(request, r#"{"code":-32603,"message":"out of order"}"#)
        });
        let server = server.start().await;
        let mut client = client_with_filter(&server, json!({"ignore_resources": "secret"})).await;
        assert!(!is_read(&mut client, &server, "x://1").await);
        let mut client = client_with_filter(&server, json!({"ignore_prompts": "secret"})).await;
        assert!(is_read(&mut client, &server, "x://1").await);
    }
}

#[tokio::test]
async fn resource_listed_only_after_a_reconnect_is_filtered() {
    let mut server = server(upstream::legacy(), &[("x://1", "secret")], &[])
        .start()
        .await;
    server.raw.stop().await;
    let mut client = client_with_filter(&server, json!({"ignore_resources": "secret"})).await;
    assert_eq!(list_items(&mut client, LISTS[1]).await, "[]");
    server.restart();
    testkit::within("the upstream to reconnect", async {
        while !is_read(&mut client, &server, "x://2").await {}
    })
    .await;
    assert!(!is_read(&mut client, &server, "x://1").await);
}

#[tokio::test]
async fn single_upstream_is_filtered_by_environment_variables() {
    let server = server(
        upstream::modern(),
        &[("x://1", "one"), ("y://2", "two")],
        &[],
    );
    let server = server.offers("prompts", [r#"{"name":"ask"}"#, r#"{"name":"plan"}"#]);
    let server = server.start().await;
    let proxy = proxy::new().env("PROXY_UPSTREAMS", "");
    let proxy = proxy.env("PROXY_URL", testkit::Endpoint::url(&server));
    let proxy = proxy
        .env("PROXY_IGNORE_PROMPTS", "ask,other")
        .env("PROXY_INCLUDE_RESOURCES", r#"["x://*"]"#);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(listed_keys(&mut client, LISTS[0]).await, ["plan"]);
    assert_eq!(listed_keys(&mut client, LISTS[1]).await, ["x://1"]);
    assert!(!is_read(&mut client, &server, "y://2").await);
}
