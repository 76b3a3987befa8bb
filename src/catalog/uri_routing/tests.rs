//! Routing URIs by templates and filters.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::config::{self, Config, Environment};
use crate::protocol::{ItemKind, ItemList};

/// An upstream: its filter, and the URI and name of each resource and template in its listing.
struct TestUpstream<'a> {
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

fn route(uri: &str, upstreams: &[TestUpstream<'_>]) -> UriRoute {
    let config = configured(upstreams.iter().map(|upstream| upstream.filter.clone()));
    let merge = |kind, of: fn(&TestUpstream<'_>) -> Option<ItemList>| {
        let listed = config.iter().zip(upstreams.iter().map(of)).collect();
        Items::merge(kind, listed, 64)
    };
    let resources = merge(ItemKind::Resources, |upstream| {
        items(ItemKind::Resources, upstream.resources)
    });
    let templates = merge(ItemKind::ResourceTemplates, |upstream| {
        items(ItemKind::ResourceTemplates, upstream.templates)
    });
    let filters: Vec<_> = config.iter().map(|config| &config.resources).collect();
    route_uri(uri, &filters, &resources, &templates)
}

/// Routes a URI among upstreams with these templates and no filter.
fn route_by_templates(uri: &str, templates: &[&[&str]]) -> UriRoute {
    let named: Vec<Vec<_>> = templates
        .iter()
        .map(|texts| texts.iter().map(|text| (*text, "n")).collect())
        .collect();
    let upstreams: Vec<_> = named
        .iter()
        .map(|templates| TestUpstream {
            filter: json!({}),
            resources: &[],
            templates,
        })
        .collect();
    route(uri, &upstreams)
}

#[test]
fn the_upstream_with_the_nearest_template_owns_a_uri() {
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
        // Among equal matches, the first upstream.
        ("file:///logs/1", 1),
        ("file:///logs/fixed", 1),
        ("https://h/p", 2),
        ("ü://x", 1),
        // With equal prefixes, the one with longer literals.
        ("db://a", 0),
        ("db://a/1", 2),
        ("db://{table}", 0),
        ("db://{t}/{row}", 2),
        // A template that begins with an expression matches anything.
        ("other:", 0),
        ("", 0),
    ] {
        assert_eq!(
            route_by_templates(uri, &templates),
            UriRoute::Owner(upstream),
            "{uri}"
        );
    }
    for uri in ["file://x", "File:///x", ""] {
        let uri_route = route_by_templates(uri, &[&["file:///{path}"], &[]]);
        assert_eq!(uri_route, UriRoute::Candidates(vec![0, 1]), "{uri}");
    }
}

#[test]
fn a_fully_matching_template_beats_a_matching_prefix() {
    let templates: [&[&str]; 2] = [&["file:///{path}"], &["file:///logs/{day}.txt"]];
    assert_eq!(
        route_by_templates("file:///logs/1.txt", &templates),
        UriRoute::Owner(1)
    );
    assert_eq!(
        route_by_templates("file:///logs/1", &templates),
        UriRoute::Owner(0)
    );
    assert_eq!(
        route_by_templates("file:///logs/1", &templates[1..]),
        UriRoute::Owner(0)
    );
}

#[test]
fn malformed_templates_do_not_panic() {
    for text in ["{", "}", "{}", "}{", "{{}}", "a{b", "a}b{c", "é{", "{a}é"] {
        for uri in ["", "{", "a", "aé", "é", "a}b"] {
            let _ = route_by_templates(uri, &[&[text]]);
        }
        assert_eq!(
            route_by_templates(text, &[&["a{x}"], &[text]]),
            UriRoute::Owner(1)
        );
    }
}

/// Returns `true` if the only upstream may serve the URI.
fn is_reachable(uri: &str, upstream: TestUpstream<'_>) -> bool {
    route(uri, &[upstream]) != UriRoute::Candidates(Vec::new())
}

#[test]
fn a_filter_applies_to_uri_template_and_template_name() {
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
        // An `ignore` match outweighs an `include` match by another name.
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
        // No template matches.
        (
            json!({"include_resources": ["diary", "x://*"]}),
            "x://1",
            true,
        ),
        (json!({"include_resources": "diary"}), "x://1", false),
        (json!({"ignore_resources": "x://*"}), "x://1", false),
    ] {
        let upstream = TestUpstream {
            filter: filter.clone(),
            resources: &[],
            templates: &logs,
        };
        assert_eq!(is_reachable(uri, upstream), expected, "{uri} by {filter}");
    }
}

#[test]
fn a_filtered_resource_is_not_reachable_by_a_template() {
    let upstream = |filter| TestUpstream {
        filter,
        resources: &[("logs://1", "secret")],
        templates: &[("logs://{day}", "diary")],
    };
    assert!(!is_reachable(
        "logs://1",
        upstream(json!({"ignore_resources": "secret"}))
    ));
    assert!(is_reachable(
        "logs://2",
        upstream(json!({"ignore_resources": "secret"}))
    ));
    assert!(!is_reachable(
        "logs://1",
        upstream(json!({"include_resources": "diary"}))
    ));
}

#[test]
fn of_equally_near_templates_a_filtered_one_counts() {
    for templates in [
        [("db://{a}", "open"), ("db://{b}", "secret")],
        [("db://{b}", "secret"), ("db://{a}", "open")],
    ] {
        let upstream = TestUpstream {
            filter: json!({"ignore_resources": "secret"}),
            resources: &[],
            templates: &templates,
        };
        assert!(!is_reachable("db://1", upstream));
    }
}

#[test]
fn a_filtered_template_is_not_reachable_by_its_own_text() {
    let upstream = || TestUpstream {
        filter: json!({"ignore_resources": "secret"}),
        resources: &[],
        templates: &[("db://{table}", "secret"), ("db://{a}e{b}", "open")],
    };
    assert!(!is_reachable("db://{table}", upstream()));
    assert!(is_reachable("db://{a}e{b}", upstream()));
}

#[test]
fn a_uri_that_one_upstream_filters_routes_to_the_next() {
    let templates = [("logs://{day}", "diary")];
    let upstream = |filter| TestUpstream {
        filter,
        resources: &[],
        templates: &templates,
    };
    let both = [
        upstream(json!({"ignore_resources": "logs://1"})),
        upstream(json!({})),
    ];
    assert_eq!(route("logs://1", &both), UriRoute::Owner(1));
    assert_eq!(route("logs://2", &both), UriRoute::Owner(0));
    let some = [
        upstream(json!({"ignore_resources": "x*"})),
        upstream(json!({})),
        upstream(json!({"include_resources": "diary"})),
        upstream(json!({"include_resources": "X://?"})),
    ];
    assert_eq!(route("x://1", &some), UriRoute::Candidates(vec![1, 3]));
}

#[test]
fn a_filtered_upstream_without_listing_is_no_candidate() {
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
