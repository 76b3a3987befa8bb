//! Merging the items of upstreams, and finding the upstream that serves an item.

use super::*;
use crate::config::{Config, Environment};

fn upstreams(json: &str) -> Vec<config::Upstream> {
    let env = [("PROXY_UPSTREAMS".to_owned(), json.to_owned())];
    Config::from_environment(&env.into_iter().collect::<Environment>())
        .unwrap()
        .upstreams
}

/// Merges one upstream per element of `offers`, named `a`, `b` and so on, with these definitions.
fn merged(kind: ItemKind, offers: &[&[&str]]) -> Items {
    let unfiltered: Vec<_> = offers.iter().map(|_| json!({})).collect();
    filtered(kind, &unfiltered, offers)
}

/// Merges like [`merged`], with further configuration keys for each upstream.
fn filtered(kind: ItemKind, extra: &[serde_json::Value], offers: &[&[&str]]) -> Items {
    let entries = ["a", "b", "c"].iter().zip(extra).map(|(name, extra)| {
        let mut entry = extra.clone();
        entry["name"] = json!(name);
        entry["url"] = json!("https://x.example/");
        entry
    });
    let config = upstreams(&json!(entries.collect::<Vec<_>>()).to_string());
    let items = |definitions: &&[&str]| {
        let items = definitions.iter().map(|text| item(kind, text));
        Some(ItemList::new(items.collect()))
    };
    let listed = config.iter().zip(offers.iter().map(items)).collect();
    Items::merge(kind, listed, 64)
}

fn item(kind: ItemKind, definition: &str) -> Item {
    Item::read(Bytes::copy_from_slice(definition.as_bytes()), kind).unwrap()
}

fn definitions(items: &Items) -> String {
    String::from_utf8(items.definitions().to_vec()).unwrap()
}

/// Returns the upstream that serves `key`, and its native key.
fn owner<'a>(items: &'a Items, key: &str) -> Option<(usize, &'a str)> {
    let owner = items.owner(key);
    owner.map(|owner| (owner.upstream, &*owner.item.key))
}

#[test]
fn prompts_stay_as_written_but_for_a_changed_name() {
    let prompts = merged(
        ItemKind::Prompts,
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
fn prompt_names_follow_the_configured_prefix() {
    let named = |prefix: &str| {
        let config = upstreams(&format!(
            r#"[{{"name":"a","url":"https://x.example/"}},{{"name":"b","url":"https://x.example/","prefix":{prefix}}}]"#
        ));
        let ask = || ItemList::new(vec![item(ItemKind::Prompts, r#"{"name":"ask"}"#)]);
        let offered = config.iter().map(|config| (config, Some(ask()))).collect();
        definitions(&Items::merge(ItemKind::Prompts, offered, 64))
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
fn a_prompt_listed_twice_appears_once() {
    let prompts = merged(
        ItemKind::Prompts,
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
        (ItemKind::Resources, "uri"),
        (ItemKind::ResourceTemplates, "uriTemplate"),
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
fn no_items_merge_to_an_empty_list() {
    for kind in [
        ItemKind::Prompts,
        ItemKind::Resources,
        ItemKind::ResourceTemplates,
    ] {
        let items = merged(kind, &[&[], &[]]);
        assert_eq!(definitions(&items), "[]");
        assert!(items.is_empty());
    }
}

#[test]
fn filtered_items_are_not_listed_and_take_no_name() {
    let prompts = filtered(
        ItemKind::Prompts,
        &[
            json!({"ignore_prompts": ["ask"]}),
            json!({"include_prompts": ["A*"]}),
        ],
        &[
            &[r#"{"name":"ask"}"#, r#"{"name":"all"}"#],
            &[
                r#"{"name":"ask"}"#,
                r#"{"name":"all"}"#,
                r#"{"name":"plan"}"#,
            ],
        ],
    );
    assert_eq!(
        definitions(&prompts),
        r#"[{"name":"all"},{"name":"ask"},{"name":"b__all"}]"#
    );
    assert_eq!(owner(&prompts, "ask"), Some((1, "ask")));
    assert_eq!(owner(&prompts, "b__all"), Some((1, "all")));
    for hidden in ["plan", "b__ask", "b__plan"] {
        assert_eq!(owner(&prompts, hidden), None, "{hidden}");
    }
}

#[test]
fn a_resource_is_filtered_by_its_uri_and_its_name() {
    for (kind, key) in [
        (ItemKind::Resources, "uri"),
        (ItemKind::ResourceTemplates, "uriTemplate"),
    ] {
        let define = |uri: &str, name: &str| format!(r#"{{"{key}":"{uri}", "name":"{name}"}}"#);
        let all = [
            define("x://{1}", "one"),
            define("x://{2}", "two"),
            define("y://{3}", "one"),
            define("y://{4}", "four"),
        ];
        let each: Vec<_> = all.iter().map(String::as_str).collect();
        for (extra, shown) in [
            (json!({"include_resources": ["X://*"]}), vec![0, 1]),
            (
                json!({"include_resources": ["x://*", "One"]}),
                vec![0, 1, 2],
            ),
            (json!({"ignore_resources": ["one"]}), vec![1, 3]),
            (json!({"ignore_resources": ["x*"]}), vec![2, 3]),
            (
                json!({"include_resources": "x*", "ignore_resources": "one"}),
                vec![1],
            ),
            (
                json!({"include_prompts": "no", "ignore_tools": "*"}),
                vec![0, 1, 2, 3],
            ),
        ] {
            let expected: Vec<_> = shown.iter().map(|at| each[*at]).collect();
            let items = filtered(kind, std::slice::from_ref(&extra), &[&each]);
            let expected = format!("[{}]", expected.join(","));
            assert_eq!(definitions(&items), expected, "{extra}");
            assert_eq!(owner(&items, "y://{4}").is_some(), shown.contains(&3));
        }
        // An item that the first upstream filters out is the second one's.
        let extra = [json!({"ignore_resources": "one"}), json!({})];
        let items = filtered(kind, &extra, &[&each[..1], &each[..1]]);
        assert_eq!(definitions(&items), format!("[{}]", each[0]));
        assert_eq!(owner(&items, "x://{1}"), Some((1, "x://{1}")));
    }
}
