//! `resources/read`: which upstream receives it.

use serde_json::json;

use crate::offers::{error_response, result_line, with_empty_lists};
use testkit::proxy::{self, Client};
use testkit::upstream::{self, Builder, Kind, Upstream};

testkit::per_kind! {
    resource_is_read_from_the_upstream_that_lists_it
    resource_listed_twice_is_read_from_the_first_configured
    unlisted_resource_is_read_by_the_most_specific_template
    unknown_resource_is_tried_in_order_until_an_upstream_has_it
    missing_resource_is_rejected_with_the_upstream_error
    read_without_any_resource_upstream_is_rejected_by_uri
}

const MISSING: &str = r#"{ "code":-32002,"message":"Resource not found", "data":{"n":1.0}}"#;

/// A read result whose only content is the name of the server.
fn contents(name: &str) -> String {
    format!(r#"{{"resultType":"complete","contents":[{{"uri":"\/","text":"{name}"}} ]}}"#)
}

/// A server that answers every read with its name, or rejects every read.
fn server(builder: Builder, name: &str, has_all: bool) -> Builder {
    let contents = contents(name);
    with_empty_lists(builder).answers("resources/read", move |request| match has_all {
        true => contents.clone().into_bytes(),
        false => error_response(request, MISSING),
    })
}

/// Starts a proxy before these servers, named `a`, `b`, `c`, and returns its legacy client.
async fn legacy_client_of(servers: &[&Upstream]) -> Client {
    let named = ["a", "b", "c"].into_iter().zip(servers);
    let proxy = named.fold(proxy::new(), |proxy, (name, server)| {
        proxy.upstream(name, *server)
    });
    let mut client = proxy.start().await;
    client.initialize().await;
    client
}

async fn read(client: &mut Client, uri: &str) -> String {
    let params = json!({"uri": uri}).to_string();
    client.exchange_request("resources/read", &params).await
}

/// The response with the contents of the server `name`.
fn contents_line(name: &str) -> String {
    result_line(r#""resources/read""#, &contents(name))
}

/// The number of reads that each server has received.
fn reads(servers: &[&Upstream]) -> Vec<usize> {
    let count = |server: &&Upstream| server.requests_of("resources/read").len();
    servers.iter().map(count).collect()
}

async fn resource_is_read_from_the_upstream_that_lists_it(kind: Kind) {
    let other = server(upstream::legacy(), "a", true).start().await;
    let listing = server(kind.server(), "b", true);
    let listing = listing
        .offers(
            "resources",
            [r#"{"uri":"x://1"}"#, r#"{"uri":"x:\/\/\u0032"}"#],
        )
        .page_size(1)
        .start()
        .await;
    let servers = [&other, &listing];
    let mut client = legacy_client_of(&servers).await;
    for uri in ["x://1", "x://2"] {
        assert_eq!(read(&mut client, uri).await, contents_line("b"));
    }
    assert_eq!(reads(&servers), [0, 2]);
}

async fn resource_listed_twice_is_read_from_the_first_configured(kind: Kind) {
    for (first_has_it, expected) in [(true, contents_line("b")), (false, missing_line())] {
        let same = [r#"{"uri":"x://1"}"#];
        let other = server(upstream::legacy(), "a", true).start().await;
        let first = server(kind.server(), "b", first_has_it).offers("resources", same);
        let second = server(upstream::modern(), "c", true).offers("resources", same);
        let (first, second) = (first.start().await, second.start().await);
        let servers = [&other, &first, &second];
        let mut client = legacy_client_of(&servers).await;
        assert_eq!(read(&mut client, "x://1").await, expected);
        assert_eq!(reads(&servers), [0, 1, 0]);
    }
}

/// The response with the error of a server that lacks the resource.
fn missing_line() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"resources/read","error":{MISSING}}}"#)
}

async fn unlisted_resource_is_read_by_the_most_specific_template(kind: Kind) {
    let general = server(upstream::legacy(), "a", true)
        .offers("resourceTemplates", [r#"{"uriTemplate":"file:///{path}"}"#])
        .offers("resources", [r#"{"uri":"file:///logs/listed"}"#]);
    let specific = server(kind.server(), "b", true).offers(
        "resourceTemplates",
        [
            r#"{"uriTemplate":"file:\/\/\/logs/{day}"}"#,
            r#"{"uriTemplate":"db://{table}"}"#,
        ],
    );
    let (general, specific) = (general.start().await, specific.start().await);
    let servers = [&general, &specific];
    let mut client = legacy_client_of(&servers).await;
    for (uri, owner) in [
        ("file:///logs/1", "b"),
        ("db://t", "b"),
        ("file:///readme", "a"),
        // A listed resource goes before a matching template.
        ("file:///logs/listed", "a"),
    ] {
        assert_eq!(read(&mut client, uri).await, contents_line(owner), "{uri}");
    }
    assert_eq!(reads(&servers), [2, 2]);
}

async fn unknown_resource_is_tried_in_order_until_an_upstream_has_it(kind: Kind) {
    let none = upstream::legacy().capabilities(r#"{"tools":{}}"#);
    let none = none.result("resources/read", &contents("none"));
    let none = none.start().await;
    let without = server(upstream::modern(), "without", false).start().await;
    let owner = server(kind.server(), "b", true).start().await;
    let later = server(upstream::legacy(), "later", true).start().await;
    let proxy = proxy::new().upstream("none", &none);
    let proxy = proxy.upstream("without", &without);
    let proxy = proxy.upstream("b", &owner).upstream("later", &later);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(read(&mut client, "x://1").await, contents_line("b"));
    let servers = [&none, &without, &owner, &later];
    assert_eq!(reads(&servers), [0, 1, 1, 0]);
}

async fn missing_resource_is_rejected_with_the_upstream_error(kind: Kind) {
    let first = server(upstream::modern(), "a", false).start().await;
    let second = server(kind.server(), "b", false).start().await;
    let servers = [&first, &second];
    let mut client = legacy_client_of(&servers).await;
    assert_eq!(read(&mut client, "x://1").await, missing_line());
    assert_eq!(reads(&servers), [1, 1]);
}

async fn read_without_any_resource_upstream_is_rejected_by_uri(kind: Kind) {
    let server = kind.server().capabilities(r#"{"tools":{}}"#).start().await;
    let mut client = proxy::before(&server).await;
    let rejected = client
        .request_in_era("resources/read", json!({"uri": "x://ü"}))
        .await;
    assert_eq!(rejected["error"]["code"], -32602);
    let message = rejected["error"]["message"].as_str().unwrap();
    assert!(message.contains("`x://ü`"), "{message}");
    assert_eq!(server.requests_of("resources/read").len(), 0);
}
