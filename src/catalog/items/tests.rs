//! Merging, from what upstreams offer to what the client is shown and who answers for it.

use super::*;
use crate::config::{Config, Environment};

fn upstreams(json: &str) -> Vec<config::Upstream> {
    let env = [("PROXY_UPSTREAMS".to_owned(), json.to_owned())];
    Config::from_environment(&env.into_iter().collect::<Environment>())
        .unwrap()
        .upstreams
}

/// As many upstreams as there are offers, `a`, `b` and so on, each with these definitions.
fn merged(kind: Kind, offers: &[&[&str]]) -> Items {
    let names = ["a", "b", "c"].iter().zip(offers);
    let entries = names.map(|(name, _)| json!({"name": name, "url": "https://x.example/"}));
    let config = upstreams(&json!(entries.collect::<Vec<_>>()).to_string());
    let items = |definitions: &&[&str]| definitions.iter().map(|text| item(kind, text)).collect();
    let offered = config.iter().zip(offers.iter().map(items)).collect();
    Items::merge(kind, offered, 64)
}

fn item(kind: Kind, definition: &str) -> Item {
    Item::read(Bytes::copy_from_slice(definition.as_bytes()), kind).unwrap()
}

fn definitions(items: &Items) -> String {
    String::from_utf8(items.definitions().to_vec()).unwrap()
}

/// The upstream that answers for `key`, and what it calls it itself.
fn owner<'a>(items: &'a Items, key: &str) -> Option<(usize, &'a str)> {
    let owner = items.owner(key);
    owner.map(|owner| (owner.upstream, &*owner.item.key))
}

fn templates(offers: &[&[&str]]) -> Items {
    let define = |uri: &&str| json!({"uriTemplate": uri, "name": "n"}).to_string();
    let offers: Vec<Vec<String>> = offers
        .iter()
        .map(|uris| uris.iter().map(define).collect())
        .collect();
    let offers: Vec<Vec<&str>> = offers
        .iter()
        .map(|definitions| definitions.iter().map(String::as_str).collect())
        .collect();
    let offers: Vec<&[&str]> = offers.iter().map(Vec::as_slice).collect();
    merged(Kind::ResourceTemplates, &offers)
}

#[test]
fn prompts_stay_as_written_but_for_a_changed_name() {
    let prompts = merged(
        Kind::Prompts,
        &[
            &[r#"{"x":1E2,"name" : "ask", "y":[0.10]}"#],
            &[
                r#"{ "arguments":[{"name":"ask"}] ,"name":"\u0061sk","title":"\/"}"#,
                r#"{"name":"only"}"#,
            ],
            &[],
        ],
    );
    assert_eq!(
        definitions(&prompts),
        r#"[{"x":1E2,"name" : "ask", "y":[0.10]},{ "arguments":[{"name":"ask"}] ,"name":"b__ask","title":"\/"},{"name":"only"}]"#
    );
    assert_eq!(owner(&prompts, "ask"), Some((0, "ask")));
    assert_eq!(owner(&prompts, "b__ask"), Some((1, "ask")));
    assert_eq!(owner(&prompts, "only"), Some((1, "only")));
    assert_eq!(owner(&prompts, "b__only"), None);
    let native = &prompts.owner("b__ask").unwrap().item.quoted_key;
    assert_eq!(native, r#""\u0061sk""#);
    assert_eq!(prompts.len(), 3);
}

#[test]
fn a_prompt_is_named_as_the_configuration_says() {
    let named = |prefix: &str| {
        let config = upstreams(&format!(
            r#"[{{"name":"a","url":"https://x.example/"}},{{"name":"b","url":"https://x.example/","prefix":{prefix}}}]"#
        ));
        let ask = || vec![item(Kind::Prompts, r#"{"name":"ask"}"#)];
        let offered = config.iter().map(|config| (config, ask())).collect();
        definitions(&Items::merge(Kind::Prompts, offered, 64))
    };
    for (prefix, second) in [
        (r#""auto""#, r#",{"name":"b__ask"}"#),
        (r#""my-""#, r#",{"name":"my-ask"}"#),
        (r#""never""#, ""),
    ] {
        assert_eq!(named(prefix), format!(r#"[{{"name":"ask"}}{second}]"#));
    }
}

#[test]
fn a_prompt_that_is_listed_twice_is_shown_once() {
    let prompts = merged(
        Kind::Prompts,
        &[&[r#"{"name":"ask","n":1}"#, r#"{"name":"ask","n":2}"#]],
    );
    let shown: Vec<serde_json::Value> = serde_json::from_slice(&prompts.definitions()).unwrap();
    let mut names: Vec<_> = shown.iter().map(|prompt| &prompt["name"]).collect();
    names.dedup();
    assert_eq!((shown.len(), names.len()), (prompts.len(), prompts.len()));
    assert_eq!(shown[0], json!({"name": "ask", "n": 1}));
}

#[test]
fn of_equal_uris_the_first_counts() {
    for (kind, key) in [
        (Kind::Resources, "uri"),
        (Kind::ResourceTemplates, "uriTemplate"),
    ] {
        let [first, odd, last] = [
            format!(r#"{{ "{key}":"x://1", "n":1.0}}"#),
            format!(r#"{{"name":"odd","{key}":"x:\/\/\u0031"}}"#),
            format!(r#"{{"{key}":"x://2"}}"#),
        ];
        let items = merged(kind, &[&[&first, &first], &[&odd, &last], &[&last]]);
        assert_eq!(definitions(&items), format!("[{first},{last}]"));
        assert_eq!(owner(&items, "x://1"), Some((0, "x://1")));
        assert_eq!(owner(&items, "x://2"), Some((1, "x://2")));
        assert_eq!(owner(&items, "x://3"), None);
    }
}

#[test]
fn nothing_merged_is_an_empty_list() {
    for kind in [Kind::Prompts, Kind::Resources, Kind::ResourceTemplates] {
        let items = merged(kind, &[&[], &[]]);
        assert_eq!(definitions(&items), "[]");
        assert!(items.is_empty());
        assert!(items.template_owner("x://1").is_none());
    }
}

#[test]
fn a_uri_is_its_whose_template_begins_with_the_most_of_it() {
    let items = templates(&[
        &["file:///{path}", "{any}://é/x"],
        &["file:///logs/{day}", "file:///logs/fixed", "ü://{ä}"],
        &["file:///logs/{hour}", "https://{host}/{path}"],
    ]);
    for (uri, expected) in [
        ("file:///readme", Some("file:///{path}")),
        ("file:///", Some("file:///{path}")),
        // Of templates with equal beginnings, that of the first upstream.
        ("file:///logs/1", Some("file:///logs/{day}")),
        ("file:///logs/fixed", Some("file:///logs/fixed")),
        ("https://h/p", Some("https://{host}/{path}")),
        ("ü://x", Some("ü://{ä}")),
        // A template that begins with an expression may make anything.
        ("other:", Some("{any}://é/x")),
        ("", Some("{any}://é/x")),
    ] {
        let found = items.template_owner(uri);
        let found = found.map(|owner| &*owner.item.key);
        assert_eq!(found, expected, "{uri}");
    }
    let items = templates(&[&["file:///{path}"]]);
    for uri in ["file://x", "File:///x", ""] {
        assert!(items.template_owner(uri).is_none(), "{uri}");
    }
}
