//! Merged listings: every page of every upstream, in order and byte for byte.

use serde_json::json;

use crate::offers::{CAPABILITIES, LISTS, error_response, list_items, with_empty_lists};
use testkit::raw::Reply;
use testkit::upstream::Kind;
use testkit::{proxy, upstream, within};

testkit::per_kind! {
    modern_listing_result_has_ttl_and_cache_scope
    merged_listing_omits_an_upstream_whose_listing_fails
    upstream_without_the_capability_gets_no_list_request
    unknown_list_method_counts_as_an_empty_listing
}

/// A definition that parsing and printing would change.
fn unusual_definition(key: &str, value: &str) -> String {
    format!(
        r#"{{ "x":1.50,"{key}" : "{value}", "s":"\u00fc\/","n":[1e400,-0.0,12345678901234567890123] ,"_meta":{{"name":"{key}"}}}}"#
    )
}

#[tokio::test]
async fn all_pages_of_all_upstreams_are_listed_in_order_unchanged() {
    for list @ (method, member, key) in LISTS {
        let mut proxy = proxy::new();
        let (mut servers, mut expected) = (Vec::new(), Vec::new());
        for kind in Kind::ALL {
            let definitions: Vec<_> = (1..=5)
                .map(|n| unusual_definition(key, &format!("{kind}-{n}")))
                .collect();
            let offers = definitions.iter().map(String::as_str);
            let server = with_empty_lists(kind.server())
                .offers(member, offers)
                .page_size(2);
            let server = server.start().await;
            proxy = proxy.upstream(&kind.to_string(), &server);
            servers.push(server);
            expected.extend(definitions);
        }
        let mut client = proxy.start().await;
        client.initialize().await;
        let expected = format!("[{}]", expected.join(","));
        for round in 1..=2 {
            assert_eq!(list_items(&mut client, list).await, expected, "{method}");
            for server in &servers {
                assert_eq!(server.requests_of(method).len(), round * 3, "{method}");
            }
        }
    }
}

async fn modern_listing_result_has_ttl_and_cache_scope(kind: Kind) {
    for (method, member, key) in LISTS {
        let definition = unusual_definition(key, "x");
        let server = with_empty_lists(kind.server()).offers(member, [definition.as_str()]);
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        let params = proxy::with_meta(json!({})).to_string();
        let answer = client.exchange_request(method, &params).await;
        let result = format!(
            r#"{{"resultType":"complete","ttlMs":0,"cacheScope":"private","{member}":[{definition}]}}"#
        );
        let expected = crate::offers::result_line(&format!(r#""{method}""#), &result);
        assert_eq!(answer, expected);
    }
}

async fn merged_listing_omits_an_upstream_whose_listing_fails(kind: Kind) {
    for list @ (method, member, key) in LISTS {
        let definition = unusual_definition(key, "good");
        let failing = with_empty_lists(kind.server()).answers(method, |request| {
            error_response(request, r#"{"code":-32603,"message":"out of order"}"#)
        });
        let malformed =
            with_empty_lists(kind.server()).result(method, &format!(r#"{{"{member}":7}}"#));
        let (failing, malformed) = (failing.start().await, malformed.start().await);
        let good = with_empty_lists(kind.server()).offers(member, [definition.as_str()]);
        let good = good.start().await;
        let proxy = proxy::new().upstream("failing", &failing);
        let proxy = proxy
            .upstream("malformed", &malformed)
            .upstream("good", &good);
        let mut client = proxy.start().await;
        client.initialize().await;
        let found = list_items(&mut client, list).await;
        assert_eq!(found, format!("[{definition}]"));
        client.wait_for_stderr("out of order").await;
        let message = format!("`{member}` is not a list");
        client.wait_for_stderr(&message).await;
    }
}

#[tokio::test]
async fn merged_listing_omits_a_disconnected_or_failing_upstream() {
    let broken = with_empty_lists(upstream::legacy()).intercept(|request| {
        let is_listing = request.is("prompts/list");
        is_listing.then(|| Reply::status(500))
    });
    let (broken, good) = (
        broken.start().await,
        with_empty_lists(upstream::modern()).offers("prompts", [r#"{"name":"p"}"#]),
    );
    let (mut lost, good) = (
        with_empty_lists(upstream::legacy())
            .offers("prompts", [r#"{"name":"late"}"#])
            .start()
            .await,
        good.start().await,
    );
    lost.raw.stop().await;
    let proxy = proxy::new().upstream("lost", &lost);
    let proxy = proxy.upstream("broken", &broken).upstream("good", &good);
    let mut client = proxy.start().await;
    client.initialize().await;
    let found = list_items(&mut client, LISTS[0]).await;
    assert_eq!(found, r#"[{"name":"p"}]"#);

    // After its reconnect it is listed: a listing is never older than the request for it.
    lost.restart();
    let expected = r#"[{"name":"late"},{"name":"p"}]"#;
    within("the upstream to reconnect", async {
        while list_items(&mut client, LISTS[0]).await != expected {}
    })
    .await;
}

#[tokio::test]
async fn hanging_upstream_delays_a_listing_at_most_its_timeout() {
    for list @ (method, member, key) in LISTS {
        let definition = unusual_definition(key, "good");
        let hanging = with_empty_lists(upstream::modern())
            .intercept(move |request| request.is(method).then(Reply::hang));
        let hanging = hanging.start().await;
        let good = with_empty_lists(upstream::legacy()).offers(member, [definition.as_str()]);
        let good = good.start().await;
        let proxy = proxy::new().upstream("a", &hanging).upstream("b", &good);
        let proxy = proxy.extra("a", json!({"timeout": "300ms"}));
        let mut client = proxy.start().await;
        client.initialize().await;
        let found = list_items(&mut client, list).await;
        assert_eq!(found, format!("[{definition}]"), "{method}");
        client.wait_for_stderr("leaving out").await;
    }
}

async fn upstream_without_the_capability_gets_no_list_request(kind: Kind) {
    for list @ (method, member, key) in LISTS {
        let definition = unusual_definition(key, "x");
        let mut proxy = proxy::new();
        let mut undeclared = Vec::new();
        for (index, capabilities) in [
            r#"{"tools":{}}"#,
            r#"{"prompts":null,"resources":false}"#,
            r#"{"Prompts":{},"Resources":{}}"#,
        ]
        .into_iter()
        .enumerate()
        {
            let server = kind.server().capabilities(capabilities);
            let server = server.offers(member, [definition.as_str()]).start().await;
            proxy = proxy.upstream(&format!("s{index}"), &server);
            undeclared.push(server);
        }
        let declared = kind
            .server()
            .capabilities(r#"{"prompts":{},"resources":{}}"#);
        let declared = declared.offers(member, [definition.as_str()]).start().await;
        let mut client = proxy.upstream("declared", &declared).start().await;
        client.initialize().await;
        let found = list_items(&mut client, list).await;
        assert_eq!(found, format!("[{definition}]"));
        for server in undeclared {
            assert_eq!(server.requests_of(method).len(), 0, "{method}");
        }
    }
}

async fn unknown_list_method_counts_as_an_empty_listing(kind: Kind) {
    for list @ (method, _, _) in LISTS {
        let server = kind.server().capabilities(CAPABILITIES).start().await;
        let mut client = proxy::before(&server).await;
        assert_eq!(list_items(&mut client, list).await, "[]");
        assert_eq!(server.requests_of(method).len(), 1, "{method}");
        let stderr = client.stderr();
        assert!(!stderr.contains("leaving out"), "{stderr}");
    }
}

#[tokio::test]
async fn unknown_cursor_is_rejected() {
    let server = with_empty_lists(upstream::legacy()).start().await;
    let mut client = proxy::before(&server).await;
    for list @ (method, _, _) in LISTS {
        for cursor in ["x", "", "from 2"] {
            let rejected = client
                .request_in_era(method, json!({"cursor": cursor}))
                .await;
            assert_eq!(rejected["error"]["code"], -32602, "{rejected}");
        }
        let modern = client.modern(method, json!({"cursor": "x"})).await;
        assert_eq!(modern["error"]["code"], -32602, "{modern}");
        assert_eq!(server.requests_of(method).len(), 0);
        let first_page = client.exchange_request(method, r#"{"cursor":null}"#).await;
        assert!(first_page.contains("result"), "{first_page}");
        assert_eq!(list_items(&mut client, list).await, "[]");
    }
}
