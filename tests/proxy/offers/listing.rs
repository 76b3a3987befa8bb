//! Listings: every page of every upstream, in order and as written.

use serde_json::json;

use crate::offers::{ALL, LISTS, asked, error_to, exchange, listed, offering};
use testkit::raw::Reply;
use testkit::upstream::Kind;
use testkit::{proxy, upstream, within};

testkit::per_kind! {
    a_modern_client_is_told_how_long_a_listing_may_be_kept
    upstream_failing_its_listing_is_left_out_of_the_merged_one
    an_upstream_that_declares_none_is_not_asked
    declared_listing_with_unknown_method_counts_as_empty
}

/// A definition with everything that a parser and a printer would change.
fn odd(key: &str, value: &str) -> String {
    format!(
        r#"{{ "x":1.50,"{key}" : "{value}", "s":"\u00fc\/","n":[1e400,-0.0,12345678901234567890123] ,"_meta":{{"name":"{key}"}}}}"#
    )
}

#[tokio::test]
async fn all_pages_of_all_upstreams_are_listed_in_order_as_written() {
    for list @ (method, member, key) in LISTS {
        let mut proxy = proxy::new();
        let (mut servers, mut expected) = (Vec::new(), Vec::new());
        for kind in Kind::ALL {
            let definitions: Vec<_> = (1..=5).map(|n| odd(key, &format!("{kind}-{n}"))).collect();
            let given = definitions.iter().map(String::as_str);
            let server = offering(kind.server()).offers(member, given).page_size(2);
            let server = server.start().await;
            proxy = proxy.upstream(&kind.to_string(), &server);
            servers.push(server);
            expected.extend(definitions);
        }
        let mut client = proxy.start().await;
        client.initialize().await;
        let expected = format!("[{}]", expected.join(","));
        for round in 1..=2 {
            assert_eq!(listed(&mut client, list).await, expected, "{method}");
            for server in &servers {
                assert_eq!(asked(server, method).len(), round * 3, "{method}");
            }
        }
    }
}

async fn a_modern_client_is_told_how_long_a_listing_may_be_kept(kind: Kind) {
    for (method, member, key) in LISTS {
        let definition = odd(key, "x");
        let server = offering(kind.server()).offers(member, [definition.as_str()]);
        let server = server.start().await;
        let mut client = proxy::new().upstream("a", &server).start().await;
        let params = proxy::with_meta(json!({})).to_string();
        let answer = exchange(&mut client, method, &params).await;
        let result = format!(
            r#"{{"resultType":"complete","ttlMs":0,"cacheScope":"private","{member}":[{definition}]}}"#
        );
        let expected = crate::offers::result_line(&format!(r#""{method}""#), &result);
        assert_eq!(answer, expected);
    }
}

async fn upstream_failing_its_listing_is_left_out_of_the_merged_one(kind: Kind) {
    for list @ (method, member, key) in LISTS {
        let definition = odd(key, "good");
        let refusing = offering(kind.server()).answers(method, |request| {
            error_to(request, r#"{"code":-32603,"message":"out of order"}"#)
        });
        let lying = offering(kind.server()).result(method, &format!(r#"{{"{member}":7}}"#));
        let (refusing, lying) = (refusing.start().await, lying.start().await);
        let good = offering(kind.server()).offers(member, [definition.as_str()]);
        let good = good.start().await;
        let proxy = proxy::new().upstream("refusing", &refusing);
        let proxy = proxy.upstream("lying", &lying).upstream("good", &good);
        let mut client = proxy.start().await;
        client.initialize().await;
        let found = listed(&mut client, list).await;
        assert_eq!(found, format!("[{definition}]"));
        client.wait_for_stderr("out of order").await;
        let complaint = format!("`{member}` is not a list");
        client.wait_for_stderr(&complaint).await;
    }
}

#[tokio::test]
async fn an_upstream_that_is_lost_or_broken_leaves_its_listing_out() {
    let broken = offering(upstream::legacy()).intercept(|request| {
        let asked = request.is("prompts/list");
        asked.then(|| Reply::status(500))
    });
    let (broken, good) = (
        broken.start().await,
        offering(upstream::modern()).offers("prompts", [r#"{"name":"p"}"#]),
    );
    let (mut lost, good) = (
        offering(upstream::legacy())
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
    let found = listed(&mut client, LISTS[0]).await;
    assert_eq!(found, r#"[{"name":"p"}]"#);

    // Back again, it is listed: a listing is never older than its request.
    lost.restart();
    let expected = r#"[{"name":"late"},{"name":"p"}]"#;
    within("the upstream to come back", async {
        while listed(&mut client, LISTS[0]).await != expected {}
    })
    .await;
}

#[tokio::test]
async fn hanging_upstream_delays_a_listing_no_longer_than_its_timeout() {
    for list @ (method, member, key) in LISTS {
        let definition = odd(key, "good");
        let hanging = offering(upstream::modern())
            .intercept(move |request| request.is(method).then(Reply::hang));
        let hanging = hanging.start().await;
        let good = offering(upstream::legacy()).offers(member, [definition.as_str()]);
        let good = good.start().await;
        let proxy = proxy::new().upstream("a", &hanging).upstream("b", &good);
        let proxy = proxy.extra("a", json!({"timeout": "300ms"}));
        let mut client = proxy.start().await;
        client.initialize().await;
        let found = listed(&mut client, list).await;
        assert_eq!(found, format!("[{definition}]"), "{method}");
        client.wait_for_stderr("leaving out").await;
    }
}

async fn an_upstream_that_declares_none_is_not_asked(kind: Kind) {
    for list @ (method, member, key) in LISTS {
        let definition = odd(key, "x");
        let mut proxy = proxy::new();
        let mut silent = Vec::new();
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
            silent.push(server);
        }
        let open = kind
            .server()
            .capabilities(r#"{"prompts":{},"resources":{}}"#);
        let open = open.offers(member, [definition.as_str()]).start().await;
        let mut client = proxy.upstream("open", &open).start().await;
        client.initialize().await;
        let found = listed(&mut client, list).await;
        assert_eq!(found, format!("[{definition}]"));
        for server in silent {
            assert_eq!(asked(&server, method).len(), 0, "{method}");
        }
    }
}

async fn declared_listing_with_unknown_method_counts_as_empty(kind: Kind) {
    for list @ (method, _, _) in LISTS {
        let server = kind.server().capabilities(ALL).start().await;
        let mut client = proxy::before(&server).await;
        assert_eq!(listed(&mut client, list).await, "[]");
        assert_eq!(asked(&server, method).len(), 1, "{method}");
        let stderr = client.stderr();
        assert!(!stderr.contains("leaving out"), "{stderr}");
    }
}

#[tokio::test]
async fn a_cursor_that_was_never_given_is_refused() {
    let server = offering(upstream::legacy()).start().await;
    let mut client = proxy::before(&server).await;
    for list @ (method, _, _) in LISTS {
        for cursor in ["x", "", "from 2"] {
            let refused = client
                .request_in_era(method, json!({"cursor": cursor}))
                .await;
            assert_eq!(refused["error"]["code"], -32602, "{refused}");
        }
        let modern = client.modern(method, json!({"cursor": "x"})).await;
        assert_eq!(modern["error"]["code"], -32602, "{modern}");
        assert_eq!(asked(&server, method).len(), 0);
        let none = exchange(&mut client, method, r#"{"cursor":null}"#).await;
        assert!(none.contains("result"), "{none}");
        assert_eq!(listed(&mut client, list).await, "[]");
    }
}
