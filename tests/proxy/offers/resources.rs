//! `resources/read`: who is asked for a resource.

use serde_json::json;

use crate::offers::{asked, error_to, exchange, offering, result_line};
use testkit::proxy::{self, Client};
use testkit::upstream::{self, Builder, Kind, Upstream};

testkit::per_kind! {
    a_resource_is_read_from_who_lists_it
    of_two_that_list_a_resource_the_first_configured_answers
    unlisted_resource_is_read_by_the_nearest_template
    unknown_resource_is_tried_in_order_until_an_upstream_has_it
    missing_resource_is_refused_with_the_upstreams_error
    where_nobody_has_resources_we_refuse_them_by_their_uri
}

const MISSING: &str = r#"{ "code":-32002,"message":"Resource not found", "data":{"n":1.0}}"#;

/// What a server answers: its name, and that is all.
fn contents(name: &str) -> String {
    format!(r#"{{"resultType":"complete","contents":[{{"uri":"\/","text":"{name}"}} ]}}"#)
}

/// A server that has each resource, or none.
fn server(builder: Builder, name: &str, has_all: bool) -> Builder {
    let contents = contents(name);
    offering(builder).answers("resources/read", move |request| match has_all {
        true => contents.clone().into_bytes(),
        false => error_to(request, MISSING),
    })
}

/// A legacy client of these servers, called `a`, `b` and so on.
async fn before(servers: &[&Upstream]) -> Client {
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
    exchange(client, "resources/read", &params).await
}

/// The line with the contents of the server called `name`.
fn from(name: &str) -> String {
    result_line(r#""resources/read""#, &contents(name))
}

/// How often each server was asked.
fn reads(servers: &[&Upstream]) -> Vec<usize> {
    let count = |server: &&Upstream| asked(server, "resources/read").len();
    servers.iter().map(count).collect()
}

async fn a_resource_is_read_from_who_lists_it(kind: Kind) {
    let other = server(upstream::legacy(), "a", true).start().await;
    let lister = server(kind.server(), "b", true);
    let lister = lister
        .offers(
            "resources",
            [r#"{"uri":"x://1"}"#, r#"{"uri":"x:\/\/\u0032"}"#],
        )
        .page_size(1)
        .start()
        .await;
    let servers = [&other, &lister];
    let mut client = before(&servers).await;
    for uri in ["x://1", "x://2"] {
        assert_eq!(read(&mut client, uri).await, from("b"));
    }
    assert_eq!(reads(&servers), [0, 2]);
}

async fn of_two_that_list_a_resource_the_first_configured_answers(kind: Kind) {
    for (first_has_it, expected) in [(true, from("b")), (false, missing())] {
        let same = [r#"{"uri":"x://1"}"#];
        let other = server(upstream::legacy(), "a", true).start().await;
        let first = server(kind.server(), "b", first_has_it).offers("resources", same);
        let second = server(upstream::modern(), "c", true).offers("resources", same);
        let (first, second) = (first.start().await, second.start().await);
        let servers = [&other, &first, &second];
        let mut client = before(&servers).await;
        assert_eq!(read(&mut client, "x://1").await, expected);
        assert_eq!(reads(&servers), [0, 1, 0]);
    }
}

fn missing() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"resources/read","error":{MISSING}}}"#)
}

async fn unlisted_resource_is_read_by_the_nearest_template(kind: Kind) {
    let wide = server(upstream::legacy(), "a", true)
        .offers("resourceTemplates", [r#"{"uriTemplate":"file:///{path}"}"#])
        .offers("resources", [r#"{"uri":"file:///logs/listed"}"#]);
    let near = server(kind.server(), "b", true).offers(
        "resourceTemplates",
        [
            r#"{"uriTemplate":"file:\/\/\/logs/{day}"}"#,
            r#"{"uriTemplate":"db://{table}"}"#,
        ],
    );
    let (wide, near) = (wide.start().await, near.start().await);
    let servers = [&wide, &near];
    let mut client = before(&servers).await;
    for (uri, owner) in [
        ("file:///logs/1", "b"),
        ("db://t", "b"),
        ("file:///readme", "a"),
        // Who lists it goes before who has a template.
        ("file:///logs/listed", "a"),
    ] {
        assert_eq!(read(&mut client, uri).await, from(owner), "{uri}");
    }
    assert_eq!(reads(&servers), [2, 2]);
}

async fn unknown_resource_is_tried_in_order_until_an_upstream_has_it(kind: Kind) {
    let none = upstream::legacy().capabilities(r#"{"tools":{}}"#);
    let none = none.result("resources/read", &contents("none"));
    let none = none.start().await;
    let without = server(upstream::modern(), "without", false).start().await;
    let having = server(kind.server(), "b", true).start().await;
    let later = server(upstream::legacy(), "later", true).start().await;
    let proxy = proxy::new().upstream("none", &none);
    let proxy = proxy.upstream("without", &without);
    let proxy = proxy.upstream("b", &having).upstream("later", &later);
    let mut client = proxy.start().await;
    client.initialize().await;
    assert_eq!(read(&mut client, "x://1").await, from("b"));
    let servers = [&none, &without, &having, &later];
    assert_eq!(reads(&servers), [0, 1, 1, 0]);
}

async fn missing_resource_is_refused_with_the_upstreams_error(kind: Kind) {
    let first = server(upstream::modern(), "a", false).start().await;
    let second = server(kind.server(), "b", false).start().await;
    let servers = [&first, &second];
    let mut client = before(&servers).await;
    assert_eq!(read(&mut client, "x://1").await, missing());
    assert_eq!(reads(&servers), [1, 1]);
}

async fn where_nobody_has_resources_we_refuse_them_by_their_uri(kind: Kind) {
    let server = kind.server().capabilities(r#"{"tools":{}}"#).start().await;
    let mut client = proxy::before(&server).await;
    let refused = client
        .request_in_era("resources/read", json!({"uri": "x://ü"}))
        .await;
    assert_eq!(refused["error"]["code"], -32602);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("`x://ü`"), "{message}");
    assert_eq!(asked(&server, "resources/read").len(), 0);
}
