//! Who is asked for a URI, by templates and filters.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::config::{self, Config, Environment};
use crate::protocol::{ItemKind, ItemList};

/// An upstream: its filter, and the URI and name of each resource and template that it lists.
struct Has<'a> {
    filter: Value,
    resources: &'a [(&'a str, &'a str)],
    templates: &'a [(&'a str, &'a str)],
}

fn configured(filters: impl Iterator<Item = Value>) -> Vec<config::Upstream> {
    let entries = filters.enumerate().map(|(at, mut entry)| {
        entry["name"] = json!(format!("u{at}"));
        entry["url"] = json!("https://x.example/");
        entry
    });
    let list = json!(entries.collect::<Vec<_>>()).to_string();
    let environment = Environment::from_iter([("PROXY_UPSTREAMS".to_owned(), list)]);
    Config::from_environment(&environment).unwrap().upstreams
}

fn items(kind: ItemKind, known: &[(&str, &str)]) -> Option<ItemList> {
    let define = |(key, name): &(&str, &str)| {
        let definition = json!({kind.key_member(): key, "name": name}).to_string();
        Item::read(Bytes::from(definition), kind)
    };
    let known: Option<_> = known.iter().map(define).collect();
    known.map(ItemList::new)
}

fn reached(uri: &str, upstreams: &[Has<'_>]) -> UriRoute {
    let config = configured(upstreams.iter().map(|has| has.filter.clone()));
    let merge = |kind, of: fn(&Has<'_>) -> Option<ItemList>| {
        let listed = config.iter().zip(upstreams.iter().map(of)).collect();
        Items::merge(kind, listed, 64)
    };
    let resources = merge(ItemKind::Resources, |has| {
        items(ItemKind::Resources, has.resources)
    });
    let templates = merge(ItemKind::ResourceTemplates, |has| {
        items(ItemKind::ResourceTemplates, has.templates)
    });
    let filters: Vec<_> = config.iter().map(|config| &config.resources).collect();
    route_uri(uri, &filters, &resources, &templates)
}

/// The same for upstreams that have these templates and no filter.
fn by_templates(uri: &str, templates: &[&[&str]]) -> UriRoute {
    let named: Vec<Vec<_>> = templates
        .iter()
        .map(|texts| texts.iter().map(|text| (*text, "n")).collect())
        .collect();
    let upstreams: Vec<_> = named
        .iter()
        .map(|templates| Has {
            filter: json!({}),
            resources: &[],
            templates,
        })
        .collect();
    reached(uri, &upstreams)
}

#[test]
fn a_uri_is_its_whose_template_is_nearest() {
    let templates: [&[&str]; 3] = [
        &["file:///{path}", "{any}://é/x", "db://{table}"],
        &["file:///logs/{day}", "file:///logs/fixed", "ü://{ä}"],
        &[
            "file:///logs/{hour}",
            "https://{host}/{path}",
            "db://{t}/{row}",
        ],
    ];
    for (uri, upstream) in [
        ("file:///readme", 0),
        ("file:///", 0),
        // Of equally near ones, that of the first upstream.
        ("file:///logs/1", 1),
        ("file:///logs/fixed", 1),
        ("https://h/p", 2),
        ("ü://x", 1),
        // With equal beginnings, the one that says more.
        ("db://a", 0),
        ("db://a/1", 2),
        ("db://{table}", 0),
        ("db://{t}/{row}", 2),
        // A template that begins with an expression may make anything.
        ("other:", 0),
        ("", 0),
    ] {
        assert_eq!(
            by_templates(uri, &templates),
            UriRoute::Owner(upstream),
            "{uri}"
        );
    }
    for uri in ["file://x", "File:///x", ""] {
        let reach = by_templates(uri, &[&["file:///{path}"], &[]]);
        assert_eq!(reach, UriRoute::Candidates(vec![0, 1]), "{uri}");
    }
}

#[test]
fn a_template_that_ends_otherwise_is_farther_than_one_that_fits() {
    let templates: [&[&str]; 2] = [&["file:///{path}"], &["file:///logs/{day}.txt"]];
    assert_eq!(
        by_templates("file:///logs/1.txt", &templates),
        UriRoute::Owner(1)
    );
    assert_eq!(
        by_templates("file:///logs/1", &templates),
        UriRoute::Owner(0)
    );
    assert_eq!(
        by_templates("file:///logs/1", &templates[1..]),
        UriRoute::Owner(0)
    );
}

#[test]
fn text_that_is_no_template_does_no_harm() {
    for text in ["{", "}", "{}", "}{", "{{}}", "a{b", "a}b{c", "é{", "{a}é"] {
        for uri in ["", "{", "a", "aé", "é", "a}b"] {
            let _ = by_templates(uri, &[&[text]]);
        }
        assert_eq!(
            by_templates(text, &[&["a{x}"], &[text]]),
            UriRoute::Owner(1)
        );
    }
}

/// Whether the only upstream may be asked.
fn is_asked(uri: &str, has: Has<'_>) -> bool {
    reached(uri, &[has]) != UriRoute::Candidates(Vec::new())
}

#[test]
fn a_uri_is_judged_by_all_that_it_goes_by() {
    let logs = [("logs://{day}", "diary"), ("db://{table}", "tables")];
    for (filter, uri, expected) in [
        (json!({}), "logs://1", true),
        // By the URI itself.
        (json!({"ignore_resources": "logs://1"}), "LOGS://1", false),
        (json!({"ignore_resources": "logs://1"}), "logs://1", false),
        (json!({"ignore_resources": "logs://1"}), "logs://2", true),
        (json!({"include_resources": "logs://1"}), "logs://1", true),
        (json!({"include_resources": "logs://1"}), "logs://2", false),
        // By the template's name and text.
        (json!({"ignore_resources": "diary"}), "logs://1", false),
        (json!({"ignore_resources": "diary"}), "db://1", true),
        (json!({"include_resources": "diary"}), "logs://1", true),
        (json!({"include_resources": "diary"}), "db://1", false),
        (
            json!({"ignore_resources": "logs://[{]day[}]"}),
            "logs://1",
            false,
        ),
        (
            json!({"include_resources": "logs://[{]day[}]"}),
            "logs://1",
            true,
        ),
        // Ignored by one, it does not help to be included by another.
        (
            json!({"include_resources": "logs://*", "ignore_resources": "diary"}),
            "logs://1",
            false,
        ),
        (
            json!({"include_resources": "diary", "ignore_resources": "*1"}),
            "logs://1",
            false,
        ),
        // Nobody names it.
        (
            json!({"include_resources": ["diary", "x://*"]}),
            "x://1",
            true,
        ),
        (json!({"include_resources": "diary"}), "x://1", false),
        (json!({"ignore_resources": "x://*"}), "x://1", false),
    ] {
        let has = Has {
            filter: filter.clone(),
            resources: &[],
            templates: &logs,
        };
        assert_eq!(is_asked(uri, has), expected, "{uri} by {filter}");
    }
}

#[test]
fn what_a_listing_keeps_out_is_not_reached_by_a_template() {
    let has = |filter| Has {
        filter,
        resources: &[("logs://1", "secret")],
        templates: &[("logs://{day}", "diary")],
    };
    assert!(!is_asked(
        "logs://1",
        has(json!({"ignore_resources": "secret"}))
    ));
    assert!(is_asked(
        "logs://2",
        has(json!({"ignore_resources": "secret"}))
    ));
    assert!(!is_asked(
        "logs://1",
        has(json!({"include_resources": "diary"}))
    ));
}

#[test]
fn of_equally_near_templates_one_that_is_kept_out_counts() {
    for templates in [
        [("db://{a}", "open"), ("db://{b}", "secret")],
        [("db://{b}", "secret"), ("db://{a}", "open")],
    ] {
        let has = Has {
            filter: json!({"ignore_resources": "secret"}),
            resources: &[],
            templates: &templates,
        };
        assert!(!is_asked("db://1", has));
    }
}

#[test]
fn a_template_that_is_kept_out_is_not_reached_by_its_own_text() {
    let has = || Has {
        filter: json!({"ignore_resources": "secret"}),
        resources: &[],
        templates: &[("db://{table}", "secret"), ("db://{a}e{b}", "open")],
    };
    assert!(!is_asked("db://{table}", has()));
    assert!(is_asked("db://{a}e{b}", has()));
}

#[test]
fn where_one_upstream_keeps_a_uri_the_next_is_asked() {
    let templates = [("logs://{day}", "diary")];
    let has = |filter| Has {
        filter,
        resources: &[],
        templates: &templates,
    };
    let both = [has(json!({"ignore_resources": "logs://1"})), has(json!({}))];
    assert_eq!(reached("logs://1", &both), UriRoute::Owner(1));
    assert_eq!(reached("logs://2", &both), UriRoute::Owner(0));
    let some = [
        has(json!({"ignore_resources": "x*"})),
        has(json!({})),
        has(json!({"include_resources": "diary"})),
        has(json!({"include_resources": "X://?"})),
    ];
    assert_eq!(reached("x://1", &some), UriRoute::Candidates(vec![1, 3]));
}

#[test]
fn an_upstream_with_a_filter_that_did_not_list_is_not_asked() {
    let filters = [json!({}), json!({"ignore_resources": "secret"})];
    let config = configured(filters.into_iter());
    let filters: Vec<_> = config.iter().map(|config| &config.resources).collect();
    let listed = |is_known: bool| {
        let listed = config
            .iter()
            .map(|config| (config, is_known.then(ItemList::default)));
        Items::merge(ItemKind::Resources, listed.collect(), 64)
    };
    for (resources, templates, expected) in [
        (true, true, vec![0, 1]),
        (true, false, vec![0]),
        (false, true, vec![0]),
        (false, false, vec![0]),
    ] {
        let found = route_uri("x://1", &filters, &listed(resources), &listed(templates));
        assert_eq!(found, UriRoute::Candidates(expected));
    }
}
